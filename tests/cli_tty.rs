//! `-t` at a real terminal: keys, sizes, and the caller's settings put back whatever happens.
#![cfg(all(target_os = "linux", feature = "cli"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests"
)]

mod cli;
mod support;

use cli::{Cli, finish};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{eventually, unique_id, within};

/// A terminal with the command line in its foreground.
struct Session {
    keyboard: File,
    /// Kept open, so that the settings can be read after the program's end.
    terminal: OwnedFd,
    screen: Arc<Mutex<String>>,
    before: Termios,
    child: Child,
}

impl Session {
    /// Starts it as the leader of a session whose terminal has 24 rows and 80 columns.
    fn start(command: &Command) -> Self {
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(Some(&size), None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        // It does not fork, since it leads no process group, so the child is the command line itself.
        let child = Command::new("setsid")
            .arg("--ctty")
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let keyboard = File::from(pty.master);
        let screen = Arc::new(Mutex::new(String::new()));
        let (mut output, shown) = (keyboard.try_clone().unwrap(), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]);
                shown.lock().unwrap().push_str(&text);
            }
        });
        Self {
            keyboard,
            terminal: pty.slave,
            screen,
            before,
            child,
        }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        let seen = || self.screen.lock().unwrap().clone();
        let found = within(Duration::from_secs(10), || seen().contains(text));
        assert!(found, "no {text:?} on {:?}", seen());
    }

    /// One change: stty(1) makes two of rows and columns.
    fn resize(&self, rows: &str) {
        let stty = Command::new("stty")
            .args(["rows", rows])
            .stdin(self.terminal.try_clone().unwrap())
            .status();
        assert!(stty.unwrap().success());
    }

    fn is_raw(&self) -> bool {
        let flags = tcgetattr(&self.terminal).unwrap().local_flags;
        !flags.intersects(LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::ECHO)
    }

    #[track_caller]
    fn becomes_raw(&self) {
        eventually("the terminal is raw", || self.is_raw());
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    /// The exit code, after a look at the terminal's settings: they are as before.
    #[track_caller]
    fn ends(&mut self, code: Option<i32>) {
        let mut status = None;
        let ended = within(Duration::from_secs(20), || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        assert!(ended, "it hangs: {:?}", self.screen.lock().unwrap());
        eventually("the settings are back", || {
            tcgetattr(&self.terminal).unwrap() == self.before
        });
        assert_eq!(status.unwrap().code(), code, "{:?}", self.screen.lock());
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(cli: &Cli, args: &[&str]) -> Session {
    Session::start(&cli.run_command(args))
}

#[test]
fn the_program_has_a_terminal_of_its_own_and_the_callers_is_raw_meanwhile() {
    let cli = Cli::new();
    let mut session = run(&cli, &["-it", "--", "trap", "USR1"]);
    session.shows("ready");
    assert!(session.is_raw());
    session.signal(Signal::SIGUSR1);
    session.shows("got SIGUSR1");
    session.ends(Some(0));
    let mut session = run(&cli, &["-it", "--", "tty"]);
    session.shows("/dev/");
    session.ends(Some(0));
}

#[test]
fn the_size_is_the_callers_and_follows_it() {
    let cli = Cli::new();
    let mut session = run(&cli, &["-it", "--", "winsize", "1"]);
    session.shows("24 80");
    session.resize("33");
    session.shows("33 80");
    session.ends(Some(0));
}

#[test]
fn ctrl_c_is_a_key_of_the_programs_terminal() {
    let cli = Cli::new();
    let id = unique_id("ctrl-c");
    let mut session = run(&cli, &["-it", "--id", &id, "--", "sleep", "60"]);
    cli.wait_for(&id);
    session.becomes_raw();
    session.press("\u{3}");
    session.ends(Some(130));
}

#[test]
fn ctrl_c_without_input_is_forwarded_as_a_signal() {
    let cli = Cli::new();
    for flags in [&["-t"][..], &[]] {
        let id = unique_id("ctrl-c-signal");
        let all = [flags, &["--id", &id, "--", "sleep", "60"]].concat();
        let mut session = run(&cli, &all);
        cli.wait_for(&id);
        assert!(!session.is_raw());
        session.press("\u{3}");
        session.ends(Some(130));
    }
}

#[test]
fn ctrl_d_ends_the_programs_input() {
    let cli = Cli::new();
    let mut session = run(&cli, &["-it", "--", "drain"]);
    session.becomes_raw();
    session.press("abc\n\u{4}");
    session.shows("4\r\n");
    session.ends(Some(0));
}

#[test]
fn the_terminal_is_put_back_after_a_failed_start_and_a_timeout() {
    let cli = Cli::new();
    let mut session = run(&cli, &["-it", "--", "no-such"]);
    session.ends(Some(127));
    session.shows("execdriver: program \"no-such\" not found");
    run(&cli, &["-it", "--user", "nobody-such", "--", "true"]).ends(Some(125));
    run(
        &cli,
        &["-it", "--timeout", &cli::timeout(500), "--", "sleep", "60"],
    )
    .ends(Some(124));
    run(&cli, &["-it", "--", "signal", "9"]).ends(Some(137));
}

#[test]
fn the_terminal_is_put_back_when_the_command_line_is_killed() {
    let cli = Cli::new();
    for signal in [Signal::SIGKILL, Signal::SIGABRT] {
        let id = unique_id("killed");
        let mut session = run(&cli, &["-it", "--id", &id, "--", "sleep", "60"]);
        cli.wait_for(&id);
        session.becomes_raw();
        session.signal(signal);
        session.ends(None);
        eventually("its container is gone", || {
            cli.call(&["clean", &id]).code == 0
        });
    }
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn a_terminal_signal_ends_the_program_and_the_terminal_is_put_back() {
    let cli = Cli::new();
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let id = unique_id("ended");
        let mut session = run(&cli, &["-it", "--id", &id, "--", "sleep", "60"]);
        cli.wait_for(&id);
        session.becomes_raw();
        session.signal(signal);
        session.ends(Some(code));
    }
}

#[test]
fn an_exec_has_a_terminal_too() {
    let cli = Cli::new();
    let id = unique_id("exec-tty");
    let going = cli.started(&id);
    let mut session = Session::start(&cli.command(&["exec", "-it", &id, "--", "winsize", "1"]));
    session.shows("24 80");
    assert!(session.is_raw());
    session.resize("40");
    session.shows("40 80");
    session.ends(Some(0));
    let mut session = Session::start(&cli.command(&["exec", "-it", &id, "--", "drain"]));
    session.becomes_raw();
    session.press("12\n\u{4}");
    session.shows("3\r\n");
    session.ends(Some(0));
    cli.call(&["kill", &id, "KILL"]).says("");
    assert_eq!(going.done().code, 137);
}

#[test]
fn a_terminal_is_given_also_where_the_caller_has_none() {
    let cli = Cli::new();
    let done = cli.run(&["-t", "--", "tty"]);
    assert!(
        !done.out.contains('-') && done.out.contains("/dev/"),
        "{done:?}"
    );
    let done = finish(cli.run_command(&["-it", "--", "drain"]), b"word\n");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.ends_with("5\r\n"), "{done:?}");
}
