mod launched;

use super::*;

/// A root that has everything, on a host without cgroups.
pub(super) fn root_host() -> Host {
    Host {
        uid: 0,
        gid: 0,
        capabilities: u64::MAX >> 23,
        last_capability: 40,
        initial_user_namespace: true,
        kcore: true,
        cgroup: HostCgroup {
            v1: Vec::new(),
            v2: None,
            own: OwnCgroup::Made { device_rules: true },
        },
    }
}

fn words(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(Step::words).collect()
}

#[test]
fn a_message_has_one_operation_a_step() {
    let command = execdriver_core::Command::linux("web-1", "/", "/bin/true");
    let spec = Spec::from_command(&command, "native").unwrap();
    let host = root_host();
    let sources = Sources::resolve(&spec, &host);
    let plan = Plan::build(&spec, &host, &sources, &RunInput::default()).unwrap();
    assert_eq!(words(&plan).last(), Some(&"execute /bin/true"));
    assert_eq!(plan.describe(0), "wait for the id maps");
    assert!(plan.message().is_ok());
}
