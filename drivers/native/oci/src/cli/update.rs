//! `update`: other limits for a container.

use super::bundle;
use super::failure::{Answer, Failure};
use super::global::Global;
use super::log;
use crate::document;
use oci_spec::runtime::{
    LinuxBlockIo, LinuxCpu, LinuxIntelRdt, LinuxMemory, LinuxPids, LinuxResources,
};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Arguments of `update`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A file with the limits as `linux.resources` of config.json has them, `-` for stdin; other options are then not looked at.
    #[arg(long, short, value_name = "FILE", allow_hyphen_values = true)]
    resources: Option<PathBuf>,
    /// Weight of its reads and writes, 10 to 1000.
    #[arg(long, value_name = "WEIGHT", allow_hyphen_values = true)]
    blkio_weight: Option<u16>,
    /// Length of a period of processor time, microseconds.
    #[arg(long, value_name = "US", allow_hyphen_values = true)]
    cpu_period: Option<u64>,
    /// Processor time in a period, microseconds; -1 for no limit.
    #[arg(long, value_name = "US", allow_hyphen_values = true)]
    cpu_quota: Option<i64>,
    /// Processor time that may be saved up, microseconds.
    #[arg(long, value_name = "US", allow_hyphen_values = true)]
    cpu_burst: Option<u64>,
    /// Weight of its processor time, 2 to 262144.
    #[arg(
        long,
        alias = "cpu-shares",
        value_name = "SHARES",
        allow_hyphen_values = true
    )]
    cpu_share: Option<u64>,
    /// Length of a period of real time, microseconds.
    #[arg(long, value_name = "US", allow_hyphen_values = true)]
    cpu_rt_period: Option<u64>,
    /// Real time in a period, microseconds.
    #[arg(long, value_name = "US", allow_hyphen_values = true)]
    cpu_rt_runtime: Option<i64>,
    /// 1: only what nobody else wants of the processors.
    #[arg(long, value_name = "0|1", allow_hyphen_values = true)]
    cpu_idle: Option<i64>,
    /// Processors, as 0-3.
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    cpuset_cpus: Option<String>,
    /// Memory nodes, as 0-3.
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    cpuset_mems: Option<String>,
    /// Memory: bytes, or 512k, 100m, 2g; -1 for no limit.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = size)]
    memory: Option<i64>,
    /// Memory that it is pressed down to when others want some, as --memory.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = size)]
    memory_reservation: Option<i64>,
    /// Memory and swap together, as --memory; -1 for no limit.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = size)]
    memory_swap: Option<i64>,
    /// Processes and threads; -1 for no limit.
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pids_limit: Option<i64>,
    /// Its shares of the level 3 cache, as L3:0=ff;1=f.
    #[arg(long, value_name = "SCHEMA", allow_hyphen_values = true)]
    l3_cache_schema: Option<String>,
    /// Its shares of memory's bandwidth, as MB:0=50.
    #[arg(long, value_name = "SCHEMA", allow_hyphen_values = true)]
    mem_bw_schema: Option<String>,
    /// Taken from callers of old, and not looked at.
    #[arg(long, hide = true, value_name = "SIZE", allow_hyphen_values = true, value_parser = size)]
    kernel_memory: Option<i64>,
    /// The same.
    #[arg(long, hide = true, value_name = "SIZE", allow_hyphen_values = true, value_parser = size)]
    kernel_memory_tcp: Option<i64>,
    /// The container's id.
    id: String,
}

pub(super) fn run(global: &Global, args: &Args) -> Answer {
    let resources = match &args.resources {
        Some(path) => read(path)?,
        None => args.resources(),
    };
    document::limits(&resources).map_err(Failure::usage)?;
    let class = args.class();
    global
        .open()?
        .update(&args.id, &resources, class.as_ref())?;
    if args.kernel_memory.is_some() || args.kernel_memory_tcp.is_some() {
        // As runc has it: the kernel enforces none since Linux 5.16.
        log::warnings(global, &[KERNEL_MEMORY.to_owned()]);
    }
    Ok(0)
}

const KERNEL_MEMORY: &str = "limits of kernel memory are ignored: it counts as memory";

impl Args {
    /// Other shares of caches and bandwidth, if there are any: they are no part of the document that `--resources` reads.
    fn class(&self) -> Option<LinuxIntelRdt> {
        let named = |schema: &Option<String>| schema.clone().filter(|schema| !schema.is_empty());
        let (cache, bandwidth) = (named(&self.l3_cache_schema), named(&self.mem_bw_schema));
        if cache.is_none() && bandwidth.is_none() {
            return None;
        }
        let mut class = LinuxIntelRdt::default();
        class
            .set_l3_cache_schema(cache)
            .set_mem_bw_schema(bandwidth);
        Some(class)
    }

    fn resources(&self) -> LinuxResources {
        let mut cpu = LinuxCpu::default();
        cpu.set_period(self.cpu_period)
            .set_quota(self.cpu_quota)
            .set_burst(self.cpu_burst)
            .set_shares(self.cpu_share)
            .set_realtime_period(self.cpu_rt_period)
            .set_realtime_runtime(self.cpu_rt_runtime)
            .set_idle(self.cpu_idle)
            .set_cpus(self.cpuset_cpus.clone())
            .set_mems(self.cpuset_mems.clone());
        let mut memory = LinuxMemory::default();
        memory
            .set_limit(self.memory)
            .set_reservation(self.memory_reservation)
            .set_swap(self.memory_swap);
        let mut resources = LinuxResources::default();
        resources.set_devices(None);
        resources.set_cpu(Some(cpu)).set_memory(Some(memory));
        if let Some(limit) = self.pids_limit {
            let mut pids = LinuxPids::default();
            pids.set_limit(limit);
            resources.set_pids(Some(pids));
        }
        if self.blkio_weight.is_some() {
            let mut block = LinuxBlockIo::default();
            block.set_weight(self.blkio_weight);
            resources.set_block_io(Some(block));
        }
        resources
    }
}

/// A number of bytes, or of 1024 to the power that its letter says, as the flags of runc and Docker have it: `100m`, `100MB`, `100MiB`.
fn size(text: &str) -> Result<i64, String> {
    let wrong = || format!("got {text:?}, expected a size as 100m or 2g, or -1");
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let shift = match lower.get(digits.len()..).unwrap_or_default() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(wrong()),
    };
    let number: i64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

fn read(path: &Path) -> Result<LinuxResources, Failure> {
    let name = format!("--resources {}", path.display());
    let text = match path.as_os_str() == "-" {
        true => {
            let mut text = Vec::new();
            let stdin = std::io::stdin().lock();
            let read = stdin.take(bundle::MAX_BYTES).read_to_end(&mut text);
            read.map_err(|error| Failure::system(&name, error))?;
            text
        }
        false => bundle::text(path)?,
    };
    document::resources(&text).map_err(|reason| Failure::usage(format!("{name}: {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_letter_or_is_in_bytes() {
        for (text, bytes) in [
            ("0", 0),
            ("-1", -1),
            ("4096", 4096),
            ("4096b", 4096),
            ("512k", 512 << 10),
            ("100M", 100 << 20),
            ("100mb", 100 << 20),
            ("2GiB", 2 << 30),
            ("1t", 1 << 40),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "m", "1x", "1.5g", "much", "9000000000t", "1 m", "1mm"] {
            assert!(size(text).unwrap_err().contains("100m"), "{text}");
        }
    }
}
