//! Numbers for people: three significant digits and a prefix that keeps them short.
//!
//! Why one place: the same value must read the same on a terminal, in a page and on an axis, and a
//! value that rounds up to the next prefix (999.7 K) or to a false certainty (99.99 % shown as 100 %)
//! should be right everywhere or nowhere.

use crate::record::{Interval, Unit};

/// Shown for a value that does not exist.
pub const NOT_KNOWN: &str = "n/a";

/// Margins below this part of the value are rounding of floats, not uncertainty.
const EXACT: f64 = 1e-9;

const COUNTS: [&str; 5] = ["", "K", "M", "B", "T"];
const RATES: [&str; 5] = ["", "K", "M", "G", "T"];
const SIZES: [&str; 9] = ["", "K", "M", "G", "T", "P", "E", "Z", "Y"];

/// A value in base units with its unit: `347 K/s`, `1.5 PB`, `86.1 %`, `21 ms`, `30 B/day`.
///
/// Rates per second use G for 10^9, because `B/s` would read as bytes; counts and rates per day use B.
#[must_use]
pub fn human(value: f64, unit: Unit) -> String {
    if value.is_nan() {
        return NOT_KNOWN.to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞".to_owned() } else { "-∞".to_owned() };
    }
    if value < 0.0 {
        return format!("-{}", human(-value, unit));
    }
    match unit {
        Unit::Count => join(scaled(value, &COUNTS), ""),
        Unit::PerSecond => join(scaled(value, &RATES), "/s"),
        Unit::PerDay => join(scaled(value, &COUNTS), "/day"),
        Unit::Bytes => join(scaled(value, &SIZES), "B"),
        Unit::BitsPerSecond => join(scaled(value, &SIZES), "bit/s"),
        Unit::Seconds => seconds(value),
        Unit::Share => format!("{} %", share(value)),
        Unit::Number => significant(value, 3),
        Unit::DollarsPerMonth => format!("${}/month", join(scaled(value, &COUNTS), "").trim_end()),
    }
}

/// `86.1 ±0.2 %`, `93 ±3.2 ms`: value and margin under one unit.
#[must_use]
pub fn with_margin(interval: &Interval, unit: Unit) -> String {
    let text = human(interval.value, unit);
    let margin = interval.margin();
    let (Some((number, suffix)), true) =
        (text.split_once(' '), margin.is_finite() && margin > EXACT * interval.value.abs())
    else {
        return text;
    };
    match number.parse::<f64>() {
        Ok(shown) if shown != 0.0 => {
            let margin = significant(margin * shown / interval.value, 2);
            format!("{number} ±{margin} {suffix}")
        }
        _ => format!("{text} ±{}", human(margin, unit)),
    }
}

/// `34.7 to 69.4 K/s`; each end with its own unit where they differ.
#[must_use]
pub fn range(low: f64, high: f64, unit: Unit) -> String {
    let (low, high) = (human(low, unit), human(high, unit));
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((number, same)), Some((_, other))) if same == other => format!("{number} to {high}"),
        _ => format!("{low} to {high}"),
    }
}

/// A difference with its sign: `+0.7 points` for shares, the value with its unit for all else.
#[must_use]
pub fn signed(value: f64, unit: Unit) -> String {
    let text = match unit {
        Unit::Share => points(value),
        _ => human(value, unit),
    };
    if value > 0.0 && !text.starts_with("0 ") { format!("+{text}") } else { text }
}

/// An error as a comparison states it: `+0.7 points` for shares, `-4 %` for all else.
#[must_use]
pub fn error(value: f64, unit: Unit) -> String {
    if unit == Unit::Share { signed(value, unit) } else { change(value) }
}

/// A relative change with its sign: `-4 %`, `+12.5 %`; `9 x` from ten times on.
#[must_use]
pub fn change(ratio: f64) -> String {
    if !ratio.is_finite() {
        return NOT_KNOWN.to_owned();
    }
    if ratio >= 9.0 {
        return format!("{} x", significant(ratio + 1.0, 3));
    }
    let percent = (ratio * 1000.0).round() / 10.0;
    if percent == 0.0 {
        return "0 %".to_owned();
    }
    format!("{}{} %", if percent > 0.0 { "+" } else { "" }, significant(percent, 3))
}

/// A whole number with a comma between thousands: `1,000,000`.
#[must_use]
pub fn with_separators(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `value` with at most `digits` significant digits and without trailing zeros; powers of ten outside
/// 0.001 to 10^15.
#[must_use]
pub fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !value.is_finite() {
        return NOT_KNOWN.to_owned();
    }
    let rounded = round_to(value, digits);
    let magnitude = rounded.abs().log10().floor();
    if !(-3.0..15.0).contains(&magnitude) {
        let text = format!("{rounded:.*e}", digits.saturating_sub(1));
        return match text.split_once('e') {
            Some((mantissa, power)) => format!("{}e{power}", trimmed(mantissa)),
            None => text,
        };
    }
    let decimals = (digits as f64 - 1.0 - magnitude).max(0.0) as usize;
    trimmed(&format!("{rounded:.decimals$}")).to_owned()
}

/// Time of day: `18:10`; days beyond the first are dropped.
#[must_use]
pub fn clock(at_s: f64) -> String {
    if !at_s.is_finite() {
        return NOT_KNOWN.to_owned();
    }
    let minutes = (at_s / 60.0).round().rem_euclid(24.0 * 60.0) as u32;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

fn seconds(value: f64) -> String {
    const STEPS: [(f64, f64, &str); 6] = [
        (172_800.0, 86_400.0, "days"),
        (7_200.0, 3_600.0, "h"),
        (120.0, 60.0, "min"),
        (0.999_5, 1.0, "s"),
        (0.999_5e-3, 1e-3, "ms"),
        (0.999_5e-6, 1e-6, "µs"),
    ];
    if value == 0.0 {
        return "0 s".to_owned();
    }
    match STEPS.iter().find(|(from, _, _)| value >= *from) {
        Some((_, one, name)) => format!("{} {name}", significant(value / one, 3)),
        None if value < 0.5e-9 => "< 1 ns".to_owned(),
        None => format!("{} ns", significant(value * 1e9, 3)),
    }
}

/// Per cent without the sign. Close to 1 it keeps two digits of what is missing, so that 99.99 % and
/// 99.999 % stay apart.
fn share(value: f64) -> String {
    let percent = value * 100.0;
    let missing = 100.0 - percent;
    if missing > 1e-9 && missing < 0.5 {
        let decimals = (1.0 - round_to(missing, 2).log10().floor()).clamp(1.0, 9.0) as usize;
        return trimmed(&format!("{percent:.decimals$}")).to_owned();
    }
    if (1e-6..1e-2).contains(&percent) {
        // Small shares of failures are read beside targets such as 99.999 %: no powers of ten.
        let decimals = (2.0 - percent.log10().floor()).clamp(0.0, 9.0) as usize;
        return trimmed(&format!("{percent:.decimals$}")).to_owned();
    }
    significant(percent, 3)
}

fn points(value: f64) -> String {
    if !value.is_finite() {
        return NOT_KNOWN.to_owned();
    }
    let tenths = value * 100.0;
    let text =
        if tenths.abs() >= 0.05 { format!("{tenths:.1}") } else { significant(round_at(tenths, 3), 2) };
    format!("{text} points")
}

fn round_at(value: f64, decimals: i32) -> f64 {
    let unit = 10_f64.powi(decimals);
    (value * unit).round() / unit
}

fn round_to(value: f64, digits: usize) -> f64 {
    // Through decimal text: exact where powers of ten are not.
    format!("{value:.*e}", digits.saturating_sub(1)).parse().unwrap_or(value)
}

/// Value over the largest prefix that fits after rounding.
fn scaled<'a>(value: f64, prefixes: &[&'a str]) -> (String, &'a str) {
    let rounded = round_to(value, 3);
    let last = prefixes.len().saturating_sub(1);
    let step = if rounded < 1000.0 { 0 } else { ((rounded.log10() + 1e-9) / 3.0).floor() as usize };
    let step = step.min(last);
    let text = significant(rounded / 1000_f64.powf(step as f64), 3);
    (text, prefixes.get(step).copied().unwrap_or_default())
}

fn join((number, prefix): (String, &str), unit: &str) -> String {
    if prefix.is_empty() && unit.is_empty() { number } else { format!("{number} {prefix}{unit}") }
}

fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        for (value, unit, text) in [
            (347_222.2, Unit::PerSecond, "347 K/s"),
            (13.888_9e12, Unit::BitsPerSecond, "13.9 Tbit/s"),
            (1.5e15, Unit::Bytes, "1.5 PB"),
            (0.8612, Unit::Share, "86.1 %"),
            (0.021, Unit::Seconds, "21 ms"),
            (3e10, Unit::PerDay, "30 B/day"),
            (1e9, Unit::Count, "1 B"),
            (12.0, Unit::Count, "12"),
            (2e9, Unit::PerSecond, "2 G/s"),
            (4.2, Unit::PerSecond, "4.2 /s"),
            (86_400.0, Unit::Seconds, "24 h"),
            (90.0, Unit::Seconds, "90 s"),
            (1.5e-6, Unit::Seconds, "1.5 µs"),
            (2e-9, Unit::Seconds, "2 ns"),
            (2e-95, Unit::Seconds, "< 1 ns"),
            (500.0, Unit::Bytes, "500 B"),
        ] {
            assert_eq!(human(value, unit), text);
        }
    }

    #[test]
    fn rounding_up_moves_to_the_next_prefix() {
        assert_eq!(human(999_700.0, Unit::PerSecond), "1 M/s");
        assert_eq!(human(999.6, Unit::Bytes), "1 KB");
        assert_eq!(human(0.999_7, Unit::Seconds), "1 s");
        assert_eq!(human(1000.0, Unit::Count), "1 K");
    }

    #[test]
    fn nearly_all_is_not_all() {
        assert_eq!(human(0.9999, Unit::Share), "99.99 %");
        assert_eq!(human(0.999_97, Unit::Share), "99.997 %");
        assert_eq!(human(1.0, Unit::Share), "100 %");
        assert_eq!(human(0.000_1, Unit::Share), "0.01 %");
        assert_eq!(human(3e-7, Unit::Share), "0.00003 %");
        assert_eq!(human(3.75e-6, Unit::Share), "0.000375 %");
        assert_eq!(human(1e-12, Unit::Share), "1e-10 %");
    }

    #[test]
    fn what_is_no_number_is_said_so() {
        assert_eq!(human(f64::NAN, Unit::Bytes), "n/a");
        assert_eq!(human(f64::INFINITY, Unit::Count), "∞");
        assert_eq!(human(f64::NEG_INFINITY, Unit::Count), "-∞");
        assert_eq!(human(0.0, Unit::Seconds), "0 s");
        assert_eq!(human(0.0, Unit::PerSecond), "0 /s");
        assert_eq!(human(1e300, Unit::Count), "1e288 T");
        assert_eq!(human(1e-300, Unit::PerSecond), "1e-300 /s");
        assert_eq!(human(-1500.0, Unit::Count), "-1.5 K");
        assert_eq!(change(f64::NAN), "n/a");
        assert_eq!(clock(f64::NAN), "n/a");
    }

    #[test]
    fn differences_carry_their_sign() {
        assert_eq!(error(0.007, Unit::Share), "+0.7 points");
        assert_eq!(error(-0.012, Unit::Share), "-1.2 points");
        assert_eq!(error(0.0, Unit::Share), "0 points");
        assert_eq!(error(0.000_07, Unit::Share), "+0.007 points");
        assert_eq!(error(-0.04, Unit::Seconds), "-4 %");
        assert_eq!(error(0.125, Unit::PerSecond), "+12.5 %");
        assert_eq!(error(19.0, Unit::Seconds), "20 x");
        assert_eq!(error(-0.000_1, Unit::Seconds), "0 %");
    }

    #[test]
    fn value_and_margin_share_a_unit() {
        let interval =
            |value: f64, margin: f64| Interval { value, low: value - margin, high: value + margin };
        assert_eq!(with_margin(&interval(0.8612, 0.0021), Unit::Share), "86.1 ±0.21 %");
        assert_eq!(with_margin(&interval(0.093, 0.003_24), Unit::Seconds), "93 ±3.2 ms");
        assert_eq!(with_margin(&interval(0.0, 0.001), Unit::Seconds), "0 s ±1 ms");
        assert_eq!(with_margin(&Interval::exact(0.021), Unit::Seconds), "21 ms");
        assert_eq!(with_margin(&interval(0.448, 5.6e-17), Unit::Share), "44.8 %");
        assert_eq!(with_margin(&Interval { value: 1.0, low: f64::NAN, high: 2.0 }, Unit::Bytes), "1 B");
    }

    #[test]
    fn a_range_says_its_unit_once() {
        assert_eq!(range(34_722.0, 69_444.0, Unit::PerSecond), "34.7 to 69.4 K/s");
        assert_eq!(range(900.0, 1_100.0, Unit::Bytes), "900 B to 1.1 KB");
        assert_eq!(range(3.0, 6.0, Unit::Count), "3 to 6");
    }

    #[test]
    fn thousands_and_clocks() {
        assert_eq!(with_separators(0), "0");
        assert_eq!(with_separators(999), "999");
        assert_eq!(with_separators(1_000), "1,000");
        assert_eq!(with_separators(30_000_000_000), "30,000,000,000");
        assert_eq!(clock(65_400.0), "18:10");
        assert_eq!(clock(86_399.0), "00:00");
    }
}
