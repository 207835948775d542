//! The built command line as a caller meets it: arguments in, exit code and streams out, every wait bounded.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use super::support::{Rootfs, eventually, patience};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// No call of these tests takes longer on a busy machine.
const BOUND: Duration = Duration::from_secs(30);

/// What `--timeout` takes: so many milliseconds, and more where a start alone takes as long.
pub(crate) fn timeout(millis: u32) -> String {
    format!("{}ms", millis * patience())
}

/// The binary with a rootfs and a state directory of its own.
pub(crate) struct Cli {
    pub(crate) fs: Rootfs,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Done {
    /// The exit code, or minus the signal that ended the program.
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A call that goes on.
pub(crate) struct Going {
    pub(crate) child: Child,
    readers: Option<[JoinHandle<String>; 2]>,
}

impl Cli {
    pub(crate) fn new() -> Self {
        Self { fs: Rootfs::new() }
    }

    /// The binary with these arguments, on our own state directory.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_execdriver"));
        command.arg("--root").arg(self.fs.state()).args(args);
        command.stdin(Stdio::null()).current_dir("/");
        command
    }

    /// `run --rootfs OURS FLAGS -- PROGRAM`; the program is what follows `--`. What this host cannot enforce is not told.
    pub(crate) fn run_command(&self, args: &[&str]) -> Command {
        let mut command = self.command(&["run", "--quiet", "--rootfs"]);
        command.arg(self.fs.path()).args(args);
        command
    }

    /// Calls it to its end.
    pub(crate) fn call(&self, args: &[&str]) -> Done {
        finish(self.command(args), b"")
    }

    /// Runs a program in our rootfs to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        finish(self.run_command(args), b"")
    }

    /// A container `id` that runs until it is killed, of an applet that answers to no TERM.
    pub(crate) fn started(&self, id: &str) -> Going {
        let going = start(self.run_command(&["--id", id, "--", "ignore-term"]));
        self.wait_for(id);
        going
    }

    /// Waits until the container runs its program.
    pub(crate) fn wait_for(&self, id: &str) {
        let running = || {
            let listed = self.call(&["list", "--format", "json"]).out;
            let all: serde_json::Value = serde_json::from_str(&listed).expect("a JSON array");
            let ours = |c: &serde_json::Value| c["id"] == id && c["state"] == "running";
            all.as_array().expect("a JSON array").iter().any(ours)
        };
        eventually(&format!("{id} runs"), running);
    }

    /// What the state directory still holds of containers.
    pub(crate) fn left(&self) -> Vec<String> {
        let dir = self.fs.state().join("execdriver/native");
        let Ok(entries) = std::fs::read_dir(dir) else {
            return Vec::new();
        };
        let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        entries.flatten().map(name).collect()
    }
}

impl Done {
    /// Success with this output and a silent standard error.
    #[track_caller]
    pub(crate) fn says(&self, out: &str) {
        let seen = (self.code, self.out.as_str(), self.err.as_str());
        assert_eq!(seen, (0, out, ""));
    }

    /// A failure with this code and one line on standard error that has all these words.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{self:?}");
        assert!(self.err.starts_with("execdriver: "), "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {self:?}");
        }
    }
}

impl Going {
    /// Sends this program a signal.
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).expect("our own child");
    }

    /// Waits for the end.
    pub(crate) fn done(mut self) -> Done {
        let end = Instant::now() + BOUND;
        let status = loop {
            match self.child.try_wait().expect("our own child") {
                Some(status) => break status,
                None if Instant::now() > end => {
                    let _ = self.child.kill();
                    panic!("it did not end within {BOUND:?}");
                }
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        let signal = || -status.signal().unwrap_or(0);
        let readers = self.readers.take().expect("done is called once");
        let [out, err] = readers.map(|reader| reader.join().expect("a reader"));
        Done {
            code: status.code().unwrap_or_else(signal),
            out,
            err,
        }
    }
}

/// A test that fails leaves nothing: the container ends with its command line.
impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts it with pipes for its outputs.
pub(crate) fn start(mut command: Command) -> Going {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let out = drain(child.stdout.take().expect("a pipe"));
    let err = drain(child.stderr.take().expect("a pipe"));
    Going {
        child,
        readers: Some([out, err]),
    }
}

/// Runs it to its end with this input; an empty one is the null device.
pub(crate) fn finish(mut command: Command, input: &[u8]) -> Done {
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut going = start(command);
    if let Some(mut stdin) = going.child.stdin.take() {
        stdin.write_all(input).expect("a reader");
    }
    going.done()
}

fn drain(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
