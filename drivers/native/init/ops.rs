//! The operations of a plan, each with the fields that travel.

use core::ffi::CStr;

use super::{Field, Numbers, Params, Reader, Sink, Strings};

ops! { 'a;
    /// Reports NS and waits for `GO`; an end of file instead ends init.
    ReportNs = 1 {}
    /// Waits for a `GO` that the parent sends without being asked; an end of file instead ends init.
    AwaitGo = 90 {}
    /// First in a message that another one follows. What fails of this one is reported with [`super::EARLY`] in its index.
    More = 96 {}
    /// `setns(2)`.
    Join = 2 {
        /// A pidfd or a namespace descriptor.
        slot: u16,
        /// `CLONE_NEW*` bits; 0 with a namespace descriptor lets it be of any kind.
        flags: u32,
    }
    /// Clones a sibling (`CLONE_PARENT`), which goes on with the next operation inside the joined pid namespace, reports FORKED, ends.
    Fork = 3 {}
    /// Becomes uid and gid 0 of the user namespace and clears the ambient and inheritable sets that carried the capabilities here.
    TakeRoot = 4 {
        /// Whether the namespace lets us drop the supplementary groups.
        setgroups: bool,
    }
    /// `PR_SET_DUMPABLE` 0: nobody else reads our memory or descriptors.
    Undumpable = 5 {}
    /// `unshare(2)`.
    Unshare = 6 {
        /// `CLONE_NEW*` bits.
        flags: u32,
    }
    /// Sets the `lo` interface up.
    LoopbackUp = 7 {}
    /// `sethostname(2)`.
    Hostname = 8 { name: &'a [u8], }
    /// `setdomainname(2)`.
    Domainname = 9 { name: &'a [u8], }
    /// `setsid(2)`.
    Setsid = 10 {
        /// Make descriptor 0 the controlling terminal; only after `Stdio`.
        controlling_terminal: bool,
    }
    /// `prlimit(2)`. A lower `RLIMIT_NOFILE` takes effect only just before the program is executed, so that set-up can still open files.
    Rlimit = 11 {
        /// `RLIMIT_*` number.
        resource: u32,
        /// Soft limit, `u64::MAX` for none.
        soft: u64,
        /// Hard limit, `u64::MAX` for none.
        hard: u64,
    }
    /// Clones the host's mount at `path` into a slot, before anything covers it.
    Source = 12 {
        /// Where to keep it; not a slot of a received descriptor.
        slot: u16,
        /// Absolute host path without symbolic links.
        path: &'a CStr,
        /// `st_dev` and `st_ino` that the parent saw.
        dev: u64,
        ino: u64,
        /// With the mounts below. Must be set in a new user namespace, where the kernel refuses to uncover what lies below.
        recursive: bool,
    }
    /// Clones what another container has at `path` into a slot, from within its mount namespace: before `Source` and all mounts.
    Borrow = 40 {
        /// A pidfd of a process in the mount namespace.
        from: u16,
        /// Where to keep it; not a slot of a received descriptor.
        slot: u16,
        /// Absolute path in the other container, without symbolic links.
        path: &'a CStr,
    }
    /// Sets the propagation of `/` by `mount(2)`; before `Root` for the copy of the host's tree, after `Pivot` for the container's root.
    Propagation = 13 {
        /// `MS_PRIVATE`, `MS_SLAVE`, `MS_SHARED` or `MS_UNBINDABLE`, with `MS_REC` or not.
        flags: u64,
    }
    /// Clones the tree at `path` and attaches it over `/` of init's mount namespace; it becomes the container's root.
    Root = 14 {
        /// Absolute host path without symbolic links; `/` is allowed.
        path: &'a CStr,
        dev: u64,
        ino: u64,
        /// `ROOT_*` bits.
        flags: u32,
    }
    /// `Root` with a writable layer in memory. Mounts below `lower` are not part of it; in a new user namespace they are EINVAL.
    Overlay = 15 {
        /// Absolute host path without symbolic links.
        lower: &'a CStr,
        dev: u64,
        ino: u64,
        /// Bytes that the layer may hold.
        size: u64,
        /// Files that the layer may hold.
        inodes: u64,
        /// Keep overlayfs's attributes in `user.*`: needed in a user namespace.
        userxattr: bool,
    }
    /// Mounts a new file system.
    MountFs = 16 {
        fstype: &'a CStr,
        /// Absolute path in the container; made when missing.
        target: &'a CStr,
        params: Params<'a>,
        /// `MOUNT_ATTR_*` bits.
        attrs: u32,
        /// `MOUNT_*` bits.
        flags: u32,
    }
    /// Shows the container the cgroup that the parent made at `path` (`dev` and `ino` are that directory's): a clone of the host's
    /// mount, which in the cgroup namespace looks as a new one does; where that cannot be had, a new one, as `MountFs` makes it.
    CgroupFs = 92 { path: &'a CStr, dev: u64, ino: u64, fstype: &'a CStr, target: &'a CStr, params: Params<'a>, attrs: u32, }
    /// Attaches the tree of a slot; the slot is empty afterwards.
    Bind = 17 {
        /// Filled by `Source`, or a received `open_tree(2)` descriptor.
        slot: u16,
        /// Absolute path in the container.
        target: &'a CStr,
        /// `MOUNT_ATTR_*` to set.
        attr_set: u64,
        /// `MOUNT_ATTR_*` to clear.
        attr_clr: u64,
        /// `MS_PRIVATE` and so on, recursive with `BIND_RECURSIVE` or not; 0 keeps what the source has.
        propagation: u64,
        /// `BIND_*` bits.
        flags: u32,
    }
    /// Makes a device node; one that exists already and is the same device is fine.
    Device = 18 {
        path: &'a CStr,
        /// `S_IFCHR`, `S_IFBLK` or `S_IFIFO`.
        kind: u32,
        major: u32,
        minor: u32,
        /// Permission bits, exact.
        mode: u32,
        uid: u32,
        gid: u32,
    }
    /// Makes a symbolic link; whatever stands there already stays.
    Symlink = 19 {
        target: &'a CStr,
        path: &'a CStr,
    }
    /// Makes a directory and its parents; one that exists is fine.
    Mkdir = 20 {
        path: &'a CStr,
        /// Permission bits of the last component; parents get 0755.
        mode: u32,
    }
    /// Opens and checks the host's /dev/null for the masks that follow.
    MaskInit = 21 {}
    /// Hides a path: a file behind /dev/null, a directory behind an empty read-only tmpfs. A missing path is skipped.
    Mask = 22 { path: &'a CStr, }
    /// Binds a path read-only over itself. A missing path is skipped.
    ReadonlyPath = 23 { path: &'a CStr, }
    /// Makes the mount at `path` read-only, not those below it.
    RemountReadonly = 24 { path: &'a CStr, }
    /// An empty tmpfs is the root, for what is made before it is known for whom. Instead of `Root`.
    Skeleton = 93 {}
    /// Sends what is mounted at `path`, and all below it, as OFFERED.
    Offer = 94 { path: &'a CStr, }
    /// Mounts what was OFFERED, for nobody else, in place of the `MountFs` that it begins with: `MOUNT_REAL_DIR` or 0.
    Attach = 95 { slot: u16, target: &'a CStr, flags: u32, }
    /// Opens a terminal of the container's own devpts and sends its master as TERMINAL.
    Terminal = 25 {
        /// Rows and columns; both 0 leaves the size unset.
        rows: u16,
        cols: u16,
        /// Owner of the slave, or `NO_ID`.
        uid: u32,
        /// Group of the slave, or `NO_ID`.
        gid: u32,
        /// Bind the slave on /dev/console and use it through that name; only before `Pivot`.
        console: bool,
    }
    /// `pivot_root(2)` into the root and lets go of the host's tree.
    Pivot = 26 {}
    /// Puts slots on descriptors 0, 1 and 2; `TERMINAL_SLOT` is the slave of `Terminal`.
    Stdio = 27 {
        stdin: u16,
        stdout: u16,
        stderr: u16,
    }
    /// Takes the payload's user and groups; capabilities stay permitted for the `Caps` that must follow.
    Identity = 28 {
        /// `IDENTITY_*` bits.
        flags: u32,
        /// `user[:group]`, names or numbers; empty is 0.
        user: &'a CStr,
        /// Additional groups, names or numbers.
        groups: Strings<'a>,
        uid: u32,
        gid: u32,
        /// Supplementary groups when not by name, all of them.
        gids: Numbers<'a>,
        /// Bit n: descriptor n is a pipe or terminal of ours and is given to the user.
        chown: u8,
    }
    /// Drops capabilities: bit n is capability n.
    Caps = 29 {
        /// `CAPS_*` bits.
        flags: u32,
        bounding: u64,
        effective: u64,
        permitted: u64,
        inheritable: u64,
        /// Ambient set; each bit must also be permitted and inheritable.
        ambient: u64,
    }
    /// `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivs = 30 {}
    /// `seccomp(2)` with `SECCOMP_SET_MODE_FILTER`, at once: what follows is filtered.
    Seccomp = 31 {
        /// `SECCOMP_FILTER_FLAG_*` bits.
        flags: u32,
        /// `struct sock_filter` array.
        program: &'a [u8],
    }
    /// Keeps a filter of system calls for `Exec`, which loads it last of all.
    Filter = 41 {
        flags: u32,
        program: &'a [u8],
    }
    /// Keeps a filter of system calls for the init that stays; before `Pid1`.
    Guard = 42 {
        /// `struct sock_filter` array, which lets through what [`crate::wire::GUARDED`] names.
        program: &'a [u8],
    }
    /// `chdir(2)`, as the user when after `Identity`.
    Cwd = 32 {
        path: &'a CStr,
    }
    /// Undoes what the host's process handed down. The signal mask is emptied and every signal gets its default action.
    Reset = 33 {
        /// `RESET_*` bits.
        flags: u32,
        /// File mode creation mask of the payload.
        umask: u32,
    }
    /// Asks for a signal when the thread that started us ends, and checks that its process still lives.
    DieWithHost = 34 {
        signal: u32,
        /// A pidfd of the host process, `SOCKET_SLOT` to ask the socket instead, or `NO_SLOT` to skip the check.
        slot: u16,
    }
    /// Clones the payload; this process stays: it forwards signals, reaps orphans and ends as the payload ends.
    Pid1 = 35 {
        /// Gets the payload's raw wait status as an `i32`; or `NO_SLOT`.
        status: u16,
    }
    /// Executes the program; the last operation.
    Exec = 36 {
        /// Arguments; the first names the program.
        argv: Strings<'a>,
        /// Environment; its `PATH` is searched when the program's name has no slash.
        envp: Strings<'a>,
    }
    /// Joins a new session keyring, so that the host's keys stay out of reach.
    SessionKeyring = 37 {}
    /// Enters a cgroup by itself: a write of another's pid waits for the kernel's grace period.
    Place = 39 {
        /// A version 1 cgroup's `tasks`, open for writing.
        slot: u16,
    }
    /// Takes the tree of a slot for the `Root` or `Overlay` that follows, in place of a clone of the host's.
    TakeTree = 60 {
        /// A received `open_tree(2)` descriptor of the same directory.
        slot: u16,
    }
    /// Writes a file below /proc/sys through a procfs of our own.
    Sysctl = 38 {
        /// Relative to /proc/sys, with slashes.
        path: &'a CStr,
        value: &'a [u8],
    }
    /// Opens the host's procfs for the operations that write to their own process's files; while the host's tree is in sight.
    Procfs = 45 {}
    /// Has the security module give the program a profile or label when it is executed; after `Procfs`.
    ExecLabel = 46 {
        /// Below `/proc/self`; the first that exists is written.
        files: Strings<'a>,
        value: &'a [u8],
    }
    /// Enters a new time namespace; after `Procfs`, before `Fork`.
    TimeOffsets = 47 {
        /// Lines for `/proc/self/timens_offsets`; may be empty.
        offsets: &'a [u8],
    }
    /// Begins Landlock rules. After the container's root is in place.
    LandlockRules = 48 {
        /// The version of the interface that the rights were chosen for; an older kernel is a failure.
        abi: u32,
        /// `LANDLOCK_ACCESS_FS_*` that are denied where no rule gives them.
        files: u64,
        /// `LANDLOCK_ACCESS_NET_*` likewise.
        ports: u64,
        /// `LANDLOCK_SCOPE_*`.
        scopes: u64,
    }
    /// Gives rights below a path.
    LandlockPath = 49 {
        path: &'a CStr,
        /// `LANDLOCK_ACCESS_FS_*`; those of directories are left out for a file.
        access: u64,
    }
    /// Gives rights to a TCP port.
    LandlockPort = 50 {
        port: u16,
        /// `LANDLOCK_ACCESS_NET_*`.
        access: u64,
    }
    /// Puts the rules in force and tries a forbidden file. After `Identity`, which reads files, and before `Caps`.
    LandlockRestrict = 51 {}
    /// `sched_setattr(2)`.
    Scheduler = 52 {
        /// `SCHED_*`.
        policy: u32,
        /// `SCHED_FLAG_*`.
        flags: u64,
        nice: i32,
        priority: u32,
        runtime: u64,
        deadline: u64,
        period: u64,
    }
    /// `ioprio_set(2)`.
    IoPriority = 53 {
        /// Class in the bits from 13 on, level below.
        value: u32,
    }
    /// `sched_setaffinity(2)`, and looks whether the kernel took all of it.
    Affinity = 54 {
        /// Bit n of byte m is processor 8m + n; whole words.
        mask: &'a [u8],
    }
    /// `set_mempolicy(2)`.
    MemoryPolicy = 55 {
        /// `MPOL_*` and `MPOL_F_*`.
        mode: u32,
        /// Bit n of byte m is node 8m + n; whole words.
        nodes: &'a [u8],
    }
    /// `PR_SCHED_CORE`: a cookie of our own, or another process's.
    CoreScheduling = 56 {
        /// Whose cookie to take, as seen from here; 0: a new one.
        from: i32,
    }
    /// `personality(2)`.
    Personality = 57 {
        persona: u32,
    }
    /// Looks for the program, reports HELD and waits, for as long as it takes, for a connection that says `GO`; that is our
    /// socket from then on. Whoever connects and ends without a word is forgotten. `slot` is a listening socket.
    Hold = 61 { slot: u16, program: &'a CStr, path: &'a [u8], }
    /// Gives the program the slots from this one on as descriptors 3 and so on.
    Preserve = 62 { slot: u16, count: u16, }
    /// `PR_SET_SECUREBITS`; after `Identity` and before `Caps`, which takes CAP_SETPCAP.
    Securebits = 58 {
        bits: u32,
    }
    /// Changes the mount that the operation before has attached.
    MountAttrs = 70 {
        /// `MOUNT_ATTR_*`.
        set: u64,
        clear: u64,
        /// `MS_PRIVATE` and so on, with `MS_REC` or not; 0 leaves it.
        propagation: u64,
    }
    /// `mount(2)` with `MS_REMOUNT` on a mount of the container.
    Remount = 71 {
        target: &'a CStr,
        /// `MS_*`, all that the mount is to have.
        flags: u64,
        /// The file system's own words.
        data: &'a CStr,
    }
    /// Reports MOUNTED and waits for `GO`.
    ReportMounted = 72 {}
    /// Runs a program inside the container's namespaces and waits for its end. Its standard input is `head`, our pid, `tail`.
    Hook = 73 {
        /// Absolute; of the host before `Pivot`, of the container after it.
        path: &'a CStr,
        argv: Strings<'a>,
        envp: Strings<'a>,
        head: &'a [u8],
        tail: &'a [u8],
        /// Milliseconds, after which it is killed; 0 for none.
        timeout: u64,
        /// Slots for its output; `NO_SLOT` leaves it ours, or /dev/null.
        stdout: u16,
        stderr: u16,
    }
    /// Loads the filter if a right was kept for it, and closes all but the socket and the streams: before a `Fork` at the end.
    Bare = 59 {}
}
