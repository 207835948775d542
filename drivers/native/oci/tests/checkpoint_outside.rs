//! `checkpoint` and `restore` of what a container shares with the outside: terminals, networks, connections, and its user ids.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod bundle;
mod saved;
#[path = "../../../../tests/support/mod.rs"]
mod support;

use bundle::Bundle;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use saved::{COUNT, NEEDS, script};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, IoSliceMut, Write};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::{Need, among, eventually, skip_unless};

/// The host's id of the container's root.
const ROOT: u32 = 100_000;

#[test]
fn a_terminal_goes_on_and_the_console_socket_gets_its_master_and_no_other() {
    if skip_unless(&NEEDS) {
        return;
    }
    let _among = among();
    let bundle = script("while read line; do echo \"got $line on $(stty size)\"; done");
    bundle.edit(|config| config["process"]["terminal"] = json!(true));
    let first = Console::new(&bundle, "first");
    let run = ["run", "--detach", "--console-socket", "first", &bundle.id];
    bundle.done(&run);
    let mut first = first.master();
    first.resized(31, 101);
    first.say("one");
    first.await_line("got one on 31 101");
    // An exec's terminal is saved with it, and nobody holds its master when it is made anew.
    let other = Console::new(&bundle, "other");
    let exec = [
        "exec",
        "--detach",
        "--tty",
        "--console-socket",
        "other",
        &bundle.id,
        "/bin/sh",
        "-c",
        "while :; do sleep 0.1; done",
    ];
    bundle.done(&exec);
    let other = other.master();
    bundle.checkpoint(&[]);
    drop((first, other));
    let second = Console::new(&bundle, "second");
    bundle.restored("none", &["--console-socket", "second"]);
    let mut second = second.master();
    // Its size is the kernel's memory of the terminal, which is another one now.
    second.resized(32, 102);
    second.say("two");
    second.await_line("got two on 32 102");
    bundle.done(&["exec", &bundle.id, "/bin/sh", "-c", "test -c /dev/console"]);
    assert_eq!(bundle.status(), "running");
}

#[test]
fn a_network_at_a_path_is_left_as_it_is_and_is_that_of_the_new_document() {
    if skip_unless(&NEEDS) {
        return;
    }
    let _among = among();
    let bundle = script(COUNT);
    let (one, two) = (network(), network());
    let inode = |file: &File| file.metadata().unwrap().ino();
    let inside = || {
        let file = fs::metadata(format!("/proc/{}/ns/net", bundle.state()["pid"]));
        file.unwrap().ino()
    };
    bundle.edit(|config| in_network(config, &one));
    bundle.count("before");
    assert_eq!(inside(), inode(&one));
    bundle.checkpoint(&[]);
    for (round, place) in [&one, &two].into_iter().enumerate() {
        bundle.edit(|config| in_network(config, place));
        let output = format!("after{round}");
        bundle.restored(&output, &[]);
        eventually("it counts", || bundle.last(&output) > bundle.last("before"));
        assert_eq!(inside(), inode(place));
        bundle.done(&["delete", "--force", &bundle.id]);
    }
    bundle.edit(|config| network_of(config)["path"] = json!("/no/such/network"));
    let said = bundle.restore("none", &[]);
    assert_eq!(said.code(), 1);
    assert!(said.stderr.contains("/no/such/network"), "{said:?}");
    assert_eq!(bundle.status(), "none");
}

#[test]
fn a_connection_goes_on_with_tcp_established_and_is_refused_without() {
    if skip_unless(&NEEDS) || skip_unless(&[Need::Program("iptables-restore")]) {
        return;
    }
    let _among = among();
    let place = network();
    let inside = place.try_clone().unwrap();
    let listen = move || {
        setns(&inside, CloneFlags::CLONE_NEWNET).unwrap();
        TcpListener::bind("127.0.0.1:0").unwrap()
    };
    let listener = std::thread::spawn(listen).join().unwrap();
    let port = listener.local_addr().unwrap().port();
    let bundle = script(&format!("({COUNT}) | busybox nc 127.0.0.1 {port}"));
    bundle.edit(|config| in_network(config, &place));
    let mut command = bundle.criu(&["run", "--detach", &bundle.id]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().unwrap().success());
    let (stream, _) = listener.accept().unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut number = || lines.next().unwrap().unwrap().parse::<u64>().unwrap();
    assert_eq!((number(), number()), (1, 2));
    let said = bundle.say_with(bundle.criu(&["checkpoint", &bundle.id]));
    assert_eq!((said.code(), said.stderr.lines().count()), (1, 1));
    assert!(said.stderr.contains("--tcp-established"), "{said:?}");
    assert_eq!(number(), 3);
    bundle.checkpoint(&["--tcp-established"]);
    let said = bundle.restore("none", &["--tcp-established"]);
    assert_eq!((said.code(), said.stderr.as_str()), (0, ""));
    // None is lost, and none comes twice.
    for expected in 4..40 {
        assert_eq!(number(), expected);
    }
}

#[test]
fn a_container_of_a_user_namespace_is_made_anew_from_files_that_are_roots_alone() {
    if skip_unless(&NEEDS) || skip_unless(&[Need::MappedOwners]) {
        return;
    }
    let _among = among();
    let bundle = script(COUNT);
    own_all(&bundle.rootfs.inside(""));
    bundle.edit(|config| {
        let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.push(json!({"type": "user"}));
        let maps = json!([{"containerID": 0, "hostID": ROOT, "size": 65536}]);
        config["linux"]["uidMappings"] = maps.clone();
        config["linux"]["gidMappings"] = maps;
    });
    bundle.count("before");
    let facts = || {
        let text = "cat /proc/1/uid_map; grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/1/status; \
                    cut -d ' ' -f 5,6 /proc/1/mountinfo | busybox sort; touch /mine && busybox stat -c %u:%g /mine";
        let said = bundle.done(&["exec", &bundle.id, "/bin/busybox", "sh", "-c", text]);
        fs::remove_file(bundle.rootfs.inside("mine")).unwrap();
        said
    };
    let before = facts();
    bundle.checkpoint(&["--image-path", "images"]);
    bundle.restored("after", &["--image-path", "images"]);
    eventually("it counts on", || {
        bundle.last("after") > bundle.last("before") + 2
    });
    assert_eq!(facts(), before);
    let images = fs::metadata(bundle.file("images")).unwrap();
    assert_eq!(images.permissions().mode() & 0o007, 0);
    let files = fs::read_dir(bundle.file("images")).unwrap();
    for file in files.map(Result::unwrap) {
        let owner = file.metadata().unwrap().uid();
        assert_eq!(owner, 0, "{:?}", file.path());
    }
}

/// A socket that waits for the master of a terminal.
struct Console(UnixListener);

/// The master of a container's terminal, and what was said on it.
struct Master(File, String);

impl Console {
    fn new(bundle: &Bundle, name: &str) -> Self {
        Self(UnixListener::bind(bundle.file(name)).unwrap())
    }

    fn master(self) -> Master {
        let (client, _) = self.0.accept().unwrap();
        let mut bytes = [0; 64];
        let mut io = [IoSliceMut::new(&mut bytes)];
        let mut space = nix::cmsg_space!([i32; 1]);
        let flags = MsgFlags::empty();
        let message = recvmsg::<()>(client.as_raw_fd(), &mut io, Some(&mut space), flags).unwrap();
        let rights = message.cmsgs().unwrap().find_map(|control| match control {
            ControlMessageOwned::ScmRights(got) => got.first().copied(),
            _ => None,
        });
        let number = rights.unwrap();
        let master = execdriver_native::oci::inherited(number, 3).unwrap();
        nix::unistd::close(number).unwrap();
        Master(master.into(), String::new())
    }
}

impl Master {
    fn say(&mut self, line: &str) {
        self.0.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn resized(&self, rows: u16, columns: u16) {
        let mut stty = Command::new("stty");
        stty.args(["rows", &rows.to_string(), "cols", &columns.to_string()]);
        stty.stdin(self.0.try_clone().unwrap());
        assert!(stty.status().unwrap().success());
    }

    fn await_line(&mut self, wanted: &str) {
        use std::io::Read;
        let mut buffer = [0; 1000];
        while !self.1.contains(&format!("{wanted}\r\n")) {
            let count = self.0.read(&mut buffer).unwrap();
            self.1
                .push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
    }
}

/// A network namespace whose loopback is up.
fn network() -> File {
    let make = || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let up = Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status();
        assert!(up.unwrap().success());
        File::open("/proc/thread-self/ns/net").unwrap()
    };
    std::thread::spawn(make).join().unwrap()
}

fn network_of(config: &mut Value) -> &mut Value {
    let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
    let mut all = namespaces.iter_mut();
    all.find(|one| one["type"] == "network").unwrap()
}

fn in_network(config: &mut Value, place: &File) {
    let path = format!("/proc/{}/fd/{}", std::process::id(), place.as_raw_fd());
    network_of(config)["path"] = json!(path);
}

fn own_all(path: &std::path::Path) {
    std::os::unix::fs::lchown(path, Some(ROOT), Some(ROOT)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            own_all(&entry.unwrap().path());
        }
    }
}
