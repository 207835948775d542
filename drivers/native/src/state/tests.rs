//! The state on disk, on temporary trees, as any user.

use super::*;
use execdriver_core::ContainerState;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

const BRIEF: Duration = Duration::from_millis(50);

struct Tree {
    temporary: tempfile::TempDir,
    store: Store,
}

fn tree() -> Tree {
    let temporary = tempfile::tempdir().unwrap();
    let store = Store::open(&temporary.path().join("execdriver/native")).unwrap();
    Tree { temporary, store }
}

fn starting(id: &str) -> Record {
    Record::starting(id, ProcessId::own().unwrap())
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn statedir() {
    let tree = tree();
    let (entry, locked) = tree.store.create(&starting("c1")).unwrap();
    assert!(entry.path().join("state.json").exists());
    drop(locked);
    let again = tree.store.create(&starting("c1"));
    assert!(matches!(again, Err(StateError::AlreadyExists { .. })));

    entry.lock(BRIEF).unwrap().remove().unwrap();
    assert_eq!(names(tree.store.root()), [""; 0]);

    // What a crash left, even an empty directory, blocks the id until it is cleaned.
    fs::create_dir(tree.store.root().join("c1")).unwrap();
    let blocked = tree.store.create(&starting("c1"));
    assert!(matches!(blocked, Err(StateError::AlreadyExists { .. })));
    tree.store.remove_untrusted("c1").unwrap();
    tree.store.remove_untrusted("c1").unwrap();
    tree.store.create(&starting("c1")).unwrap();
}

#[test]
fn every_created_path_is_for_its_owner_only() {
    let tree = tree();
    let (entry, locked) = tree.store.create(&starting("c1")).unwrap();
    locked
        .create_exec(&ExecRecord::starting("e1", &[], ProcessId::own().unwrap()))
        .unwrap();
    for path in ["execdriver", "execdriver/native", "execdriver/native/c1"] {
        assert_eq!(mode(&tree.temporary.path().join(path)), 0o700, "{path}");
    }
    for name in ["state.json", "exec-e1.json"] {
        assert_eq!(mode(&entry.path().join(name)), 0o600, "{name}");
    }
}

#[test]
fn what_is_written_is_read_back_by_another_store_on_the_same_root() {
    let tree = tree();
    let mut record = starting("c1");
    record.command = ["sh", "-c", "\u{e9}"].into_iter().collect();
    record.cgroup = Some(CgroupRecord::default());
    record.namespaces.push(NamespaceRecord {
        kind: oci_spec::runtime::LinuxNamespaceType::Pid,
        own: true,
    });
    let defaults = execdriver_core::Spec::from_oci("x", Default::default()).exec_defaults();
    record.defaults = Some(Unread::of(&defaults).unwrap());
    record.signals = 1 << 8;
    let (_, locked) = tree.store.create(&record).unwrap();
    let other = Store::open(tree.store.root()).unwrap();
    assert_eq!(other.load("c1").unwrap().1, record);
    assert_eq!(other.list().unwrap(), ["c1"]);

    let changed = locked.modify(|record| record.status = Status::Running);
    assert_eq!(other.load("c1").unwrap().1, changed.unwrap());
}

#[test]
fn bad_ids_are_refused_before_any_path_is_made() {
    let tree = tree();
    fs::write(tree.store.root().join("bait"), "").unwrap();
    for bad in ["", ".", "..", "../native/x", "a/b", "a b", "a\0", "/etc"] {
        let expected = |error: StateError| matches!(error, StateError::InvalidId { .. });
        assert!(expected(tree.store.create(&starting(bad)).unwrap_err()));
        assert!(expected(tree.store.entry(bad).unwrap_err()));
        assert!(expected(tree.store.remove_untrusted(bad).unwrap_err()));
        let (_, locked) = tree.store.create(&starting("c1")).unwrap();
        assert!(expected(locked.read_exec(bad).unwrap_err()), "{bad:?}");
        assert!(expected(locked.remove_exec(bad).unwrap_err()), "{bad:?}");
        locked.remove().unwrap();
    }
    assert_eq!(names(tree.store.root()), ["bait"]);
}

#[test]
fn a_damaged_record_is_a_typed_error_that_names_the_path_and_can_be_removed() {
    let tree = tree();
    let whole = serde_json::to_string(&starting("c1")).unwrap();
    let huge = format!("{whole}{}", " ".repeat(17 << 20));
    let later = whole.replacen("\"version\":1", "\"version\":2", 1);
    let other = whole.replacen("\"id\":\"c1\"", "\"id\":\"c2\"", 1);
    for damaged in [
        "",
        "{",
        &whole[..whole.len() / 2],
        "[1]",
        "\0",
        &huge,
        &later,
        &other,
    ] {
        let (entry, locked) = tree.store.create(&starting("c1")).unwrap();
        fs::write(entry.path().join("state.json"), damaged).unwrap();
        let error = locked.read().unwrap_err();
        assert!(error.is_damage(), "{error}");
        assert!(error.to_string().contains("c1/state.json"), "{error}");
        assert!(entry.read().is_err());
        locked.remove().unwrap();
        assert!(!entry.path().exists());
    }
}

#[test]
fn planted_links_and_files_of_others_are_not_believed() {
    let tree = tree();
    let (entry, locked) = tree.store.create(&starting("c1")).unwrap();
    let file = entry.path().join("state.json");
    let elsewhere = tree.temporary.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();

    symlink(&elsewhere, &file).unwrap();
    assert!(matches!(entry.read(), Err(StateError::Untrusted { .. })));
    fs::remove_file(&file).unwrap();
    fs::hard_link(&elsewhere, &file).unwrap();
    assert!(matches!(entry.read(), Err(StateError::Untrusted { .. })));
    // A planted temporary file is replaced, not written through.
    let temporary = entry.path().join(".state.json.new");
    symlink(&elsewhere, &temporary).unwrap();
    let before = fs::read(&elsewhere).unwrap();
    locked.write(&starting("c1")).unwrap();
    assert_eq!(fs::read(&elsewhere).unwrap(), before);
    assert!(entry.read().is_ok());

    let link = tree.store.root().join("c2");
    symlink(entry.path(), &link).unwrap();
    let through = tree.store.entry("c2");
    assert!(matches!(through, Err(StateError::Untrusted { .. })));
    tree.store.remove_untrusted("c2").unwrap();
    assert!(entry.path().exists(), "only the link was removed");

    fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let wide = tree.store.entry("c1");
    assert!(matches!(wide, Err(StateError::Untrusted { .. })));
}

#[test]
fn a_root_that_is_a_link_or_open_to_others_or_cannot_be_made_is_an_error_with_its_path() {
    let temporary = tempfile::tempdir().unwrap();
    let link = temporary.path().join("link");
    symlink(temporary.path(), &link).unwrap();
    let error = Store::open(&link).unwrap_err();
    assert!(matches!(error, StateError::Untrusted { .. }), "{error}");

    let wide = temporary.path().join("wide");
    fs::create_dir(&wide).unwrap();
    fs::set_permissions(&wide, fs::Permissions::from_mode(0o750)).unwrap();
    let error = Store::open(&wide).unwrap_err().to_string();
    assert!(error.contains("0750") && error.contains("wide"), "{error}");

    let file = temporary.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("native")).unwrap_err();
    assert!(error.to_string().contains("file/native"), "{error}");
    assert!(Store::open(Path::new("/proc/nowhere/native")).is_err());
}

#[test]
fn cleaning_removes_what_others_put_there_and_follows_no_link() {
    let tree = tree();
    let (entry, locked) = tree.store.create(&starting("c1")).unwrap();
    let outside = tree.temporary.path().join("outside");
    fs::create_dir_all(outside.join("kept")).unwrap();
    fs::create_dir_all(entry.path().join("a/b/c")).unwrap();
    symlink(&outside, entry.path().join("a/link")).unwrap();
    locked.remove().unwrap();
    assert!(!entry.path().exists());
    assert!(outside.join("kept").exists());
}

#[test]
fn the_lock_excludes_threads_and_its_waiting_is_bounded() {
    let tree = tree();
    let (entry, locked) = tree.store.create(&starting("c1")).unwrap();
    let started = Instant::now();
    let second = entry.lock(BRIEF).unwrap_err();
    assert!(matches!(second, StateError::LockTimeout { .. }), "{second}");
    assert!(started.elapsed() >= BRIEF);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| entry.lock(Duration::from_secs(10)).is_ok());
        std::thread::sleep(BRIEF);
        drop(locked);
        assert!(waiting.join().unwrap());
    });
}

#[test]
fn a_start_that_locks_the_directory_of_another_start_does_not_take_it() {
    let tree = tree();
    let (entry, locked) = tree.store.create(&starting("c1")).unwrap();
    let error = locked.write_first(&starting("c1")).unwrap_err();
    assert!(matches!(error, StateError::AlreadyExists { .. }), "{error}");
    assert!(entry.read().is_ok());
}

#[test]
fn a_start_is_not_kept_from_its_directory_by_those_who_clean_meanwhile() {
    let tree = tree();
    let done = std::sync::atomic::AtomicBool::new(false);
    // One at a time has the id, whoever removes whose directory.
    let holders = std::sync::atomic::AtomicU32::new(0);
    let (tree, holders) = (&tree, &holders);
    std::thread::scope(|scope| {
        let cleaner = scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                tree.store.remove_unrecorded("c1").unwrap();
            }
        });
        let start = move || {
            for _ in 0..400 {
                match tree.store.create(&starting("c1")) {
                    Ok((entry, locked)) => {
                        let before = holders.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        drop(locked);
                        std::thread::yield_now();
                        holders.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        entry
                            .lock(Duration::from_secs(10))
                            .unwrap()
                            .remove()
                            .unwrap();
                        assert_eq!(before, 0, "two have it");
                    }
                    Err(StateError::AlreadyExists { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let starters = [scope.spawn(start), scope.spawn(start), scope.spawn(start)];
        let ended = starters.map(|starter| starter.join().is_ok());
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        cleaner.join().unwrap();
        assert_eq!(ended, [true; 3]);
    });
}

#[test]
fn whoever_waited_for_the_lock_of_a_removed_entry_finds_nothing_even_if_the_id_is_used_again() {
    let tree = tree();
    let (entry, locked) = tree.store.create(&starting("c1")).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| entry.lock(Duration::from_secs(10)));
        std::thread::sleep(BRIEF);
        locked.remove().unwrap();
        let (_, again) = tree.store.create(&starting("c1")).unwrap();
        drop(again);
        let got = waiting.join().unwrap();
        assert!(matches!(got, Err(StateError::NotFound { .. })));
    });
    assert!(tree.store.load("c1").is_ok());
}

#[test]
fn of_many_that_create_one_id_exactly_one_succeeds_and_readers_never_see_half_a_record() {
    let tree = tree();
    for _ in 0..20 {
        let wins = std::thread::scope(|scope| {
            let create = || tree.store.create(&starting("c1")).is_ok();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(create)).collect();
            let won = |thread: std::thread::ScopedJoinHandle<'_, bool>| thread.join().unwrap();
            threads.into_iter().map(won).filter(|won| *won).count()
        });
        assert_eq!(wins, 1);
        let entry = tree.store.entry("c1").unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let locked = entry.lock(Duration::from_secs(10)).unwrap();
                for _ in 0..50 {
                    locked.write(&starting("c1")).unwrap();
                }
            });
            while !writer.is_finished() {
                entry.read().unwrap();
            }
        });
        entry.lock(BRIEF).unwrap().remove().unwrap();
    }
}

#[test]
fn execs_are_files_of_their_own_and_an_exec_id_is_unique_while_it_runs() {
    let tree = tree();
    let (entry, locked) = tree.store.create(&starting("c1")).unwrap();
    let mut record = ExecRecord::starting("e1", &[], ProcessId::own().unwrap());
    locked.create_exec(&record).unwrap();
    let twice = locked.create_exec(&record);
    assert!(matches!(twice, Err(StateError::AlreadyExists { .. })));
    record.process = Some(ProcessId::own().unwrap());
    locked.write_exec(&record).unwrap();
    assert_eq!(entry.read_exec("e1").unwrap(), record);
    locked.remove_exec("e1").unwrap();
    locked.remove_exec("e1").unwrap();
    let none = entry.read_exec("e1");
    assert!(matches!(none, Err(StateError::NotFound { .. })));
}

#[test]
fn a_start_lives_as_long_as_its_host_program_and_then_as_its_init() {
    let mut record = starting("c1");
    assert_eq!(record.state(), ContainerState::Starting);
    record.status = Status::Running;
    assert_eq!(record.state(), ContainerState::Stopped);
    record.init = Some(ProcessId::own().unwrap());
    assert_eq!(record.state(), ContainerState::Running);
    record.init.as_mut().unwrap().boot = "before".into();
    assert_eq!(record.state(), ContainerState::Stopped);
}

#[test]
fn a_root_that_was_removed_is_made_again() {
    let tree = tree();
    fs::remove_dir_all(tree.store.root()).unwrap();
    assert!(tree.store.list().unwrap().is_empty());
    assert!(tree.store.entry("c1").is_err());
    tree.store.create(&starting("c1")).unwrap();
}

#[test]
fn a_known_record_is_changed_as_it_stands_and_what_others_wrote_meanwhile_is_kept() {
    let tree = tree();
    let known = Box::new(starting("c1"));
    let (entry, locked) = tree.store.create(&known).unwrap();
    assert!(entry.holds(&known).unwrap());
    let known = locked.modify_known(Some(known), |record| record.signals = 1);
    let known = known.unwrap();
    assert!(entry.holds(&known).unwrap());
    assert_eq!(entry.read().unwrap(), *known);
    locked.modify(|record| record.aborted = true).unwrap();
    assert!(!entry.holds(&known).unwrap());
    let known = locked.modify_known(Some(known), |record| record.traced = true);
    let known = known.unwrap();
    assert!(known.aborted && known.traced && known.signals == 1);
    assert_eq!(entry.read().unwrap(), *known);
    // One that is longer than a page is read.
    let rootfs = "x".repeat(5000);
    let known = locked.modify_known(None, |record| record.rootfs = rootfs);
    assert!(!entry.holds(&known.unwrap()).unwrap());
}
