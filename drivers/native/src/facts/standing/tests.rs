//! Threads that change what they hand down, one way each, are of another standing, or of none that could be compared.
//!
//! # Safety
//! Calls about the calling thread, which takes them along when it ends; structures they are given outlive them.
#![allow(unsafe_code)]

use super::*;
use crate::support::{Need, eventually, skip_unless, unique_id};
use core::ffi::{c_int, c_long};
use nix::errno::Errno;
use nix::sched::{CloneFlags, CpuSet, sched_getaffinity, sched_setaffinity, unshare};
use std::fs;
use std::path::PathBuf;

/// The standing of a thread of its own, so that nothing of it is left to the others, and whether it could be changed.
fn after<T: Send>(change: impl FnOnce() -> T + Send) -> (T, Option<Standing>) {
    let standing = move || (change(), Standing::of_this_thread(true));
    std::thread::scope(|scope| scope.spawn(standing).join().unwrap())
}

/// `None` where a filter of system calls is in force, as in the stage with few calls, and of ordinary users.
fn own() -> Option<Standing> {
    let own = Standing::of_this_thread(true)?;
    assert_eq!(after(|| ()).1.as_ref(), Some(&own));
    Some(own)
}

fn call<const N: usize>(number: c_long, words: [u64; N]) -> nix::Result<()> {
    let word = |index: usize| words.get(index).copied().unwrap_or_default();
    // SAFETY: as the module says.
    let result = unsafe { libc::syscall(number, word(0), word(1), word(2), word(3), word(4)) };
    Errno::result(result).map(drop)
}

/// What such a call tells of the thread, which the change is to differ from: tests may run in any standing.
fn now<const N: usize>(number: c_long, words: [u64; N]) -> i64 {
    let word = |index: usize| words.get(index).copied().unwrap_or_default();
    // SAFETY: as the module says.
    unsafe { libc::syscall(number, word(0), word(1), word(2), word(3), word(4)) }
}

/// For what cannot be taken back and is so already.
fn unless(already: bool, change: impl FnOnce() -> nix::Result<()>) -> nix::Result<()> {
    if already {
        return Err(Errno::EALREADY);
    }
    change()
}

fn prctl<const N: usize>(option: c_int, words: [u64; N]) -> nix::Result<()> {
    let mut all = [0; 5];
    all[0] = u64::from(option.cast_unsigned());
    all[1..=N].copy_from_slice(&words);
    call(libc::SYS_prctl, all)
}

fn address<T>(of: &T) -> u64 {
    std::ptr::from_ref(of).addr() as u64
}

type Change = (&'static str, fn() -> nix::Result<()>);

/// What root may always change, unless it is so already.
const CHANGES: [Change; 15] = [
    ("nice value", || {
        // 20 less the value.
        let lowest = now(libc::SYS_getpriority, [0, 0]) == 1;
        call(libc::SYS_setpriority, [0, 0, if lowest { 18 } else { 19 }])
    }),
    ("policy of scheduling", || {
        let is_batch = now(libc::SYS_sched_getscheduler, [0]) == i64::from(libc::SCHED_BATCH);
        let policy = if is_batch {
            libc::SCHED_OTHER
        } else {
            libc::SCHED_BATCH
        };
        let policy = u64::from(policy.cast_unsigned());
        call(libc::SYS_sched_setscheduler, [0, policy, address(&0u32)])
    }),
    ("priority of input and output", || {
        const LEAST_OF_BEST_EFFORT: u64 = 2 << 13 | 7;
        const IDLE: u64 = 3 << 13;
        let is_idle = now(libc::SYS_ioprio_get, [1, 0]).cast_unsigned() & IDLE == IDLE;
        let priority = if is_idle { LEAST_OF_BEST_EFFORT } else { IDLE };
        call(libc::SYS_ioprio_set, [1, 0, priority])
    }),
    ("slack of timers", || {
        prctl(libc::PR_SET_TIMERSLACK, [77_777])
    }),
    ("no_new_privs", || {
        let get = u64::from(libc::PR_GET_NO_NEW_PRIVS.cast_unsigned());
        unless(now(libc::SYS_prctl, [get]) == 1, || {
            prctl(libc::PR_SET_NO_NEW_PRIVS, [1])
        })
    }),
    ("security bits", || {
        const NO_SETUID_FIXUP: u64 = 1 << 2;
        prctl(libc::PR_SET_SECUREBITS, [NO_SETUID_FIXUP])
    }),
    ("bounding set", || {
        const CAP_AUDIT_CONTROL: u64 = 30;
        let read = u64::from(libc::PR_CAPBSET_READ.cast_unsigned());
        unless(now(libc::SYS_prctl, [read, CAP_AUDIT_CONTROL]) == 0, || {
            prctl(libc::PR_CAPBSET_DROP, [CAP_AUDIT_CONTROL])
        })
    }),
    ("memory errors", || {
        let (set, early) = (libc::PR_MCE_KILL_SET, libc::PR_MCE_KILL_EARLY);
        prctl(
            libc::PR_MCE_KILL,
            [set, early].map(|word| u64::from(word.cast_unsigned())),
        )
    }),
    ("personality", || {
        let other = now(libc::SYS_personality, [0xffff_ffff]) ^ i64::from(libc::ADDR_NO_RANDOMIZE);
        call(libc::SYS_personality, [other.cast_unsigned()])
    }),
    ("group", || call(libc::SYS_setresgid, [4242, 0, 0])),
    ("groups", || {
        call(libc::SYS_setgroups, [1, address(&4242u32)])
    }),
    // Not the effective one, nor that of files: the kernel would make the whole process one that cannot be dumped (commit_creds).
    ("user", || call(libc::SYS_setresuid, [4242, 0, 0])),
    ("names of the host", || unshare(CloneFlags::CLONE_NEWUTS)),
    ("mounts", || unshare(CloneFlags::CLONE_NEWNS)),
    ("processes", || unshare(CloneFlags::CLONE_NEWPID)),
];

/// What not every kernel, processor or host lets change.
const OTHER_CHANGES: [Change; 6] = [
    ("input and output of who frees memory", || {
        const SET_IO_FLUSHER: c_int = 57;
        prctl(SET_IO_FLUSHER, [1])
    }),
    ("policy of memory", || {
        const PREFERRED: u64 = 1;
        const BITS: u64 = 64;
        call(libc::SYS_set_mempolicy, [PREFERRED, address(&1u64), BITS])
    }),
    ("clocks", || {
        call(libc::SYS_unshare, [libc::CLONE_NEWTIME as u64])
    }),
    ("scheduling by core", || {
        const CREATE: u64 = 1;
        prctl(libc::PR_SCHED_CORE, [CREATE, 0, 0, 0])
    }),
    ("speculation", || {
        const STORE_BYPASS: u64 = 0;
        const DISABLE: u64 = 4;
        prctl(libc::PR_SET_SPECULATION_CTRL, [STORE_BYPASS, DISABLE])
    }),
    ("audit trail's session", || {
        fs::write("/proc/thread-self/loginuid", "0").map_err(|error| errno(&error))
    }),
];

/// How they say so.
const LACKING: [Errno; 6] = [
    // A root without CAP_SYS_RESOURCE, or a processor whose mitigation is fixed.
    Errno::EPERM,
    Errno::ENOSYS,
    Errno::EINVAL,
    Errno::ENODEV,
    Errno::ENXIO,
    Errno::ENOENT,
];

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or_default())
}

#[test]
fn threads_are_of_the_same_standing_until_one_changes_what_it_hands_down() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let Some(own) = own() else { return };
    for (name, change) in CHANGES {
        let (changed, standing) = after(change);
        if changed == Err(Errno::EALREADY) {
            eprintln!("is so already: {name}");
            continue;
        }
        changed.unwrap_or_else(|errno| panic!("{name}: {errno}"));
        let standing = standing.unwrap_or_else(|| panic!("{name}: nothing to compare"));
        assert_ne!(standing, own, "{name}");
    }
    for (name, change) in OTHER_CHANGES {
        let (changed, standing) = after(change);
        match changed {
            Ok(()) => assert!(standing.is_some_and(|changed| changed != own), "{name}"),
            Err(errno) if LACKING.contains(&errno) => {
                eprintln!("cannot be changed here: {name}: {errno}")
            }
            Err(errno) => panic!("{name}: {errno}"),
        }
    }
}

#[test]
fn a_thread_on_fewer_processors_is_of_another_standing() {
    let Some(own) = own() else { return };
    let all = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let has = |cpu: &usize| all.is_set(*cpu).unwrap();
    let mut cpus = (0..CpuSet::count()).filter(has);
    let (first, several) = (cpus.next().unwrap(), cpus.next().is_some());
    let fewer = || {
        let mut one = CpuSet::new();
        one.set(first).unwrap();
        sched_setaffinity(Pid::from_raw(0), &one).unwrap();
    };
    assert_eq!(after(fewer).1 != Some(own), several);
}

/// Version 1's hierarchies have threads, not processes, in their cgroups.
#[test]
fn a_thread_in_a_cgroup_of_its_own_is_of_another_standing() {
    let freezer = Path::new("/sys/fs/cgroup/freezer");
    if skip_unless(&[Need::Root]) || !freezer.join("tasks").exists() {
        return;
    }
    let Some(own) = own() else { return };
    let dir: PathBuf = freezer.join(unique_id("standing"));
    fs::create_dir(&dir).unwrap();
    let (moved, standing) = after(|| fs::write(dir.join("tasks"), "0"));
    eventually("a thread that has ended is in no cgroup", || {
        fs::remove_dir(&dir).is_ok()
    });
    moved.unwrap();
    assert!(standing.is_some_and(|standing| standing != own));
}

/// No call tells what a filter or a domain would do to what the thread starts.
#[test]
fn a_thread_under_a_filter_of_system_calls_has_no_standing() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let filter = || {
        const SET_FILTER: u64 = 1;
        let code = u16::try_from(libc::BPF_RET | libc::BPF_K).unwrap();
        let mut allow = libc::sock_filter {
            code,
            jt: 0,
            jf: 0,
            k: libc::SECCOMP_RET_ALLOW,
        };
        let program = libc::sock_fprog {
            len: 1,
            filter: &raw mut allow,
        };
        call(libc::SYS_seccomp, [SET_FILTER, 0, address(&program)])
    };
    assert_eq!(after(filter), (Ok(()), None));
}

#[test]
fn a_thread_in_a_domain_of_landlock_has_no_standing() {
    if skip_unless(&[Need::Root, Need::Landlock(1)]) {
        return;
    }
    let domain = || {
        // Only this is handled, and allowed nowhere; mounts are denied with any right.
        let make_sock: u64 = 1 << 8;
        let size = size_of::<u64>();
        // SAFETY: the kernel reads the structure's first field, which outlives the call, and gives a descriptor or an error.
        let rules = unsafe {
            libc::syscall(
                libc::SYS_landlock_create_ruleset,
                &raw const make_sock,
                size,
                0,
            )
        };
        let rules = Errno::result(rules)?.cast_unsigned();
        let done = call(libc::SYS_landlock_restrict_self, [rules, 0]);
        call(libc::SYS_close, [rules])?;
        done
    };
    assert_eq!(after(domain), (Ok(()), None));
}
