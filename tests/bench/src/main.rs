//! `bench`: what a start costs, as ratios that are taken pair by pair in one run.
//!
//! `cargo run --release -p execdriver-bench -- --write` measures all rows and puts the table into docs/performance.md.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod host;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod pairs;
#[cfg(target_os = "linux")]
mod peers;
#[cfg(target_os = "linux")]
mod place;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod rows;
#[cfg(target_os = "linux")]
mod sleeper;
#[cfg(target_os = "linux")]
mod soak;
#[cfg(target_os = "linux")]
mod version_one;
#[cfg(target_os = "linux")]
mod watchdog;

/// What can go wrong here is told, not handled.
#[cfg(target_os = "linux")]
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[cfg(target_os = "linux")]
const USAGE: &str = "\
usage: bench [--quick] [--pairs N] [--row NAME]... [--write]
  --quick      30 pairs (100 runs of the big host) instead of 200 (1,000), a smaller crowd, shorter streams
  --pairs N    N pairs
  --row NAME   only these rows: cold, oci, in-process, seccomp, big-host, exec, stats, stream, crowd, rate
  --no-install leave out the rows of runtimes that are not installed
  --soak N     no rows: N runs of all kinds, killed and failing ones too, of which nothing may be left
  --seed N     the soak's random numbers; 1 without
  --pool N     the soak with `native.sandbox_pool=N`
  --write      put the table into docs/performance.md
Needs root. Installs crun, runc and bubblewrap (Debian's packages) and builds youki (cargo) where a row needs them";

/// What the command line asks for.
#[cfg(target_os = "linux")]
#[derive(Debug, Default)]
struct Asked {
    quick: bool,
    pairs: Option<usize>,
    rows: Vec<String>,
    write: bool,
    no_install: bool,
    soak: Option<usize>,
    seed: Option<u64>,
    pool: usize,
}

#[cfg(target_os = "linux")]
impl Asked {
    fn pairs(&self) -> usize {
        self.pairs.unwrap_or(if self.quick { 30 } else { 200 })
    }

    fn big_host_runs(&self) -> usize {
        self.pairs.unwrap_or(if self.quick { 100 } else { 1000 })
    }

    fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|asked| asked == row)
    }
}

#[cfg(target_os = "linux")]
type Group = fn(&place::Place, &Asked) -> Result<Vec<report::Row>>;

/// The rows by the names that `--row` knows them by, in the table's order.
#[cfg(target_os = "linux")]
const GROUPS: [(&str, Group); 10] = [
    ("cold", |place, asked| {
        rows::cold::measure(place, asked.pairs())
    }),
    ("oci", |place, asked| {
        rows::oci::measure(place, asked.pairs())
    }),
    ("in-process", |place, asked| {
        rows::in_process::measure(place, asked.pairs())
    }),
    ("seccomp", |_, asked| rows::seccomp::measure(asked.pairs())),
    ("big-host", |place, asked| {
        rows::big_host::measure(place, asked.big_host_runs())
    }),
    ("exec", |place, asked| {
        rows::exec::measure(place, asked.pairs())
    }),
    ("stats", |place, asked| {
        rows::stats::measure(place, asked.pairs())
    }),
    ("stream", |place, asked| {
        rows::stream::measure(place, asked.pairs(), asked.quick)
    }),
    ("crowd", |place, asked| {
        rows::crowd::measure(place, asked.quick)
    }),
    ("rate", |place, asked| {
        rows::rate::measure(place, asked.pairs())
    }),
];

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.first().map(String::as_str) {
        Some(host::VERB) => host::main(&args[1..]),
        Some(rows::crowd::VERB) => rows::crowd::main(&args[1..]),
        Some(rows::crowd::FLOOR) => rows::crowd::floor(&args[1..]),
        _ => parse(&args).and_then(|asked| measure(&asked, &args)),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
fn parse(args: &[String]) -> Result<Asked> {
    let mut asked = Asked::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => asked.quick = true,
            "--write" => asked.write = true,
            "--no-install" => asked.no_install = true,
            "--pairs" => asked.pairs = Some(args.next().ok_or(USAGE)?.parse()?),
            "--soak" => asked.soak = Some(args.next().ok_or(USAGE)?.parse()?),
            "--pool" => asked.pool = args.next().ok_or(USAGE)?.parse()?,
            "--seed" => asked.seed = Some(args.next().ok_or(USAGE)?.parse()?),
            "--row" => {
                let row = args.next().ok_or(USAGE)?;
                if !GROUPS.iter().any(|(name, _)| name == row) {
                    return Err(format!("no row {row:?}\n{USAGE}").into());
                }
                asked.rows.push(row.clone());
            }
            _ => return Err(USAGE.into()),
        }
    }
    Ok(asked)
}

#[cfg(target_os = "linux")]
fn measure(asked: &Asked, args: &[String]) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Err("needs root: every row compares containers that root makes".into());
    }
    if let Some(runs) = asked.soak {
        return soak::run(runs, asked.seed.unwrap_or(1), asked.pool);
    }
    let place = place::Place::new()?;
    let peers = ["cold", "oci", "in-process", "exec", "stats", "rate"];
    if !asked.no_install && peers.into_iter().any(|row| asked.wants(row)) {
        peers::install(&place.workspace);
    }
    // The load is that of before the rows, which make their own.
    let machine = machine::describe()?;
    let missing = peers::missing(&place.workspace).into_iter();
    let mut notes: Vec<String> = missing
        .map(|peer| format!("**Not measured**: rows of {peer}, which is not installed"))
        .collect();
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for (name, rows) in GROUPS {
        if !asked.wants(name) {
            continue;
        }
        eprintln!("bench: {name}");
        // A peer may fail once in some thousand runs.
        let again = |error: Box<dyn std::error::Error + Send + Sync>| {
            eprintln!("bench: {name}: {error}; once more");
            notes.push(format!(
                "Measured once more, after an error, were the rows of {name}: {error}"
            ));
            rows(&place, asked)
        };
        match rows(&place, asked).or_else(again) {
            Ok(rows) => found.extend(rows),
            // The others say what they say without it.
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    notes.extend(failed.iter().map(|why| format!("**Not measured**: {why}")));
    let text = report::text(&found, &notes, &machine, args);
    println!("{text}");
    if asked.write {
        report::write(&place.workspace.join("docs/performance.md"), &text)?;
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(failed.join("\n").into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {}
