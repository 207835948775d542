//! Two things timed in turn, so that whatever disturbs the machine disturbs both.

use crate::Result;
use std::time::{Duration, Instant};

/// Pairs before the first that counts.
const WARM_UP: usize = 10;

/// Figures of two things (seconds, or bytes), taken A B A B.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    a: Vec<f64>,
    b: Vec<f64>,
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
            pairs.a.push(a()?.as_secs_f64());
            pairs.b.push(b()?.as_secs_f64());
        }
        Ok(pairs)
    }

    /// Of figures that were taken elsewhere.
    pub(crate) fn of(a: Vec<f64>, b: Vec<f64>) -> Self {
        Self { a, b }
    }

    /// The first side's figures against one that is given.
    pub(crate) fn against(self, figure: f64) -> Self {
        let b = vec![figure; self.a.len()];
        Self { a: self.a, b }
    }

    /// How many.
    pub(crate) fn count(&self) -> usize {
        self.a.len()
    }

    /// The medians of both sides.
    pub(crate) fn medians(&self) -> (f64, f64) {
        (quantile(&self.a, 50), quantile(&self.b, 50))
    }

    /// The 95th percentiles of both sides.
    pub(crate) fn tails(&self) -> (f64, f64) {
        (quantile(&self.a, 95), quantile(&self.b, 95))
    }

    /// The median of A in B, pair by pair.
    pub(crate) fn ratio(&self) -> f64 {
        let mut ratios: Vec<f64> = self.a.iter().zip(&self.b).map(|(a, b)| a / b).collect();
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

fn quantile(figures: &[f64], percent: usize) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(a: &[f64], b: &[f64]) -> Pairs {
        Pairs::of(a.to_vec(), b.to_vec())
    }

    #[test]
    fn a_ratio_is_the_median_of_the_pairs_ratios() {
        // A busy moment slows both sides of one pair.
        let pairs = pairs(&[2.0, 2000.0, 2.0], &[1.0, 1000.0, 4.0]);
        assert!((pairs.ratio() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn quantiles_are_of_the_sorted_times() {
        let pairs = pairs(&[9.0, 1.0, 5.0], &[3.0, 3.0, 3.0]);
        assert!((pairs.medians().0 - 5.0).abs() < 1e-9);
        assert!((pairs.tails().0 - 9.0).abs() < 1e-9);
    }
}
