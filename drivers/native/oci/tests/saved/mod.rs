//! Containers that count, saved and made anew.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use crate::bundle::{Bundle, Said};
use crate::support::{Need, criu, eventually, unique_id};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub(crate) const NEEDS: [Need; 3] = [Need::Root, Need::Busybox, Need::Criu];

/// Counts in memory and says each number.
pub(crate) const COUNT: &str = "n=0; while :; do n=$((n+1)); echo $n; sleep 0.05; done";

/// A bundle whose program is this script.
pub(crate) fn script(text: &str) -> Bundle {
    let bundle = Bundle::of(&["/bin/sh", "-c", text]);
    fs::copy("/bin/busybox", bundle.rootfs.inside("bin/busybox")).unwrap();
    for name in ["sh", "sleep", "cat", "ls", "stty"] {
        let _ = fs::remove_file(bundle.rootfs.inside(&format!("bin/{name}")));
        bundle.rootfs.symlink("busybox", &format!("bin/{name}"));
    }
    bundle
}

impl Bundle {
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    pub(crate) fn criu(&self, args: &[&str]) -> Command {
        let program = criu();
        let mut all = vec!["--criu", program.to_str().unwrap()];
        all.extend(args);
        self.command(&all)
    }

    /// A pipe, at whose other end a program writes to a file until all have closed it.
    pub(crate) fn pipe(&self, output: &str) -> Stdio {
        let mut cat = Command::new("cat");
        cat.stdin(Stdio::piped());
        cat.stdout(File::create(self.file(output)).unwrap());
        let mut cat = cat.spawn().unwrap();
        let end = cat.stdin.take().unwrap();
        // It ends with the container, and is reaped then.
        std::thread::spawn(move || cat.wait());
        end.into()
    }

    /// `run --detach`, with its output in a file.
    pub(crate) fn count(&self, output: &str) {
        let mut command = self.criu(&["run", "--detach", &self.id]);
        command.stdout(self.pipe(output)).stderr(Stdio::null());
        assert!(command.status().unwrap().success());
        eventually("it counts", || self.last(output) > 2);
    }

    pub(crate) fn checkpoint(&self, more: &[&str]) {
        let mut args = vec!["checkpoint"];
        args.extend(more);
        args.push(&self.id);
        let said = self.say_with(self.criu(&args));
        assert_eq!((said.code(), said.stderr.as_str()), (0, ""));
    }

    /// `restore --detach`, with its output in a file.
    pub(crate) fn restore(&self, output: &str, more: &[&str]) -> Said {
        let log = self.file(&unique_id("log"));
        let mut args = vec!["--log", log.to_str().unwrap(), "restore", "--detach"];
        args.extend(more);
        args.push(&self.id);
        let mut command = self.criu(&args);
        // The streams are the container's.
        command.stdout(self.pipe(output)).stderr(Stdio::null());
        Said {
            status: command.status().unwrap(),
            stdout: String::new(),
            stderr: fs::read_to_string(log).unwrap_or_default(),
        }
    }

    #[track_caller]
    pub(crate) fn restored(&self, output: &str, more: &[&str]) {
        let said = self.restore(output, more);
        assert_eq!((said.code(), said.stderr.as_str()), (0, ""));
    }

    /// The last whole number in a file.
    pub(crate) fn last(&self, output: &str) -> u64 {
        let text = fs::read_to_string(self.file(output)).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .next_back()
            .map_or(0, |line| line.parse().unwrap())
    }

    pub(crate) fn first(&self, output: &str) -> u64 {
        let text = fs::read_to_string(self.file(output)).unwrap_or_default();
        text.split_once('\n')
            .map_or(0, |(line, _)| line.parse().unwrap())
    }
}
