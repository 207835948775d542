//! What this host gives and lacks, as plain data that plans are built from.
