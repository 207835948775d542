//! The flags of security modules, clocks and attributes of processes.

use crate::container::invalid;
use crate::failure::Failure;
use crate::values::{self, ClockArg, LandlockArg, SeccompArg};
use clap::Args;
use execdriver::{
    Command, Error, IoPriority, Landlock, LinuxCommand, MemoryPolicy, Personality, Scheduler,
    Securebit, TimeOffsets,
};

/// What confines the process, and how it is scheduled.
#[derive(Debug, Args)]
pub(crate) struct ConfineArgs {
    /// The AppArmor profile, or unconfined [default: execdriver-default where AppArmor is active]
    #[arg(long, value_name = "PROFILE", help_heading = "Privileges")]
    apparmor: Option<String>,
    /// A filter of system calls in Docker's JSON, or unconfined (./unconfined is a file) [default:
    /// the profile's own; with --privileged none]
    #[arg(long, value_name = "FILE.json", help_heading = "Privileges")]
    seccomp: Option<SeccompArg>,
    /// The SELinux label of the process [USER:ROLE:TYPE:LEVEL]
    #[arg(long, value_name = "LABEL", help_heading = "Privileges")]
    selinux_label: Option<String>,
    /// The SELinux label of the container's own file systems
    #[arg(long, value_name = "LABEL", help_heading = "Privileges")]
    selinux_mount_label: Option<String>,
    /// Allow these paths and ports alone: ro=PATH, rw=PATH, ro,noexec=PATH, rw,noexec=PATH,
    /// bind=PORT, connect=PORT (or none), scope=signals, scope=abstract; best-effort leaves out what
    /// the kernel is too old for
    #[arg(long, value_name = "RULE", value_parser = values::landlock, help_heading = "Privileges")]
    landlock: Vec<LandlockArg>,
    /// How user id 0 and capabilities belong together: noroot, noroot_locked ...
    #[arg(long, value_name = "BITS", value_delimiter = ',', value_parser = values::securebit,
          help_heading = "Privileges")]
    securebits: Vec<Securebit>,
    /// Clocks of its own, ahead by so much [monotonic=SECONDS, boottime=SECONDS]
    #[arg(long, value_name = "CLOCK=S", value_parser = values::clock, help_heading = "Isolation")]
    time_offset: Vec<ClockArg>,
    /// Which system `uname` shows: linux or linux32
    #[arg(long, value_name = "NAME", value_parser = values::personality,
          help_heading = "Isolation")]
    personality: Option<Personality>,
    /// The nice value, -20 (most) to 19 (least)
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        help_heading = "Scheduling"
    )]
    nice: Option<i32>,
    /// other, batch, idle, fifo:PRIORITY, rr:PRIORITY or deadline:RUNTIME:DEADLINE[:PERIOD]
    #[arg(long, value_name = "POLICY", value_parser = values::scheduler,
          help_heading = "Scheduling")]
    sched: Option<Scheduler>,
    /// The I/O priority: idle, best-effort[:0-7] or realtime[:0-7]
    #[arg(long, value_name = "CLASS", value_parser = values::io_priority,
          help_heading = "Scheduling")]
    ionice: Option<IoPriority>,
    /// The processors to run on, as 0-3,7
    #[arg(long, value_name = "LIST", help_heading = "Scheduling")]
    cpu_affinity: Option<String>,
    /// The nodes that memory comes from: bind:0, interleave:0-1, preferred:0, local ...
    #[arg(long, value_name = "MODE[:NODES]", value_parser = values::memory_policy,
          help_heading = "Scheduling")]
    numa: Option<MemoryPolicy>,
    /// Share no processor's hardware threads with processes outside of the container
    #[arg(long, help_heading = "Scheduling")]
    core_sched: bool,
}

impl ConfineArgs {
    /// Puts it into the command.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn apply(&self, command: &mut Command) -> Result<(), Failure> {
        command.process_label = self.selinux_label.clone().unwrap_or_default();
        command.mount_label = self.selinux_mount_label.clone().unwrap_or_default();
        if let Some(linux) = command.as_linux_mut() {
            self.apply_linux(linux);
            if let Some(seccomp) = &self.seccomp {
                let profile = seccomp.profile();
                linux.seccomp_profile = profile.map_err(|reason| invalid("seccomp", reason))?;
            }
        }
        Ok(())
    }

    /// The driver's error in terms of this command line: which file it is about.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match (&self.seccomp, error) {
            (Some(SeccompArg::File(path)), Error::InvalidCommand { field, reason })
                if field == "seccomp_profile" =>
            {
                Error::invalid("seccomp", format!("{}: {reason}", path.display()))
            }
            (_, error) => error,
        }
    }

    fn apply_linux(&self, linux: &mut LinuxCommand) {
        linux.apparmor_profile = self.apparmor.clone().unwrap_or_default();
        for rule in &self.landlock {
            rule.add_to(linux.landlock.get_or_insert_with(Landlock::default));
        }
        for clock in &self.time_offset {
            let offsets = linux.time_offsets.get_or_insert_with(TimeOffsets::default);
            match clock.boottime {
                true => offsets.boottime = clock.offset,
                false => offsets.monotonic = clock.offset,
            }
        }
        let attributes = &mut linux.attributes;
        attributes.scheduler = self.sched;
        if let Some(nice) = self.nice {
            attributes.scheduler.get_or_insert_default().nice = nice;
        }
        attributes.io_priority = self.ionice;
        attributes.cpus = self.cpu_affinity.clone().unwrap_or_default();
        attributes.memory_policy = self.numa.clone();
        attributes.core_scheduling = self.core_sched;
        attributes.personality = self.personality;
        attributes.securebits.clone_from(&self.securebits);
    }
}
