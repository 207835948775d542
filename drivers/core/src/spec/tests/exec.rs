//! What an exec inherits, and what is its own.

use super::*;
use crate::{ExecRequest, ProcessConfig};

#[test]
fn exec_env() {
    let container = command().env("A", "1");
    let request = ExecRequest::new(ProcessConfig::new("date"));
    let inherited = spec(&container).for_exec(&request).unwrap();
    assert_eq!(
        inherited.process.env().as_deref(),
        Some(&["A=1".to_owned()][..])
    );
    let request = ExecRequest::new(ProcessConfig::new("date").env("B", "2").env("B", "3"));
    let own = spec(&container).for_exec(&request).unwrap();
    assert_eq!(own.process.env().as_deref(), Some(&["B=3".to_owned()][..]));
}

#[test]
fn exec_inherits_directory_user_limits_and_privileges() {
    let mut container = command().with_linux(|linux| {
        linux.group_add = vec!["audio".into()];
        linux.no_new_privileges = true;
        linux.cap_drop = vec!["ALL".into()];
    });
    container.working_dir = "/root".into();
    container.process.user = "daemon".into();
    container.process.tty = true;
    let spec = spec(&container);
    let exec = spec
        .for_exec(&ExecRequest::new(ProcessConfig::new("date")))
        .unwrap();
    assert_eq!(exec.process.cwd(), Path::new("/root"));
    assert_eq!(exec.process.terminal(), Some(false));
    assert_eq!(exec.process.no_new_privileges(), Some(true));
    assert_eq!(
        exec.process.capabilities(),
        spec.oci.process().as_ref().unwrap().capabilities()
    );
    assert_eq!(exec.user, spec.user);

    let mut request = ExecRequest::new(ProcessConfig::new("date")).cwd("/tmp");
    request.process.user = "1".into();
    let exec = spec.for_exec(&request).unwrap();
    assert_eq!(exec.process.cwd(), Path::new("/tmp"));
    let groups = vec!["audio".to_owned()];
    assert_eq!(
        exec.user,
        User::Names {
            user: "1".into(),
            groups
        }
    );
}

#[test]
fn exec_privileged() {
    let container = command().with_linux(|linux| linux.cap_drop = vec!["ALL".into()]);
    let defaults = spec(&container).exec_defaults();
    let mask = |request: &ExecRequest| {
        let exec = defaults.clone().exec(request).unwrap();
        let sets = exec.process.capabilities().clone().unwrap();
        assert!(sets.inheritable().as_ref().unwrap().is_empty());
        assert!(sets.ambient().as_ref().unwrap().is_empty());
        assert_eq!(sets.bounding(), sets.effective());
        capability_mask(sets.effective().as_ref().unwrap())
    };
    let plain = ExecRequest::new(ProcessConfig::new("mknod"));
    let mut all = plain.clone();
    all.process.privileged = true;
    assert_eq!(mask(&all), (1 << 41) - 1);
    assert_eq!(mask(&plain), 0);
    assert_eq!(
        mask(&plain.clone().capabilities(vec!["sys_time".into()])),
        1 << 25
    );
    assert_eq!(mask(&plain.clone().capabilities(vec![])), 0);
    assert_eq!(
        mask(&plain.clone().capabilities(vec!["ALL".into()])),
        (1 << 41) - 1
    );
    let error = defaults
        .clone()
        .exec(&plain.capabilities(vec!["X".into()]))
        .unwrap_err();
    assert!(error.to_string().starts_with("invalid capabilities[0]"));
    assert!(defaults.clone().exec(&all.capabilities(vec![])).is_err());
}

#[test]
fn bad_execs_name_their_field() {
    let defaults = spec(&command()).exec_defaults();
    let request = ExecRequest::new(ProcessConfig::new("date"));
    for cwd in ["tmp", "/a\0"] {
        let error = defaults
            .clone()
            .exec(&request.clone().cwd(cwd))
            .unwrap_err();
        assert!(error.to_string().starts_with("invalid cwd"), "{error}");
    }
    let empty = ExecRequest::new(ProcessConfig::new(""));
    assert!(defaults.clone().exec(&empty).is_err());
}

#[test]
fn what_an_exec_inherits_survives_the_state_file() {
    let defaults = spec(&command().env("A", "1")).exec_defaults();
    let text = serde_json::to_string(&defaults).unwrap();
    let read: ExecDefaults = serde_json::from_str(&text).unwrap();
    assert_eq!(read, defaults);
}

#[test]
fn an_exec_in_a_bundle_without_capabilities_gets_none() {
    let mut document = runtime::Spec::default();
    let mut process = runtime::Process::default();
    process.set_capabilities(None);
    document.set_process(Some(process));
    let spec = Spec::from_oci("bundle-1", document);
    let exec = spec
        .for_exec(&ExecRequest::new(ProcessConfig::new("date")))
        .unwrap();
    let sets = exec.process.capabilities().clone().unwrap();
    assert!(sets.effective().as_ref().unwrap().is_empty());
    assert_eq!(exec.user, User::Ids);
}

#[test]
fn what_is_lent_to_be_written_is_what_is_read() {
    let named = command().env("A", "1").with_linux(|linux| {
        linux.cap_add = vec!["SYS_TIME".to_owned()];
        linux.attributes.cpus = "0".to_owned();
    });
    let mut filtered = spec(&named);
    filtered.oci.set_linux(Some(Default::default()));
    let mut linux = filtered.oci.linux().clone().unwrap();
    linux.set_seccomp(Some(Default::default()));
    filtered.oci.set_linux(Some(linux));
    for spec in [
        spec(&command()),
        spec(&named),
        filtered,
        Spec::from_oci("x", Default::default()),
    ] {
        let lent = serde_json::to_value(spec.lent_exec_defaults()).unwrap();
        assert_eq!(lent, serde_json::to_value(spec.exec_defaults()).unwrap());
        let read: ExecDefaults = serde_json::from_value(lent).unwrap();
        assert_eq!(read, spec.exec_defaults());
    }
}
