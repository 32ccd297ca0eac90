//! Quantities with units, checked by dimension: `5 MB` and `5 MiB` differ, `100 GB` is no link speed.
//!
//! Why a type per dimension: whether `1 B` is a billion or a byte depends on what is asked for, so the
//! reader of a field says the dimension and the text says the unit.

use std::fmt;
use std::marker::PhantomData;

use crate::diagnostic::Origin;

/// A kind of quantity: its unit names and what may be said in it.
pub trait Dimension: fmt::Debug + Clone + Copy + PartialEq + Send + Sync + 'static {
    /// For messages: `a size`.
    const NAME: &'static str;
    /// For messages: `5 MB`.
    const EXAMPLE: &'static str;
    /// A number without a unit is fine.
    const BARE: bool;
    /// Lowest permitted value, and whether that value itself is permitted.
    const LOWEST: (f64, bool);
    const HIGHEST: f64 = 1e30;
    /// For messages: the names of its units, the usual ones first.
    const UNITS: &'static [&'static str];
    /// What may stand before the number.
    const PREFIX: &'static str = "";
    /// Base units of one `unit`.
    fn factor(unit: &str) -> Option<f64>;
}

macro_rules! dimension {
    ($(#[$doc:meta])* $marker:ident as $alias:ident, $name:literal, $example:literal, bare: $bare:literal, lowest: $lowest:expr, highest: $highest:expr, $(prefix: $prefix:literal,)? units: $units:expr, $factor:path) => {
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $marker;
        impl Dimension for $marker {
            const NAME: &'static str = $name;
            const EXAMPLE: &'static str = $example;
            const BARE: bool = $bare;
            const LOWEST: (f64, bool) = $lowest;
            const HIGHEST: f64 = $highest;
            const UNITS: &'static [&'static str] = &$units;
            $(const PREFIX: &'static str = $prefix;)?
            fn factor(unit: &str) -> Option<f64> {
                $factor(unit)
            }
        }
        $(#[$doc])*
        pub type $alias = Quantity<$marker>;
    };
}

dimension!(
    /// Bytes. `B`, `KB` ... `EB` are powers of 1,000, `KiB` ... `EiB` of 1,024.
    Bytes as Size, "a size", "5 MB", bare: false, lowest: (0.0, false), highest: 1e30,
    units: ["B", "KB", "MB", "GB", "TB", "PB", "EB", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"], byte_factor
);
dimension!(
    /// Seconds. `ns`, `us`, `ms`, `s`, `min`, `h`, `days`.
    Seconds as Duration, "a duration", "20 ms", bare: false, lowest: (0.0, true), highest: 1e12,
    units: ["ns", "us", "ms", "s", "min", "h", "days", "weeks", "months", "years"], second_factor
);
dimension!(
    /// A number of things. `K`, `M`, `B` (10^9), `T`.
    Things as Count, "a count", "100 M", bare: true, lowest: (0.0, false), highest: 1e30,
    units: ["K", "M", "B", "T"], count_factor
);
dimension!(
    /// Times per second. `30/day`, `5 K/s`, `2 per hour`.
    PerSecond as Rate, "a rate", "30/day", bare: false, lowest: (0.0, true), highest: 1e30,
    units: ["/s", "/min", "/h", "/day", "K/s", "M/s", "M/day", "B/day"], rate_factor
);
dimension!(
    /// Bits per second. `100 Gbit/s`, `12.5 GB/s`.
    BitsPerSecond as Bandwidth, "a bandwidth", "100 Gbit/s", bare: false, lowest: (0.0, false), highest: 1e30,
    units: ["bit/s", "Kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", "B/s", "KB/s", "MB/s", "GB/s", "TB/s"], bandwidth_factor
);
dimension!(
    /// Square metres. `10 M km2`, `40_000 km2`.
    SquareMetres as Area, "an area", "10 M km2", bare: false, lowest: (0.0, false), highest: 1e30,
    units: ["km2", "K km2", "M km2", "m2"], area_factor
);
dimension!(
    /// A share of 1. `30 %`, `0.3`, `1/3`.
    Share as Fraction, "a share", "30 %", bare: true, lowest: (0.0, true), highest: 1.0,
    units: ["%"], share_factor
);
dimension!(
    /// A ratio that may exceed 1: growth, churn. `20 %`, `1.5`, `1/200`.
    Portion as Ratio, "a ratio", "20 %", bare: true, lowest: (0.0, true), highest: 1e9,
    units: ["%"], share_factor
);
dimension!(
    /// A plain number above 0.
    Plain as Number, "a number", "2.0", bare: true, lowest: (0.0, false), highest: 1e30,
    units: [], no_factor
);
dimension!(
    /// US dollars. `$0.023`, `0.023 USD`; what the price is for is said by the field's name.
    Dollars as Money, "a price", "$0.023", bare: true, lowest: (0.0, true), highest: 1e9,
    prefix: "$", units: ["USD"], money_factor
);

/// What is known between the ends of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spread {
    /// The ends hold 90 %; the middle is their geometric mean.
    #[default]
    Lognormal,
    /// The ends hold 90 %; the middle is their mean.
    Normal,
    /// Nothing beyond the ends; all between alike.
    Uniform,
    /// Nothing beyond the ends; all orders of magnitude between alike.
    LogUniform,
    /// Nothing beyond the ends; the middle most likely.
    Triangular,
}

impl Spread {
    /// Every spread, by the name that files use.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("lognormal", Self::Lognormal),
        ("normal", Self::Normal),
        ("uniform", Self::Uniform),
        ("loguniform", Self::LogUniform),
        ("triangular", Self::Triangular),
    ];

    /// The median of a range.
    fn middle(self, (low, high): (f64, f64)) -> f64 {
        match self {
            Self::Lognormal | Self::LogUniform => (low * high).sqrt(),
            Self::Normal | Self::Uniform | Self::Triangular => f64::midpoint(low, high),
        }
    }

    /// The value whose probability to be exceeded is that of a standard normal score, `score` standard
    /// deviations above its mean.
    fn value(self, (low, high): (f64, f64), score: f64) -> f64 {
        let u = standard_normal(score);
        match self {
            Self::Lognormal => {
                ((low * high).sqrt().ln() + score * (high / low).ln() / (2.0 * SCORE_95)).exp()
            }
            Self::Normal => f64::midpoint(low, high) + score * (high - low) / (2.0 * SCORE_95),
            Self::Uniform => low + u * (high - low),
            Self::LogUniform => low * (high / low).powf(u),
            Self::Triangular if u < 0.5 => low + (high - low) * (u / 2.0).sqrt(),
            Self::Triangular => high - (high - low) * ((1.0 - u) / 2.0).sqrt(),
        }
    }
}

/// Standard normal score below which 95 % lie.
const SCORE_95: f64 = 1.644_853_626_951_472_7;

/// Share of a standard normal distribution below a score.
fn standard_normal(score: f64) -> f64 {
    0.5 * libm::erfc(-score * std::f64::consts::FRAC_1_SQRT_2)
}

/// A value in the base unit of its dimension, with what the file said.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity<D> {
    value: f64,
    /// The ends, where the file gives a range; 5 % and 95 % of it unless its spread says otherwise.
    pub range: Option<(f64, f64)>,
    pub spread: Spread,
    /// As written.
    pub text: String,
    /// Where; line 0 for a default.
    pub origin: Origin,
    dimension: PhantomData<D>,
}

impl<D: Dimension> Quantity<D> {
    /// A value that no file states (a default, or derived).
    #[must_use]
    pub fn given(value: f64, text: &str) -> Self {
        Self {
            value,
            range: None,
            spread: Spread::default(),
            text: text.to_owned(),
            origin: Origin::default(),
            dimension: PhantomData,
        }
    }

    /// The value at a standard normal score: of a range the quantile that the score has, within what the
    /// dimension permits; else the value itself.
    #[must_use]
    pub fn at_score(&self, score: f64) -> f64 {
        let Some(ends) = self.range else { return self.value };
        self.spread.value(ends, score).clamp(D::LOWEST.0.max(ends.0 * 1e-3), D::HIGHEST)
    }

    /// The same quantity known to have this value.
    #[must_use]
    pub fn known(&self, value: f64) -> Self {
        Self { value, range: None, ..self.clone() }
    }

    /// The value in base units; of a range its median.
    #[must_use]
    pub const fn get(&self) -> f64 {
        self.value
    }

    /// The same quantity times a factor.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        Self {
            value: self.value * factor,
            range: self.range.map(|(low, high)| (low * factor, high * factor)),
            text: format!("{} x {factor}", self.text),
            ..self.clone()
        }
    }

    /// Reads a text such as `5 MB`, `20 to 40 ms`, `1/3`. The error says cause and fix.
    ///
    /// # Errors
    /// Cause and fix, where the text is no quantity of this dimension or out of its bounds.
    pub fn parse(text: &str) -> Result<Self, (String, String)> {
        Self::parse_like(text, D::NAME, D::EXAMPLE)
    }

    /// The same, with messages that call it `name` and show an example of it.
    ///
    /// # Errors
    /// As [`Quantity::parse`].
    pub fn parse_like(text: &str, name: &str, example: &str) -> Result<Self, (String, String)> {
        let text = text.trim();
        let wanted = Wanted { name, example };
        if let Some(interval) = text.strip_prefix("every ").filter(|_| D::NAME == PerSecond::NAME) {
            // `every 2 to 5 s`: the longer interval is the lower rate.
            let interval = Duration::parse_like(interval, Seconds::NAME, "4 s")?;
            if interval.get() <= 0.0 {
                let cause = format!("`{text}` leaves no time between two");
                return Err((cause, "write more than 0, such as `every 4 s`".to_owned()));
            }
            let range = interval.range.map(|(low, high)| (1.0 / high, 1.0 / low));
            return Ok(Self { range, spread: interval.spread, ..Self::given(1.0 / interval.get(), text) });
        }
        let (amount, spread) = split_spread(text);
        let (value, range) = if let Some((low, high)) = split_range(amount) {
            let (low, high) = (without_prefix::<D>(low), without_prefix::<D>(high));
            // `3 to 6/day`: the unit of the high end holds for both.
            let (_, unit) = split_number(high).ok_or_else(|| wanted.not_a_number(high))?;
            let per = unit.split_once('/').map(|(_, per)| per).filter(|_| D::NAME == PerSecond::NAME);
            let low = if let (Some(per), false) =
                (per, low.contains('/') || low.ends_with(|c: char| c.is_ascii_digit()))
            {
                // `20 K to 60 K/day`: the low end has a unit, and the day is that of both.
                format!("{low}/{per}")
            } else if split_number(low).is_some_and(|(_, u)| u.is_empty()) {
                format!("{low} {unit}")
            } else {
                low.to_owned()
            };
            let (low, high) = (parse_single::<D>(&low, wanted)?, parse_single::<D>(high, wanted)?);
            if low >= high || low <= 0.0 {
                let cause =
                    format!("`{text}` is no range: the low end must be above 0 and below the high end");
                return Err((cause, "write the lower end first, such as `20 to 40`".to_owned()));
            }
            (spread.middle((low, high)), Some((low, high)))
        } else {
            (parse_single::<D>(text, wanted)?, None)
        };
        Ok(Self { range, spread, ..Self::given(value, text) })
    }

    /// The same quantity, as stated there.
    #[must_use]
    pub(crate) fn at(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }
}

/// What a field asks for, in the words of messages.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    name: &'a str,
    example: &'a str,
}

impl Wanted<'_> {
    fn fix(self) -> String {
        format!("write {} such as `{}`", self.name, self.example)
    }

    fn not_a_number(self, text: &str) -> (String, String) {
        let cause = if text.is_empty() {
            "nothing is written here".to_owned()
        } else {
            format!("`{text}` is not {}", self.name)
        };
        (cause, self.fix())
    }
}

/// A range may end with the name of its spread: `20 to 40 ms uniform`.
fn split_spread(text: &str) -> (&str, Spread) {
    let named = text.rsplit_once(' ').and_then(|(amount, word)| {
        let (_, spread) = Spread::NAMES.iter().find(|(name, _)| *name == word)?;
        split_range(amount).map(|_| (amount.trim(), *spread))
    });
    named.unwrap_or((text, Spread::default()))
}

fn split_range(text: &str) -> Option<(&str, &str)> {
    text.split_once(" to ").map(|(a, b)| (a.trim(), b.trim()))
}

/// A number without what may stand before it.
fn without_prefix<D: Dimension>(text: &str) -> &str {
    text.strip_prefix(D::PREFIX).map_or(text, str::trim_start)
}

/// The leading number and the rest. Underscores group digits; `1/1000` is left to the dimension.
fn split_number(text: &str) -> Option<(f64, &str)> {
    let end = text
        .char_indices()
        .find(|&(i, c)| {
            let exponent_sign = (c == '+' || c == '-') && i > 0 && text[..i].ends_with(['e', 'E']);
            let exponent = (c == 'e' || c == 'E')
                && text[i + 1..].starts_with(|d: char| d.is_ascii_digit() || d == '-' || d == '+');
            !(c.is_ascii_digit()
                || c == '.'
                || c == '_'
                || exponent
                || exponent_sign
                || (i == 0 && (c == '-' || c == '+')))
        })
        .map_or(text.len(), |(i, _)| i);
    let number: String = text[..end].chars().filter(|&c| c != '_').collect();
    let value: f64 = number.parse().ok()?;
    value.is_finite().then(|| (value, text[end..].trim()))
}

fn parse_single<D: Dimension>(text: &str, wanted: Wanted<'_>) -> Result<f64, (String, String)> {
    let (number, unit) = split_number(without_prefix::<D>(text)).ok_or_else(|| wanted.not_a_number(text))?;
    let value = if unit.is_empty() {
        if !D::BARE {
            let cause = format!("`{text}` has no unit");
            return Err((cause, format!("{} needs one, such as `{}`", wanted.name, wanted.example)));
        }
        number
    } else if let Some(divisor) =
        unit.strip_prefix('/').and_then(|d| split_number(d.trim())).filter(|(_, u)| u.is_empty())
    {
        if divisor.0 <= 0.0 || !D::BARE {
            return Err(wanted.not_a_number(text));
        }
        number / divisor.0
    } else if let Some(factor) = D::factor(unit) {
        number * factor
    } else {
        return Err(wrong_unit::<D>(text, number, unit, wanted));
    };
    let (lowest, permitted) = D::LOWEST;
    if value < lowest || (value == lowest && !permitted) || value > D::HIGHEST {
        let bound = if value > D::HIGHEST {
            if D::HIGHEST == 1.0 {
                "at most 1 (100 %)".to_owned()
            } else {
                format!("at most {:e}", D::HIGHEST)
            }
        } else if permitted {
            format!("{lowest} or more")
        } else {
            format!("more than {lowest}")
        };
        return Err((
            format!("`{text}` is out of range"),
            format!("{} here is {bound}, such as `{}`", wanted.name, wanted.example),
        ));
    }
    Ok(value)
}

/// A range whose last word is nearly the name of a spread, with that name.
fn mistyped_spread(unit: &str) -> Option<(&str, &'static str)> {
    let word = unit.rsplit_once(' ').map(|(_, word)| word)?;
    crate::decode::suggestion(word, &Spread::NAMES.map(|(name, _)| name)).map(|meant| (word, meant))
}

/// Says what the unit would fit, and how the same number reads in the wanted dimension.
fn wrong_unit<D: Dimension>(text: &str, number: f64, unit: &str, wanted: Wanted<'_>) -> (String, String) {
    let others: [(&str, Option<f64>); 7] = [
        (Bytes::NAME, byte_factor(unit)),
        (Seconds::NAME, second_factor(unit)),
        (BitsPerSecond::NAME, bandwidth_factor(unit)),
        (PerSecond::NAME, rate_factor(unit)),
        (Share::NAME, share_factor(unit)),
        (Dollars::NAME, money_factor(unit)),
        (SquareMetres::NAME, area_factor(unit)),
    ];
    if let Some((word, meant)) = mistyped_spread(unit) {
        return (format!("unknown spread `{word}`"), format!("did you mean `{meant}`?"));
    }
    let Some((name, Some(factor))) = others.into_iter().find(|(name, f)| f.is_some() && *name != D::NAME)
    else {
        let fix = match D::UNITS.iter().find(|known| known.eq_ignore_ascii_case(unit)) {
            Some(known) => format!("did you mean `{number} {known}`?"),
            None if D::UNITS.is_empty() => wanted.fix(),
            None => format!("{}; units: {}", wanted.fix(), D::UNITS.join(", ")),
        };
        return (format!("unknown unit `{unit}` in `{text}`"), fix);
    };
    let fix = if D::NAME == BitsPerSecond::NAME && name == Bytes::NAME {
        let prefix = unit.trim_end_matches("iB").trim_end_matches('B');
        format!("write `{number} {prefix}bit/s` (or `{} {prefix}B/s`)", number / 8.0)
    } else if D::NAME == Bytes::NAME && name == BitsPerSecond::NAME {
        format!("write the bytes, such as `{}`", show_bytes(number * factor / 8.0))
    } else {
        wanted.fix()
    };
    (format!("unit doesn't fit: `{text}` is {name}, expected {}", wanted.name), fix)
}

fn show_bytes(bytes: f64) -> String {
    let steps = ["B", "KB", "MB", "GB", "TB", "PB", "EB"];
    let step = ((bytes.max(1.0).log10() / 3.0) as usize).min(steps.len() - 1);
    format!("{} {}", bytes / 1000_f64.powi(step as i32), steps[step])
}

/// A count as a file may say it: `10 M`, `200`.
pub(crate) fn show_count(count: f64) -> String {
    let steps = [(1e12, " T"), (1e9, " B"), (1e6, " M"), (1e3, " K")];
    let step = steps.into_iter().find(|(size, _)| count >= *size && count % size == 0.0);
    let (size, unit) = step.unwrap_or((1.0, ""));
    format!("{}{unit}", count / size)
}

fn si_prefix(prefix: &str) -> Option<f64> {
    Some(match prefix {
        "" => 1.0,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        _ => return None,
    })
}

fn byte_factor(unit: &str) -> Option<f64> {
    let prefix = unit.strip_suffix('B').or_else(|| (unit == "byte" || unit == "bytes").then_some(""))?;
    if let Some(binary) = prefix.strip_suffix('i') {
        let power = ["K", "M", "G", "T", "P", "E"].iter().position(|p| *p == binary)?;
        return Some(1024_f64.powi(power as i32 + 1));
    }
    si_prefix(prefix)
}

fn second_factor(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" | "sec" | "second" | "seconds" => 1.0,
        "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        "week" | "weeks" => 7.0 * 86_400.0,
        "month" | "months" => 365.0 * 86_400.0 / 12.0,
        "year" | "years" => 365.0 * 86_400.0,
        _ => return None,
    })
}

fn count_factor(unit: &str) -> Option<f64> {
    Some(match unit {
        "k" | "K" | "thousand" => 1e3,
        "M" | "million" => 1e6,
        "B" | "G" | "billion" => 1e9,
        "T" | "trillion" => 1e12,
        _ => return None,
    })
}

fn rate_factor(unit: &str) -> Option<f64> {
    let (prefix, per) = if let Some((prefix, per)) = unit.split_once('/') {
        (prefix.trim(), per.trim())
    } else {
        let (prefix, per) = unit.split_once("per ").or_else(|| unit.strip_prefix("a ").map(|u| ("", u)))?;
        (prefix.trim(), per.trim())
    };
    let count = if prefix.is_empty() { 1.0 } else { count_factor(prefix)? };
    Some(count / second_factor(per)?)
}

fn bandwidth_factor(unit: &str) -> Option<f64> {
    if let Some(prefix) = unit.strip_suffix("bps") {
        return si_prefix(prefix);
    }
    let (amount, per) = unit.split_once('/')?;
    if per != "s" {
        return None;
    }
    amount
        .strip_suffix("bit")
        .and_then(si_prefix)
        .or_else(|| byte_factor(amount).filter(|_| amount != "B" || unit == "B/s").map(|f| 8.0 * f))
}

fn share_factor(unit: &str) -> Option<f64> {
    (unit == "%" || unit == "percent").then_some(0.01)
}

fn money_factor(unit: &str) -> Option<f64> {
    (unit == "USD").then_some(1.0)
}

fn area_factor(unit: &str) -> Option<f64> {
    let (amount, metres) = [("km2", 1e6), ("km²", 1e6), ("m2", 1.0), ("m²", 1.0)]
        .into_iter()
        .find_map(|(name, metres)| Some((unit.strip_suffix(name)?.trim_end(), metres)))?;
    if amount.is_empty() { Some(metres) } else { count_factor(amount).map(|count| count * metres) }
}

const fn no_factor(_: &str) -> Option<f64> {
    None
}

/// Reads a time of day, `19:00` or `7:30`, as seconds after midnight.
///
/// # Errors
/// Cause and fix.
pub fn parse_time_of_day(text: &str) -> Result<f64, (String, String)> {
    let fail =
        || (format!("`{text}` is no time of day"), "write hours and minutes, such as `19:00`".to_owned());
    let (hours, minutes) = text.trim().split_once(':').ok_or_else(fail)?;
    let (hours, minutes): (u32, u32) =
        (hours.parse().map_err(|_| fail())?, minutes.parse().map_err(|_| fail())?);
    if hours > 23 || minutes > 59 {
        return Err(fail());
    }
    Ok(f64::from(hours * 3600 + minutes * 60))
}

/// Reads an offset from UTC, `+1 h` or `-5.5 h`, as seconds.
///
/// # Errors
/// Cause and fix.
pub fn parse_offset(text: &str) -> Result<f64, (String, String)> {
    let fail = || {
        (
            format!("`{text}` is no offset from UTC"),
            "write hours between -12 and +14, such as `+1 h`".to_owned(),
        )
    };
    let (number, unit) = split_number(text.trim()).ok_or_else(fail)?;
    let seconds =
        if number == 0.0 && unit.is_empty() { 0.0 } else { number * second_factor(unit).ok_or_else(fail)? };
    if (-12.0 * 3600.0..=14.0 * 3600.0).contains(&seconds) { Ok(seconds) } else { Err(fail()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_by_dimension() {
        assert_eq!(Size::parse("5 MB").unwrap().get(), 5e6);
        assert_eq!(Size::parse("5 MiB").unwrap().get(), 5.0 * 1024.0 * 1024.0);
        assert_eq!(Size::parse("1 B").unwrap().get(), 1.0);
        assert_eq!(Count::parse("1 B").unwrap().get(), 1e9);
        assert_eq!(Count::parse("100_000").unwrap().get(), 1e5);
        assert_eq!(Count::parse("1e9").unwrap().get(), 1e9);
        assert!((Rate::parse("30/day").unwrap().get() * 86_400.0 - 30.0).abs() < 1e-12);
        assert!((Rate::parse("30 B/day").unwrap().get() * 86_400.0 - 30e9).abs() < 1e-3);
        assert!((Rate::parse("2 per hour").unwrap().get() * 3600.0 - 2.0).abs() < 1e-12);
        assert_eq!(Bandwidth::parse("100 Gbit/s").unwrap().get(), 1e11);
        assert_eq!(Bandwidth::parse("12.5 GB/s").unwrap().get(), 1e11);
        assert_eq!(Fraction::parse("30 %").unwrap().get(), Fraction::parse("0.3").unwrap().get());
        assert_eq!(Fraction::parse("1/10_000").unwrap().get(), 1e-4);
        assert_eq!(Duration::parse("0.5 ms").unwrap().get(), 5e-4);
        assert_eq!(Area::parse("10 M km2").unwrap().get(), 1e13);
        assert_eq!(Area::parse("40_000 km²").unwrap().get(), 4e10);
        assert_eq!(Area::parse("8 to 12 M km2").unwrap().range, Some((8e12, 12e12)));
        assert_eq!(parse_time_of_day("19:30").unwrap(), 70_200.0);
        assert_eq!(parse_offset("-5.5 h").unwrap(), -19_800.0);
    }

    #[test]
    fn prices_may_say_their_currency_before_or_behind() {
        for text in ["$0.023", "0.023 USD", "0.023", "$ 0.023", "$0.023 USD"] {
            assert_eq!(Money::parse(text).unwrap().get(), 0.023, "{text}");
        }
        assert_eq!(Money::parse("$0").unwrap().get(), 0.0);
        assert_eq!(Money::parse("$0.40/1000").unwrap().get(), 0.0004);
        assert_eq!(Money::parse("$1 to $3").unwrap().range, Some((1.0, 3.0)));
        for text in ["-$1", "$-1", "$", "0.023 EUR", "$2e9"] {
            assert!(Money::parse(text).is_err(), "{text}");
        }
        let (cause, fix) = Money::parse("5 GB").unwrap_err();
        assert_eq!(cause, "unit doesn't fit: `5 GB` is a size, expected a price");
        assert_eq!(fix, "write a price such as `$0.023`");
        assert!(Size::parse("5 USD").unwrap_err().0.contains("is a price, expected a size"));
        assert!(Size::parse("$5").unwrap_err().0.contains("`$5` is not a size"));
    }

    #[test]
    fn a_range_has_its_ends_and_the_median_of_a_lognormal() {
        let searches = Rate::parse("3 to 6/day").unwrap();
        assert!((searches.get() * 86_400.0 - 18_f64.sqrt()).abs() < 1e-12);
        let (low, high) = searches.range.unwrap();
        assert!((low * 86_400.0 - 3.0).abs() < 1e-12 && (high * 86_400.0 - 6.0).abs() < 1e-12);
        assert!(Rate::parse("6 to 3/day").is_err());
        let both = Rate::parse("20 K to 60 K/day").unwrap().range.unwrap();
        assert!((both.0 * 86_400.0 - 20e3).abs() < 1e-6 && (both.1 * 86_400.0 - 60e3).abs() < 1e-6);
        assert!((Rate::parse("every 2 to 8 s").unwrap().get() - 0.25).abs() < 1e-12);
        let flat = Duration::parse("10 to 30 ms uniform").unwrap();
        assert!((flat.get() - 0.02).abs() < 1e-12 && (flat.at_score(9.0) - 0.03).abs() < 1e-12);
    }

    #[test]
    fn a_wrong_unit_says_what_it_is_and_what_to_write() {
        let (cause, fix) = Bandwidth::parse("100 GB").unwrap_err();
        assert_eq!(cause, "unit doesn't fit: `100 GB` is a size, expected a bandwidth");
        assert_eq!(fix, "write `100 Gbit/s` (or `12.5 GB/s`)");
        let (cause, fix) = Area::parse("10 M").unwrap_err();
        assert_eq!(cause, "unknown unit `M` in `10 M`");
        assert_eq!(fix, "write an area such as `10 M km2`; units: km2, K km2, M km2, m2");
        assert!(Size::parse("5").unwrap_err().0.contains("no unit"));
        assert!(Size::parse("0 MB").unwrap_err().0.contains("out of range"));
        assert!(Size::parse("-1 MB").unwrap_err().0.contains("out of range"));
        assert!(Fraction::parse("130 %").is_err());
        assert!(Size::parse("five MB").unwrap_err().1.contains("5 MB"));
        assert!(Count::parse("nan").is_err() && Count::parse("inf").is_err());
    }
}
