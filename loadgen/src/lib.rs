//! Open-model load: plays a scenario's requests against a real stack and measures what comes back.
//!
//! Why an open model: people press play whether or not the last answer has arrived. A closed loop of N
//! users slows down with the system under test and so hides its worst moments (coordinated omission).
//! Here a thread with absolute deadlines ([`mod@pace`]) hands each request of the scenario's own trace,
//! when it is due, to the users of a goose attack ([`mod@attack`]), and every latency counts from the
//! moment at which the request was *meant* to start, so a stall of the system, or of this generator, is in
//! the figures.
//!
//! Why hyper inside goose: goose's own client stops the clock at the response headers and costs nearly
//! half of a request. The transaction sends over keep-alive connections of hyper's (`connections`) and reads the whole body.
//!
//! A closed model ([`Arrivals::Closed`]) is there for systems whose users do wait; it is never the default.
//!
//! What is deliberately absent: traffic to anything but the loopback interface, and any knowledge of the
//! simulator; both play [`plimsoll_scenarios::trace`], and that is all they share.

pub mod arrivals;
mod attack;
pub mod capacity;
mod checks;
mod client;
mod connections;
mod cpu;
mod desk;
mod error;
pub mod export;
mod files;
mod interrupt;
mod interval;
mod measure;
mod options;
mod pace;
mod player;
mod record;
mod recorded;
mod regions;
mod run;
mod schedule;
mod scrape;
mod seconds;
mod supervisor;
mod targets;
mod template;
mod walks;

pub use arrivals::Arrivals;
pub use checks::{Check, Rule};
pub use error::LoadError;
pub use interrupt::stop_on_ctrl_c;
pub use interval::{Interval, Watch};
pub use options::LoadOptions;
pub use player::Playback;
pub use record::{Record, RouteRecord, latency_from_histogram};
pub use recorded::{Recorded, RecordedError, RecordedRequest};
pub use run::{Played, Progress, load, planned_rate, play};
pub use targets::Targets;
