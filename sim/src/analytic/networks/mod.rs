//! Networks of queues: closed ones (so many users who think and ask), open ones, and the scalability law.

mod closed;
mod open;
mod usl;

pub use closed::{Bounds, CUSTOMERS_MAX, Centre, CentreSolution, Closed, asymptotic_bounds, closed};
pub use open::{JacksonStation, StationSolution, jackson};
pub use usl::{Usl, UslFit};
