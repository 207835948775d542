//! Processes, huge pages, network classes, RDMA, and OCI's own `unified` map.

use super::{
    Check, LimitError, List, Shape, VERSION_2_ONLY, Version, invalid, or_max, unsupported,
};
use oci_spec::runtime::{LinuxNetwork, LinuxResources};
use std::collections::BTreeMap;

const PIDS: &str = "resources.pids_limit";

pub(super) fn add(resources: &LinuxResources, list: &mut List<'_>) -> Result<(), LimitError> {
    if let Some(pids) = resources.pids() {
        // 0 means "leave it" in the contract and "none at all" in the kernel.
        let limit = pids.limit();
        if limit != 0 && list.asks(limit) {
            let version = list.place(PIDS, "pids", "pids")?;
            let setting = list.whole(version, "pids.max", or_max(limit), PIDS);
            if limit > 0 {
                setting.check = Check::Usage("pids.current");
            }
        }
    }
    huge_pages(resources, list)?;
    if let Some(network) = resources.network() {
        self::network(network, list)?;
    }
    // Sorted, so that the same document is always written in the same order.
    let rdma: BTreeMap<_, _> = resources.rdma().iter().flatten().collect();
    for (device, limits) in rdma {
        let field = "resources.rdma";
        word(field, device)?;
        let or_max =
            |number: Option<u32>| number.map_or("max".to_owned(), |number| number.to_string());
        let value = format!(
            "{device} hca_handle={} hca_object={}",
            or_max(limits.hca_handles()),
            or_max(limits.hca_objects())
        );
        let version = list.place(field, "rdma", "rdma")?;
        list.whole(version, "rdma.max", value, field).shape = Shape::Lines;
    }
    unified(resources, list)
}

fn huge_pages(resources: &LinuxResources, list: &mut List<'_>) -> Result<(), LimitError> {
    for limit in resources.hugepage_limits().iter().flatten() {
        let size = limit.page_size();
        let field = format!("resources.hugepage_limits[{size:?}]");
        let digits = size.trim_end_matches(char::is_alphabetic);
        let (number, unit) = (
            digits.parse::<u32>(),
            size.get(digits.len()..).unwrap_or_default(),
        );
        if number.is_err() || !["KB", "MB", "GB"].contains(&unit) {
            return Err(invalid(&field, "expected a size like 64KB, 2MB or 1GB"));
        }
        if !list.asks(limit.limit()) {
            continue;
        }
        let (file, value) = match list.place(&field, "hugetlb", "hugetlb")? {
            Version::V1 => ("limit_in_bytes", limit.limit().max(-1).to_string()),
            Version::V2 => ("max", or_max(limit.limit())),
        };
        let version = list.place(&field, "hugetlb", "hugetlb")?;
        let used = format!("hugetlb.{size}.{file}");
        // What is reserved is judged when it is mapped, where a program can still do without (Linux 5.7).
        let reserved = (format!("hugetlb.{size}.rsvd.{file}"), value.clone());
        for files in [
            vec![(used.clone(), value.clone())],
            vec![reserved, (used, value)],
        ] {
            let setting = list.add(version, files, &field);
            setting.absent =
                "the machine has no huge pages of this size: see /sys/kernel/mm/hugepages";
        }
    }
    Ok(())
}

fn network(network: &LinuxNetwork, list: &mut List<'_>) -> Result<(), LimitError> {
    let reason = "cgroup version 2 marks no packets: match the cgroup's path in nftables instead";
    if let Some(class) = network.class_id() {
        let field = "resources.network.classID";
        if list.place(field, "net_cls", "net_cls")? == Version::V2 {
            return Err(unsupported(field, reason));
        }
        list.whole(Version::V1, "net_cls.classid", class, field);
    }
    for one in network.priorities().iter().flatten() {
        let field = "resources.network.priorities";
        word(field, one.name())?;
        if list.place(field, "net_prio", "net_prio")? == Version::V2 {
            return Err(unsupported(field, reason));
        }
        let value = format!("{} {}", one.name(), one.priority());
        list.whole(Version::V1, "net_prio.ifpriomap", value, field)
            .shape = Shape::Lines;
    }
    Ok(())
}

/// Files of version 2 by their names. Those of the cgroup itself are not limits: `cgroup.procs`
/// moves processes, `cgroup.kill` ends them.
fn unified(resources: &LinuxResources, list: &mut List<'_>) -> Result<(), LimitError> {
    let files: BTreeMap<_, _> = resources.unified().iter().flatten().collect();
    for (file, value) in files {
        let field = format!("resources.unified[{file:?}]");
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let (controller, rest) = file.split_once('.').unwrap_or((file, ""));
        if controller.is_empty() || rest.is_empty() || !file.chars().all(plain) {
            return Err(invalid(
                &field,
                "expected the name of a file like memory.high",
            ));
        }
        if controller == "cgroup" && !rest.starts_with("max.") {
            return Err(invalid(
                &field,
                "it is no limit: it acts on the cgroup itself",
            ));
        }
        if value.contains('\0') {
            return Err(invalid(&field, "the value has a NUL"));
        }
        let core = controller == "cgroup" && !list.have.v2.is_empty();
        if !core && !list.have.v2.iter().any(|have| have == controller) {
            // Version 1 has other files: it is no place for these.
            list.place(&field, VERSION_2_ONLY, controller)?;
        }
        let setting = list.whole(Version::V2, file, value, &field);
        setting.shape = Shape::Lines;
    }
    Ok(())
}

/// A name that stays one word of a line.
fn word(field: &str, name: &str) -> Result<(), LimitError> {
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(invalid(
            field,
            format!("got {name:?}, expected the name of a device"),
        ));
    }
    Ok(())
}
