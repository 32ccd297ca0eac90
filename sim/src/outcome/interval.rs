//! Confidence intervals over replications.

use plimsoll_reports::record::Interval;

/// Mean with a 95 % confidence interval over replications (Student's t).
#[must_use]
pub fn interval(values: &[f64]) -> Interval {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return Interval::exact(mean);
    }
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let margin = student_95(values.len() - 1) * (variance / n).sqrt();
    Interval { value: mean, low: mean - margin, high: mean + margin }
}

/// Two-sided 95 % quantile of Student's t.
fn student_95(freedom: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
        2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
        2.045, 2.042,
    ];
    // Beyond the table the next term of the expansion in 1/freedom is below 0.001.
    TABLE.get(freedom.saturating_sub(1)).copied().unwrap_or(1.96 + 2.42 / freedom as f64)
}
