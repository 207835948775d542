//! The object of a container's counters.

use super::mirror::{Object, Objects};
use crate::{CgroupStats, NetworkStats, ResourceStats, Result, Timestamp};
use serde::{Deserialize, Serialize};

/// The first two keys are those of an embedded pointer: both vanish when it is nil.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StatsKeys {
    #[serde(rename = "Interfaces", skip_serializing_if = "Option::is_none")]
    interfaces: Option<Objects<NetworkStats>>,
    #[serde(rename = "CgroupStats", skip_serializing_if = "Option::is_none")]
    cgroup: Option<Option<Object<CgroupStats>>>,
    read: Timestamp,
    memory_limit: i64,
    system_usage: u64,
}

pub(super) fn encode(stats: &ResourceStats) -> Result<StatsKeys> {
    let any = !stats.interfaces.is_empty() || stats.cgroup.is_some();
    Ok(StatsKeys {
        interfaces: any.then(|| Objects::wrap(&stats.interfaces)),
        cgroup: any.then(|| stats.cgroup.clone().map(Object)),
        read: stats.read,
        memory_limit: stats.memory_limit,
        system_usage: stats.system_usage,
    })
}

pub(super) fn decode(keys: StatsKeys) -> Result<ResourceStats> {
    Ok(ResourceStats {
        interfaces: keys.interfaces.unwrap_or_default().unwrap(),
        cgroup: keys.cgroup.flatten().map(|object| object.0),
        read: keys.read,
        memory_limit: keys.memory_limit,
        system_usage: keys.system_usage,
    })
}
