//! What a plan refuses: each with the field, and before anything is touched.

use super::*;
use execdriver_core::{Device, Error, Mount, Network, Propagation, Uts};
use nix::errno::Errno;
use oci_spec::runtime::{self, Linux, Process};

/// The error for a document changed like this, as the caller sees it.
fn refusal(host: &Host, change: impl FnOnce(&mut Spec)) -> String {
    let mut spec = spec(&command());
    change(&mut spec);
    Error::from(build(&spec, host).unwrap_err()).to_string()
}

fn of_command(host: &Host, change: impl FnOnce(&mut Command)) -> String {
    let mut command = command();
    change(&mut command);
    Error::from(build(&spec(&command), host).unwrap_err()).to_string()
}

fn linux(spec: &mut Spec) -> &mut Linux {
    spec.oci.linux_mut().as_mut().unwrap()
}

fn process(spec: &mut Spec) -> &mut Process {
    spec.oci.process_mut().as_mut().unwrap()
}

#[track_caller]
fn contains(text: &str, part: &str) {
    assert!(text.contains(part), "{text:?} has no {part:?}");
}

#[test]
fn rootfs_bad() {
    let host = root_host();
    let with = |path: &str, found: Result<Source, Errno>| {
        let mut spec = spec(&command());
        let mut sources = sources();
        spec.oci.root_mut().as_mut().unwrap().set_path(path.into());
        sources.files.insert(Path::new(path), found);
        let error = Plan::build(&spec, &host, &sources, &RunInput::default()).unwrap_err();
        Error::from(error).to_string()
    };
    let missing = with("/none", Err(Errno::ENOENT));
    assert_eq!(
        missing,
        "invalid rootfs: /none of the host: No such file or directory"
    );
    contains(
        &with("rootfs", Ok(directory("/srv/rootfs"))),
        "expected an absolute path",
    );
    let file = Source {
        kind: SourceKind::Other,
        ..directory("/f")
    };
    contains(&with("/f", Ok(file)), "Not a directory");
    let link = Source {
        link: true,
        ..directory("/srv/rootfs")
    };
    contains(&with("/link", Ok(link)), "\"/link\" is a symbolic link");
}

#[test]
fn mount_forbidden() {
    let host = root_host();
    let mount = |destination: &str, kind: &str| {
        refusal(&host, |spec| {
            let mut mount = runtime::Mount::default();
            mount
                .set_destination(destination.into())
                .set_typ(Some(kind.to_owned()))
                .set_source(Some("/data".into()));
            spec.oci.set_mounts(Some(vec![mount]));
        })
    };
    for path in ["/", "//", "/mnt/.."] {
        contains(&mount(path, "bind"), "mounting into / is prohibited");
    }
    for path in [
        "/proc",
        "/proc//sys",
        "/mnt/../proc/self",
        "/proc/sysrq-trigger",
    ] {
        contains(&mount(path, "bind"), "inside \"/proc\"");
        contains(&mount(path, "tmpfs"), "inside \"/proc\"");
    }
    contains(&mount("mnt", "bind"), "expected an absolute path");
    contains(&mount("/mnt", ""), "mounts[\"/mnt\"].type");
}

#[test]
fn sources_that_are_missing_or_do_not_propagate_are_named() {
    let host = root_host();
    let volume = |source: &str, propagation| {
        of_command(&host, |command| {
            command.mounts = vec![Mount {
                propagation,
                ..Mount::bind(source, "/mnt")
            }];
        })
    };
    assert_eq!(
        volume("/none", Propagation::Inherited),
        "invalid mounts[\"/mnt\"].source: /none of the host: No such file or directory"
    );
    let mut private = sources();
    let data = private.files.get_mut(Path::new("/data")).unwrap();
    data.mount = Some(SourceMount {
        point: PathBuf::from("/"),
        shared: false,
        slave: false,
    });
    for (propagation, what) in [
        (Propagation::Shared, "it is not a shared mount"),
        (Propagation::RSlave, "it is not a shared or slave mount"),
    ] {
        let mut command = command();
        command.mounts = vec![Mount {
            propagation,
            ..Mount::bind("/data", "/mnt")
        }];
        let built = Plan::build(&spec(&command), &host, &private, &RunInput::default());
        assert_eq!(
            Error::from(built.unwrap_err()).to_string(),
            format!("invalid mounts[0].mountpropagation: path /data is mounted on / but {what}")
        );
    }
}

#[test]
fn mount_options_that_would_be_ignored_are_refused() {
    for option in ["copy-symlink", "iversion", "foo=bar"] {
        let text = refusal(&root_host(), |spec| {
            let mut mount = runtime::Mount::default();
            mount
                .set_destination("/mnt".into())
                .set_typ(Some("bind".to_owned()))
                .set_source(Some("/data".into()))
                .set_options(Some(vec!["rbind".to_owned(), option.to_owned()]));
            spec.oci.set_mounts(Some(vec![mount]));
        });
        contains(&text, "does not support mount option");
    }
}

#[test]
fn ids_that_an_ordinary_user_has_not_are_refused() {
    let host = user_host();
    for user in ["1", "0:5", "root:1"] {
        let text = of_command(&host, |command| command.process.user = user.to_owned());
        contains(&text, "is not in the container's id map \"0 1000 1\"");
    }
    let text = of_command(&host, |command| {
        command.as_linux_mut().unwrap().group_add = vec!["audio".to_owned()];
    });
    contains(&text, "denies setgroups");
    let text = of_command(&host, |command| {
        let map = execdriver_core::IdMap {
            container_id: 0,
            host_id: 100_000,
            size: 65536,
        };
        let linux = command.as_linux_mut().unwrap();
        linux.uid_mappings = vec![map];
        linux.gid_mappings = vec![map];
    });
    contains(&text, "id mappings of an ordinary user");
}

#[test]
fn devices_that_the_host_lacks_are_refused_unless_they_are_the_templates() {
    let text = of_command(&user_host(), |command| {
        let linux = command.as_linux_mut().unwrap();
        linux.autocreated_devices = vec![Device::node("/dev/mine", 240, 1)];
    });
    contains(&text, "linux.devices[\"/dev/mine\"]");
    // fuse is not among the made-up host's.
    assert!(build(&spec(&command()), &user_host()).is_ok());
}

#[test]
fn names_need_a_namespace_of_their_own() {
    let text = refusal(&root_host(), |spec| {
        let namespaces = linux(spec).namespaces().clone().unwrap();
        let rest = namespaces.into_iter().filter(|own| own.typ() != Kind::Uts);
        linux(spec).set_namespaces(Some(rest.collect()));
    });
    contains(&text, "invalid hostname");
    let mut command = command();
    command.as_linux_mut().unwrap().uts = Some(Uts::host());
    assert!(build(&spec(&command), &root_host()).is_ok());
    let text = refusal(&root_host(), |spec| {
        spec.oci.set_hostname(Some("x".repeat(65)));
    });
    contains(&text, "at most 64 bytes");
}

#[test]
fn parameters_of_the_whole_machine_are_refused() {
    let sysctl = |key: &str| {
        refusal(&root_host(), |spec| {
            let parameters = [(key.to_owned(), "1".to_owned())];
            linux(spec).set_sysctl(Some(parameters.into()));
        })
    };
    contains(&sysctl("kernel.panic"), "of the whole machine");
    contains(&sysctl("kernel.hostname"), "is set by hostname");
    contains(&sysctl("net.../x"), "expected the name");
    contains(&sysctl("vm.swappiness"), "of the whole machine");
    let text = of_command(&root_host(), |command| {
        command.network = Some(Network::host());
        let linux = command.as_linux_mut().unwrap();
        linux
            .sysctl
            .insert("net.ipv4.ip_forward".into(), "1".into());
    });
    contains(&text, "no network namespace of its own");
}

#[test]
fn what_is_not_done_yet_is_unsupported_and_never_ignored() {
    let host = root_host();
    type Change = fn(&mut Spec);
    let changes: [(&str, Change); 8] = [
        ("hooks", |spec| {
            let mut hooks = runtime::Hooks::default();
            hooks.set_poststop(Some(vec![runtime::Hook::default()]));
            spec.oci.set_hooks(Some(hooks));
        }),
        ("process_label", |spec| {
            process(spec).set_selinux_label(Some("label".to_owned()));
        }),
        ("apparmor_profile", |spec| {
            process(spec).set_apparmor_profile(Some("mine".to_owned()));
        }),
        ("mount_label", |spec| {
            linux(spec).set_mount_label(Some("label".to_owned()));
        }),
        ("ociVersion", |spec| {
            spec.oci.set_version("2.0.0".to_owned());
        }),
        ("linux.intelRdt", |spec| {
            linux(spec).set_intel_rdt(Some(runtime::LinuxIntelRdt::default()));
        }),
        ("mount namespace", |spec| {
            linux(spec).set_namespaces(Some(Vec::new()));
        }),
        ("from within a new user namespace", |spec| {
            let mut user = runtime::LinuxNamespace::default();
            user.set_typ(Kind::User);
            let map = runtime::LinuxIdMappingBuilder::default()
                .size(1u32)
                .build()
                .unwrap();
            linux(spec)
                .set_uid_mappings(Some(vec![map]))
                .set_gid_mappings(Some(vec![map]));
            let namespaces = linux(spec).namespaces_mut().as_mut().unwrap();
            namespaces.retain(|own| own.typ() != Kind::Ipc);
            namespaces.push(user);
            spec.joins.push(execdriver_core::spec::Join {
                kind: Kind::Ipc,
                container: "db-1".to_owned(),
            });
        }),
    ];
    for (what, change) in changes {
        let mut spec = spec(&command());
        change(&mut spec);
        let error = Error::from(build(&spec, &host).unwrap_err());
        assert!(
            matches!(error, Error::Unsupported { .. }),
            "{what}: {error}"
        );
        contains(&error.to_string(), what);
    }
}

#[test]
fn strict_runs_fail_on_what_a_lenient_run_reports() {
    let strict = RunInput {
        strict: true,
        ..RunInput::default()
    };
    let spec = spec(&command());
    let reported = build(&spec, &user_host()).unwrap().unenforced;
    assert!(
        reported
            .iter()
            .any(|sentence| sentence.starts_with("device rules"))
    );
    let error = Plan::build(&spec, &user_host(), &sources(), &strict).unwrap_err();
    assert_eq!(error, PlanError::Unenforced(reported));
}

#[test]
fn a_control_that_was_asked_for_is_an_error_where_it_cannot_be_had() {
    let text = of_command(&user_host(), |command| {
        command.as_linux_mut().unwrap().cgroup_parent = "/jobs".to_owned();
    });
    contains(&text, "a cgroup of its own: not delegated");
}

#[test]
fn texts_with_nul_and_empty_programs_are_refused() {
    let host = root_host();
    let text = refusal(&host, |spec| {
        process(spec).set_args(Some(vec!["a\0b".to_owned()]));
    });
    contains(&text, "invalid process.args");
    for args in [None, Some(Vec::new()), Some(vec![String::new()])] {
        let text = refusal(&host, |spec| {
            process(spec).set_args(args);
        });
        contains(&text, "expected a program");
    }
    for env in ["NOEQ", "=x", ""] {
        let text = refusal(&host, |spec| {
            process(spec).set_env(Some(vec![env.to_owned()]));
        });
        contains(&text, "invalid process.env[0]");
    }
    let text = refusal(&host, |spec| {
        process(spec).set_cwd("tmp".into());
    });
    contains(&text, "invalid process.cwd");
    let text = refusal(&host, |spec| {
        spec.oci.set_process(None);
    });
    contains(&text, "invalid process: got none");
}

#[test]
fn a_terminal_needs_a_devpts() {
    let text = refusal(&root_host(), |spec| {
        process(spec).set_terminal(Some(true));
        let mounts = spec.oci.mounts_mut().as_mut().unwrap();
        mounts.retain(|mount| mount.destination() != Path::new("/dev/pts"));
    });
    contains(&text, "invalid process.terminal");
}
