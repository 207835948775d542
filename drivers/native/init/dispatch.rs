//! The match: which function does each operation.

use crate::run::{Done, Failure, Init};
use crate::sys::abi::{MountAttr, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS};
use crate::sys::{process, schedule as scheduling, socket};
use crate::wire::{Detail, Kind, Op};
use crate::{
    ahead, capabilities, devices, exec, hold, hook, identity, landlock, masks, mounts, paths, pid1,
    process as this, procfs, root, schedule, stdio, sysctl, terminal,
};

/// Does one operation.
pub(crate) fn step(init: &mut Init, op: Op<'static>) -> Done {
    match op {
        Op::ReportNs {} => {
            init.report(Kind::Ns, 0, None)?;
            init.await_go();
            Ok(())
        }
        Op::Hold {
            slot,
            program,
            path,
        } => hold::hold(init, slot, program, path),
        Op::Preserve { slot, count } => hold::preserve(init, slot, count),
        Op::More {} => {
            init.more = true;
            this::wait_apart()
        }
        Op::AwaitGo {} => {
            init.await_go();
            Ok(())
        }
        Op::Place { slot } => this::place(init, slot),
        Op::Join { slot, flags } => this::join(init, slot, flags),
        Op::Fork {} => this::fork(init),
        Op::TakeRoot { setgroups } => this::take_root(setgroups),
        Op::Undumpable {} => Ok(process::prctl(PR_SET_DUMPABLE, 0, 0).map(drop)?),
        Op::Unshare { flags } => Ok(process::unshare(flags)?),
        Op::LoopbackUp {} => Ok(socket::loopback_up()?),
        Op::Hostname { name } => Ok(process::set_hostname(name)?),
        Op::Domainname { name } => Ok(process::set_domainname(name)?),
        Op::Setsid {
            controlling_terminal,
        } => stdio::session(controlling_terminal),
        Op::Rlimit {
            resource,
            soft,
            hard,
        } => this::limit(init, resource, soft, hard),
        Op::SessionKeyring {} => this::new_keyring(),
        Op::Sysctl { path, value } => sysctl::write(init, path, value),
        Op::NoNewPrivs {} => Ok(process::prctl(PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)?),
        Op::Seccomp { flags, program } => Ok(process::seccomp(flags, program).map(drop)?),
        Op::Filter { flags, program } => {
            init.filter = Some((flags, program));
            Ok(())
        }
        Op::Guard { program } => {
            init.guard = Some(program);
            Ok(())
        }
        Op::Reset { flags, umask } => this::reset(flags, umask),
        Op::DieWithHost { signal, slot } => this::die_with_host(init, signal, slot),
        Op::Cwd { path } => this::enter(init, path),
        Op::Stdio {
            stdin,
            stdout,
            stderr,
        } => stdio::stdio(init, [stdin, stdout, stderr]),
        Op::Identity {
            flags,
            user,
            groups,
            uid,
            gid,
            gids,
            chown,
        } => identity::assume(
            init,
            &identity::Wanted {
                flags,
                user,
                groups,
                uid,
                gid,
                gids,
                chown,
            },
        ),
        Op::Caps {
            flags,
            bounding,
            effective,
            permitted,
            inheritable,
            ambient,
        } => {
            let sets = capabilities::Sets {
                bounding,
                effective,
                permitted,
                inheritable,
                ambient,
            };
            capabilities::drop_to(init, sets, flags)
        }
        Op::Pid1 { status } => pid1::stay(init, status),
        Op::Exec { argv, envp } => exec::exec(init, argv, envp),
        _ => step_in_files(init, op),
    }
}

/// The operations on mounts and files.
fn step_in_files(init: &mut Init, op: Op<'static>) -> Done {
    match op {
        Op::Source {
            slot,
            path,
            dev,
            ino,
            recursive,
        } => root::source(init, slot, &root::HostPath { path, dev, ino }, recursive),
        Op::Borrow { from, slot, path } => root::borrow(init, from, slot, path),
        Op::TakeTree { slot } => {
            init.given_tree = Some(init.take_slot(slot)?);
            Ok(())
        }
        Op::Propagation { flags } => root::propagation(init, flags),
        Op::Root {
            path,
            dev,
            ino,
            flags,
        } => root::root(init, &root::HostPath { path, dev, ino }, flags),
        Op::Overlay {
            lower,
            dev,
            ino,
            size,
            inodes,
            userxattr,
        } => {
            let host = root::HostPath {
                path: lower,
                dev,
                ino,
            };
            root::overlay(
                init,
                &host,
                &root::Layer {
                    size,
                    inodes,
                    userxattr,
                },
            )
        }
        Op::MountFs {
            fstype,
            target,
            params,
            attrs,
            flags,
        } => mounts::mount_fs(
            init,
            &mounts::NewMount {
                fstype,
                target,
                params,
                attrs,
                flags,
            },
        ),
        Op::CgroupFs {
            path,
            dev,
            ino,
            fstype,
            target,
            params,
            attrs,
        } => mounts::cgroup_fs(
            init,
            &root::HostPath { path, dev, ino },
            &mounts::NewMount {
                fstype,
                target,
                params,
                attrs,
                flags: 0,
            },
        ),
        Op::Bind {
            slot,
            target,
            attr_set,
            attr_clr,
            propagation,
            flags,
        } => {
            let attrs = MountAttr {
                set: attr_set,
                clr: attr_clr,
                propagation,
                userns_fd: 0,
            };
            mounts::bind(
                init,
                &mounts::Bind {
                    slot,
                    target,
                    attrs,
                    flags,
                },
            )
        }
        Op::Device {
            path,
            kind,
            major,
            minor,
            mode,
            uid,
            gid,
        } => devices::make_device(
            init,
            path,
            &devices::Node {
                kind,
                major,
                minor,
                mode,
                uid,
                gid,
            },
        ),
        Op::Symlink { target, path } => devices::make_symlink(init, target, path),
        Op::Mkdir { path, mode } => paths::make_directory(init, path.to_bytes(), mode).map(drop),
        Op::MaskInit {} => masks::prepare(init),
        Op::Mask { path } => masks::mask(init, path),
        Op::ReadonlyPath { path } => mounts::readonly_path(init, path),
        Op::RemountReadonly { path } => mounts::remount_readonly(init, path),
        Op::MountAttrs {
            set,
            clear,
            propagation,
        } => {
            let attrs = MountAttr {
                set,
                clr: clear,
                propagation,
                userns_fd: 0,
            };
            mounts::change_attached(init, attrs)
        }
        Op::Remount {
            target,
            flags,
            data,
        } => mounts::remount(init, target, flags, data),
        Op::Terminal {
            rows,
            cols,
            uid,
            gid,
            console,
        } => terminal::open(
            init,
            &terminal::Wanted {
                rows,
                cols,
                uid,
                gid,
                console,
            },
        ),
        Op::Pivot {} => root::pivot(init),
        Op::Skeleton {} => ahead::skeleton(init),
        Op::Offer { path } => ahead::offer(init, path),
        Op::Attach {
            slot,
            target,
            flags,
        } => ahead::attach(init, slot, target, flags),
        _ => step_of_process(init, op),
    }
}

/// The operations on what the kernel keeps for each process.
fn step_of_process(init: &mut Init, op: Op<'static>) -> Done {
    match op {
        Op::ReportMounted {} => {
            init.report(Kind::Mounted, 0, None)?;
            init.await_go();
            Ok(())
        }
        Op::Hook {
            path,
            argv,
            envp,
            head,
            tail,
            timeout,
            stdout,
            stderr,
        } => hook::run(
            init,
            &hook::Hook {
                path,
                argv,
                envp,
                state: [head, tail],
                timeout,
                output: [stdout, stderr],
            },
        ),
        Op::Procfs {} => procfs::open(init),
        Op::ExecLabel { files, value } => procfs::label(init, files, value),
        Op::TimeOffsets { offsets } => procfs::enter_time(init, offsets),
        Op::LandlockRules {
            abi,
            files,
            ports,
            scopes,
        } => landlock::begin(init, abi, [files, ports, scopes]),
        Op::LandlockPath { path, access } => landlock::allow_path(init, path, access),
        Op::LandlockPort { port, access } => landlock::allow_port(init, port, access),
        Op::LandlockRestrict {} => landlock::restrict(init),
        Op::Scheduler {
            policy,
            flags,
            nice,
            priority,
            runtime,
            deadline,
            period,
        } => Ok(scheduling::set(&scheduling::Attributes::new(
            (policy, flags),
            (nice, priority),
            [runtime, deadline, period],
        ))?),
        Op::IoPriority { value } => Ok(scheduling::set_io_priority(value)?),
        Op::Affinity { mask } => schedule::processors(mask),
        Op::MemoryPolicy { mode, nodes } => Ok(scheduling::set_memory_policy(mode, nodes)?),
        Op::CoreScheduling { from } => Ok(scheduling::set_core_cookie(from)?),
        Op::Personality { persona } => Ok(scheduling::set_personality(persona)?),
        Op::Securebits { bits } => capabilities::secure(bits),
        Op::Bare {} => this::bare(init),
        // The two before have the others.
        _ => Err(Failure::of(Detail::BadMessage)),
    }
}
