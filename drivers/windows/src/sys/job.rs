//! Job objects: groups of processes that live, are limited and die together.
//!
//! # Safety
//! Structures are the ones that the information class names, of their own size, and live while the call lasts.
//!
//! References: learn.microsoft.com/windows/win32/procthread/job-objects.

use super::process::ProcessHandle;
use super::{bytes_of, check, owned, raw, wide};
use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use windows_sys::Win32::Foundation::{ERROR_ALREADY_EXISTS, ERROR_MORE_DATA, GetLastError};
use windows_sys::Win32::System::IO::{
    CreateIoCompletionPort, GetQueuedCompletionStatus, OVERLAPPED, PostQueuedCompletionStatus,
};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_CPU_RATE_CONTROL_ENABLE,
    JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP, JOB_OBJECT_CPU_RATE_CONTROL_WEIGHT_BASED,
    JOB_OBJECT_LIMIT_ACTIVE_PROCESS, JOB_OBJECT_LIMIT_AFFINITY, JOB_OBJECT_LIMIT_JOB_MEMORY,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOBOBJECT_ASSOCIATE_COMPLETION_PORT,
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, JOBOBJECT_BASIC_AND_IO_ACCOUNTING_INFORMATION,
    JOBOBJECT_CPU_RATE_CONTROL_INFORMATION, JOBOBJECT_CPU_RATE_CONTROL_INFORMATION_0,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectAssociateCompletionPortInformation,
    JobObjectBasicAccountingInformation, JobObjectBasicAndIoAccountingInformation,
    JobObjectBasicProcessIdList, JobObjectCpuRateControlInformation,
    JobObjectExtendedLimitInformation, OpenJobObjectW, QueryInformationJobObject,
    SetInformationJobObject, TerminateJobObject,
};

/// Every right on a job (winnt.h, `JOB_OBJECT_ALL_ACCESS`).
const ALL_ACCESS: u32 = 0x001F_003F;

/// A job object.
#[derive(Debug)]
pub(crate) struct Job(OwnedHandle);

/// Limits of class 9, all of which are set at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Basic {
    /// Bytes that all processes together may commit.
    pub(crate) memory: Option<u64>,
    /// Processes at once.
    pub(crate) processes: Option<u32>,
    /// Processors, a bit each.
    pub(crate) affinity: Option<usize>,
}

/// The share of processor time, class 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rate {
    /// No limit.
    Free,
    /// 1 to 9 against other jobs.
    Weight(u32),
    /// 1 to 10000 ten-thousandths of all processors.
    Cap(u32),
}

/// What a job has used.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Accounting {
    /// In 100 ns.
    pub(crate) user: u64,
    /// In 100 ns.
    pub(crate) kernel: u64,
    /// Processes now.
    pub(crate) active: u32,
    /// Bytes and calls read, bytes and calls written; `None` where the system does not count them.
    pub(crate) io: Option<[u64; 4]>,
    /// The most bytes committed at once; 0 where the system does not count them.
    pub(crate) peak_memory: u64,
}

impl Job {
    /// Makes a job of this name, whose processes end with its last handle.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken.
    pub(crate) fn create(name: &str) -> io::Result<Self> {
        let name = wide(name);
        // SAFETY: null attributes are allowed, and the name is ended by a zero.
        let handle = unsafe { CreateJobObjectW(std::ptr::null(), name.as_ptr()) };
        // SAFETY: it reads this thread's last error and nothing else.
        let existed = unsafe { GetLastError() } == ERROR_ALREADY_EXISTS;
        let job = Self(owned(handle)?);
        if existed {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        job.limit(&Basic::default())?;
        Ok(job)
    }

    /// Makes one without a name, for processes that are in another job already.
    pub(crate) fn nested() -> io::Result<Self> {
        // SAFETY: null attributes and no name are allowed.
        let handle = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
        let job = Self(owned(handle)?);
        job.limit(&Basic::default())?;
        Ok(job)
    }

    /// Puts a process that has not run yet into it.
    pub(crate) fn assign(&self, process: &ProcessHandle) -> io::Result<()> {
        // SAFETY: both handles are open, with every right.
        check(unsafe { AssignProcessToJobObject(raw(self.as_handle()), raw(process.as_handle())) })
    }

    /// Opens the job of this name.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub(crate) fn open(name: &str) -> io::Result<Self> {
        let name = wide(name);
        // SAFETY: the name is ended by a zero.
        let handle = unsafe { OpenJobObjectW(ALL_ACCESS, 0, name.as_ptr()) };
        Ok(Self(owned(handle)?))
    }

    /// Sets the limits of class 9, with the end of its processes at its last handle's.
    pub(crate) fn limit(&self, limits: &Basic) -> io::Result<()> {
        let mut class = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        let basic = &mut class.BasicLimitInformation;
        basic.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        if let Some(processes) = limits.processes {
            basic.LimitFlags |= JOB_OBJECT_LIMIT_ACTIVE_PROCESS;
            basic.ActiveProcessLimit = processes;
        }
        if let Some(affinity) = limits.affinity {
            basic.LimitFlags |= JOB_OBJECT_LIMIT_AFFINITY;
            basic.Affinity = affinity;
        }
        if let Some(memory) = limits.memory {
            basic.LimitFlags |= JOB_OBJECT_LIMIT_JOB_MEMORY;
            class.JobMemoryLimit = usize::try_from(memory).unwrap_or(usize::MAX);
        }
        self.set(JobObjectExtendedLimitInformation, &class)
    }

    /// Sets the share of processor time.
    ///
    /// # Errors
    /// What the system said; Wine 8 answers `ERROR_INVALID_PARAMETER` to the whole class.
    pub(crate) fn rate(&self, rate: Rate) -> io::Result<()> {
        let enabled = JOB_OBJECT_CPU_RATE_CONTROL_ENABLE;
        let (flags, value) = match rate {
            Rate::Free => (0, 0),
            Rate::Weight(weight) => (enabled | JOB_OBJECT_CPU_RATE_CONTROL_WEIGHT_BASED, weight),
            Rate::Cap(cap) => (enabled | JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP, cap),
        };
        let class = JOBOBJECT_CPU_RATE_CONTROL_INFORMATION {
            ControlFlags: flags,
            // A weight stands at the same place.
            Anonymous: JOBOBJECT_CPU_RATE_CONTROL_INFORMATION_0 { CpuRate: value },
        };
        self.set(JobObjectCpuRateControlInformation, &class)
    }

    /// Ends every process of it, paused or not.
    pub(crate) fn terminate(&self, code: u32) -> io::Result<()> {
        // SAFETY: the handle is a job's with every right.
        check(unsafe { TerminateJobObject(raw(self.as_handle()), code) })
    }

    /// The processes of it now.
    pub(crate) fn pids(&self) -> io::Result<Vec<u32>> {
        // JOBOBJECT_BASIC_PROCESS_ID_LIST: two u32, then a word of pointer size each.
        let mut words = 64;
        loop {
            let mut buffer = vec![0_usize; words];
            let bytes = u32::try_from(words * size_of::<usize>()).unwrap_or(u32::MAX);
            // SAFETY: the buffer has as many bytes as we say, aligned for its pointers.
            let answer = unsafe {
                QueryInformationJobObject(
                    raw(self.as_handle()),
                    JobObjectBasicProcessIdList,
                    buffer.as_mut_ptr().cast(),
                    bytes,
                    std::ptr::null_mut(),
                )
            };
            match check(answer) {
                Ok(()) => return Ok(parse_pids(&buffer)),
                Err(error) if super::is(&error, ERROR_MORE_DATA) => words *= 4,
                Err(error) => return Err(error),
            }
        }
    }

    /// What it has used.
    pub(crate) fn accounting(&self) -> io::Result<Accounting> {
        let mut found = Accounting::default();
        let mut both = JOBOBJECT_BASIC_AND_IO_ACCOUNTING_INFORMATION::default();
        let mut basic = JOBOBJECT_BASIC_ACCOUNTING_INFORMATION::default();
        if self
            .get(JobObjectBasicAndIoAccountingInformation, &mut both)
            .is_ok()
        {
            basic = both.BasicInfo;
            let io = &both.IoInfo;
            found.io = Some([
                io.ReadTransferCount,
                io.ReadOperationCount,
                io.WriteTransferCount,
                io.WriteOperationCount,
            ]);
        } else {
            // Wine 8 does not have the larger class.
            self.get(JobObjectBasicAccountingInformation, &mut basic)?;
        }
        found.user = basic.TotalUserTime.unsigned_abs();
        found.kernel = basic.TotalKernelTime.unsigned_abs();
        found.active = basic.ActiveProcesses;
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        if self
            .get(JobObjectExtendedLimitInformation, &mut limits)
            .is_ok()
        {
            found.peak_memory = limits.PeakJobMemoryUsed as u64;
        }
        Ok(found)
    }

    fn set<T>(&self, class: i32, value: &T) -> io::Result<()> {
        // SAFETY: `value` is the structure of `class` and has the size that we say.
        check(unsafe {
            SetInformationJobObject(
                raw(self.as_handle()),
                class,
                std::ptr::from_ref(value).cast(),
                bytes_of::<T>(),
            )
        })
    }

    fn get<T>(&self, class: i32, value: &mut T) -> io::Result<()> {
        // SAFETY: `value` is the structure of `class`, plain numbers, and has the size that we say.
        check(unsafe {
            QueryInformationJobObject(
                raw(self.as_handle()),
                class,
                std::ptr::from_mut(value).cast(),
                bytes_of::<T>(),
                std::ptr::null_mut(),
            )
        })
    }
}

impl AsHandle for Job {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.as_handle()
    }
}

/// The numbers of a `JOBOBJECT_BASIC_PROCESS_ID_LIST` in words of pointer size.
fn parse_pids(buffer: &[usize]) -> Vec<u32> {
    let Some((head, pids)) = buffer.split_first() else {
        return Vec::new();
    };
    // The second u32 of the first eight bytes: how many pids follow.
    let listed = usize::try_from(*head as u64 >> 32).unwrap_or(0);
    let pids = pids.iter().take(listed);
    pids.filter_map(|pid| u32::try_from(*pid).ok()).collect()
}

/// Where a job's messages arrive.
#[derive(Debug)]
pub(crate) struct Port(OwnedHandle);

/// The message that [`Port::stop`] sends; none of a job's.
const STOP: u32 = u32::MAX;

impl Port {
    /// Makes one and has `job` send its messages there.
    pub(crate) fn of(job: &Job) -> io::Result<Self> {
        let invalid = windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
        // SAFETY: with an invalid file it makes a new port, and takes nothing of us.
        let handle = unsafe { CreateIoCompletionPort(invalid, std::ptr::null_mut(), 0, 1) };
        let port = Self(owned(handle)?);
        let class = JOBOBJECT_ASSOCIATE_COMPLETION_PORT {
            CompletionKey: std::ptr::null_mut(),
            CompletionPort: raw(port.0.as_handle()),
        };
        job.set(JobObjectAssociateCompletionPortInformation, &class)?;
        Ok(port)
    }

    /// The next message (`JOB_OBJECT_MSG_*`); `None` after [`Port::stop`].
    pub(crate) fn next(&self) -> Option<u32> {
        let (mut message, mut key) = (0, 0);
        let mut about: *mut OVERLAPPED = std::ptr::null_mut();
        // SAFETY: the three places live while the call lasts; a job puts a pid, no pointer, into the third, which is not followed.
        let answer = unsafe {
            GetQueuedCompletionStatus(
                raw(self.0.as_handle()),
                &raw mut message,
                &raw mut key,
                &raw mut about,
                windows_sys::Win32::System::Threading::INFINITE,
            )
        };
        (check(answer).is_ok() && message != STOP).then_some(message)
    }

    /// Has [`Port::next`] return `None`.
    pub(crate) fn stop(&self) {
        // SAFETY: the port is ours, and null is allowed for what is passed on.
        let _ = unsafe {
            PostQueuedCompletionStatus(raw(self.0.as_handle()), STOP, 0, std::ptr::null())
        };
    }
}
