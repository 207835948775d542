//! What a container has used so far, read by whoever may open its state.

use super::{Containers, error, unless_ended};
use crate::at;
use crate::cgroup::stats::{self, Usage};
use crate::state::{Liveness, Record, StateError, Status};
use execdriver_core::{Error, NetworkStats, ResourceStats, Result, Timestamp};
use nix::errno::Errno;
use oci_spec::runtime::LinuxNamespaceType;
use std::fs::File;
use std::time::SystemTime;

/// The text of `/proc/PID/net/dev` of hundreds of interfaces.
const NET_DEV: usize = 1 << 20;

impl Containers {
    /// One reading. Without a cgroup its part is missing.
    pub(crate) fn stats(&self, id: &str) -> Result<ResourceStats> {
        let stats = self.read_stats(id);
        if stats.is_err() {
            self.kept.counters.forget(id);
        }
        stats
    }

    fn read_stats(&self, id: &str) -> Result<ResourceStats> {
        let (entry, record) = self.store.load(id)?;
        // Opened first: that it is of the first process is known by the check that follows.
        let interfaces = net_dev(&record)?;
        let not_running = || Error::NotRunning { id: id.to_owned() };
        match record.liveness() {
            Liveness::Alive => {}
            Liveness::Unknown(errno) => {
                return Err(StateError::unidentified(entry.path(), errno).into());
            }
            Liveness::Zombie | Liveness::Gone => return Err(not_running()),
            Liveness::Foreign => {
                return Err(StateError::ForeignPidNamespace { path: entry.path() }.into());
            }
        }
        if record.status == Status::Starting {
            return Err(not_running());
        }
        // What is read later is younger than it says, never older.
        let read = Timestamp::from(SystemTime::now());
        let usage = self.usage(&record)?;
        let machine = machine_memory()?;
        let limit = usage.as_ref().and_then(|usage| usage.memory_limit);
        let limit = limit.map_or(machine, |limit| limit.min(machine));
        Ok(ResourceStats {
            interfaces: interfaces.map(read_interfaces).unwrap_or_default(),
            cgroup: usage.map(|usage| usage.stats),
            read,
            memory_limit: i64::try_from(limit).unwrap_or(i64::MAX),
            system_usage: 0,
        })
    }

    fn usage(&self, record: &Record) -> Result<Option<Usage>> {
        let Some(recorded) = &record.cgroup else {
            return Ok(None);
        };
        let pages = self.page_sizes.get_or_init(stats::huge_page_sizes);
        let usage = self.kept.counters.read(&record.id, recorded, pages);
        let mut usage = usage.map_err(|error| unless_ended(record, error.into()))?;
        usage.stats.memory_stats.events.oom_kill += record.exec_oom_kills;
        Ok(Some(usage))
    }
}

/// The counters of the container's network; `None` when it shares somebody's, whose they are, or has ended.
fn net_dev(record: &Record) -> Result<Option<File>> {
    let mut namespaces = record.namespaces.iter();
    let own = namespaces.any(|one| one.own && one.kind == LinuxNamespaceType::Network);
    let Some(init) = record.init.as_ref().filter(|_| own) else {
        return Ok(None);
    };
    // `net` in the directory of a process is no symbolic link: proc_pid_net(5).
    let opened = File::open(format!("/proc/{}/net/dev", init.pid));
    match opened.map_err(at::errno) {
        Ok(file) => Ok(Some(file)),
        Err(errno @ (Errno::EMFILE | Errno::ENFILE)) => {
            Err(error::driver("open the counters of its network", errno))
        }
        Err(_) => Ok(None),
    }
}

/// A process that ended meanwhile has no network any more.
fn read_interfaces(file: File) -> Vec<NetworkStats> {
    let text = at::read_all(file, NET_DEV).unwrap_or_default();
    stats::net::interfaces(&String::from_utf8_lossy(&text))
}

/// All memory of the machine now: it may be plugged in and out.
fn machine_memory() -> Result<u64> {
    let info = nix::sys::sysinfo::sysinfo();
    let failed = |errno: Errno| error::driver("read the machine's memory", errno);
    Ok(info.map_err(failed)?.ram_total())
}
