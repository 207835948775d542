//! The contract of execdriver: data types, the `Driver` trait, console threads; no OS calls.
//!
//! Everything that a host program and a driver must agree on lives here and behaves the same on
//! every operating system:
//!
//! - **what to run**: a [`Command`] in Docker's own words and JSON, translated to an OCI [`Spec`];
//! - **how to drive it**: [`Driver`], [`RunOptions`], [`ExecRequest`], [`Target`], [`Signal`];
//! - **how to talk to it**: [`Pipes`] of [`Stdio`], [`Terminal`], [`Hooks`];
//! - **what came of it**: [`ExitStatus`], [`Error`].
//!
//! Host programs normally depend on the `execdriver` package, which re-exports all of this.
#![forbid(unsafe_code)]

pub mod attributes;
pub mod capabilities;
pub mod command;
pub mod console;
pub mod device;
pub mod driver;
pub mod error;
pub mod exit;
pub mod hooks;
pub mod id;
pub mod landlock;
pub mod linux;
pub mod mount;
pub mod namespaces;
pub mod network;
pub mod options;
pub mod pipes;
pub mod pressure;
pub mod process;
pub mod resources;
pub mod signal;
pub mod spec;
mod stage;
pub mod stats;
pub mod terminal;
pub mod timestamp;
mod validate;
pub mod windows;
mod wire;

pub use attributes::{
    IoClass, IoPriority, MemoryMode, MemoryPolicy, Personality, ProcessAttributes, Scheduler,
    SchedulerPolicy, Securebit, TimeOffset, TimeOffsets,
};
pub use capabilities::{Capabilities, Control, Enforcement};
pub use command::{Command, Platform};
pub use console::{StdConsole, StreamError};
pub use device::{Device, DeviceKind};
pub use driver::{ContainerInfo, ContainerState, Driver, ExecRequest, RunOptions, Target};
pub use error::{BoxError, Error, Result};
pub use exit::{ExitReason, ExitStatus};
pub use hooks::{Hook, HookContext, Hooks, ListenerHook, OomEvent, OomEvents};
pub use id::ContainerId;
pub use landlock::Landlock;
pub use linux::{Ephemeral, IdMap, LinuxCommand, Profile, RemappedRoot, UserNamespace};
pub use mount::{Mount, MountIdMap, Propagation};
pub use namespaces::{CgroupNamespace, Ipc, NamespaceMode, Pid, Uts};
pub use network::{Network, NetworkInterface, PortBinding};
pub use options::Options;
pub use pipes::{Capture, Pipes, Stdio};
pub use pressure::{Percent, Pressure, PressureData};
pub use process::ProcessConfig;
pub use resources::{
    HugepageLimit, LinuxResources, Resources, Rlimit, ThrottleDevice, WeightDevice,
    WindowsResources,
};
pub use signal::Signal;
pub use spec::Spec;
pub use stage::HookStage;
pub use stats::{
    BlkioEntry, BlkioStats, CgroupStats, CpuStats, CpuUsage, HugetlbStats, MemoryData,
    MemoryEvents, MemoryStats, NetworkStats, PidsStats, ResourceStats, ThrottlingData,
};
pub use terminal::{Terminal, WindowSize};
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use windows::{Isolation, WindowsCommand};
