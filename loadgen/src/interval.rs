//! What happened in one second of a run, for whoever watches: a terminal, a time series, a histogram log.

use hdrhistogram::Histogram;

use crate::record::Record;

/// A span of a run; about a second.
#[derive(Debug, Clone, Copy)]
pub struct Interval<'a> {
    /// Seconds since the start of the warm-up.
    pub from_s: f64,
    pub to_s: f64,
    /// All of it is in the seconds that count.
    pub counted: bool,
    /// Requests that fell due.
    pub planned: u64,
    /// Names of the routes of the record: `play`, `play.events`.
    pub routes: &'a [String],
    pub record: &'a Record,
}

impl<'a> Interval<'a> {
    pub fn length_s(&self) -> f64 {
        self.to_s - self.from_s
    }

    /// Every histogram with the name of its series, `play.first_byte` or `lag`; values are microseconds.
    pub fn histograms(&self) -> impl Iterator<Item = (String, &'a Histogram<u64>)> {
        let record = self.record;
        let named = |name: &str, series: &str| format!("{name}.{series}");
        self.routes
            .iter()
            .zip(&record.routes)
            .flat_map(move |(name, route)| {
                let always = [
                    (named(name, "first_byte"), &route.first_byte),
                    (named(name, "first_data"), &route.first_data),
                    (named(name, "complete"), &route.complete),
                ];
                always.into_iter().chain(route.rebuffer.as_ref().map(|h| (named(name, "rebuffer"), h)))
            })
            .chain([("lag".to_owned(), &record.lag), ("connect".to_owned(), &record.connect)])
    }
}

/// Who is told how a run goes. Both are called from the generator's own thread: they must be quick.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// About five times a second.
    pub progress: &'a (dyn Fn(crate::Progress) + Sync),
    /// Once a second, and once at the end.
    pub interval: &'a (dyn Fn(&Interval<'_>) + Sync),
}
