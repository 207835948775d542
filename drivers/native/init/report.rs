//! The records that init sends back: what each says, and its bytes.

use super::{Field, REPORT_LEN, Reader};

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident: $raw:ty { $($(#[$vdoc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr($raw)]
        pub(crate) enum $name { $($(#[$vdoc])* $variant = $code,)* }

        impl $name {
            /// Reads the number on the wire.
            pub(crate) const fn from_raw(raw: $raw) -> Option<Self> {
                match raw {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// What a report says.
    Kind: u8 {
        /// The namespaces exist; init waits for `GO`.
        Ns = 1,
        /// The process that becomes the payload was cloned into the joined pid namespace: `value` is its pid as the
        /// parent sees it, its pidfd comes along, and it waits for `GO`. The first process exits with 0.
        Forked = 2,
        /// The master of the container's terminal comes along.
        Terminal = 3,
        /// Operation `op` failed; nothing follows.
        Failed = 4,
        /// The filter is loaded and may ask a listener, whose descriptor comes along; init waits for `GO`.
        Listener = 6,
        /// The container is made; init waits for whoever starts it.
        Held = 7,
        /// Mounts that were made ahead come along, attached nowhere.
        Offered = 9,
        /// The container's files are mounted and its root is not entered yet; init waits for `GO`.
        Mounted = 8,
        /// All is set up and the program is about to be executed.
        Executing = 5,
    }
}

codes! {
    /// What an error number alone does not say.
    Detail: u32 {
        /// The error number says it all.
        None = 0,
        /// The message is malformed, or names a slot that is empty.
        BadMessage = 1,
        /// The user is not in the container's /etc/passwd.
        UserNotFound = 2,
        /// A group is not in the container's /etc/group; `value` is its index in `groups`, or `u64::MAX` for the primary.
        GroupNotFound = 3,
        /// A user or group id is not in 0..=2147483647; `value` as in `GroupNotFound`, `u64::MAX - 1` for the user.
        IdOutOfRange = 4,
        /// The working directory does not lie below the container's root (CVE-2024-21626).
        CwdOutsideRoot = 5,
        /// The path no longer leads to the file that the parent saw.
        SourceChanged = 6,
        /// The target of a proc or sysfs mount is no real directory (CVE-2019-19921).
        NotADirectory = 7,
        /// The host's /dev/null is not the null device (CVE-2025-31133).
        NotNullDevice = 8,
        /// No directory of `PATH` has the program.
        NotInPath = 9,
        /// The program exists but its interpreter (of the script, or the dynamic loader) does not.
        InterpreterMissing = 10,
        /// More supplementary groups than init holds (4096).
        TooManyGroups = 11,
        /// /dev/pts is not a devpts of the container.
        NotDevpts = 12,
        /// Something else stands where the device node is to be made.
        WrongDevice = 13,
        /// The host process is gone.
        HostGone = 14,
        /// /etc/passwd or /etc/group could not be read or is not a regular file.
        AccountFile = 15,
        /// The kernel did not take the filter of system calls.
        Filter = 16,
        /// The program's process ended before the program was executed; `value` is its wait status.
        NotExecuted = 17,
        /// The kernel's Landlock is older than the rules; `value` is its ABI.
        LandlockTooOld = 30,
        /// A file that the rules forbid could be opened.
        LandlockNotInForce = 31,
        /// The kernel gave other processors than those that were asked for.
        OtherProcessors = 32,
        /// The host's /proc is not procfs.
        NotProcfs = 33,
        /// A hook ended badly; `value` is its wait status.
        HookFailed = 34,
        /// A hook was killed because it took too long.
        HookTimedOut = 35,
    }
}

/// A record from init.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// What it says.
    pub(crate) kind: Kind,
    /// Index of the operation that was running.
    pub(crate) op: u32,
    /// Error number of the kernel, 0 when none.
    pub(crate) errno: i32,
    /// More about a failure.
    pub(crate) detail: Detail,
    /// See [`Kind`] and [`Detail`].
    pub(crate) value: u64,
}

impl Report {
    /// The bytes on the wire.
    pub(crate) fn encode(&self) -> [u8; REPORT_LEN] {
        let mut out = [0; REPORT_LEN];
        out[0] = self.kind as u8;
        out[4..8].copy_from_slice(&self.op.to_le_bytes());
        out[8..12].copy_from_slice(&self.errno.to_le_bytes());
        out[12..16].copy_from_slice(&(self.detail as u32).to_le_bytes());
        out[16..].copy_from_slice(&self.value.to_le_bytes());
        out
    }

    /// Reads and checks the bytes.
    pub(crate) fn decode(bytes: &[u8; REPORT_LEN]) -> Option<Report> {
        let mut reader = Reader::new(bytes);
        let [kind, padding @ ..] = u32::take(&mut reader)?.to_le_bytes();
        let report = Report {
            kind: Kind::from_raw(kind)?,
            op: u32::take(&mut reader)?,
            errno: i32::take(&mut reader)?,
            detail: Detail::from_raw(u32::take(&mut reader)?)?,
            value: u64::take(&mut reader)?,
        };
        (padding == [0; 3]).then_some(report)
    }
}
