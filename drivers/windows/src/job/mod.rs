//! Containers of job objects: born, limited, counted and ended together; files, network and registry are the host's.

mod process;
mod program;
mod refuse;
mod stats;
mod system;
#[cfg(test)]
mod terminal_tests;
#[cfg(test)]
mod tests;

pub(crate) use refuse::check;

use crate::NAME;
use crate::backend::{Backend, ComputeSystem, Traits};
use crate::limits::Limits;
use crate::names::SystemName;
use crate::settings::Settings;
use crate::sys;
use execdriver_core::{Command, Control, Error, Result};
use std::io;
use std::sync::Arc;
use system::JobSystem;

/// The back-end of job objects: any Windows from 8 on, without any right of an administrator.
#[derive(Debug)]
pub(crate) struct JobBackend {
    restricted_token: bool,
}

impl JobBackend {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            restricted_token: settings.restricted_token,
        }
    }
}

impl Backend for JobBackend {
    fn name(&self) -> &'static str {
        "job"
    }

    fn controls(&self) -> Vec<Control> {
        refuse::controls()
    }

    fn machine_memory(&self) -> u64 {
        sys::memory::total().unwrap_or(0)
    }

    fn traits(&self) -> Traits {
        Traits {
            holds_processes: true,
            passes_files: true,
            shuts_down: false,
        }
    }

    fn check(&self, command: &Command) -> Result<()> {
        check(command)
    }

    fn limits_as_jobs(&self) -> bool {
        true
    }

    fn check_limits(&self, _: &Limits) -> Result<()> {
        Ok(())
    }

    fn create(
        &self,
        name: &SystemName,
        _: &Command,
        limits: &Limits,
    ) -> Result<Arc<dyn ComputeSystem>> {
        let job = sys::job::Job::create(&name.object).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::AlreadyExists {
                id: name.id.clone(),
            },
            _ => setup(format!("create job {}", name.object), error),
        })?;
        let system = JobSystem::new(job, name.clone(), self.restricted_token).watched()?;
        system.set(&Limits::default(), limits)?;
        Ok(Arc::new(system))
    }

    fn open(&self, name: &SystemName) -> Result<Option<Arc<dyn ComputeSystem>>> {
        match sys::job::Job::open(&name.object) {
            Ok(job) => {
                let system = JobSystem::new(job, name.clone(), self.restricted_token);
                Ok(Some(Arc::new(system)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(format!("open job {}", name.object), error)),
        }
    }
}

fn setup(step: String, source: io::Error) -> Error {
    Error::Setup {
        step,
        source: Some(Box::new(source)),
    }
}

fn failed(operation: String, source: io::Error) -> Error {
    Error::Driver {
        driver: NAME.to_owned(),
        operation,
        source: Some(Box::new(source)),
    }
}
