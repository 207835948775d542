//! systemd's service manager on the bus: scopes are started, looked up and stopped.

use super::ScopeName;
use crate::dbus::{BusError, Call, Connection, Message, Value, Writer};
use std::time::Duration;

const SYSTEMD: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";

/// Errors of the manager by their names.
const UNIT_EXISTS: &str = "org.freedesktop.systemd1.UnitExists";
const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";

/// What a conversation may take: systemd answers in milliseconds, on a host that boots in seconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(25);

/// A conversation with the manager.
#[derive(Debug)]
pub(super) struct Manager {
    connection: Connection,
}

/// Why a unit was not started or stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnitError {
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error("the unit {unit} exists already")]
    Exists { unit: String },
    /// `failed`, `canceled`, `timeout` ...
    #[error("systemd ended the job for {unit} with {result:?}")]
    Job { unit: String, result: String },
    #[error("systemd put {unit} in {found:?}, expected a path that ends with {wanted:?}")]
    Place {
        unit: String,
        found: String,
        wanted: String,
    },
}

impl Manager {
    /// Connects, and asks the manager for its version to be sure that it is there.
    pub(super) fn open(address: &str, patience: Duration) -> Result<Self, UnitError> {
        let connection = Connection::open(address, patience)?;
        let mut manager = Self { connection };
        manager.property(PATH, MANAGER, "Version")?;
        Ok(manager)
    }

    /// Starts a scope around a process and waits until systemd has moved it; the answer is the path of
    /// the scope's cgroup, from the root of the hierarchies.
    pub(super) fn start_scope(&mut self, name: &ScopeName, pid: u32) -> Result<String, UnitError> {
        self.connection.watch(SYSTEMD, MANAGER)?;
        // Without a subscriber the manager sends no signals.
        self.call("Subscribe", "", Writer::default())?;
        let started = match self.start(name, pid) {
            Err(BusError::Reply { name: error, .. }) if error == UNIT_EXISTS => {
                // What a crash left behind as failed goes; what runs stays.
                let _ = self.call("ResetFailedUnit", "s", text(&name.unit));
                self.start(name, pid)
            }
            other => other,
        };
        let reply = started.map_err(|error| match error.is(UNIT_EXISTS) {
            true => UnitError::Exists {
                unit: name.unit.clone(),
            },
            false => error.into(),
        })?;
        self.finish(&reply, &name.unit)?;
        self.control_group(name)
    }

    /// Stops a scope, waits until it is gone, and forgets a failure. One that is not there is fine.
    pub(super) fn stop(&mut self, unit: &str) -> Result<(), UnitError> {
        self.connection.watch(SYSTEMD, MANAGER)?;
        self.call("Subscribe", "", Writer::default())?;
        let mut body = text(unit);
        body.text("replace");
        let stopped = match self.call("StopUnit", "ss", body) {
            Ok(reply) => self.finish(&reply, unit),
            Err(error) if error.is(NO_SUCH_UNIT) => return Ok(()),
            Err(error) => Err(error.into()),
        };
        // Collected with its failure, as a rule; then there is nothing to reset.
        let _ = self.call("ResetFailedUnit", "s", text(unit));
        stopped
    }

    fn start(&mut self, name: &ScopeName, pid: u32) -> Result<Message, BusError> {
        let mut body = text(&name.unit);
        // Never takes another's unit of this name.
        body.text("fail");
        body.properties(&[
            ("Description", Value::Text("container of execdriver")),
            ("Slice", Value::Text(&name.slice)),
            ("PIDs", Value::U32s(&[pid])),
            ("Delegate", Value::Bool(true)),
            // At shutdown the host program ends its containers, not systemd behind its back.
            ("DefaultDependencies", Value::Bool(false)),
            ("CollectMode", Value::Text("inactive-or-failed")),
            // systemd's default would bound containers that nobody bounded.
            ("TasksMax", Value::U64(u64::MAX)),
        ]);
        // a(sa(sv)): auxiliary units, none.
        body.array(8, |_| {});
        self.call("StartTransientUnit", "ssa(sv)a(sa(sv))", body)
    }

    /// Waits for the end of the job that a reply names.
    fn finish(&mut self, reply: &Message, unit: &str) -> Result<(), UnitError> {
        let job = reply.body("o")?.text()?.to_owned();
        // Others may send us signals, too: only that of whoever answered counts.
        let ended = |signal: &Message| {
            signal.is_signal(MANAGER, "JobRemoved")
                && signal.sender == reply.sender
                && removed_job(signal).is_ok_and(|(removed, _)| removed == job)
        };
        let signal = self.connection.signal("the job's end", ended)?;
        match removed_job(&signal)? {
            (_, "done") => Ok(()),
            (_, result) => Err(UnitError::Job {
                unit: unit.to_owned(),
                result: result.to_owned(),
            }),
        }
    }

    fn control_group(&mut self, name: &ScopeName) -> Result<String, UnitError> {
        let reply = self.call("GetUnit", "s", text(&name.unit))?;
        let object = reply.body("o")?.text()?.to_owned();
        let path = self.property(&object, "org.freedesktop.systemd1.Scope", "ControlGroup")?;
        let wanted = name.path();
        let clean = |path: &str| !path.split('/').any(|part| part == "." || part == "..");
        match path.ends_with(&format!("/{wanted}")) && clean(&path) {
            true => Ok(path),
            false => Err(UnitError::Place {
                unit: name.unit.clone(),
                found: path,
                wanted,
            }),
        }
    }

    fn property(&mut self, path: &str, interface: &str, name: &str) -> Result<String, BusError> {
        let mut body = text(interface);
        body.text(name);
        let call = Call {
            destination: SYSTEMD,
            path,
            interface: "org.freedesktop.DBus.Properties",
            member: "Get",
            signature: "ss",
        };
        let reply = self.connection.call(&call, &body.into_bytes())?;
        Ok(reply.body("v")?.text_variant()?.to_owned())
    }

    fn call(&mut self, member: &str, signature: &str, body: Writer) -> Result<Message, BusError> {
        let call = Call {
            destination: SYSTEMD,
            path: PATH,
            interface: MANAGER,
            member,
            signature,
        };
        self.connection.call(&call, &body.into_bytes())
    }
}

/// The job and the result of a `JobRemoved`: number, job, unit, result.
fn removed_job(signal: &Message) -> Result<(&str, &str), BusError> {
    let mut body = signal.body("uoss")?;
    body.u32()?;
    let job = body.text()?;
    body.text()?;
    Ok((job, body.text()?))
}

fn text(text: &str) -> Writer {
    let mut body = Writer::default();
    body.text(text);
    body
}
