//! The parts of a command whose keys depend on the platform: process, mount, network, resources.

use super::mirror::{List, Object, Objects, Word, mirror};
use super::path_text;
use crate::{
    HugepageLimit, LinuxResources, Mount, MountIdMap, Network, NetworkInterface, ProcessConfig,
    Propagation, Resources, Result, Rlimit, ThrottleDevice, WeightDevice, WindowSize,
    WindowsResources,
};

mirror! {
    /// `process_config`.
    Process {
        Both tty: bool,
        Both entrypoint: String,
        Both arguments: List<String>,
        Linux privileged: bool,
        Linux user: String,
        Both console_size: Option<[u16; 2]>,
        Both environment: List<String>,
    }
}

mirror! {
    /// One of `mounts`.
    MountKeys {
        Both source: String,
        Both destination: String,
        Both writable: bool,
        Linux data: String,
        Linux mountpropagation: Word<Propagation>,
        Linux idmap: Option<Object<MountIdMap>>,
    }
}

mirror! {
    /// `network`. Windows has `interface` before `container_id`.
    NetworkKeys {
        Linux mtu: u32,
        Windows interface: Option<Object<NetworkInterface>>,
        Both container_id: String,
        Linux namespace_path: String,
        Linux host_networking: bool,
    }
}

mirror! {
    /// `resources`.
    ResourcesKeys {
        Both memory: i64,
        Both memory_reservation: i64,
        Both cpu_shares: i64,
        Both blkio_weight: u16,
        Windows cpu_maximum: i64,
        Windows cpu_affinity: String,
        Windows processes: i64,
        Linux blkio_weight_device: Objects<WeightDevice>,
        Linux blkio_throttle_read_bps_device: Objects<ThrottleDevice>,
        Linux blkio_throttle_write_bps_device: Objects<ThrottleDevice>,
        Linux blkio_throttle_read_iops_device: Objects<ThrottleDevice>,
        Linux blkio_throttle_write_iops_device: Objects<ThrottleDevice>,
        Linux memory_swap: i64,
        Linux kernel_memory: i64,
        Linux cpu_quota: i64,
        Linux cpuset_cpus: String,
        Linux cpuset_mems: String,
        Linux cpu_period: i64,
        Linux rlimits: Objects<Rlimit>,
        Linux oom_kill_disable: bool,
        Linux pids_limit: i64,
        Linux memory_swappiness: i64,
        Linux oom_score_adj: i32,
        Linux hugepage_limits: Objects<HugepageLimit>,
    }
}

/// `Some(value)` on the platform that has the key.
fn on<T>(has: bool, value: T) -> Option<T> {
    has.then_some(value)
}

impl Process {
    pub(super) fn encode(process: &ProcessConfig, linux: bool) -> Self {
        let size = process
            .console_size
            .map(|size| Some([size.rows, size.columns]));
        let environment = List(process.env.clone());
        Self {
            tty: Some(process.tty),
            entrypoint: Some(process.entrypoint.clone()),
            arguments: Some(List(process.arguments.clone())),
            privileged: on(linux, process.privileged),
            user: on(linux, process.user.clone()),
            console_size: size,
            environment: on(!environment.0.is_empty(), environment),
        }
    }

    pub(super) fn decode(self) -> ProcessConfig {
        let size = |[rows, columns]: [u16; 2]| WindowSize { rows, columns };
        ProcessConfig {
            tty: self.tty.unwrap_or_default(),
            entrypoint: self.entrypoint.unwrap_or_default(),
            arguments: self.arguments.unwrap_or_default().0,
            privileged: self.privileged.unwrap_or_default(),
            user: self.user.unwrap_or_default(),
            console_size: self.console_size.flatten().map(size),
            env: self.environment.unwrap_or_default().0,
        }
    }
}

impl MountKeys {
    pub(super) fn encode(index: usize, mount: &Mount, linux: bool) -> Result<Self> {
        Ok(Self {
            source: Some(path_text(
                &format!("mounts[{index}].source"),
                &mount.source,
            )?),
            destination: Some(mount.destination.clone()),
            writable: Some(mount.writable),
            data: on(linux, mount.data.clone()),
            mountpropagation: on(linux, Word(mount.propagation)),
            idmap: mount.idmap.clone().map(|map| Some(Object(map))),
        })
    }

    pub(super) fn decode(self) -> Mount {
        Mount {
            source: self.source.unwrap_or_default().into(),
            destination: self.destination.unwrap_or_default(),
            writable: self.writable.unwrap_or_default(),
            data: self.data.unwrap_or_default(),
            propagation: self.mountpropagation.unwrap_or_default().0,
            idmap: self.idmap.flatten().map(|object| object.0),
        }
    }
}

impl NetworkKeys {
    pub(super) fn encode(network: &Network, linux: bool) -> Result<Self> {
        let path = path_text("network.namespace_path", &network.namespace_path)?;
        Ok(Self {
            mtu: on(linux, network.mtu),
            interface: on(!linux, network.interface.clone().map(Object)),
            container_id: Some(network.container_id.clone()),
            namespace_path: on(linux, path),
            host_networking: on(linux, network.host_networking),
        })
    }

    pub(super) fn decode(self) -> Network {
        Network {
            mtu: self.mtu.unwrap_or_default(),
            container_id: self.container_id.unwrap_or_default(),
            namespace_path: self.namespace_path.unwrap_or_default().into(),
            host_networking: self.host_networking.unwrap_or_default(),
            interface: self.interface.flatten().map(|object| object.0),
        }
    }
}

impl ResourcesKeys {
    pub(super) fn encode(resources: &Resources, linux: bool) -> Self {
        let common = Self {
            memory: Some(resources.memory),
            memory_reservation: Some(resources.memory_reservation),
            cpu_shares: Some(resources.cpu_shares),
            blkio_weight: Some(resources.blkio_weight),
            ..Self::default()
        };
        if !linux {
            let windows = resources.windows.clone().unwrap_or_default();
            return Self {
                cpu_maximum: on(windows.cpu_maximum != 0, windows.cpu_maximum),
                cpu_affinity: on(!windows.cpu_affinity.is_empty(), windows.cpu_affinity),
                processes: on(windows.processes != 0, windows.processes),
                ..common
            };
        }
        let default = LinuxResources::default();
        let linux = resources.linux.as_ref().unwrap_or(&default);
        Self {
            blkio_weight_device: Some(List::wrap(&linux.blkio_weight_device)),
            blkio_throttle_read_bps_device: throttle(&linux.blkio_throttle_read_bps_device),
            blkio_throttle_write_bps_device: throttle(&linux.blkio_throttle_write_bps_device),
            blkio_throttle_read_iops_device: throttle(&linux.blkio_throttle_read_iops_device),
            blkio_throttle_write_iops_device: throttle(&linux.blkio_throttle_write_iops_device),
            memory_swap: Some(linux.memory_swap),
            kernel_memory: Some(linux.kernel_memory),
            cpu_quota: Some(linux.cpu_quota),
            cpuset_cpus: Some(linux.cpuset_cpus.clone()),
            cpuset_mems: Some(linux.cpuset_mems.clone()),
            cpu_period: Some(linux.cpu_period),
            rlimits: Some(List::wrap(&linux.rlimits)),
            oom_kill_disable: Some(linux.oom_kill_disable),
            pids_limit: on(linux.pids_limit != 0, linux.pids_limit),
            memory_swappiness: Some(linux.memory_swappiness),
            oom_score_adj: linux.oom_score_adj,
            hugepage_limits: on(
                !linux.hugepage_limits.is_empty(),
                List::wrap(&linux.hugepage_limits),
            ),
            ..common
        }
    }

    pub(super) fn decode(self, linux: bool) -> Resources {
        Resources {
            memory: self.memory.unwrap_or_default(),
            memory_reservation: self.memory_reservation.unwrap_or_default(),
            cpu_shares: self.cpu_shares.unwrap_or_default(),
            blkio_weight: self.blkio_weight.unwrap_or_default(),
            windows: self.decode_windows(),
            linux: linux.then(|| self.decode_linux()),
        }
    }

    fn decode_windows(&self) -> Option<WindowsResources> {
        let windows = WindowsResources {
            cpu_maximum: self.cpu_maximum.unwrap_or_default(),
            cpu_affinity: self.cpu_affinity.clone().unwrap_or_default(),
            processes: self.processes.unwrap_or_default(),
        };
        (windows != WindowsResources::default()).then_some(windows)
    }

    fn decode_linux(self) -> LinuxResources {
        let throttle = |list: Option<Objects<_>>| list.unwrap_or_default().unwrap();
        let default = LinuxResources::default();
        LinuxResources {
            blkio_weight_device: self.blkio_weight_device.unwrap_or_default().unwrap(),
            blkio_throttle_read_bps_device: throttle(self.blkio_throttle_read_bps_device),
            blkio_throttle_write_bps_device: throttle(self.blkio_throttle_write_bps_device),
            blkio_throttle_read_iops_device: throttle(self.blkio_throttle_read_iops_device),
            blkio_throttle_write_iops_device: throttle(self.blkio_throttle_write_iops_device),
            memory_swap: self.memory_swap.unwrap_or_default(),
            kernel_memory: self.kernel_memory.unwrap_or_default(),
            cpu_quota: self.cpu_quota.unwrap_or_default(),
            cpuset_cpus: self.cpuset_cpus.unwrap_or_default(),
            cpuset_mems: self.cpuset_mems.unwrap_or_default(),
            cpu_period: self.cpu_period.unwrap_or_default(),
            rlimits: self.rlimits.unwrap_or_default().unwrap(),
            oom_kill_disable: self.oom_kill_disable.unwrap_or_default(),
            pids_limit: self.pids_limit.unwrap_or_default(),
            memory_swappiness: self.memory_swappiness.unwrap_or(default.memory_swappiness),
            oom_score_adj: self.oom_score_adj,
            hugepage_limits: self.hugepage_limits.unwrap_or_default().unwrap(),
        }
    }
}

fn throttle(devices: &[ThrottleDevice]) -> Option<Objects<ThrottleDevice>> {
    Some(List::wrap(devices))
}
