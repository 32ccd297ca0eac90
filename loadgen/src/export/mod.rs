//! A run for other tools: a time series, a histogram log, live metrics.
//!
//! Why from intervals: what is written while the run goes on must not grow with its length, and a run that is
//! stopped has written all but its last second.

mod histogram_log;
mod otlp;
mod prometheus;
mod time_series;
mod totals;

pub use histogram_log::HistogramLog;
pub use otlp::{Otlp, Sent};
pub use prometheus::Exposition;
pub use time_series::TimeSeries;
