//! Two things timed in turn, so that whatever disturbs the machine disturbs both.

use crate::Result;
use std::time::{Duration, Instant};

/// Pairs before the first that counts.
const WARM_UP: usize = 10;

/// Times of two things, taken A B A B.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    a: Vec<Duration>,
    b: Vec<Duration>,
}

impl Pairs {
    /// Takes `count` pairs after a warm-up; what a side returns is its time.
    pub(crate) fn take(
        count: usize,
        mut a: impl FnMut() -> Result<Duration>,
        mut b: impl FnMut() -> Result<Duration>,
    ) -> Result<Self> {
        for _ in 0..WARM_UP.min(count) {
            a()?;
            b()?;
        }
        let mut pairs = Self::default();
        for _ in 0..count {
            pairs.a.push(a()?);
            pairs.b.push(b()?);
        }
        Ok(pairs)
    }

    /// How many.
    pub(crate) fn count(&self) -> usize {
        self.a.len()
    }

    /// The medians of both sides.
    pub(crate) fn medians(&self) -> (Duration, Duration) {
        (quantile(&self.a, 50), quantile(&self.b, 50))
    }

    /// The 95th percentiles of both sides.
    pub(crate) fn tails(&self) -> (Duration, Duration) {
        (quantile(&self.a, 95), quantile(&self.b, 95))
    }

    /// The median of A's time in B's, pair by pair.
    pub(crate) fn ratio(&self) -> f64 {
        let mut ratios: Vec<f64> = self
            .a
            .iter()
            .zip(&self.b)
            .map(|(a, b)| a.as_secs_f64() / b.as_secs_f64())
            .collect();
        ratios.sort_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// How long something took.
pub(crate) fn time(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn quantile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(a: &[u64], b: &[u64]) -> Pairs {
        let times = |list: &[u64]| list.iter().map(|ms| Duration::from_millis(*ms)).collect();
        Pairs {
            a: times(a),
            b: times(b),
        }
    }

    #[test]
    fn a_ratio_is_the_median_of_the_pairs_ratios() {
        // A busy moment slows both sides of one pair.
        let pairs = pairs(&[2, 2000, 2], &[1, 1000, 4]);
        assert!((pairs.ratio() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn quantiles_are_of_the_sorted_times() {
        let pairs = pairs(&[9, 1, 5], &[3, 3, 3]);
        assert_eq!(pairs.medians().0, Duration::from_millis(5));
        assert_eq!(pairs.tails().0, Duration::from_millis(9));
    }
}
