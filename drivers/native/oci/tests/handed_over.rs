//! What the runtime hands over: terminals, descriptors, notices, and a container's limits and use.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod bundle;
#[path = "../../../../tests/support/mod.rs"]
mod support;

use bundle::Bundle;
use serde_json::json;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use support::{FakeSystemd, Need, eventually, skip_unless};

#[test]
fn limits_are_changed_by_options_and_by_a_document_and_seen_in_the_events() {
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/pause"]);
    bundle.run_detached();
    let limit = || bundle.used()["memory"]["usage"]["limit"].clone();
    bundle.done(&["update", "--memory", "67108864", &bundle.id]);
    assert_eq!(limit(), 64 << 20);
    let file = bundle.dir().join("limits");
    // As Docker writes it: every field, and 0 for what stays.
    let document = json!({
        "memory": {"limit": 33_554_432, "reservation": 0, "kernel": 0},
        "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""},
        "blockIO": {"weight": 0}, "pids": {"limit": 0},
    });
    fs::write(&file, document.to_string()).unwrap();
    bundle.done(&["update", "--resources", file.to_str().unwrap(), &bundle.id]);
    assert_eq!(limit(), 32 << 20);
}

#[test]
fn the_events_tell_of_processors_memory_nodes_and_tcp_where_the_kernel_counts_them() {
    let needs = ["cpuset", "memory", "cpuacct"].map(Need::CgroupV1);
    if skip_unless(&[Need::Root]) || skip_unless(&needs) {
        return;
    }
    let bundle = Bundle::of(&["/bin/pause"]);
    bundle.edit(|config| config["linux"]["resources"]["cpu"] = json!({"cpus": "0", "mems": "0"}));
    bundle.run_detached();
    let data = bundle.used();
    let set = &data["cpuset"];
    assert_eq!((&set["cpus"], &set["mems"]), (&json!([0]), &json!([0])));
    assert_eq!(set["sched_load_balance"], 1);
    assert_eq!(set["sched_relax_domain_level"], -1);
    let memory = &data["memory"];
    for kind in ["swap", "kernel", "kernelTCP"] {
        let limit = memory[kind]["limit"].as_u64();
        // Each is a kernel's choice of its own.
        assert!(memory[kind].is_null() || limit > Some(1 << 40), "{memory}");
    }
    let times = |key: &str| data["cpu"]["usage"][key].as_array().unwrap().len();
    assert_eq!(times("percpu_kernel"), times("percpu"));
    assert_eq!(times("percpu_user"), times("percpu"));
}

#[test]
fn want_of_memory_is_an_event() {
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/pause"]);
    let limit = 32 << 20;
    bundle.edit(|config| {
        config["linux"]["resources"]["memory"] = json!({"limit": limit, "swap": limit});
    });
    bundle.run_detached();
    let (mut events, out) = bundle.events();
    let has = |kind: &str| fs::read_to_string(&out).unwrap().contains(kind);
    eventually("somebody watches", || has("\"type\":\"stats\""));
    assert!(!has("\"type\":\"oom\""));
    let killed = bundle.say(&["exec", &bundle.id, "/bin/alloc", "200"]);
    assert_eq!(killed.code(), 137, "{killed:?}");
    eventually("it is told", || has("\"type\":\"oom\""));
    bundle.done(&["delete", "--force", &bundle.id]);
    assert!(events.wait().unwrap().success());
}

#[test]
fn systemd_makes_the_scope_that_the_document_names_and_stops_it() {
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/pause"]);
    let systemd = FakeSystemd::start(&bundle.rootfs.state(), &[]);
    bundle.edit(|config| {
        config["linux"]["cgroupsPath"] = json!(format!("ocitest.slice:pre:{}", bundle.id));
    });
    let done = |args: &[&str]| bundle.done_by(&systemd, args);
    done(&["run", "--detach", &bundle.id]);
    let unit = format!("pre-{}.scope", bundle.id);
    assert!(
        systemd.was_called(&format!("StartTransientUnit {unit}")),
        "{:?}",
        systemd.calls()
    );
    let pid = bundle.state()["pid"].as_i64().unwrap();
    let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let place = format!("ocitest.slice/{unit}");
    assert!(cgroups.contains(&place), "{cgroups}");
    done(&["pause", &bundle.id]);
    assert_eq!(bundle.status(), "paused");
    done(&["resume", &bundle.id]);
    done(&["delete", "--force", &bundle.id]);
    assert!(
        systemd.was_called(&format!("StopUnit {unit}")),
        "{:?}",
        systemd.calls()
    );
}

#[test]
fn events_end_with_the_container() {
    if skip_unless(&[Need::UserNamespaces, Need::Cgroups]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/pause"]);
    bundle.run_detached();
    let (mut events, out) = bundle.events();
    eventually("an event", || {
        fs::read_to_string(&out).unwrap().contains("\"stats\"")
    });
    bundle.done(&["kill", &bundle.id, "KILL"]);
    assert!(events.wait().unwrap().success());
}

#[test]
fn the_console_socket_gets_one_master_with_the_modes_of_a_new_terminal() {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
    use nix::sys::termios::{OutputFlags, tcgetattr};
    use std::io::{IoSliceMut, Read};
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/echo", "hello"]);
    bundle.edit(|config| config["process"]["terminal"] = json!(true));
    let path = bundle.dir().join("console");
    let listener = UnixListener::bind(&path).unwrap();
    bundle.done(&[
        "create",
        "--console-socket",
        path.to_str().unwrap(),
        &bundle.id,
    ]);
    let (client, _) = listener.accept().unwrap();
    let mut bytes = [0; 64];
    let mut io = [IoSliceMut::new(&mut bytes)];
    let mut space = nix::cmsg_space!([i32; 2]);
    let message = recvmsg::<()>(
        client.as_raw_fd(),
        &mut io,
        Some(&mut space),
        MsgFlags::empty(),
    )
    .unwrap();
    let mut fds = Vec::new();
    for control in message.cmsgs().unwrap() {
        if let ControlMessageOwned::ScmRights(got) = control {
            fds.extend(got);
        }
    }
    assert_eq!(fds.len(), 1);
    let master = execdriver_native::oci::inherited(fds[0], 3).unwrap();
    nix::unistd::close(fds[0]).unwrap();
    let modes = tcgetattr(&master).unwrap();
    assert!(modes.output_flags.contains(OutputFlags::ONLCR));
    bundle.done(&["start", &bundle.id]);
    let mut text = Vec::new();
    // The last descriptor of the slave is closed: EIO.
    let _ = fs::File::from(master).read_to_end(&mut text);
    assert_eq!(String::from_utf8_lossy(&text), "hello\r\n");
}

#[test]
fn descriptors_are_handed_over_in_their_order() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/cat", "/proc/self/fd/4"]);
    fs::write(bundle.dir().join("three"), "3").unwrap();
    fs::write(bundle.dir().join("four"), "4").unwrap();
    let run = |count: &str| {
        let mut shell = std::process::Command::new("/bin/sh");
        let line = format!(
            "exec {} --root {} run --preserve-fds {count} {} 3<three 4<four",
            bundle::RUNTIME,
            bundle.rootfs.state().display(),
            bundle.id
        );
        shell.args(["-c", &line]).current_dir(bundle.dir());
        bundle.say_with(shell)
    };
    let said = run("2");
    assert_eq!((said.code(), said.stdout.as_str()), (0, "4"), "{said:?}");
    let said = run("3");
    assert_eq!(said.code(), 1);
    assert!(said.stderr.contains("descriptor 5"), "{said:?}");
    bundle.edit(|config| config["process"]["args"] = json!(["/bin/fds"]));
    let said = run("1");
    let numbers: Vec<&str> = said
        .stdout
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(numbers, ["0", "1", "2", "3"], "{said:?}");
}

#[test]
fn an_exec_can_be_put_into_a_cgroup_that_the_container_has_below_its_own() {
    if skip_unless(&[Need::Root, Need::CgroupV1("pids")]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/pause"]);
    bundle.edit(|config| {
        let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|one| one["type"] != "cgroup");
    });
    bundle.run_detached();
    let own = format!("/sys/fs/cgroup/pids/execdriver/{}", bundle.id);
    fs::create_dir(format!("{own}/below")).unwrap();
    let args = [
        "exec",
        "--cgroup",
        "pids:/below",
        &bundle.id,
        "/bin/cat",
        "/proc/self/cgroup",
    ];
    let said = bundle.done(&args);
    let line = |name: &str| said.lines().find(|line| line.contains(name)).unwrap();
    assert!(
        line(":pids:").ends_with(&format!("{}/below", bundle.id)),
        "{said}"
    );
    assert!(line(":freezer:").ends_with(&bundle.id), "{said}");
    for wrong in ["pids:/none", "../..", "nothing:/below"] {
        let said = bundle.say(&["exec", "--cgroup", wrong, &bundle.id, "/bin/true"]);
        assert_eq!(said.code(), 255);
        assert!(said.stderr.contains("--cgroup"), "{said:?}");
    }
}

#[test]
fn the_programs_word_that_it_is_ready_is_handed_on_to_whoever_waits_for_ours() {
    use std::os::unix::net::UnixDatagram;
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/pause"]);
    let host = bundle.dir().join("host.sock");
    let waits = UnixDatagram::bind(&host).unwrap();
    waits
        .set_read_timeout(Some(std::time::Duration::from_secs(30)))
        .unwrap();
    let call = |args: &[&str]| {
        let mut command = bundle.command(args);
        command.env("NOTIFY_SOCKET", &host);
        command
    };
    assert_eq!(bundle.say_with(call(&["create", &bundle.id])).code(), 0);
    let mut start = call(&["start", &bundle.id]).spawn().unwrap();
    let inside = bundle.state_dir().join("notify/notify.sock");
    eventually("a socket for the program", || inside.exists());
    bundle.await_status("running");
    let env = bundle.done(&["exec", &bundle.id, "/bin/stat", "/run/notify/notify.sock"]);
    assert!(!env.is_empty());
    let program = UnixDatagram::unbound().unwrap();
    program.send_to(b"STATUS=half way", &inside).unwrap();
    assert!(start.try_wait().unwrap().is_none());
    program.send_to(b"READY=1\nSTATUS=done", &inside).unwrap();
    let mut buffer = [0; 100];
    let got = waits.recv(&mut buffer).unwrap();
    let pid = bundle.state()["pid"].to_string();
    assert_eq!(
        std::str::from_utf8(&buffer[..got]).unwrap(),
        format!("READY=1\nMAINPID={pid}\n")
    );
    assert!(start.wait().unwrap().success());
}
