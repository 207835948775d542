//! Device nodes and rules of a Linux container.

use serde::{Deserialize, Serialize};

/// A device to make in the container, or a rule about devices.
///
/// ```
/// use execdriver_core::Device;
/// let null = Device::node("/dev/null", 1, 3);
/// assert_eq!(null.permissions, "rwm");
/// assert_eq!(null.file_mode, 0o666);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Device {
    /// Character or block.
    #[serde(rename = "type")]
    pub kind: DeviceKind,
    /// The path in the container; empty in a rule.
    pub path: String,
    /// The major number; -1 in a rule: any.
    pub major: i64,
    /// The minor number; -1 in a rule: any.
    pub minor: i64,
    /// What the container may do: of `r`ead, `w`rite, `m`ake.
    pub permissions: String,
    /// The node's permission bits.
    pub file_mode: u32,
    /// The node's owner in the container.
    pub uid: u32,
    /// The node's group in the container.
    pub gid: u32,
}

impl Device {
    /// A character device at `path` that everybody may use.
    pub fn node(path: impl Into<String>, major: i64, minor: i64) -> Self {
        Self {
            path: path.into(),
            file_mode: 0o666,
            ..Self::rule(DeviceKind::Char, major, minor, "rwm")
        }
    }

    /// A rule without a node. -1 is any number.
    pub fn rule(kind: DeviceKind, major: i64, minor: i64, permissions: &str) -> Self {
        Self {
            kind,
            major,
            minor,
            permissions: permissions.to_owned(),
            ..Self::default()
        }
    }
}

/// The type of a device. In the JSON the number of its letter: 99 is `c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub enum DeviceKind {
    /// Both; only in a rule.
    All,
    /// A character device.
    #[default]
    Char,
    /// A block device.
    Block,
    /// A named pipe; only as a node.
    Fifo,
}

impl DeviceKind {
    /// The letter of mknod(1) and of the device cgroup: `a`, `c`, `b` or `p`.
    pub fn letter(self) -> char {
        match self {
            Self::All => 'a',
            Self::Char => 'c',
            Self::Block => 'b',
            Self::Fifo => 'p',
        }
    }
}

impl From<DeviceKind> for i64 {
    fn from(kind: DeviceKind) -> Self {
        Self::from(u32::from(kind.letter()))
    }
}

impl TryFrom<i64> for DeviceKind {
    type Error = String;

    fn try_from(letter: i64) -> Result<Self, String> {
        [Self::All, Self::Char, Self::Block, Self::Fifo]
            .into_iter()
            .find(|kind| i64::from(*kind) == letter)
            .ok_or_else(|| {
                format!("device type {letter}, expected 99 (c), 98 (b), 97 (a) or 112 (p)")
            })
    }
}
