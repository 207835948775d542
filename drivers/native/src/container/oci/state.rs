//! The state of a container as the runtime specification has it, asked of the kernel at this moment.

use super::{OciResult, Runtime, named};
use crate::cgroup::Cgroup;
use crate::state::{self, Liveness, Record, StateError};
use execdriver_core::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

/// Where a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Status {
    /// It is being made.
    Creating,
    /// It is made, and its program was not started.
    Created,
    /// Its program runs.
    Running,
    /// Its processes stand still.
    Paused,
    /// Its first process is no more.
    Stopped,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        })
    }
}

/// The state as `state` prints it and hooks get it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct State {
    /// The version of the runtime specification that this adheres to.
    pub oci_version: String,
    /// The container's id.
    pub id: String,
    /// The first process as the host sees it; 0 when there is none.
    pub pid: u32,
    /// Where it is in its life.
    pub status: Status,
    /// The bundle's directory.
    pub bundle: String,
    /// The root file system.
    pub rootfs: String,
    /// When its creation began (RFC 3339).
    pub created: String,
    /// The document's annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The user to whom its state belongs: the name, or the number of one that has none.
    pub owner: String,
}

/// The version of the specification that states are of.
pub const SPEC_VERSION: &str = "1.3.0";

impl Runtime {
    /// The state of a container.
    ///
    /// # Errors
    /// There is none of this id, or its record cannot be read.
    pub fn state(&self, id: &str) -> OciResult<State> {
        match self.load(id) {
            Ok((entry, record)) => {
                let mut state = state(&record);
                state.owner = entry.owner();
                Ok(state)
            }
            Err(error) => Err(error),
        }
    }

    /// The state of every container, by id.
    ///
    /// # Errors
    /// The root cannot be read.
    pub fn list(&self) -> OciResult<Vec<State>> {
        let store = &self.containers.store;
        let mut list = Vec::new();
        for id in store.list().map_err(|error| named("", error))? {
            match store.load(&id) {
                Ok((entry, record)) => {
                    let mut state = state(&record);
                    state.owner = entry.owner();
                    list.push(state);
                }
                // Made or removed at this moment, or what is left of a crash.
                Err(StateError::NotFound { .. }) => {}
                Err(error) if error.is_damage() => {}
                Err(error) => return Err(named(&id, error)),
            }
        }
        Ok(list)
    }
}

/// What is known at this moment.
pub(super) fn state(record: &Record) -> State {
    let status = status(record);
    let bundle = record.bundle.as_deref().cloned().unwrap_or_default();
    let created = SystemTime::UNIX_EPOCH + Duration::from_millis(record.started_unix_ms);
    let pid = record.init.as_ref().map_or(0, |init| init.pid);
    State {
        oci_version: SPEC_VERSION.to_owned(),
        id: record.id.to_string(),
        pid: if status == Status::Stopped { 0 } else { pid },
        status,
        bundle: bundle.path,
        rootfs: record.rootfs.clone(),
        created: Timestamp::from(created).to_string(),
        annotations: bundle.annotations,
        owner: String::new(),
    }
}

/// Of a container whose creation failed.
pub(super) fn ended(spec: &execdriver_core::Spec) -> State {
    let root = spec.oci.root().as_ref();
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    State {
        oci_version: SPEC_VERSION.to_owned(),
        id: spec.id.clone(),
        pid: 0,
        status: Status::Stopped,
        bundle: spec.bundle.as_deref().map(text).unwrap_or_default(),
        rootfs: root.map(|root| text(root.path())).unwrap_or_default(),
        created: String::new(),
        annotations: spec
            .oci
            .annotations()
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect(),
        owner: String::new(),
    }
}

/// A container whose creator was killed is stopped: nobody can start it, and `delete` ends what is left of it.
pub(super) fn status(record: &Record) -> Status {
    let frozen = |recorded| Cgroup::open(recorded).is_ok_and(|cgroup| cgroup.is_frozen());
    match (record.liveness(), record.status) {
        (Liveness::Zombie | Liveness::Gone | Liveness::Foreign, _) => Status::Stopped,
        (_, state::Status::Starting) => match record.parent.liveness() {
            Liveness::Alive | Liveness::Unknown(_) => Status::Creating,
            _ => Status::Stopped,
        },
        (_, state::Status::Created | state::Status::Running)
            if record.cgroup.as_ref().is_some_and(frozen) =>
        {
            Status::Paused
        }
        (_, state::Status::Created) => Status::Created,
        (_, state::Status::Running) => Status::Running,
    }
}
