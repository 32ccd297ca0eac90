//! A table of groups, as measurements of catalogues are published: "the top 1 % get 80 %".

use crate::units::Fraction;

/// Groups of objects; within one, every object is alike. What they leave of objects and requests is one more.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub groups: Vec<Group>,
    /// Each group counts those before it as well: the top 1 %, the top 10 % and so on.
    pub cumulative: bool,
}

/// One row of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Share of all objects.
    pub objects: Fraction,
    /// Share of all requests that these get.
    pub requests: Fraction,
}

impl Table {
    /// (objects, requests) by group, the rest included; shares of 1.
    pub(crate) fn groups(&self) -> Vec<(f64, f64)> {
        let mut groups = Vec::with_capacity(self.groups.len() + 1);
        let (mut objects, mut requests) = (0.0, 0.0);
        for group in &self.groups {
            let (mut own, mut its) = (group.objects.get(), group.requests.get());
            if self.cumulative {
                (own, its) = (own - objects, (its - requests).max(0.0));
            }
            objects += own;
            requests += its;
            groups.push((own, its));
        }
        // What remains of sums that are 1 but for rounding is no group.
        if objects < 1.0 - 1e-9 {
            groups.push((1.0 - objects, (1.0 - requests).max(0.0)));
        }
        groups
    }
}
