//! What an exit code of Windows says: an end of its own, a kill of the driver's, a crash.

use execdriver_core::{ExitReason, ExitStatus, Signal};

/// The exit code that the driver gives to what it ends: 128 + 9, as of a process that KILL ended on Linux.
pub(crate) const KILLED: u32 = 137;

/// `STATUS_CONTROL_C_EXIT` of ntstatus.h: nobody handled a console event.
const CONTROL_C: u32 = 0xC000_013A;

/// Exceptions that nobody handled (ntstatus.h), and the signals that Linux has for them.
const CRASHES: [(u32, i32); 9] = [
    (0x8000_0003, 5),  // BREAKPOINT
    (0xC000_0005, 11), // ACCESS_VIOLATION
    (0xC000_0006, 7),  // IN_PAGE_ERROR
    (0xC000_001D, 4),  // ILLEGAL_INSTRUCTION
    (0xC000_0094, 8),  // INTEGER_DIVIDE_BY_ZERO
    (0xC000_0095, 8),  // INTEGER_OVERFLOW
    (0xC000_00FD, 11), // STACK_OVERFLOW
    (0xC000_0374, 6),  // HEAP_CORRUPTION
    (0xC000_0409, 6),  // STACK_BUFFER_OVERRUN: what abort() and __fastfail raise
];

/// Signals that end a process by a console event, in the order of their weight.
const EVENTS: [Signal; 4] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT];

/// The status of a process that ended with `code` and was sent the signals of `sent`, a bit each.
///
/// Windows has no signals, so the code is always the process's own. 137 is the driver's code for KILL; a program that
/// exits with it is taken for killed.
pub(crate) fn status(code: u32, timed_out: bool, sent: u64) -> ExitStatus {
    let was_sent = |signal: Signal| sent & crate::state::bit(signal) != 0;
    let mut status = ExitStatus::exited(code.cast_signed());
    let by_driver = if code == KILLED {
        status.signal = Some(Signal::KILL);
        was_sent(Signal::KILL)
    } else if code == CONTROL_C {
        let event = EVENTS.into_iter().find(|signal| was_sent(*signal));
        status.signal = Some(event.unwrap_or(Signal::INT));
        event.is_some()
    } else {
        let crash = CRASHES.iter().find(|(known, _)| *known == code);
        status.signal = crash.and_then(|(_, number)| Signal::new(*number).ok());
        false
    };
    status.reason = match (timed_out, status.signal) {
        (true, _) => ExitReason::TimedOut,
        (false, None) => ExitReason::Exited,
        (false, Some(_)) if by_driver => ExitReason::KilledByCaller,
        (false, Some(_)) => ExitReason::Signalled,
    };
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_exact() {
        for code in [0, 1, 255, 256, 259, u32::MAX] {
            let status = status(code, false, 0);
            assert_eq!(status.code, code.cast_signed());
            assert_eq!((status.signal, status.reason), (None, ExitReason::Exited));
        }
    }

    #[test]
    fn a_kill_of_the_drivers_is_told_from_other_ends() {
        let kill = crate::state::bit(Signal::KILL);
        let mine = status(KILLED, false, kill);
        assert_eq!(mine.signal, Some(Signal::KILL));
        assert_eq!(mine.reason, ExitReason::KilledByCaller);
        assert_eq!(status(KILLED, false, 0).reason, ExitReason::Signalled);
        assert_eq!(status(KILLED, true, 0).reason, ExitReason::TimedOut);
        assert_eq!(status(3, false, kill).reason, ExitReason::Exited);
    }

    #[test]
    fn a_console_event_and_a_crash_have_the_signals_of_linux() {
        let term = crate::state::bit(Signal::TERM);
        let ended = status(CONTROL_C, false, term);
        assert_eq!(ended.signal, Some(Signal::TERM));
        assert_eq!(ended.reason, ExitReason::KilledByCaller);
        assert_eq!(status(CONTROL_C, false, 0).signal, Some(Signal::INT));
        let crash = status(0xC000_0005, false, 0);
        assert_eq!(crash.signal.map(Signal::number), Some(11));
        assert_eq!(crash.reason, ExitReason::Signalled);
    }
}
