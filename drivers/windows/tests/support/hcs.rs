//! The fake compute service: its library, folders for its containers, and what is to go wrong with it.

use super::payload;
use execdriver_core::{
    Command, Driver, ExitStatus, Hooks, Options, Pipes, RunOptions, Signal, Target,
};
use execdriver_windows::WindowsDriver;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the service may take in tests that wait for it in vain.
pub(crate) const TIMEOUT: &str = "windows.hcs.timeout=5";

/// How long anything that should happen soon may take.
const SOON: Duration = Duration::from_secs(60);

/// A root, and the folders of a container.
pub(crate) struct Folders {
    root: PathBuf,
    /// Removed with it, by the program that made it.
    _made: Option<tempfile::TempDir>,
}

impl Folders {
    pub(crate) fn new() -> Self {
        let folders = tempfile::tempdir().unwrap();
        for folder in ["scratch", "base/UtilityVM"] {
            std::fs::create_dir_all(folders.path().join(folder)).unwrap();
        }
        Self {
            root: folders.path().to_owned(),
            _made: Some(folders),
        }
    }

    /// Those that another program has made.
    pub(crate) fn of(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            _made: None,
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The driver over the fake, with more options.
    pub(crate) fn driver(&self, more: &[&str]) -> WindowsDriver {
        let library = format!("windows.hcs.library={}", library().display());
        let texts = ["windows.backend=hcs", &library];
        let mut options = Options::parse(texts.iter().chain(more)).unwrap();
        let driver = WindowsDriver::open(&self.root().join("state"), &mut options).unwrap();
        options.reject_rest("windows").unwrap();
        driver
    }

    /// An id that no other test has: the fake obeys by ids.
    pub(crate) fn id(&self, name: &str) -> String {
        let own = self.root().file_name().unwrap().to_str().unwrap();
        format!("{name}-{}", own.trim_start_matches('.'))
    }

    /// A command of the multi-tool, with the id of this name.
    pub(crate) fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let id = self.id(name);
        let mut command = Command {
            process: payload(arguments),
            ..Command::windows(id, r"\\?\Volume{fake}", "")
        };
        if let Some(windows) = command.as_windows_mut() {
            windows.layer_folder = self.root().join("scratch");
            windows.layer_paths = vec![self.root().join("base")];
        }
        command
    }
}

/// Where the library is: beside the test programs, where cargo puts it (`cargo build -p fake-hcs` for the same target).
fn library() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().unwrap().join("vmcompute.dll");
    assert!(path.is_file(), "{path:?}: cargo build -p fake-hcs first");
    path
}

/// A line that the fake obeys until this is dropped.
pub(crate) struct Trouble(PathBuf);

/// How many lines of this program stand. The folder goes with the last: while one tries to remove it, it cannot be listed
/// (error 32 under Wine), and the fake would see no line at all.
static STANDING: Mutex<u32> = Mutex::new(0);

fn standing() -> MutexGuard<'static, u32> {
    STANDING.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Trouble {
    /// `line` for the systems whose id has `id` in it.
    pub(crate) fn new(id: &str, line: &str) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let folder = std::env::temp_dir().join(format!("fake-hcs-{}", std::process::id()));
        let mut standing = standing();
        std::fs::create_dir_all(&folder).unwrap();
        *standing += 1;
        drop(standing);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let (half, whole) = (
            folder.join(format!("{number}.half")),
            folder.join(format!("{number}.txt")),
        );
        std::fs::write(&half, format!("{id} {line}")).unwrap();
        std::fs::rename(half, &whole).unwrap();
        Self(whole)
    }
}

impl Drop for Trouble {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
        let mut standing = standing();
        *standing -= 1;
        // The fake may be listing it, which keeps it there; in the end that is no test's matter.
        let mut tries = if *standing == 0 { 500 } else { 0 };
        while tries > 0 && std::fs::remove_dir(self.0.parent().unwrap()).is_err() {
            tries -= 1;
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Waits until `done` says so.
pub(crate) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < SOON, "{what}: not within {SOON:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs `command` and acts once its program was started; the container is ended when a test fails.
pub(crate) fn while_running(
    driver: &WindowsDriver,
    command: &Command,
    act: impl FnOnce(&WindowsDriver),
) -> ExitStatus {
    while_running_with(driver, command, Pipes::null(), act)
}

pub(crate) fn while_running_with(
    driver: &WindowsDriver,
    command: &Command,
    pipes: Pipes,
    act: impl FnOnce(&WindowsDriver),
) -> ExitStatus {
    struct End<'a>(&'a WindowsDriver, &'a str);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            // It may have ended, which is what is wanted.
            let _ = self.0.kill(&Target::from(self.1), Signal::KILL);
        }
    }
    std::thread::scope(|scope| {
        let (started, wait) = std::sync::mpsc::channel();
        let run = scope.spawn(move || {
            let hooks = Hooks::none().on_start(move |_| Ok(started.send(())?));
            driver.run(command, &RunOptions::default(), pipes, &hooks)
        });
        wait.recv_timeout(SOON).expect("it starts");
        let end = End(driver, &command.id);
        act(driver);
        drop(end);
        run.join().unwrap().unwrap()
    })
}
