//! Landlock: landlock(7).
//!
//! # Safety
//! As in the parent module: every pointer comes from a reference that outlives the call.

use super::{Fd, Result, arg, call, nr, numbers};

/// `struct landlock_ruleset_attr` of ABI 6. An older kernel takes it when what it does not know is zero.
#[repr(C)]
struct Ruleset {
    files: u64,
    ports: u64,
    scopes: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    access: u64,
    parent: i32,
}

/// `struct landlock_net_port_attr`.
#[repr(C)]
struct NetPort {
    access: u64,
    port: u64,
}

const _: () = assert!(size_of::<PathBeneath>() == 12);

/// `landlock_create_ruleset(2)` with `LANDLOCK_CREATE_RULESET_VERSION`: the kernel's ABI.
pub(crate) fn abi() -> Result<u32> {
    const VERSION: usize = 1;
    numbers(nr::LANDLOCK_CREATE_RULESET, [0, 0, VERSION, 0, 0, 0]).map(|abi| abi as u32)
}

/// `landlock_create_ruleset(2)`; always close-on-exec.
pub(crate) fn create([files, ports, scopes]: [u64; 3]) -> Result<Fd> {
    let ruleset = Ruleset {
        files,
        ports,
        scopes,
    };
    // SAFETY: the kernel reads a whole ruleset.
    let fd = unsafe {
        call(
            nr::LANDLOCK_CREATE_RULESET,
            [
                (&raw const ruleset).expose_provenance(),
                size_of::<Ruleset>(),
                0,
                0,
                0,
                0,
            ],
        )
    }?;
    Ok(Fd::own(fd as i32))
}

/// `landlock_add_rule(2)` for what lies below a descriptor.
pub(crate) fn allow_below(ruleset: i32, parent: i32, access: u64) -> Result<()> {
    const PATH_BENEATH: usize = 1;
    let rule = PathBeneath { access, parent };
    add(ruleset, PATH_BENEATH, (&raw const rule).expose_provenance())
}

/// `landlock_add_rule(2)` for a TCP port.
pub(crate) fn allow_port(ruleset: i32, port: u16, access: u64) -> Result<()> {
    const NET_PORT: usize = 2;
    let rule = NetPort {
        access,
        port: u64::from(port),
    };
    add(ruleset, NET_PORT, (&raw const rule).expose_provenance())
}

/// `rule` is the address of a rule of this kind in the caller's frame.
fn add(ruleset: i32, kind: usize, rule: usize) -> Result<()> {
    // SAFETY: both callers pass the structure of their kind, which lives across the call.
    unsafe { call(nr::LANDLOCK_ADD_RULE, [arg(ruleset), kind, rule, 0, 0, 0]) }.map(drop)
}

/// `landlock_restrict_self(2)`.
pub(crate) fn restrict(ruleset: i32) -> Result<()> {
    numbers(nr::LANDLOCK_RESTRICT_SELF, [arg(ruleset), 0, 0, 0, 0, 0]).map(drop)
}
