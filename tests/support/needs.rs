//! What a test needs of the machine: said aloud when it is missing, and a failure when nothing may be skipped.

use super::payload::payload;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// One thing that not every machine or user has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    /// The tests run as root. tests/run.sh runs everything as root and as an ordinary user, and again in a virtual
    /// machine of another kind; so this, `OrdinaryUser`, the cgroup versions and `Kernel` are never a failure.
    Root,
    /// The tests run as somebody else than root.
    OrdinaryUser,
    /// This user may make user namespaces.
    UserNamespaces,
    /// This user may mount overlayfs in a user namespace of its own, or is root and the kernel has it.
    Overlay,
    /// This cgroup v1 controller is mounted.
    CgroupV1(&'static str),
    /// The unified hierarchy is mounted at /sys/fs/cgroup.
    CgroupV2,
    /// Cgroups with a memory controller, of either version.
    Cgroups,
    /// Cgroups that can be frozen, of either version.
    Freezer,
    /// Device rules: the files of version 1, or programs on version 2.
    DeviceRules,
    /// Debian's busybox-static.
    Busybox,
    /// CRIU that works on this kernel: tests/criu.sh finds one.
    Criu,
    /// A program in PATH.
    Program(&'static str),
    /// A path of the host, such as /dev/fuse.
    Path(&'static str),
    /// A shared library, by the name that programs are linked with.
    Library(&'static str),
    /// A kernel of at least this version.
    Kernel(u32, u32),
    /// The file system of temporary files lets owners be mapped.
    MappedOwners,
    /// Landlock of at least this ABI. Like `LandlockBefore` never a failure: it is the kernel's age.
    Landlock(u32),
    /// Landlock of an ABI below this one.
    LandlockBefore(u32),
    /// AppArmor is in force.
    AppArmor,
    /// SELinux is in force.
    SeLinux,
    /// This user's systemd is on its bus: the machine's for root.
    Systemd,
    /// The root is an initramfs, which pivot_root(2) refuses.
    Initramfs,
}

/// True when something is missing, after saying so on stderr; the test then returns.
///
/// # Panics
/// With `EXECDRIVER_MUST_RUN=1`, unless what is missing is only the other user or the other machine.
#[track_caller]
pub(crate) fn skip_unless(needs: &[Need]) -> bool {
    let Some(missing) = needs.iter().find(|need| !has(**need)) else {
        return false;
    };
    let must_run = std::env::var_os("EXECDRIVER_MUST_RUN").is_some_and(|value| value == "1");
    let elsewhere = matches!(
        missing,
        Need::Root
            | Need::OrdinaryUser
            | Need::CgroupV1(_)
            | Need::CgroupV2
            | Need::Kernel(_, _)
            | Need::Landlock(_)
            | Need::LandlockBefore(_)
            | Need::AppArmor
            | Need::SeLinux
            | Need::Systemd
            | Need::Initramfs
    );
    assert!(
        !must_run || elsewhere,
        "needs {missing:?}, and EXECDRIVER_MUST_RUN forbids to skip"
    );
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a test");
    // Not eprintln: the test harness swallows what a passing test prints by the macros.
    let _ = std::io::stderr().write_all(format!("skipped: {name}: needs {missing:?}\n").as_bytes());
    true
}

/// The program of CRIU: the one that tests/criu.sh found, or the host's.
pub(crate) fn criu() -> std::path::PathBuf {
    std::env::var_os("EXECDRIVER_CRIU").map_or_else(|| "criu".into(), Into::into)
}

/// Whether the effective user is root.
pub(crate) fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uids.and_then(|line| line.split_whitespace().nth(1)) == Some("0")
}

/// Whether this machine and user have it.
pub(crate) fn has(need: Need) -> bool {
    match need {
        Need::Root => is_root(),
        Need::OrdinaryUser => !is_root(),
        Need::UserNamespaces => payload_can(&["unshare", "user"]),
        Need::Overlay if is_root() => kernel_has_overlay(),
        Need::Overlay => rootless_overlay(),
        Need::CgroupV1(controller) => cgroup_v1(controller),
        Need::CgroupV2 => Path::new("/sys/fs/cgroup/cgroup.controllers").exists(),
        Need::Cgroups => {
            let unified = "/sys/fs/cgroup/cgroup.controllers";
            let unified = std::fs::read_to_string(unified).unwrap_or_default();
            unified.split_ascii_whitespace().any(|one| one == "memory") || cgroup_v1("memory")
        }
        Need::Freezer => has(Need::CgroupV2) || cgroup_v1("freezer"),
        Need::DeviceRules => has(Need::CgroupV2) || cgroup_v1("devices"),
        Need::Busybox => Path::new("/bin/busybox").exists(),
        Need::Criu => {
            let check = Command::new(criu()).arg("check").output();
            check.is_ok_and(|output| output.status.success())
        }
        Need::Program(name) => in_path(name),
        Need::Path(path) => Path::new(path).exists(),
        Need::Library(name) => in_libraries(name),
        Need::Kernel(major, minor) => kernel() >= (major, minor),
        Need::MappedOwners => mapped_owners(),
        Need::Landlock(abi) => landlock() >= abi,
        Need::LandlockBefore(abi) => (1..abi).contains(&landlock()),
        Need::AppArmor => {
            let enabled = std::fs::read_to_string("/sys/module/apparmor/parameters/enabled");
            enabled.is_ok_and(|text| text.starts_with('Y'))
        }
        Need::Systemd if is_root() => Path::new("/run/dbus/system_bus_socket").exists(),
        Need::Systemd => Path::new(&format!("/run/user/{}/bus", nix::unistd::geteuid())).exists(),
        Need::Initramfs => {
            let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
            let mut roots = table
                .lines()
                .filter(|line| line.split(' ').nth(4) == Some("/"));
            roots
                .next_back()
                .is_some_and(|line| line.contains(" - rootfs "))
        }
        Need::SeLinux => {
            let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
            known.lines().any(|line| line.ends_with("\tselinuxfs"))
        }
    }
}

/// The kernel's ABI; 0 without Landlock.
fn landlock() -> u32 {
    let output = Command::new(payload()).arg("landlock").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

fn payload_can(words: &[&str]) -> bool {
    Command::new(payload())
        .args(words)
        .output()
        .is_ok_and(|output| output.status.success())
}

fn kernel_has_overlay() -> bool {
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    known.lines().any(|line| line.ends_with("\toverlay"))
}

fn rootless_overlay() -> bool {
    let script = "mount -t tmpfs none /tmp && mkdir /tmp/l /tmp/u /tmp/w && \
                  mount -t overlay -o lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w none /tmp/l";
    let tried = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .output();
    tried.is_ok_and(|output| output.status.success())
}

fn cgroup_v1(controller: &str) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(2);
        let (kind, options) = (fields.next(), fields.next().unwrap_or_default());
        kind == Some("cgroup") && options.split(',').any(|option| option == controller)
    })
}

fn in_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|dir| dir.join(name).exists())
}

/// Where Debian and others have them.
fn in_libraries(name: &str) -> bool {
    let machine = format!("{}-linux-gnu", std::env::consts::ARCH);
    let tops = ["/usr/lib", "/lib", "/usr/lib64", "/lib64"].map(Path::new);
    (tops.iter()).any(|top| top.join(name).exists() || top.join(&machine).join(name).exists())
}

/// Those that can in Linux 5.12 to 5.15; a tmpfs can since 6.3, an overlay never.
fn mapped_owners() -> bool {
    let dir = std::env::temp_dir();
    let stat = nix::sys::statfs::statfs(&dir);
    let known = [0xef53, 0x5846_5342, 0x9123_683e, 0x4d44];
    stat.is_ok_and(|stat| {
        let magic = stat.filesystem_type().0;
        known.contains(&magic) || (magic == 0x0102_1994 && kernel() >= (6, 3))
    })
}

fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release
        .split(['.', '-'])
        .map(|part| part.trim().parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}
