//! Charts as SVG.
//!
//! Why titles are sentences: a reader who sees only the title should have the finding; the picture is its
//! proof. Names stand beside lines, not in a legend, and every number of a chart is in a table of the page.
//!
//! Colours are written twice: as attributes, so that a chart looks right wherever it is shown, and as
//! classes, so that a page can follow its reader's theme ([`CSS`]).
//!
//! A function returns `None` where there is nothing to draw.

mod bars;
mod day;
mod frame;
mod mrc;
mod percentiles;
mod plan;
mod storm;
mod svg;
mod tornado;

pub use bars::{errors, shares};
pub use day::{first_byte, hit_ratios, rates, utilisation};
pub use mrc::miss_ratio;
pub use percentiles::percentiles;
pub use plan::{certainty_cost, growth_cost, target_cost};
pub use storm::storm;
pub use svg::CSS;
pub use tornado::tornado;

/// A chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plot {
    /// The finding, one sentence.
    pub title: String,
    /// How to read it: what the axes, lines and points are.
    pub caption: String,
    /// An `<svg>` element that fills its container's width.
    pub svg: String,
}

impl Plot {
    /// The chart as a file of its own, with its title in it.
    #[must_use]
    pub fn standalone(&self) -> String {
        svg::standalone(&self.svg, &self.title)
    }
}
