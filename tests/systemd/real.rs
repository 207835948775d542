//! What only a systemd that is there shows: reloads, its own names and commands, many scopes at once.

use super::cli::Going;
use super::support::{Need, eventually, has, is_root, skip_unless, unique_id};
use super::{Host, cgroups};
use execdriver::{Command, Resources};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

/// One of systemd's programs, asking the manager of this user.
fn systemd(program: &str, args: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    if !is_root() {
        command.arg("--user");
    }
    command.args(args);
    command
}

fn ask(args: &[&str]) -> String {
    let output: Output = systemd("systemctl", args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn active(unit: &str) -> String {
    ask(&["show", "--value", "--property", "ActiveState", unit])
        .trim()
        .to_owned()
}

fn read(cgroup: &Path, file: &str) -> String {
    let text = fs::read_to_string(cgroup.join(file));
    text.unwrap().trim().to_owned()
}

fn limited(host: &Host, id: &str) -> Command {
    let mut command = host.sleeper(id);
    command.resources = Some(Resources {
        memory: 64 << 20,
        cpu_shares: 512,
        ..Resources::default()
    });
    command
}

#[test]
fn limits_execs_and_updates_outlive_a_reload() {
    if skip_unless(&[Need::Systemd, Need::CgroupV2]) {
        return;
    }
    let host = Host::new();
    let id = unique_id("reload");
    let going = host.started(&limited(&host, &id));
    let cgroup = host.cgroup(&id, "memory");
    let unit = format!("execdriver-{id}.scope");
    assert_eq!(active(&unit), "active");
    let weight = read(&cgroup, "cpu.weight");
    ask(&["daemon-reload"]);
    assert_eq!(read(&cgroup, "memory.max"), (64 << 20).to_string());
    host.call(&["update", "--memory", "80m", "--pids-limit", "90", &id])
        .says("");
    for _ in 0..2 {
        ask(&["daemon-reload"]);
        // Its own properties, however systemd writes them, are of the scope and not of what is below.
        ask(&[
            "set-property",
            "--runtime",
            &unit,
            "CPUWeight=77",
            "TasksMax=1000",
        ]);
        assert_eq!(read(&cgroup, "memory.max"), (80 << 20).to_string());
        assert_eq!(read(&cgroup, "pids.max"), "90");
        assert_eq!(read(&cgroup, "cpu.weight"), weight);
    }
    assert_eq!(read(cgroup.parent().unwrap(), "cpu.weight"), "77");
    let inside = host.call(&["exec", &id, "--", "/bin/echo", "in it"]);
    inside.says("in it\n");
    host.call(&["pause", &id]).says("");
    ask(&["daemon-reload"]);
    assert_eq!(read(&cgroup, "cgroup.freeze"), "1");
    host.call(&["unpause", &id]).says("");
    let stats = host.call(&["stats", "--no-stream", &id]);
    assert!(stats.code == 0 && stats.out.contains(&id), "{stats:?}");
    host.ended(&id, going);
    assert_eq!(cgroups(&id), Vec::<PathBuf>::new());
    assert_eq!(active(&unit), "inactive");
}

#[test]
fn every_form_of_the_parent_is_the_scope_that_it_says() {
    if skip_unless(&[Need::Systemd, Need::CgroupV2]) {
        return;
    }
    let host = Host::new();
    let id = unique_id("form");
    let default = if is_root() { "system" } else { "user" };
    for (parent, place) in [
        (
            String::new(),
            format!("{default}.slice/execdriver-{id}.scope"),
        ),
        ("-.slice".to_owned(), format!("execdriver-{id}.scope")),
        (
            "execdriverform.slice".to_owned(),
            format!("execdriverform.slice/execdriver-{id}.scope"),
        ),
        (
            "execdriverform-a-b.slice".to_owned(),
            format!(
                "execdriverform.slice/execdriverform-a.slice/execdriverform-a-b.slice/execdriver-{id}.scope"
            ),
        ),
        (
            format!("execdriverform.slice:lib.pod:{id}"),
            format!("execdriverform.slice/lib.pod-{id}.scope"),
        ),
        (format!("::{id}"), format!("{default}.slice/{id}.scope")),
    ] {
        let mut command = host.sleeper(&id);
        command.as_linux_mut().unwrap().cgroup_parent = parent.clone();
        let going = host.started(&command);
        let cgroup = host.cgroup(&id, "memory");
        assert!(
            cgroup.ends_with(format!("{place}/container")),
            "{parent:?}: {}",
            cgroup.display()
        );
        host.ended(&id, going);
        assert_eq!(cgroups(&id), Vec::<PathBuf>::new(), "{parent:?}");
    }
    // systemd keeps a slice that it started, until somebody stops it.
    ask(&["stop", "execdriverform.slice"]);
    assert_eq!(cgroups("execdriverform"), Vec::<PathBuf>::new());
}

#[test]
fn anothers_unit_of_the_name_is_left_alone() {
    if skip_unless(&[Need::Systemd]) {
        return;
    }
    let host = Host::new();
    let id = unique_id("taken");
    let unit = format!("execdriver-{id}.scope");
    let name = format!("--unit={unit}");
    let mut other = systemd("systemd-run", &["--scope", &name, "sleep", "1000"]);
    other.stdout(Stdio::null()).stderr(Stdio::null());
    let mut other = Killed(other.spawn().unwrap());
    eventually("the other unit runs", || active(&unit) == "active");
    let done = host.run(&host.sleeper(&id));
    done.fails(125, &["exists already", &unit]);
    assert_eq!(active(&unit), "active");
    assert!(other.0.try_wait().unwrap().is_none());
    assert!(host.cli.left().is_empty());
    ask(&["kill", "--signal=KILL", &unit]);
    eventually("the other unit is gone", || active(&unit) != "active");
}

struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_scope_that_the_administrator_kills_is_a_killed_container() {
    if skip_unless(&[Need::Systemd]) {
        return;
    }
    let host = Host::new();
    let id = unique_id("admin");
    let going = host.started(&limited(&host, &id));
    let unit = format!("execdriver-{id}.scope");
    ask(&["kill", "--signal=KILL", &unit]);
    let done = going.done();
    assert_eq!(done.code, 137, "{done:?}");
    assert!(host.cli.left().is_empty());
    eventually("the scope is gone", || cgroups(&id).is_empty());
    // The name is free again.
    let going = host.started(&limited(&host, &id));
    host.ended(&id, going);
}

#[test]
fn many_scopes_come_and_go_at_once() {
    if skip_unless(&[Need::Systemd]) {
        return;
    }
    let hosts: Vec<(Host, String)> = (0..6).map(|_| (Host::new(), unique_id("crowd"))).collect();
    let going: Vec<Going> = (hosts.iter())
        .map(|(host, id)| host.started(&limited(host, id)))
        .collect();
    let units = ask(&[
        "list-units",
        "--plain",
        "--type=scope",
        "execdriver-crowd-*",
    ]);
    for (_, id) in &hosts {
        assert!(units.contains(id.as_str()), "{units}");
    }
    for ((host, id), going) in hosts.iter().zip(going) {
        host.ended(id, going);
        assert!(host.cli.left().is_empty());
    }
    assert_eq!(cgroups("crowd"), Vec::<PathBuf>::new());
    assert!(has(Need::Systemd), "it is still there");
}

/// No scope is ever left as failed, which would keep its name.
#[test]
fn a_start_that_fails_leaves_no_unit() {
    if skip_unless(&[Need::Systemd]) {
        return;
    }
    let host = Host::new();
    let id = unique_id("nofile");
    let mut command = host.sleeper(&id);
    command.process.entrypoint = "/no/such/program".to_owned();
    host.run(&command).fails(127, &["/no/such/program"]);
    assert_eq!(active(&format!("execdriver-{id}.scope")), "inactive");
    assert_eq!(cgroups(&id), Vec::<PathBuf>::new());
    assert!(host.cli.left().is_empty());
}
