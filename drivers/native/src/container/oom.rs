//! Notices of memory exhaustion on their way from the kernel to the hooks of a run.
//!
//! The thread that waits for the process polls for them too. What happens while a hook keeps that
//! thread is counted by the kernel and told afterwards.

use crate::cgroup::{Cgroup, OomWatch};
use crossbeam_channel::{Receiver, Sender, bounded};
use execdriver_core::{OomEvent, OomEvents};
use nix::poll::PollFd;

/// So many may wait to be received; what comes on top is dropped, and the next one that is
/// received tells the kills of all.
const CAPACITY: usize = 64;

/// The sending end; dropped, it closes the channel.
pub(super) struct OomNotifier {
    watch: Option<OomWatch>,
    sender: Sender<OomEvent>,
    receiver: Receiver<OomEvent>,
}

impl OomNotifier {
    /// Begins to watch; `None` when nothing can be told, which hooks see as a closed channel.
    pub(super) fn begin(cgroup: Option<&Cgroup>) -> Option<Self> {
        let watch = cgroup?.watch_oom()?;
        let (sender, receiver) = bounded(CAPACITY);
        Some(Self {
            watch: Some(watch),
            sender,
            receiver,
        })
    }

    /// For a hook.
    pub(super) fn events(&self) -> OomEvents {
        self.receiver.clone()
    }

    /// Ready when there is something to deliver.
    pub(super) fn poll_fd(&self) -> Option<PollFd<'_>> {
        self.watch.as_ref().map(OomWatch::poll_fd)
    }

    /// Tells what happened, without waiting for anybody to listen.
    pub(super) fn deliver(&mut self) {
        let Some(notices) = self.watch.as_mut().and_then(OomWatch::take) else {
            // The cgroup is gone.
            self.watch = None;
            return;
        };
        for _ in 0..notices.count.min(CAPACITY as u64) {
            if self.sender.try_send(OomEvent::new(notices.kills)).is_err() {
                return;
            }
        }
    }
}
