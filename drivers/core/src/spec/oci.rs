//! Makes the OCI types that have a builder but no setters.

use crate::{
    Error, IdMap, IoClass, IoPriority, Result, Rlimit, ThrottleDevice, WeightDevice, WindowSize,
};
use oci_spec::OciSpecError;
use oci_spec::runtime::{
    self, Box as ConsoleSize, BoxBuilder, IOPriorityClass, Linux, LinuxIOPriority,
    LinuxIOPriorityBuilder, LinuxIdMapping, LinuxIdMappingBuilder, LinuxThrottleDevice,
    LinuxThrottleDeviceBuilder, LinuxWeightDevice, LinuxWeightDeviceBuilder, PosixRlimit,
    PosixRlimitBuilder, PosixRlimitType,
};
use std::sync::LazyLock;

/// OCI's default document is that of a whole container; this one has nothing in it.
static DOCUMENT: LazyLock<runtime::Spec> = LazyLock::new(|| {
    let mut document = runtime::Spec::default();
    document
        .set_root(None)
        .set_mounts(None)
        .set_process(None)
        .set_hostname(None)
        .set_annotations(None)
        .set_linux(None);
    document
});

/// Of the parts that every container of a command has, none.
static LINUX: LazyLock<Linux> = LazyLock::new(|| {
    let mut linux = Linux::default();
    linux
        .set_namespaces(None)
        .set_resources(None)
        .set_masked_paths(None)
        .set_readonly_paths(None);
    linux
});

/// A document without parts.
pub(super) fn document() -> runtime::Spec {
    DOCUMENT.clone()
}

/// A Linux part without what the template has.
pub(super) fn linux() -> Linux {
    LINUX.clone()
}

pub(super) fn id_mapping(range: &IdMap) -> Result<LinuxIdMapping> {
    let builder = LinuxIdMappingBuilder::default();
    built(
        builder
            .container_id(range.container_id)
            .host_id(range.host_id)
            .size(range.size)
            .build(),
    )
}

pub(super) fn rlimit(kind: PosixRlimitType, limit: &Rlimit) -> Result<PosixRlimit> {
    let builder = PosixRlimitBuilder::default().typ(kind);
    built(builder.hard(limit.hard).soft(limit.soft).build())
}

pub(super) fn console_size(size: WindowSize) -> Result<ConsoleSize> {
    let builder = BoxBuilder::default().height(u64::from(size.rows));
    built(builder.width(u64::from(size.columns)).build())
}

pub(super) fn io_priority(wanted: IoPriority) -> Result<LinuxIOPriority> {
    let class = match wanted.class {
        IoClass::Realtime => IOPriorityClass::IoprioClassRt,
        IoClass::BestEffort => IOPriorityClass::IoprioClassBe,
        IoClass::Idle => IOPriorityClass::IoprioClassIdle,
    };
    let builder = LinuxIOPriorityBuilder::default().class(class);
    built(builder.priority(i64::from(wanted.level)).build())
}

pub(super) fn weight_device(device: &WeightDevice) -> Result<LinuxWeightDevice> {
    let mut builder = LinuxWeightDeviceBuilder::default()
        .major(device.major)
        .minor(device.minor);
    if device.weight != 0 {
        builder = builder.weight(device.weight);
    }
    if device.leaf_weight != 0 {
        builder = builder.leaf_weight(device.leaf_weight);
    }
    built(builder.build())
}

pub(super) fn throttle_device(device: &ThrottleDevice) -> Result<LinuxThrottleDevice> {
    let builder = LinuxThrottleDeviceBuilder::default()
        .major(device.major)
        .minor(device.minor);
    built(builder.rate(device.rate).build())
}

/// The builders only fail when a field without a default is missing, and these have none.
fn built<T>(result: Result<T, OciSpecError>) -> Result<T> {
    result.map_err(|source| Error::Setup {
        step: "put the OCI document together".to_owned(),
        source: Some(Box::new(source)),
    })
}
