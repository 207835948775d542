//! One more process in a container that runs, in process against another runtime as a process.

use crate::Result;
use crate::pairs::{Pairs, time};
use crate::peers::version;
use crate::place::Place;
use crate::report::{Row, Unit};
use crate::sleeper::{self, Sleeper};
use crate::version_one;
use execdriver::{Options, Registry};
use std::process::{Command, Stdio};

/// The container of the other runtime.
const ID: &str = "execdriver-bench-exec";

pub(crate) fn measure(place: &Place, pairs: usize) -> Result<Vec<Row>> {
    let Some(crun) = version("crun") else {
        return Ok(Vec::new());
    };
    let (kept, cold) = version_one::within(&[ID], || against_crun(place, pairs))?;
    Ok(vec![
        Row {
            name: format!("`exec` in process against `crun exec` ({crun})"),
            unit: Unit::Millis,
            target: Some(0.2),
            pairs: kept,
            did: "A: `Driver::exec` of a static `true` in a running container of the docker profile, all streams null, and not the \
                  first two in it, so that its cgroups are open. B: `crun exec ID /bin/true` as a process, in a container of the \
                  same mounts, namespaces and capabilities."
                .into(),
        },
        Row {
            name: "the same with `native.kept_open=0`".into(),
            unit: Unit::Millis,
            target: None,
            pairs: cold,
            did: "A: as the first two execs in any container: none of its cgroups is open. B: as above.".into(),
        },
    ])
}

/// With what stays open, and without.
fn against_crun(place: &Place, pairs: usize) -> Result<(Pairs, Pairs)> {
    let crun = Crun::start(place)?;
    let against = |driver| {
        let sleeper = Sleeper::start(&driver, &place.rootfs())?;
        Pairs::take(pairs, || time(|| sleeper.exec()), || time(|| crun.exec()))
    };
    let state = place.state("exec");
    let cold = Options::parse(["native.kept_open=0"])?;
    let cold = Registry::with_builtin().open("native", &state, cold)?;
    Ok((against(sleeper::driver(&state)?)?, against(cold)?))
}

/// A container of crun's, removed when dropped.
struct Crun<'a>(&'a Place);

impl<'a> Crun<'a> {
    fn start(place: &'a Place) -> Result<Self> {
        let crun = Self(place);
        let mut run = crun.command("run");
        run.arg("--detach")
            .arg("--bundle")
            .arg(place.bundle("pause"))
            .arg(ID);
        finish(run)?;
        Ok(crun)
    }

    fn exec(&self) -> Result<()> {
        let mut exec = self.command("exec");
        exec.args([ID, "/bin/true"]);
        finish(exec)
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new("crun");
        command.arg("--root").arg(self.0.state("crun"));
        command.args(["--cgroup-manager=cgroupfs", verb]);
        command
    }
}

impl Drop for Crun<'_> {
    fn drop(&mut self) {
        let mut delete = self.command("delete");
        delete.args(["--force", ID]);
        // What stays is found by who looks at the host afterwards.
        let _ = finish(delete);
    }
}

fn finish(mut command: Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{status}: {command:?}").into()),
    }
}
