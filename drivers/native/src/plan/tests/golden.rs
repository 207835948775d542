//! Golden lists: which steps, in which order, for the kinds of containers there are.
//!
//! `EXECDRIVER_WRITE_GOLDEN=1` writes them anew.

use super::*;
use crate::plan::exec::Running;
use execdriver_core::spec::{ExecSpec, Join};
use execdriver_core::{Ephemeral, ExecRequest, IdMap, Mount, ProcessConfig};

/// Compares with `fixtures/plans/<name>.txt`.
pub(super) fn check(name: &str, plan: &Plan) {
    let lines: Vec<&str> = plan.steps.iter().map(|step| step.words()).collect();
    let mut text = lines.join("\n");
    for sentence in &plan.unenforced {
        text.push_str("\nnot in force: ");
        text.push_str(sentence);
    }
    text.push('\n');
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/plans")
        .join(format!("{name}.txt"));
    if std::env::var_os("EXECDRIVER_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, golden, "{}", path.display());
    assert!(plan.message().is_ok());
}

#[test]
fn the_docker_profile_as_root() {
    let input = RunInput {
        cgroup_entries: 2,
        go_ahead: true,
        ..RunInput::default()
    };
    let plan = Plan::build(&spec(&command()), &root_host(), &sources(), &input).unwrap();
    check("root", &plan);
    assert!(plan.go_ahead);
    assert_eq!(plan.clone_flags, 0x6c02_0000);
    assert_eq!(plan.id_maps, None);
    assert_eq!(plan.cgroup.device_rules.len(), 15);
}

#[test]
fn the_docker_profile_as_an_ordinary_user() {
    let plan = build(&spec(&command()), &user_host()).unwrap();
    check("user", &plan);
    assert_eq!(plan.clone_flags, 0x7c02_0000);
    let maps = plan.id_maps.unwrap();
    assert!(maps.deny_setgroups);
    assert_eq!((maps.uids[0].inside, maps.uids[0].outside), (0, 1000));
    assert!(plan.cgroup.device_rules.is_empty());
}

#[test]
fn the_hosts_root_read_only_with_a_terminal() {
    let mut command = Command::linux("web-1", "/", "sh");
    command.process.tty = true;
    command.mounts = vec![Mount::tmpfs("/tmp", ""), Mount::read_only("/data", "/data")];
    let command = command.with_linux(|linux| linux.readonly_rootfs = true);
    check(
        "host-root-terminal",
        &build(&spec(&command), &root_host()).unwrap(),
    );
    check(
        "user-host-root-terminal",
        &build(&spec(&command), &user_host()).unwrap(),
    );
}

#[test]
fn a_privileged_container() {
    let mut command = command();
    command.process.privileged = true;
    let spec = spec(&command);
    assert!(spec.host_devices);
    check("privileged", &build(&spec, &root_host()).unwrap());
}

#[test]
fn an_ephemeral_read_only_container_with_init_and_volumes() {
    let mut command = command().with_linux(|linux| {
        linux.readonly_rootfs = true;
        linux.init = true;
        linux.ephemeral = Some(Ephemeral::default());
    });
    command.mounts = vec![Mount::bind("/data", "/a/b/c"), Mount::bind("/data", "/a")];
    let input = RunInput {
        die_with_host: true,
        ..RunInput::default()
    };
    let plan = Plan::build(&spec(&command), &root_host(), &sources(), &input).unwrap();
    check("ephemeral", &plan);
}

#[test]
fn a_remapped_root_gets_the_hosts_devices() {
    let map = IdMap {
        container_id: 0,
        host_id: 100_000,
        size: 65536,
    };
    let command = command().with_linux(|linux| {
        linux.uid_mappings = vec![map];
        linux.gid_mappings = vec![map];
    });
    let plan = build(&spec(&command), &root_host()).unwrap();
    check("remapped", &plan);
    assert!(!plan.id_maps.unwrap().deny_setgroups);
}

#[test]
fn joined_namespaces() {
    let mut spec = spec(&command());
    for kind in [Kind::Network, Kind::Pid] {
        spec.joins.push(Join {
            kind,
            container: "db-1".to_owned(),
        });
    }
    let mut namespaces = spec
        .oci
        .linux()
        .as_ref()
        .unwrap()
        .namespaces()
        .clone()
        .unwrap();
    namespaces.retain(|own| own.typ() != Kind::Network && own.typ() != Kind::Pid);
    spec.oci
        .linux_mut()
        .as_mut()
        .unwrap()
        .set_namespaces(Some(namespaces));
    let plan = build(&spec, &root_host()).unwrap();
    check("joined", &plan);
    assert_eq!(plan.clone_flags, 0x0c02_0000);
    let plan = build(&spec, &user_host()).unwrap();
    check("user-joined", &plan);
    assert_eq!(
        plan.clone_flags, 0,
        "only within the joined user namespace can others be made"
    );
    assert_eq!(plan.id_maps, None);
}

fn date() -> ExecSpec {
    let request = ExecRequest::new(ProcessConfig::new("date"));
    spec(&command()).for_exec(&request).unwrap()
}

#[test]
fn an_exec_waits_once_for_its_parent_unless_that_has_to_do_something_first() {
    let mut exec = date();
    let waits = |exec: &ExecSpec, kinds: &[Kind], may_trace, go_ahead| {
        let running = Running {
            namespaces: kinds.iter().copied().collect(),
            denies_setgroups: false,
            pid: 7,
            may_trace,
        };
        let input = RunInput {
            go_ahead,
            ..RunInput::default()
        };
        let plan = Plan::for_exec(exec, &running, &root_host(), &input).unwrap();
        assert!(!plan.go_ahead);
        plan.steps
            .iter()
            .any(|step| step.words() == "wait for the parent")
    };
    let kinds = [Kind::Mount, Kind::Pid];
    assert!(!waits(&exec, &kinds, false, true));
    assert!(waits(&exec, &kinds, false, false));
    // Nobody is cloned who would wait.
    assert!(waits(&exec, &kinds, true, true));
    assert!(waits(&exec, &kinds[..1], false, true));
    // The parent writes it.
    exec.process.set_oom_score_adj(Some(100));
    assert!(waits(&exec, &kinds, false, true));
}

#[test]
fn an_exec() {
    let exec = date();
    let kinds = [Kind::Mount, Kind::Pid, Kind::Network];
    let mut running = Running {
        namespaces: kinds.into_iter().collect(),
        denies_setgroups: false,
        pid: 7,
        may_trace: false,
    };
    let input = RunInput::default();
    let plan = Plan::for_exec(&exec, &running, &root_host(), &input).unwrap();
    check("exec", &plan);
    running.may_trace = true;
    let plan = Plan::for_exec(&exec, &running, &root_host(), &input).unwrap();
    check("traced-exec", &plan);
    running.namespaces = kinds.into_iter().chain([Kind::User]).collect();
    running.denies_setgroups = true;
    check(
        "user-exec",
        &Plan::for_exec(&exec, &running, &user_host(), &input).unwrap(),
    );
}
