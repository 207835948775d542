//! Landlock rules: which rights are handled and given on which ABI (landlock(7), in the kernel's
//! Documentation/userspace-api/landlock.rst).

use super::PlanError;
use super::steps::Steps;
use super::text::c_string;
use crate::wire::Op;
use execdriver_core::Landlock;

/// The ABIs that brought what we use, each with the kernel that has it.
const FILES: u32 = 1;
const REFER: u32 = 2;
const TRUNCATE: u32 = 3;
const PORTS: u32 = 4;
const IOCTL: u32 = 5;
const SCOPES: u32 = 6;

/// `LANDLOCK_ACCESS_FS_*`.
const EXECUTE: u64 = 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
/// The thirteen of ABI 1.
const ALL_OF_FIRST: u64 = (1 << 13) - 1;
const REFER_RIGHT: u64 = 1 << 13;
const TRUNCATE_RIGHT: u64 = 1 << 14;
const IOCTL_RIGHT: u64 = 1 << 15;
/// `LANDLOCK_ACCESS_NET_*`.
const BIND: u64 = 1;
const CONNECT: u64 = 1 << 1;
/// `LANDLOCK_SCOPE_*`.
const ABSTRACT_SOCKETS: u64 = 1;
const SIGNALS: u64 = 1 << 1;

/// What is denied wherever no rule gives it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Handled {
    files: u64,
    ports: u64,
    scopes: u64,
}

/// What of the rules this kernel's ABI cannot enforce, a sentence each; an error without
/// `best_effort`, and when nothing would be left.
pub(super) fn unenforced(rules: &Landlock, abi: u32) -> Result<Vec<String>, PlanError> {
    if abi == 0 {
        return Err(PlanError::unsupported(
            "landlock: the kernel has none (expected CONFIG_SECURITY_LANDLOCK and landlock among \
             the lsm= of its command line)",
        ));
    }
    let ports = rules.bind_tcp.is_some() || rules.connect_tcp.is_some();
    let lacking: Vec<String> = [
        (
            rules.has_paths(),
            TRUNCATE,
            "6.2",
            "the truncation of files that may only be read",
        ),
        (
            ports,
            PORTS,
            "6.7",
            "TCP ports (landlock.bind_tcp, landlock.connect_tcp)",
        ),
        (
            rules.scope_signals,
            SCOPES,
            "6.12",
            "signals (landlock.scope_signals)",
        ),
        (
            rules.scope_abstract_sockets,
            SCOPES,
            "6.12",
            "abstract sockets (landlock.scope_abstract_sockets)",
        ),
    ]
    .into_iter()
    .filter(|(asked, needed, ..)| *asked && abi < *needed)
    .map(|(_, needed, linux, what)| {
        format!("landlock of {what}: needs ABI {needed} (Linux {linux}), this kernel has ABI {abi}")
    })
    .collect();
    let nothing_left = handled(rules, abi) == Handled::default();
    match lacking.first() {
        Some(first) if !rules.best_effort => {
            let mend = "landlock.best_effort goes without";
            Err(PlanError::unsupported(format!("{first}; {mend}")))
        }
        Some(first) if nothing_left => Err(PlanError::unsupported(first.clone())),
        _ => Ok(lacking),
    }
}

/// The rules, as soon as the container's root is in place.
pub(super) fn plan(rules: &Landlock, abi: u32, steps: &mut Steps) -> Result<(), PlanError> {
    let Handled {
        files,
        ports,
        scopes,
    } = handled(rules, abi);
    steps.push(
        &Op::LandlockRules {
            abi,
            files,
            ports,
            scopes,
        },
        "begin the Landlock rules",
    );
    let lists = [
        ("read", &rules.read, EXECUTE | READ_FILE | READ_DIR),
        ("write", &rules.write, files),
        ("read_noexec", &rules.read_noexec, READ_FILE | READ_DIR),
        ("write_noexec", &rules.write_noexec, files & !EXECUTE),
    ];
    for (key, paths, access) in lists {
        for (index, path) in paths.iter().enumerate() {
            let path_text = c_string(format_args!("landlock.{key}[{index}]"), path)?;
            steps.push(
                &Op::LandlockPath {
                    path: &path_text,
                    access,
                },
                format_args!("allow {path} (landlock.{key}[{index}])"),
            );
        }
    }
    for (key, list, right) in [
        ("bind_tcp", &rules.bind_tcp, BIND),
        ("connect_tcp", &rules.connect_tcp, CONNECT),
    ] {
        let access = right & ports;
        for &port in list.iter().flatten().filter(|_| access != 0) {
            let words = format_args!("allow TCP port {port} (landlock.{key})");
            steps.push(&Op::LandlockPort { port, access }, words);
        }
    }
    Ok(())
}

fn handled(rules: &Landlock, abi: u32) -> Handled {
    let since = |needed: u32, right: u64| if abi >= needed { right } else { 0 };
    let asked = |asked: bool, right: u64| if asked { right } else { 0 };
    let files = since(FILES, ALL_OF_FIRST)
        | since(REFER, REFER_RIGHT)
        | since(TRUNCATE, TRUNCATE_RIGHT)
        | since(IOCTL, IOCTL_RIGHT);
    let ports = asked(rules.bind_tcp.is_some(), BIND) | asked(rules.connect_tcp.is_some(), CONNECT);
    let scopes =
        asked(rules.scope_abstract_sockets, ABSTRACT_SOCKETS) | asked(rules.scope_signals, SIGNALS);
    Handled {
        files: asked(rules.has_paths(), files),
        ports: since(PORTS, ports),
        scopes: since(SCOPES, scopes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> Landlock {
        Landlock {
            read: vec!["/".into()],
            connect_tcp: Some(vec![443]),
            scope_signals: true,
            ..Landlock::default()
        }
    }

    #[test]
    fn what_is_handled_follows_from_the_rules_and_from_the_abi() {
        let files = |abi| handled(&everything(), abi).files;
        assert_eq!(files(1), 0x1fff);
        assert_eq!(files(2), 0x3fff);
        assert_eq!((files(3), files(4)), (0x7fff, 0x7fff));
        assert_eq!((files(5), files(7)), (0xffff, 0xffff));
        let newest = handled(&everything(), 7);
        assert_eq!((newest.ports, newest.scopes), (CONNECT, SIGNALS));
        let ports_alone = Landlock {
            bind_tcp: Some(Vec::new()),
            ..Landlock::default()
        };
        let handled = handled(&ports_alone, 7);
        assert_eq!((handled.files, handled.ports, handled.scopes), (0, BIND, 0));
    }

    #[test]
    fn what_the_kernel_is_too_old_for_is_an_error_that_names_the_abi() {
        let text = |rules: &Landlock, abi| match unenforced(rules, abi) {
            Err(error) => error.to_string(),
            Ok(lacking) => panic!("{lacking:?}"),
        };
        let files = Landlock {
            read: vec!["/".into()],
            ..Landlock::default()
        };
        assert!(text(&files, 0).contains("the kernel has none"));
        assert!(text(&files, 2).contains("needs ABI 3 (Linux 6.2), this kernel has ABI 2"));
        assert!(text(&everything(), 3).contains("needs ABI 4"));
        assert!(text(&everything(), 5).contains("needs ABI 6"));
        assert_eq!(unenforced(&everything(), 6), Ok(Vec::new()));
        assert_eq!(unenforced(&files, 3), Ok(Vec::new()));
    }

    #[test]
    fn best_effort_lists_what_it_leaves_out_and_never_leaves_out_everything() {
        let mut rules = everything();
        rules.best_effort = true;
        assert_eq!(unenforced(&rules, 2).unwrap().len(), 3);
        assert_eq!(unenforced(&rules, 4).unwrap().len(), 1);
        rules.read.clear();
        assert!(unenforced(&rules, 2).is_err());
        assert!(unenforced(&rules, 4).is_ok());
    }
}
