//! Finding and executing the program, its environment, and how it ends.

use super::*;

fn start(rootfs: &Rootfs, argv: &[&str], env: &[&str]) -> Ended {
    Plan::standard(&rootfs.path(), namespaces()).finish(c"", argv, env)
}

#[test]
fn the_payload_runs_as_pid_1_with_nothing_but_its_streams() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let script =
        "echo $$; busybox ls /proc/self/fd; busybox readlink /proc/self/exe; busybox id -u";
    assert_eq!(
        inside(&rootfs, namespaces(), script),
        "1\n0\n1\n2\n3\n/bin/sh\n0\n"
    );
}

#[test]
fn the_environment_is_what_was_given_and_a_home() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let env = ["PATH=/bin", "FALSE=true", "TRICKY=tri\ncky\n", "EMPTY="];
    let expected = "PATH=/bin\nFALSE=true\nTRICKY=tri\ncky\n\nEMPTY=\nHOME=/root\n";
    assert_eq!(start(&rootfs, &["busybox", "env"], &env).ok(), expected);
}

#[test]
fn an_empty_home_is_replaced_and_a_full_one_stays() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let env = |home| start(&rootfs, &["/bin/busybox", "env"], &[home, "A=1"]).ok();
    assert_eq!(env("HOME="), "A=1\nHOME=/root\n");
    assert_eq!(env("HOME=/x"), "HOME=/x\nA=1\n");
}

#[test]
fn a_program_that_is_missing_is_told_apart_by_how_it_was_named() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let failed = |program| {
        let ended = start(&rootfs, &[program], &PATH);
        assert!(!ended.executed, "{ended:?}");
        let report = ended.failed();
        (report.errno, report.detail)
    };
    rootfs.write("bin/plain", "x");
    rootfs.write("bin/odd", "x");
    rootfs.mode("bin/odd", 0o755);
    rootfs.write("bin/script", "#!/no/such\n");
    rootfs.mode("bin/script", 0o755);
    assert_eq!(failed("no-such"), (libc::ENOENT, Detail::NotInPath));
    assert_eq!(failed("/bin/no-such"), (libc::ENOENT, Detail::None));
    assert_eq!(failed("/etc"), (libc::EACCES, Detail::None));
    assert_eq!(failed("/bin/plain"), (libc::EACCES, Detail::None));
    assert_eq!(failed("plain"), (libc::EACCES, Detail::None));
    assert_eq!(failed("odd"), (libc::ENOEXEC, Detail::None));
    assert_eq!(
        failed("/bin/script"),
        (libc::ENOENT, Detail::InterpreterMissing)
    );
    assert_eq!(failed("script"), (libc::ENOENT, Detail::InterpreterMissing));
    assert_eq!(failed(""), (libc::ENOENT, Detail::NotInPath));
}

#[test]
fn a_limit_of_open_files_below_what_set_up_needs_still_starts() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let mut plan = Plan::standard(&rootfs.path(), namespaces());
    plan.op(Op::Rlimit {
        resource: libc::RLIMIT_NOFILE,
        soft: 5,
        hard: 7,
    });
    plan.op(Op::Rlimit {
        resource: libc::RLIMIT_CORE,
        soft: 0,
        hard: 0,
    });
    let ended = plan.finish(
        c"",
        &["/bin/sh", "-c", "ulimit -n; ulimit -Hn; ulimit -c"],
        &PATH,
    );
    assert_eq!(ended.ok(), "5\n7\n0\n");
}

#[test]
fn a_working_directory_is_entered_or_refused() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let pwd = |path: &CStr| {
        Plan::standard(&rootfs.path(), namespaces()).finish_in(
            c"",
            path,
            &["/bin/sh", "-c", "pwd"],
            &PATH,
        )
    };
    assert_eq!(pwd(c"/root").ok(), "/root\n");
    assert_eq!(pwd(c"/nowhere").failed().errno, libc::ENOENT);
    assert_eq!(pwd(c"/etc/passwd").failed().errno, libc::ENOTDIR);
}

#[test]
fn a_large_plan_with_many_descriptors_arrives_whole() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let mut plan = Plan::standard(&rootfs.path(), namespaces());
    for _ in 0..300 {
        plan.fd(File::open("/dev/null").unwrap());
    }
    let long = format!("LONG={}", "x".repeat(100_000));
    let ended = plan.finish(
        c"",
        &["/bin/sh", "-c", "echo ${#LONG}; busybox ls /proc/self/fd"],
        &[&long, &long],
    );
    assert_eq!(ended.ok(), "100000\n0\n1\n2\n3\n");
}

#[test]
fn a_malformed_message_is_refused_before_anything_happens() {
    let mut plan = Plan::new(0);
    plan.op(Op::Stdio {
        stdin: 7,
        stdout: 7,
        stderr: 7,
    });
    let ended = plan.launch(None);
    assert_eq!(
        (ended.failed().op, ended.failed().detail),
        (0, Detail::BadMessage)
    );
    let ended = Plan::new(0).launch(None);
    assert_eq!(ended.failed().detail, Detail::BadMessage);
}

#[test]
fn a_parent_that_ends_before_go_ends_init() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut writer = Writer::new();
    writer.push(&Op::ReportNs {});
    send(&ours, &writer.finish(0, 0).unwrap(), &[]);
    let program = memfd();
    let spawn_it = Spawn {
        share_descriptors: true,
        program: program.as_fd(),
        socket: theirs.as_fd(),
        namespaces: 0,
        cgroup: None,
    };
    let spawned = spawn(&spawn_it).unwrap();
    drop(theirs);
    assert_eq!(next(&ours).unwrap().0.kind, Kind::Ns);
    drop(ours);
    assert_eq!(code(&spawned.pidfd), 125);
}

#[test]
fn a_program_that_is_just_being_closed_by_its_writer_is_waited_for() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let open = || {
        fs::OpenOptions::new()
            .write(true)
            .open(rootfs.inside("bin/busybox"))
    };
    // On a busy machine the thread may close it after init has given up: one try in a few is enough to show the wait.
    let closed_meanwhile = || {
        let writer = open().unwrap();
        let closer = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(15));
            drop(writer);
        });
        let ended = start(&rootfs, &["/bin/busybox", "true"], &PATH);
        closer.join().unwrap();
        ended.executed
    };
    assert!((0..10).any(|_| closed_meanwhile()));
    let _writer = open().unwrap();
    let failed = start(&rootfs, &["/bin/busybox", "true"], &PATH).failed();
    assert_eq!(failed.errno, libc::ETXTBSY);
}
