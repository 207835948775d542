//! Block devices: weights and speeds.

use super::{LimitError, List, Shape, Version, invalid, unsupported};
use oci_spec::runtime::{LinuxBlockIo, LinuxResources, LinuxThrottleDevice, LinuxWeightDevice};

const WEIGHT: &str = "resources.blkio_weight";
const NO_WEIGHT: &str = "the kernel has no weights for block devices: `modprobe bfq`, or boot one with \
                         CONFIG_BFQ_GROUP_IOSCHED";
const NO_LEAF: &str = "leaf weights went with the scheduler CFQ (Linux 5.0): leave them out";

pub(super) fn add(resources: &LinuxResources, list: &mut List<'_>) -> Result<(), LimitError> {
    let Some(block) = resources.block_io() else {
        return Ok(());
    };
    if let Some(weight) = block.weight().filter(|weight| *weight != 0) {
        let version = list.place(WEIGHT, "blkio", "io")?;
        let files = match version {
            Version::V1 => same(["blkio.weight", "blkio.bfq.weight"], weight),
            Version::V2 => version_2(
                &weight.to_string(),
                &format!("default {}", io_weight(weight)),
            ),
        };
        list.add(version, files, WEIGHT).absent = NO_WEIGHT;
    }
    if let Some(leaf) = block.leaf_weight().filter(|weight| *weight != 0) {
        leaf_weight(
            &leaf.to_string(),
            "blkio.leaf_weight",
            "resources.blockIO.leafWeight",
            list,
        )?;
    }
    for (index, device) in block.weight_device().iter().flatten().enumerate() {
        weight_device(device, &format!("{WEIGHT}_device[{index}]"), list)?;
    }
    throttles(block, list)
}

fn weight_device(
    device: &LinuxWeightDevice,
    field: &str,
    list: &mut List<'_>,
) -> Result<(), LimitError> {
    let name = format!("{}:{}", device.major(), device.minor());
    if let Some(weight) = device.weight().filter(|weight| *weight != 0) {
        let version = list.place(field, "blkio", "io")?;
        let files = match version {
            Version::V1 => same(
                ["blkio.weight_device", "blkio.bfq.weight_device"],
                format!("{name} {weight}"),
            ),
            Version::V2 => version_2(
                &format!("{name} {weight}"),
                &format!("{name} {}", io_weight(weight)),
            ),
        };
        let setting = list.add(version, files, field);
        setting.absent = NO_WEIGHT;
        setting.shape = Shape::Device {
            gone: format!("{name} default"),
            device: name.clone(),
        };
    }
    if let Some(leaf) = device.leaf_weight().filter(|weight| *weight != 0) {
        leaf_weight(
            &format!("{name} {leaf}"),
            "blkio.leaf_weight_device",
            &format!("{field}.leafWeight"),
            list,
        )?;
    }
    Ok(())
}

fn leaf_weight(
    value: &str,
    file: &str,
    field: &str,
    list: &mut List<'_>,
) -> Result<(), LimitError> {
    if list.place(field, "blkio", "io")? == Version::V2 {
        return Err(unsupported(field, NO_LEAF));
    }
    list.whole(Version::V1, file, value, field).absent = NO_LEAF;
    Ok(())
}

fn throttles(block: &LinuxBlockIo, list: &mut List<'_>) -> Result<(), LimitError> {
    let all = [
        ("read_bps", "rbps", block.throttle_read_bps_device()),
        ("write_bps", "wbps", block.throttle_write_bps_device()),
        ("read_iops", "riops", block.throttle_read_iops_device()),
        ("write_iops", "wiops", block.throttle_write_iops_device()),
    ];
    for (v1, v2, devices) in all {
        for (index, device) in devices.iter().flatten().enumerate() {
            throttle(device, (v1, v2), index, list)?;
        }
    }
    Ok(())
}

/// A rate of 0 is none. Operations are counted in 32 bits (`tg->iops` in block/blk-throttle.c): version
/// 1 would make 0 of 4294967296, and let no operation through at all.
fn throttle(
    device: &LinuxThrottleDevice,
    (v1, v2): (&str, &'static str),
    index: usize,
    list: &mut List<'_>,
) -> Result<(), LimitError> {
    let field = format!("resources.blkio_throttle_{v1}_device[{index}]");
    let (name, rate) = (
        format!("{}:{}", device.major(), device.minor()),
        device.rate(),
    );
    let version = list.place(&field, "blkio", "io")?;
    if v2.ends_with("iops") && u32::try_from(rate).is_err() {
        let most = u32::MAX;
        return Err(invalid(
            &field,
            format!("got {rate} a second, expected at most {most}"),
        ));
    }
    match version {
        Version::V1 => {
            let file = format!("blkio.throttle.{v1}_device");
            let setting = list.whole(version, &file, format!("{name} {rate}"), &field);
            setting.shape = Shape::Device {
                gone: format!("{name} 0"),
                device: name,
            };
        }
        Version::V2 => {
            let rate = if rate == 0 {
                "max".to_owned()
            } else {
                rate.to_string()
            };
            let setting = list.whole(version, "io.max", format!("{name} {v2}={rate}"), &field);
            setting.shape = Shape::Nested {
                device: name,
                name: v2,
            };
        }
    }
    if let Some(setting) = list.settings.last_mut() {
        setting.absent = "boot a kernel with CONFIG_BLK_DEV_THROTTLING";
    }
    Ok(())
}

/// `io.weight` (1 to 10000) for a weight of version 1 (10 to 1000), on a straight line as today's
/// runtimes have it. `io.bfq.weight` takes the number as it is, and is preferred: where it exists
/// devices are scheduled by it.
fn io_weight(weight: u16) -> u32 {
    1 + u32::from(weight.clamp(10, 1000) - 10) * 9999 / 990
}

fn version_2(bfq: &str, cost: &str) -> Vec<(String, String)> {
    vec![
        ("io.bfq.weight".to_owned(), bfq.to_owned()),
        ("io.weight".to_owned(), cost.to_owned()),
    ]
}

fn same<const N: usize>(files: [&str; N], value: impl ToString) -> Vec<(String, String)> {
    files
        .map(|file| (file.to_owned(), value.to_string()))
        .to_vec()
}
