//! Sizes of objects in classes.
//!
//! Why classes: an object has one size for ever, in every cache and on every thread. Drawn by its number from a table of
//! a few hundred classes, all equally likely, it takes no memory, and formulas can sum over the classes.

use crate::distribution::Distribution;
use crate::units::Bytes;

/// Classes of a law.
const CLASSES: usize = 256;
/// Points of a class at which its mean is taken.
const POINTS: usize = 8;

/// Bytes of objects whose sizes follow a law: classes of equal probability, each with its mean, the small ones first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizeClasses(Vec<u64>);

impl SizeClasses {
    /// The classes of a law, whose mean is the law's to a byte; one class where all sizes are the same.
    #[must_use]
    pub fn of(law: &Distribution<Bytes>) -> Self {
        let bytes = |size: f64| (size.round() as u64).max(1);
        if let Distribution::Constant(_) = law {
            return Self(vec![bytes(law.mean())]);
        }
        let at = |point: usize| law.quantile((point as f64 + 0.5) / (CLASSES * POINTS) as f64);
        let mean = |class: usize| (0..POINTS).map(|p| at(class * POINTS + p)).sum::<f64>() / POINTS as f64;
        let mut classes: Vec<f64> = (0..CLASSES - 1).map(mean).collect();
        // The tail is in the last one: what of the mean the others leave.
        let left = law.mean() * CLASSES as f64 - classes.iter().sum::<f64>();
        classes.push(left.max(classes.last().copied().unwrap_or(0.0)));
        Self(classes.into_iter().map(bytes).collect())
    }

    /// Bytes by class, rising.
    #[must_use]
    pub fn bytes(&self) -> &[u64] {
        &self.0
    }

    /// Share of the objects up to a size, and their mean bytes (those of the smallest where there are none).
    #[must_use]
    pub fn up_to(&self, bytes: f64) -> (f64, f64) {
        let count = self.0.partition_point(|&size| size as f64 <= bytes);
        let sum: f64 = self.0[..count].iter().map(|&size| size as f64).sum();
        let mean = if count == 0 { self.0[0] as f64 } else { sum / count as f64 };
        (count as f64 / self.0.len() as f64, mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Quantity;

    #[test]
    fn classes_have_the_mean_and_the_shape_of_their_law() {
        for law in [
            Distribution::lognormal(5e6, 1.5),
            Distribution::exponential(2e5),
            Distribution::lognormal(3e3, 0.1),
            Distribution::constant(7e6),
        ] {
            let classes = SizeClasses::of(&law);
            let (all, mean) = classes.up_to(f64::INFINITY);
            assert!((all - 1.0).abs() < 1e-12 && (mean / law.mean() - 1.0).abs() < 1e-3, "{law:?}: {mean}");
            assert!(classes.bytes().is_sorted(), "{law:?}");
            if classes.bytes().len() > 1 {
                let median = Quantity::<Bytes>::given(law.quantile(0.5), "");
                let (half, below) = classes.up_to(median.get());
                assert!((half - 0.5).abs() < 0.01 && below < median.get(), "{law:?}: {half} {below}");
            }
        }
        assert_eq!(SizeClasses::of(&Distribution::constant(10.0)).up_to(5.0).0, 0.0);
    }
}
