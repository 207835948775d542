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
        let ratios = self.ratios();
        ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Between which two of the ratios the median of all pairs that there could be lies, at 95 %: it is above as many of them as a
    /// fair coin shows heads. `None` of too few.
    pub(crate) fn interval(&self) -> Option<(f64, f64)> {
        let ratios = self.ratios();
        let count = ratios.len();
        // Two standard deviations of the binomial distribution of a half.
        let off = count.isqrt();
        let low = (count / 2).checked_sub(off + 1)?;
        let high = count.checked_sub(low + 1)?;
        Some((*ratios.get(low)?, *ratios.get(high)?))
    }

    /// In their order.
    fn ratios(&self) -> Vec<f64> {
        let mut ratios: Vec<f64> = self.a.iter().zip(&self.b).map(|(a, b)| a / b).collect();
        ratios.sort_by(f64::total_cmp);
        ratios
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
    fn the_interval_is_around_the_median_and_narrower_the_more_pairs_there_are() {
        let up_to = |most: u32| {
            let a: Vec<f64> = (1..=most).map(f64::from).collect();
            pairs(&a, &vec![1.0; a.len()]).interval()
        };
        assert_eq!(up_to(3), None);
        assert_eq!(up_to(10), Some((2.0, 9.0)));
        // The tables of the sign test have 86 and 115.
        assert_eq!(up_to(200), Some((86.0, 115.0)));
    }

    #[test]
    fn quantiles_are_of_the_sorted_times() {
        let pairs = pairs(&[9.0, 1.0, 5.0], &[3.0, 3.0, 3.0]);
        assert!((pairs.medians().0 - 5.0).abs() < 1e-9);
        assert!((pairs.tails().0 - 9.0).abs() < 1e-9);
    }
}
