//! The process: its limits, identity, capabilities, directory, streams, and its program.

use super::attributes;
use super::confine::{self, Confinement};
use super::idmaps::is_mapped;
use super::steps::Steps;
use super::text::{c_string, container_path, packed};
use super::{FdSlot, Host, PlanError, RunInput, caps, filter, hidden, hooks, rlimits, slot};
use crate::launch::{IdMaps, one_line};
use crate::plan::encode::{PackedNumbers, PackedStrings};
use crate::wire::{
    IDENTITY_BY_NAME, IDENTITY_KEEP_GROUPS, IDENTITY_SET_HOME, NO_ID, Op, RESET_AFFINITY,
    RESET_NICE, SOCKET_SLOT, TERMINAL_SLOT,
};
use execdriver_core::Spec;
use execdriver_core::spec::{ProcessControls, User, UserText};
use oci_spec::runtime::{Capabilities, Process};

/// Its kernel default; the host program's own is not the container's business.
const UMASK: u32 = 0o022;

/// A process to start, in a new container or in a running one.
pub(super) struct Wanted<'a> {
    pub(super) process: &'a Process,
    pub(super) user: &'a User,
    pub(super) named_capabilities: &'a Capabilities,
    pub(super) host: &'a Host<'a>,
    pub(super) input: &'a RunInput,
    /// Present when the user namespace is new, so that ids can be checked.
    pub(super) maps: Option<&'a IdMaps>,
    pub(super) in_user_namespace: bool,
    pub(super) setgroups: bool,
    /// Our init stays above the process.
    pub(super) init: bool,
    /// Set up in the host's pid namespace to the end, and only then shown to the container.
    pub(super) hidden: bool,
    /// Shows the terminal as /dev/console.
    pub(super) console: bool,
    /// What OCI's process has no field for.
    pub(super) controls: &'a ProcessControls,
    /// Profile and label.
    pub(super) confinement: &'a Confinement,
    /// Capabilities that cannot be had are left out.
    pub(super) lenient: bool,
    /// The container's document, of a first process.
    pub(super) hooks: Option<&'a Spec>,
}

impl Wanted<'_> {
    /// Whether it gets a terminal.
    pub(super) fn terminal(&self) -> bool {
        self.process.terminal().unwrap_or(false)
    }

    /// Opens the terminal; while the host's tree is still there, if it is shown as /dev/console.
    pub(super) fn open_terminal(&self, steps: &mut Steps) -> Result<(), PlanError> {
        if !self.terminal() {
            return Ok(());
        }
        let size = self.process.console_size();
        let fit = |name: &str, value: u64| {
            u16::try_from(value).map_err(|_| {
                let reason = format!("got {value}, expected 0 to 65535");
                PlanError::invalid(format!("process.consoleSize.{name}"), reason)
            })
        };
        let (rows, cols) = match size {
            Some(size) => (fit("height", size.height())?, fit("width", size.width())?),
            None => (0, 0),
        };
        steps.push(
            &Op::Terminal {
                rows,
                cols,
                // It goes to the user when that is known.
                uid: NO_ID,
                gid: NO_ID,
                console: self.console,
            },
            "open a terminal",
        );
        Ok(())
    }

    /// Everything after the file systems.
    pub(super) fn plan(&self, steps: &mut Steps, fds: &mut Vec<FdSlot>) -> Result<(), PlanError> {
        self.streams(steps, fds)?;
        rlimits::plan(self.process, steps)?;
        attributes::plan(self.process, self.controls, steps)?;
        self.confinement.label(steps);
        confine::landlock_rules(self.controls, self.host, steps)?;
        let no_new_privileges = self.process.no_new_privileges().unwrap_or(false);
        if no_new_privileges {
            steps.push(&Op::NoNewPrivs {}, "forbid new privileges");
        }
        self.identity(steps)?;
        confine::landlock_restrict(self.controls, self.host, steps);
        attributes::securebits(self.process, self.controls, steps)?;
        self.capabilities(steps, filter::rights(self.input, no_new_privileges))?;
        // As the user: a directory that it may not enter is not its own.
        let cwd = container_path("process.cwd", self.process.cwd())?;
        steps.push(
            &Op::Cwd { path: &cwd },
            format_args!("enter the directory {}", self.process.cwd().display()),
        );
        let umask = self.process.user().umask().unwrap_or(UMASK) & 0o777;
        let mut flags = 0;
        if self.process.scheduler().is_none() {
            flags |= RESET_NICE;
        }
        if self.controls.cpus.is_empty() {
            flags |= RESET_AFFINITY;
        }
        steps.push(
            &Op::Reset { flags, umask },
            "reset what the host program handed down",
        );
        if self.hidden {
            hidden::show(self, no_new_privileges, steps)?;
        }
        if self.input.die_with_host {
            // After the credentials, whose change clears it: prctl(2).
            let slot = match self.hidden {
                // pidfd_getfd(2) would make of a descriptor of the host process all that it has open.
                true => SOCKET_SLOT,
                false => slot(fds, FdSlot::HostProcess)?,
            };
            let signal = libc::SIGKILL.unsigned_abs();
            steps.push(
                &Op::DieWithHost { signal, slot },
                "tie it to the host program",
            );
        }
        if self.input.hold {
            let slot = slot(fds, FdSlot::Start)?;
            let args = self.process.args().as_deref().unwrap_or_default();
            let program = args.first().map_or("", String::as_str);
            let env = self.process.env().as_deref().unwrap_or_default();
            let mut path = env.iter().filter_map(|entry| entry.strip_prefix("PATH="));
            let hold = Op::Hold {
                slot,
                program: &c_string("process.args", program)?,
                path: path.next_back().unwrap_or_default().as_bytes(),
            };
            steps.push(&hold, "wait to be started");
        }
        if self.input.preserved > 0 {
            let (first, count) = (fds.len(), self.input.preserved);
            fds.extend((0..count).map(FdSlot::Preserved));
            let slot = u16::try_from(first)
                .map_err(|_| PlanError::invalid("--preserve-fds", "got too many"))?;
            let words = "hand the program its descriptors";
            steps.push(&Op::Preserve { slot, count }, words);
        }
        if self.init {
            filter::guard(self.input, steps);
            let status = slot(fds, FdSlot::Status)?;
            steps.push(&Op::Pid1 { status }, "start the program below init");
        }
        if !self.hidden {
            filter::plan(self.input, no_new_privileges, steps)?;
        }
        if let Some(spec) = self.hooks {
            hooks::starting(spec, steps)?;
        }
        self.exec(steps)
    }

    pub(super) fn session(&self, steps: &mut Steps) {
        // Away from the host's terminal, into which TIOCSTI could type (CVE-2017-5226).
        let controlling_terminal = self.terminal();
        steps.push(
            &Op::Setsid {
                controlling_terminal,
            },
            "start a session",
        );
    }

    fn streams(&self, steps: &mut Steps, fds: &mut Vec<FdSlot>) -> Result<(), PlanError> {
        let (words, slots) = if self.terminal() {
            (
                "use the terminal as the standard streams",
                [TERMINAL_SLOT; 3],
            )
        } else {
            let mut of = |stream| slot(fds, stream);
            let slots = [of(FdSlot::Stdin)?, of(FdSlot::Stdout)?, of(FdSlot::Stderr)?];
            ("connect the standard streams", slots)
        };
        let [stdin, stdout, stderr] = slots;
        steps.push(
            &Op::Stdio {
                stdin,
                stdout,
                stderr,
            },
            words,
        );
        if !self.hidden {
            self.session(steps);
        }
        // The host program's keys are not the container's.
        if !self.input.keep_keyring {
            steps.push(&Op::SessionKeyring {}, "start a session keyring");
        }
        Ok(())
    }

    fn identity(&self, steps: &mut Steps) -> Result<(), PlanError> {
        let mut flags = 0;
        if !self.setgroups {
            flags |= IDENTITY_KEEP_GROUPS;
        }
        let ids = self.process.user();
        let mut name = None;
        let mut names = PackedStrings::default();
        let mut gids = PackedNumbers::default();
        if let User::Names { user, groups } = self.user {
            self.check_names(user, groups)?;
            flags |= IDENTITY_BY_NAME | IDENTITY_SET_HOME;
            name = Some(c_string("process.user", user)?);
            names = packed("process.user.groups", groups)?;
        } else {
            // As of a name: who goes by numbers has a line in /etc/passwd or none.
            flags |= IDENTITY_SET_HOME;
            let more = ids.additional_gids().as_deref().unwrap_or_default();
            self.check_ids(ids.uid(), ids.gid(), more)?;
            gids = more.iter().copied().collect();
        }
        let become_user = Op::Identity {
            flags,
            user: name.as_deref().unwrap_or_default(),
            groups: names.view(),
            uid: ids.uid(),
            gid: ids.gid(),
            gids: gids.view(),
            chown: if self.terminal() {
                1
            } else {
                self.input.owned_streams
            },
        };
        match self.user {
            User::Names { user, .. } if user.is_empty() => steps.push(&become_user, "become root"),
            User::Names { user, .. } => {
                // The kernel's "invalid argument" alone would tell nobody why.
                let alone = if self.setgroups {
                    ""
                } else {
                    " where only root is mapped"
                };
                steps.push(&become_user, format_args!("become user {user:?}{alone}"));
            }
            _ => {
                let words = format_args!("become user {}:{}", ids.uid(), ids.gid());
                steps.push(&become_user, words);
            }
        }
        Ok(())
    }

    /// Numbers are checked here; what a name stands for only the container knows.
    fn check_names(&self, user: &str, groups: &[String]) -> Result<(), PlanError> {
        use execdriver_core::spec::IdOrName::Id;
        let parsed = UserText::parse(user)
            .map_err(|reason| PlanError::invalid("process_config.user", reason.to_string()))?;
        if let Some(Id(uid)) = parsed.user {
            self.check_mapped("process_config.user", "user", uid)?;
        }
        if let Some(Id(gid)) = parsed.group {
            self.check_mapped("process_config.user", "group", gid)?;
        }
        if groups.is_empty() || self.setgroups {
            return Ok(());
        }
        Err(no_groups("group_add"))
    }

    fn check_ids(&self, uid: u32, gid: u32, more: &[u32]) -> Result<(), PlanError> {
        self.check_mapped("process.user.uid", "user", uid)?;
        self.check_mapped("process.user.gid", "group", gid)?;
        for gid in more {
            self.check_mapped("process.user.additionalGids", "group", *gid)?;
        }
        if more.is_empty() || self.setgroups {
            return Ok(());
        }
        Err(no_groups("process.user.additionalGids"))
    }

    fn check_mapped(&self, field: &str, what: &str, id: u32) -> Result<(), PlanError> {
        // setresuid(2) and setresgid(2) take it for "leave it as it is", which is root.
        if id == NO_ID {
            let reason = format!("got {id}, which is no {what}");
            return Err(PlanError::invalid(field, reason));
        }
        let Some(maps) = self.maps else { return Ok(()) };
        let map = if what == "user" {
            &maps.uids
        } else {
            &maps.gids
        };
        if is_mapped(map, id) {
            return Ok(());
        }
        let mut reason = format!(
            "{what} {id} is not in the container's id map \"{}\"",
            one_line(map)
        );
        let ids = self.host.sub_ids.as_ref().filter(|_| !self.host.is_root());
        if let Some((missing, mend)) = ids.and_then(|ids| ids.missing(false)) {
            reason = format!("{reason}, an ordinary user's own: {missing} ({mend})");
        }
        Err(PlanError::invalid(field, reason))
    }

    fn capabilities(&self, steps: &mut Steps, flags: u32) -> Result<(), PlanError> {
        let wanted = self.process.capabilities().as_ref();
        let named = self.named_capabilities;
        let sets = caps::sets(
            wanted,
            named,
            self.host,
            self.in_user_namespace,
            self.lenient,
        )?;
        steps.push(
            &Op::Caps {
                flags,
                bounding: sets.bounding,
                effective: sets.effective,
                permitted: sets.permitted,
                inheritable: sets.inheritable,
                ambient: sets.ambient,
            },
            "drop capabilities",
        );
        Ok(())
    }

    fn exec(&self, steps: &mut Steps) -> Result<(), PlanError> {
        let args = self.process.args().as_deref().unwrap_or_default();
        let Some(program) = args.first().filter(|program| !program.is_empty()) else {
            return Err(PlanError::invalid(
                "process.args",
                "got none, expected a program",
            ));
        };
        let env = environment(self.process.env().as_deref().unwrap_or_default())?;
        steps.push(
            &Op::Exec {
                argv: packed("process.args", args)?.view(),
                envp: packed("process.env", &env)?.view(),
            },
            format_args!("execute {program}"),
        );
        Ok(())
    }
}

/// In order, a later value in its earlier one's place.
fn environment(entries: &[String]) -> Result<Vec<&str>, PlanError> {
    let mut env: Vec<&str> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let name = match entry.split_once('=') {
            Some((name, _)) if !name.is_empty() => name,
            _ => {
                let reason = format!("got {entry:?}, expected NAME=value");
                return Err(PlanError::invalid(
                    format_args!("process.env[{index}]"),
                    reason,
                ));
            }
        };
        let same = |known: &&mut &str| {
            known
                .split_once('=')
                .is_some_and(|(known, _)| known == name)
        };
        match env.iter_mut().find(same) {
            Some(known) => *known = entry,
            None => env.push(entry),
        }
    }
    Ok(env)
}

fn no_groups(field: &str) -> PlanError {
    PlanError::unsupported(format!(
        "supplementary groups ({field}) of an ordinary user's container: its user namespace denies setgroups"
    ))
}
