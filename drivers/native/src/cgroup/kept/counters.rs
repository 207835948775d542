//! Files of counters that stay open between two readings of a container.

use super::half_of_all;
use super::places::{Places, Turn};
use crate::cgroup::stats::{Files, Usage};
use crate::cgroup::{Cgroup, CgroupError};
use crate::state::CgroupRecord;
use std::path::PathBuf;
use std::time::Instant;

/// What stays open of the containers that were read last.
#[derive(Debug)]
pub(crate) struct Counters(Places<Box<Open>>);

/// A container's cgroups, open, and the files in them that are.
#[derive(Debug)]
struct Open {
    of: CgroupRecord,
    cgroup: Cgroup,
    files: Files,
}

impl Counters {
    /// Of the last `most` containers.
    pub(crate) const fn new(most: usize) -> Self {
        Self(Places::new(most))
    }

    /// One reading of the container `id`, whose cgroups are recorded so.
    pub(crate) fn read(
        &self,
        id: &str,
        recorded: &CgroupRecord,
        page_sizes: &[String],
    ) -> Result<Usage, CgroupError> {
        let turn = self.0.take(id, Instant::now());
        let keeps = !matches!(turn, Turn::Passes);
        let kept = match turn {
            Turn::Has(open) if open.of == *recorded => open.read(page_sizes),
            _ => None,
        };
        if let Some((usage, open)) = kept {
            self.0.give_back(id, Some(open));
            return Ok(usage);
        }
        let cgroup = Cgroup::open_counting(recorded)?;
        let mut files = Files::kept_below(if keeps { half_of_all() } else { 0 });
        let usage = cgroup.usage(&mut files, page_sizes);
        if let Some(errno) = files.exhausted() {
            let first = recorded.hierarchies.first();
            let path = first.map_or_else(PathBuf::new, |first| first.path.as_path().into());
            return Err(CgroupError::io("open all counters of", path)(errno));
        }
        if keeps {
            let of = recorded.clone();
            let open = Some(Box::new(Open { of, cgroup, files }));
            self.0
                .give_back(id, open.filter(|open| open.files.are_kept()));
        }
        Ok(usage)
    }

    /// Closes what is kept of a container.
    pub(crate) fn forget(&self, id: &str) {
        self.0.forget(id);
    }
}

impl Open {
    /// `None`: something is gone; what is there is told, as ever, by who looks for the first time.
    fn read(mut self: Box<Self>, page_sizes: &[String]) -> Option<(Usage, Box<Self>)> {
        let usage = self.cgroup.usage(&mut self.files, page_sizes);
        let whole = !self.files.are_lost() && self.files.exhausted().is_none();
        whole.then_some((usage, self))
    }
}
