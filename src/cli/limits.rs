//! The flags of limits, which `run`, `exec` and `update` share, and the `Resources` that they make.

use crate::container::invalid;
use crate::failure::Failure;
use crate::values::{self, Bytes, DeviceNumber};
use execdriver::{
    Command, HugepageLimit, LinuxResources, Resources, Rlimit, ThrottleDevice, WeightDevice,
};

/// The period that a number of processors is a part of, microseconds.
const PERIOD: i64 = 100_000;

/// Limits. What is not named stays as it is.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// The most memory [32m, 1g; -1: unlimited]
    #[arg(short, long, value_name = "SIZE", allow_hyphen_values = true)]
    memory: Option<Bytes>,
    /// The most memory and swap together [SIZE; -1: unlimited swap]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    memory_swap: Option<Bytes>,
    /// The memory that is kept under pressure
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    memory_reservation: Option<Bytes>,
    /// How readily memory is swapped, 0 to 100 (cgroup v1)
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    memory_swappiness: Option<i64>,
    /// The most kernel memory (cgroup v1 before Linux 5.16)
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    kernel_memory: Option<Bytes>,
    /// At the memory limit let processes wait instead of killing them (cgroup v1)
    #[arg(long)]
    oom_kill_disable: bool,
    /// How readily the kernel kills it for want of memory, -1000 to 1000
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) oom_score_adj: Option<i32>,
    /// The most processors' worth of time: 0.5, 2
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = values::cpus,
          conflicts_with_all = ["cpu_quota", "cpu_period"])]
    cpus: Option<f64>,
    /// The weight of its processor time against others', 2 to 262144 [1024 is the default]
    #[arg(short = 'c', long, value_name = "N", allow_hyphen_values = true)]
    cpu_shares: Option<i64>,
    /// Processor time in each --cpu-period, microseconds [-1: unlimited]
    #[arg(long, value_name = "US", allow_hyphen_values = true)]
    cpu_quota: Option<i64>,
    /// The period of --cpu-quota, microseconds
    #[arg(long, value_name = "US", allow_hyphen_values = true)]
    cpu_period: Option<i64>,
    /// The processors: 0-2,4
    #[arg(
        long,
        alias = "cpuset",
        value_name = "LIST",
        allow_hyphen_values = true
    )]
    cpuset_cpus: Option<String>,
    /// The memory nodes: 0,1
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    cpuset_mems: Option<String>,
    /// The most processes and threads [-1: unlimited]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pids_limit: Option<i64>,
    /// The weight of its block I/O against others', 10 to 1000
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    blkio_weight: Option<u16>,
    /// The same for one device [DEVICE:WEIGHT; DEVICE is a path or MAJOR:MINOR]
    #[arg(long, value_name = "DEV:N", allow_hyphen_values = true,
          value_parser = values::of_device::<u16>)]
    blkio_weight_device: Vec<DeviceNumber<u16>>,
    /// Bytes read from a device a second, at most [DEVICE:SIZE]
    #[arg(long, value_name = "DEV:SIZE", allow_hyphen_values = true, value_parser = values::rate)]
    device_read_bps: Vec<DeviceNumber<u64>>,
    /// Bytes written to a device a second, at most [DEVICE:SIZE]
    #[arg(long, value_name = "DEV:SIZE", allow_hyphen_values = true, value_parser = values::rate)]
    device_write_bps: Vec<DeviceNumber<u64>>,
    /// Reads of a device a second, at most [DEVICE:N]
    #[arg(long, value_name = "DEV:N", allow_hyphen_values = true,
          value_parser = values::of_device::<u64>)]
    device_read_iops: Vec<DeviceNumber<u64>>,
    /// Writes to a device a second, at most [DEVICE:N]
    #[arg(long, value_name = "DEV:N", allow_hyphen_values = true,
          value_parser = values::of_device::<u64>)]
    device_write_iops: Vec<DeviceNumber<u64>>,
    /// The most memory in huge pages of a size [2MB=64m; -1: unlimited]
    #[arg(long, value_name = "PAGE=SIZE", allow_hyphen_values = true,
          value_parser = values::huge_pages)]
    hugepages: Vec<HugepageLimit>,
    /// A limit of each process [NAME=SOFT[:HARD]]
    #[arg(long = "ulimit", value_name = "N=S:H", allow_hyphen_values = true,
          value_parser = values::ulimit)]
    ulimits: Vec<Rlimit>,
}

impl LimitArgs {
    /// The limits, without `oom_score_adj`; none when no flag was given.
    ///
    /// # Errors
    /// A device that is none.
    fn resources(&self) -> Result<Option<Resources>, Failure> {
        let bytes = |size: Option<Bytes>| size.map_or(0, |size| size.0);
        let (quota, period) = match self.cpus {
            Some(cpus) => (quota_of(cpus), PERIOD),
            None => (self.cpu_quota.unwrap_or(0), self.cpu_period.unwrap_or(0)),
        };
        let default = LinuxResources::default();
        let linux = LinuxResources {
            blkio_weight_device: self.weights()?,
            blkio_throttle_read_bps_device: throttles("device-read-bps", &self.device_read_bps)?,
            blkio_throttle_write_bps_device: throttles("device-write-bps", &self.device_write_bps)?,
            blkio_throttle_read_iops_device: throttles("device-read-iops", &self.device_read_iops)?,
            blkio_throttle_write_iops_device: throttles(
                "device-write-iops",
                &self.device_write_iops,
            )?,
            memory_swap: bytes(self.memory_swap),
            kernel_memory: bytes(self.kernel_memory),
            cpu_quota: quota,
            cpu_period: period,
            cpuset_cpus: self.cpuset_cpus.clone().unwrap_or_default(),
            cpuset_mems: self.cpuset_mems.clone().unwrap_or_default(),
            rlimits: self.ulimits.clone(),
            oom_kill_disable: self.oom_kill_disable,
            pids_limit: self.pids_limit.unwrap_or(0),
            memory_swappiness: self.memory_swappiness.unwrap_or(default.memory_swappiness),
            oom_score_adj: None,
            hugepage_limits: self.hugepages.clone(),
        };
        let resources = Resources {
            memory: bytes(self.memory),
            memory_reservation: bytes(self.memory_reservation),
            cpu_shares: self.cpu_shares.unwrap_or(0),
            blkio_weight: self.blkio_weight.unwrap_or(0),
            linux: Some(linux).filter(|linux| *linux != default),
            windows: None,
        };
        let resources = crate::platform::limits(resources)?;
        Ok(Some(resources).filter(|resources| *resources != Resources::default()))
    }

    /// Limits a new container.
    ///
    /// # Errors
    /// A device that is none.
    pub(crate) fn apply(&self, command: &mut Command) -> Result<(), Failure> {
        command.resources = self.resources()?;
        if let Some(linux) = command.as_linux_mut() {
            linux.oom_score_adj = self.oom_score_adj.unwrap_or(0);
        }
        Ok(())
    }

    /// The limits of a container or an exec that is there, `oom_score_adj` among them.
    ///
    /// # Errors
    /// A device that is none.
    pub(crate) fn changes(&self) -> Result<Option<Resources>, Failure> {
        let resources = self.resources()?;
        if self.oom_score_adj.is_none() {
            return Ok(resources);
        }
        let mut resources = resources.unwrap_or_default();
        let linux = resources.linux.get_or_insert_default();
        linux.oom_score_adj = self.oom_score_adj;
        Ok(Some(resources))
    }

    fn weights(&self) -> Result<Vec<WeightDevice>, Failure> {
        let weight = |device: &DeviceNumber<u16>| {
            let (major, minor) = device
                .numbers()
                .map_err(|reason| invalid("blkio-weight-device", reason))?;
            Ok(WeightDevice {
                major,
                minor,
                weight: device.value,
                leaf_weight: 0,
            })
        };
        self.blkio_weight_device.iter().map(weight).collect()
    }
}

fn throttles(flag: &str, devices: &[DeviceNumber<u64>]) -> Result<Vec<ThrottleDevice>, Failure> {
    let throttle = |device: &DeviceNumber<u64>| {
        let (major, minor) = device.numbers().map_err(|reason| invalid(flag, reason))?;
        Ok(ThrottleDevice {
            major,
            minor,
            rate: device.value,
        })
    };
    devices.iter().map(throttle).collect()
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "at most some thousand processors"
)]
fn quota_of(cpus: f64) -> i64 {
    (cpus * PERIOD as f64).round() as i64
}
