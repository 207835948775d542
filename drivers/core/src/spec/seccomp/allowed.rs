//! What the default filters allow, and what they deny and why: names of system calls, whatever the machine.
//!
//! The line is that of Docker 1.10, brought to the calls of Linux 6.18. Each call of the driver's table stands in exactly
//! one of the two lists, or has a rule of its own in [`super::templates`]; a test of the native driver keeps it so. A call
//! that is newer than all of these is answered with ENOSYS, so that programs fall back.

/// Allowed with any arguments.
pub(super) const ALLOWED: &[&str] = &[
    // Files by name.
    "access chdir chmod chown chown32 creat faccessat faccessat2 fchdir fchmod fchmodat \
     fchmodat2 fchown fchown32 fchownat file_getattr file_setattr futimesat getcwd lchown \
     lchown32 link linkat mkdir mkdirat mknod mknodat name_to_handle_at open openat openat2 \
     readlink readlinkat rename renameat renameat2 rmdir symlink symlinkat truncate truncate64 \
     umask unlink unlinkat utime utimensat utimensat_time64 utimes",
    // What files are.
    "fstat fstat64 fstatat64 fstatfs fstatfs64 getdents getdents64 listmount lstat lstat64 \
     newfstatat stat stat64 statfs statfs64 statmount statx",
    // Their attributes.
    "fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr \
     listxattrat llistxattr lremovexattr lsetxattr removexattr removexattrat setxattr \
     setxattrat",
    // What is in them.
    "arm_fadvise64_64 arm_sync_file_range cachestat copy_file_range fadvise64 fadvise64_64 \
     fallocate fdatasync flock fsync ftruncate ftruncate64 _llseek lseek pread64 preadv preadv2 \
     pwrite64 pwritev pwritev2 read readahead readv sendfile sendfile64 splice sync \
     sync_file_range sync_file_range2 syncfs tee vmsplice write writev",
    // Descriptors.
    "close close_range dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old \
     epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 fcntl fcntl64 \
     inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl memfd_create \
     memfd_secret _newselect pipe pipe2 poll ppoll ppoll_time64 pselect6 pselect6_time64 select \
     signalfd signalfd4",
    // Asynchronous input and output, without io_uring.
    "io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit",
    // Sockets. Those that i386 multiplexes are allowed as a whole, since their arguments lie in
    // memory.
    "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom \
     recvmmsg recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socket \
     socketcall socketpair",
    // System V and POSIX IPC: of the container's own namespace.
    "ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend \
     mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop \
     semtimedop_time64 shmat shmctl shmdt shmget",
    // Memory.
    "brk madvise map_shadow_stack mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap \
     mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease \
     remap_file_pages",
    // Processes and threads.
    "arch_prctl breakpoint cacheflush execve execveat exit exit_group fork futex futex_requeue \
     futex_time64 futex_wait futex_waitv futex_wake get_robust_list get_thread_area getcpu \
     getpgid getpgrp getpid getppid getsid gettid membarrier modify_ldt pidfd_open prctl \
     restart_syscall rseq set_robust_list set_thread_area set_tid_address set_tls setpgid \
     setsid uprobe uretprobe vfork wait4 waitid waitpid",
    // Signals.
    "alarm getitimer kill pause pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask \
     rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 \
     rt_tgsigqueueinfo setitimer sigaltstack sigprocmask sigreturn tgkill tkill",
    // Time, which nobody sets without CAP_SYS_TIME.
    "adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime \
     clock_gettime64 clock_nanosleep clock_nanosleep_time64 gettimeofday nanosleep time \
     timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime \
     timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime \
     timerfd_settime64 times",
    // Who it is.
    "capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 \
     getresgid getresgid32 getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid \
     setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32 \
     setresuid setresuid32 setreuid setreuid32 setuid setuid32",
    // Scheduling and limits.
    "getpriority getrlimit getrusage ioprio_get ioprio_set prlimit64 sched_get_priority_max \
     sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler \
     sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr \
     sched_setparam sched_setscheduler sched_yield setpriority setrlimit ugetrlimit",
    // Confining itself further.
    "chroot landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp",
    // The rest: harmless, or in the contract because capabilities guard them.
    "fanotify_init fanotify_mark getrandom setdomainname sethostname sysinfo uname vhangup",
];

/// Answered with EPERM.
pub(super) const DENIED: &[&str] = &[
    // Namespaces and mounts.
    "fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree open_tree_attr \
     pivot_root setns umount umount2 unshare",
    // Files by handle, past every directory (CVE-2014-3519).
    "open_by_handle_at",
    // Other processes' memory and descriptors.
    "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace",
    // Keys are of the machine, not of the container.
    "add_key keyctl request_key",
    // Much of the kernel behind few calls.
    "bpf io_uring_enter io_uring_register io_uring_setup perf_event_open userfaultfd",
    // The machine's kernel, clock, quotas, swap, ports and log.
    "acct clock_settime clock_settime64 create_module delete_module finit_module \
     get_kernel_syms init_module ioperm iopl kexec_file_load kexec_load lookup_dcookie \
     nfsservctl query_module quotactl quotactl_fd reboot settimeofday stime swapoff swapon \
     syslog",
    // Where memory lies.
    "get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node",
    // Security modules.
    "lsm_get_self_attr lsm_list_modules lsm_set_self_attr",
    // Long obsolete, or never there.
    "afs_syscall bdflush break ftime get_tls getpmsg gtty idle lock mpx nice oldfstat oldlstat \
     oldolduname oldstat olduname pciconfig_iobase pciconfig_read pciconfig_write prof profil \
     putpmsg readdir security sgetmask sigaction signal sigpending sigsuspend ssetmask stty \
     _sysctl sysfs tuxcall ulimit uselib usr26 usr32 ustat vm86 vm86old vserver",
];
