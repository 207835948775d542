//! What the numbers were taken on.

use crate::Result;
use std::fs;
use std::process::Command;

/// Processor, kernel, cgroups and day, a line each.
pub(crate) fn describe() -> Result<Vec<String>> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| {
        line.strip_prefix("model name")?
            .split_once(": ")
            .map(|(_, name)| name)
    });
    let cores = std::thread::available_parallelism()?;
    let kib: u64 = fs::read_to_string("/proc/meminfo")?
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemTotal:")?
                .trim()
                .strip_suffix(" kB")?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    let names = nix::sys::utsname::uname()?;
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let of_type = |kind: &str| {
        mounts
            .lines()
            .filter(|line| line.split(' ').nth(2) == Some(kind))
            .count()
    };
    let load = fs::read_to_string("/proc/loadavg")?;
    let load: Vec<&str> = load.split(' ').take(2).collect();
    Ok(vec![
        format!(
            "machine: {}, {cores} processors, {} GiB",
            model.unwrap_or("unknown processor"),
            kib >> 20
        ),
        format!(
            "kernel: {} {} {}",
            names.sysname().to_string_lossy(),
            kernel(&names.release().to_string_lossy()),
            names.machine().to_string_lossy()
        ),
        format!(
            "cgroups: {} hierarchies of version 1, {} of version 2",
            of_type("cgroup"),
            of_type("cgroup2")
        ),
        format!("day: {}", today()?),
        format!("load before, over 1 and 5 minutes: {}", load.join(", ")),
    ])
}

/// The version; what a builder appended names his workshop, not the kernel.
fn kernel(release: &str) -> &str {
    release.split('-').next().unwrap_or(release)
}

fn today() -> Result<String> {
    let printed = Command::new("date").args(["-u", "+%Y-%m-%d"]).output()?;
    Ok(String::from_utf8(printed.stdout)?.trim().to_owned())
}
