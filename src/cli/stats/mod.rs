//! `execdriver stats`: what containers use, live.

mod row;
mod screen;
mod size;

use crate::failure::{Failure, chain, complain};
use crate::global::Global;
use crate::output::Format;
use execdriver::{ContainerState, Driver, Error, ResourceStats};
use screen::Screen;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

/// Between two readings.
const INTERVAL: Duration = Duration::from_secs(1);

/// Between the two that one table needs: processor time is used over time.
const GLANCE: Duration = Duration::from_millis(250);

/// What `stats --help` says last.
pub(crate) const EXAMPLES: &str = "\
MEM USAGE leaves out what can be given back at once (the inactive page cache). NET I/O is received /
sent, without the loopback; BLOCK I/O is read / written. `--` is what this host does not count.

Examples:
  execdriver stats                         every container, redrawn each second, until Ctrl-C
  execdriver stats --no-stream web
  execdriver stats --format json web       one object a line: `id` and the driver's counters";

/// Arguments of `stats`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The containers [default: all that run]
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Print once instead of each second
    #[arg(long)]
    no_stream: bool,
    /// How to print; JSON is one object a line
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What was read of each container.
type Readings = BTreeMap<String, ResourceStats>;

pub(crate) fn main(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let driver = global.open()?;
    let watch = Watch {
        driver: driver.as_ref(),
        args,
    };
    match (args.no_stream, args.format) {
        (true, Format::Json) => {
            let (now, code) = watch.read_once()?;
            Screen::new().print(&json(&now)?)?;
            Ok(code)
        }
        (true, Format::Table) => {
            let (before, first) = watch.read_once()?;
            if watch.is_over(&before) {
                return Ok(first);
            }
            sleep(GLANCE);
            // What ended meanwhile has been told by the first reading.
            let now = watch.read();
            Screen::new().print(&row::table(&before, &now))?;
            Ok(first)
        }
        (false, format) => watch.live(format),
    }
}

struct Watch<'a> {
    driver: &'a dyn Driver,
    args: &'a Args,
}

impl Watch<'_> {
    fn live(&self, format: Format) -> Result<ExitCode, Failure> {
        let mut screen = Screen::new();
        let (mut before, mut code) = (Readings::new(), ExitCode::SUCCESS);
        let mut now = match self.args.ids.is_empty() {
            true => self.read(),
            false => {
                let (now, first) = self.read_once()?;
                code = first;
                now
            }
        };
        while !self.is_over(&now) {
            let going = match format {
                Format::Json => screen.print(&json(&now)?)?,
                Format::Table => screen.redraw(&row::table(&before, &now))?,
            };
            // The reader went away.
            if !going {
                break;
            }
            sleep(INTERVAL);
            before = now;
            now = self.read();
        }
        Ok(code)
    }

    /// Whether none that was named is there (any more).
    fn is_over(&self, now: &Readings) -> bool {
        now.is_empty() && !self.args.ids.is_empty()
    }

    /// The first reading: what is named and cannot be read is told.
    fn read_once(&self) -> Result<(Readings, ExitCode), Failure> {
        let (mut code, mut readings) = (ExitCode::SUCCESS, Readings::new());
        let named = !self.args.ids.is_empty();
        for id in self.ids().map_err(Failure::from)? {
            match self.driver.stats(&id) {
                Ok(stats) => drop(readings.insert(id, stats)),
                Err(error) if named || !is_gone(&error) => {
                    complain(&chain(&error));
                    code = ExitCode::FAILURE;
                }
                Err(_) => {}
            }
        }
        Ok((readings, code))
    }

    /// What can be read now: containers come and go.
    fn read(&self) -> Readings {
        let ids = self.ids().unwrap_or_default();
        let read = |id: String| {
            let stats = self.driver.stats(&id).ok()?;
            Some((id, stats))
        };
        ids.into_iter().filter_map(read).collect()
    }

    fn ids(&self) -> execdriver::Result<Vec<String>> {
        if !self.args.ids.is_empty() {
            return Ok(self.args.ids.clone());
        }
        let lives = |state| matches!(state, ContainerState::Running | ContainerState::Paused);
        let list = self.driver.list()?.into_iter();
        Ok(list.filter(|c| lives(c.state)).map(|c| c.id).collect())
    }
}

fn is_gone(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. } | Error::NotRunning { .. })
}

/// A line for each container: the driver's object, with the container's id before its keys.
fn json(readings: &Readings) -> Result<String, Failure> {
    let mut lines = String::new();
    for (id, stats) in readings {
        let object = stats.to_json()?;
        let keys = object.strip_prefix('{').unwrap_or_default();
        // An id has no character that JSON would escape.
        lines.push_str(&format!("{{\"id\":\"{id}\",{keys}\n"));
    }
    Ok(lines)
}
