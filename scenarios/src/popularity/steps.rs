//! Laws that are constant in groups of objects: uniform, hot set, table, counts.
//!
//! Why over a continuous range of ranks: a group may be less than one object of a small (or scaled-down)
//! catalogue. Then an object has parts of several groups, and no request is lost.

/// Groups in order of rank; the density of requests decreases from one to the next.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Steps {
    /// Where every group ends, in ranks; the last at the number of objects.
    ends: Vec<f64>,
    /// Probability of one object, by group.
    density: Vec<f64>,
    /// Probability of the groups from this one on; one more entry, 0. Summed from the end, so that it is
    /// exact where it is small.
    from_here: Vec<f64>,
}

/// An end this near to a whole rank is meant to be there, in ranks.
const WHOLE_WITHIN: f64 = 1e-6;

impl Steps {
    /// From groups of (objects, requests), in any proportion and order. Objects are above 0, requests 0 or
    /// more and not all 0.
    pub fn new(mut groups: Vec<(f64, f64)>, count: u64) -> Self {
        groups.retain(|(objects, _)| *objects > 0.0);
        groups.sort_by(|a, b| (b.1 / b.0).total_cmp(&(a.1 / a.0)));
        let total_objects: f64 = groups.iter().map(|g| g.0).sum();
        let total_requests: f64 = groups.iter().map(|g| g.1).sum();
        let (mut ends, mut masses): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        let (mut objects, mut start, mut carried) = (0.0, 0.0, 0.0);
        let last = groups.len().saturating_sub(1);
        for (i, group) in groups.iter().enumerate() {
            objects += group.0;
            let exact = if i == last { count as f64 } else { objects / total_objects * count as f64 };
            let whole = exact.round();
            let end = if (exact - whole).abs() < WHOLE_WITHIN && whole > start { whole } else { exact };
            let mass = carried + group.1 / total_requests;
            if end > start {
                ends.push(end);
                masses.push(mass);
                (start, carried) = (end, 0.0);
            } else if let (true, Some(before)) = (i == last, masses.last_mut()) {
                // Too few objects to tell this group from the one before, or the one after.
                *before += mass;
            } else {
                carried = mass;
            }
        }
        let starts = std::iter::once(0.0).chain(ends.iter().copied());
        let density = starts.zip(&ends).zip(&masses).map(|((from, to), mass)| mass / (to - from)).collect();
        let mut from_here = vec![0.0; masses.len() + 1];
        for i in (0..masses.len()).rev() {
            from_here[i] = from_here[i + 1] + masses[i];
        }
        Self { ends, density, from_here }
    }

    /// Probability of one rank.
    #[inline]
    pub fn p(&self, rank: u64) -> f64 {
        let from = rank as f64;
        let group = self.group(from);
        if self.ends[group] >= from + 1.0 { self.density[group] } else { self.mass(from, from + 1.0) }
    }

    /// Probability of a range of ranks.
    pub fn mass(&self, from: f64, to: f64) -> f64 {
        let (first, last) = (self.group(from), self.group(to));
        if first == last {
            return self.density[first] * (to - from);
        }
        let begun = self.density[first] * (self.ends[first] - from);
        let whole = self.from_here[first + 1] - self.from_here[last];
        begun + whole + self.density[last] * (to - self.ends[last - 1])
    }

    /// The group of a place between ranks.
    fn group(&self, place: f64) -> usize {
        self.ends.partition_point(|&end| end <= place).min(self.ends.len() - 1)
    }

    /// The whole ranks at and around the ends of groups.
    pub fn cuts(&self) -> Vec<u64> {
        self.ends.iter().flat_map(|end| [end.floor() as u64, end.ceil() as u64]).collect()
    }
}
