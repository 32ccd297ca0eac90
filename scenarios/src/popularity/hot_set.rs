//! A hot set: "20 % of the objects get 80 % of the requests", which is often all that is known.

use crate::units::Fraction;

/// A share of the objects that gets a share of the requests.
#[derive(Debug, Clone, PartialEq)]
pub struct HotSet {
    /// Share of all objects that is hot.
    pub objects: Fraction,
    /// Share of all requests that these get.
    pub requests: Fraction,
}

impl HotSet {
    /// (objects, requests) of the hot and of the others.
    pub(super) fn groups(&self) -> Vec<(f64, f64)> {
        let (objects, requests) = (self.objects.get(), self.requests.get());
        vec![(objects, requests), (1.0 - objects, 1.0 - requests)]
    }
}
