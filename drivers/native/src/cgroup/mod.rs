//! Cgroups: made, filled, counted, killed and removed, whatever the layout of the host.
