//! Servers of one tier that are not all alike: how many there are of each kind, and what a balancer gives them.

use crate::tier::{Balance, Station};
use crate::units::{Bandwidth, Fraction, Number};

/// A kind of servers.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerKind {
    /// Of the tier's servers.
    pub share: Fraction,
    /// Times as fast as `service_time` says.
    pub speed: Number,
    /// Egress of one, bits per second; that of the tier where it says nothing.
    pub link: Option<Bandwidth>,
}

impl Station {
    /// What a weighted balancer goes by, by kind: links where all kinds say theirs, else speeds; as shares of their mean over
    /// all servers. Empty where all servers are alike.
    #[must_use]
    pub fn weights(&self) -> Vec<f64> {
        let links: Option<Vec<f64>> = self.kinds.iter().map(|kind| Some(kind.link.as_ref()?.get())).collect();
        let raw = links.unwrap_or_else(|| self.kinds.iter().map(|kind| kind.speed.get()).collect());
        let mean: f64 = self.kinds.iter().zip(&raw).map(|(kind, weight)| kind.share.get() * weight).sum();
        raw.into_iter().map(|weight| weight / mean).collect()
    }

    /// The kind of each of so many servers. Kinds are mixed, so that any first ones are as fast as any others (smooth
    /// weighted round robin over their shares).
    #[must_use]
    pub fn kinds_of(&self, servers: u64) -> Vec<usize> {
        if self.kinds.is_empty() {
            return Vec::new();
        }
        let mut credit = vec![0.0; self.kinds.len()];
        let next = |_| {
            for (credit, kind) in credit.iter_mut().zip(&self.kinds) {
                *credit += kind.share.get();
            }
            // The first of those that are owed most; shares of a third are no reason to be another's turn.
            let most = credit.iter().copied().fold(f64::MIN, f64::max);
            let chosen = credit.iter().position(|owed| *owed >= most - 1e-9).unwrap_or(0);
            credit[chosen] -= 1.0;
            chosen
        };
        (0..servers).map(next).collect()
    }

    /// The share of requests that each kind gets. Who draws a server, takes them in turn or goes by keys gives all servers
    /// as many; who looks at their load gives each about what its weight is worth.
    #[must_use]
    pub fn requests_by_kind(&self) -> Vec<f64> {
        let weighed =
            !matches!(self.balance, Balance::Random | Balance::RoundRobin | Balance::ConsistentHash);
        let weights = self.weights();
        let share =
            |(kind, weight): (&ServerKind, f64)| kind.share.get() * if weighed { weight } else { 1.0 };
        self.kinds.iter().zip(weights).map(share).collect()
    }

    /// The mean service time over its `service_time`, seen by requests; 1 where all servers are alike.
    #[must_use]
    pub fn slowness(&self) -> f64 {
        if self.kinds.is_empty() {
            return 1.0;
        }
        self.kinds.iter().zip(self.requests_by_kind()).map(|(kind, part)| part / kind.speed.get()).sum()
    }

    /// Links by kind, with `otherwise` where a kind says none: the share of bodies that go over those of the kind, bits per
    /// second of one, and how full one is over the mean of all. One kind where all servers are alike.
    #[must_use]
    pub fn links_by_kind(&self, otherwise: f64) -> Vec<(f64, f64, f64)> {
        if self.kinds.is_empty() {
            return vec![(1.0, otherwise, 1.0)];
        }
        let link = |kind: &ServerKind| kind.link.as_ref().map_or(otherwise, crate::units::Quantity::get);
        let mean: f64 = self.kinds.iter().map(|kind| kind.share.get() * link(kind)).sum();
        let of = |(kind, part): (&ServerKind, f64)| {
            (part, link(kind), part * mean / (kind.share.get() * link(kind)))
        };
        self.kinds.iter().zip(self.requests_by_kind()).map(of).collect()
    }

    /// How busy the servers of each kind are, over what they would be if all were alike.
    #[must_use]
    pub fn busy_by_kind(&self) -> Vec<f64> {
        let busy = |(kind, part): (&ServerKind, f64)| part / (kind.share.get() * kind.speed.get());
        self.kinds.iter().zip(self.requests_by_kind()).map(busy).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Scenario, SourceFile, Station};

    fn station(fields: &str) -> Result<Station, String> {
        let yaml = format!(
            "name: kinds\npopulation: {{users: 1}}\nactions: {{ask: {{rate: 1/s, path: [web]}}}}\ntiers: {{web: {{servers: 8, \
             service_time: 1 s, {fields}}}}}\n"
        );
        let read = Scenario::from_yaml(&SourceFile::new("test.yaml", &yaml)).map_err(|e| e.to_string())?;
        Ok(read.tiers["web"].station.clone().expect("it has servers"))
    }

    #[test]
    fn kinds_are_mixed_and_add_up_to_their_shares() {
        let station = station("kinds: [{share: 25 %, speed: 3}, {share: 75 %}]").unwrap();
        assert_eq!(station.kinds_of(8), [1, 0, 1, 1, 1, 0, 1, 1]);
        assert_eq!(station.kinds_of(1), [1]);
        assert_eq!(station.weights(), [2.0, 2.0 / 3.0]);
    }

    #[test]
    fn policies_that_are_blind_load_slow_servers_more() {
        let kinds = "kinds: [{share: 25 %, speed: 3}, {share: 75 %}]";
        let blind = station(kinds).unwrap();
        assert_eq!(
            (blind.requests_by_kind(), blind.busy_by_kind()),
            (vec![0.25, 0.75], vec![1.0 / 3.0, 1.0])
        );
        assert!((blind.slowness() - (0.25 / 3.0 + 0.75)).abs() < 1e-12);
        let weighted = station(&format!("{kinds}, balance: weighted")).unwrap();
        assert_eq!(weighted.requests_by_kind(), [0.5, 0.5]);
        assert!(weighted.busy_by_kind().iter().all(|busy| (busy - 2.0 / 3.0).abs() < 1e-12));
        let alike = station("balance: weighted").unwrap();
        assert_eq!((alike.slowness(), alike.busy_by_kind()), (1.0, Vec::new()));
    }

    #[test]
    fn links_of_all_kinds_are_weights_and_of_some_a_mistake() {
        let linked =
            station("kinds: [{share: 50 %, link: 10 Gbit/s, speed: 2}, {share: 50 %, link: 30 Gbit/s}]")
                .unwrap();
        assert_eq!(linked.weights(), [0.5, 1.5]);
        // At random each has half of the bodies: 10 of 20 Gbit/s on average is twice as full.
        assert_eq!(linked.links_by_kind(1.0), [(0.5, 10e9, 2.0), (0.5, 30e9, 2.0 / 3.0)]);
        let some = station("kinds: [{share: 50 %, link: 10 Gbit/s}, {share: 50 %}]").unwrap_err();
        assert!(some.contains("the link of some servers and not of others"), "{some}");
        assert!(station("link: 1 Gbit/s, kinds: [{share: 50 %, link: 10 Gbit/s}, {share: 50 %}]").is_ok());
        let short = station("kinds: [{share: 50 %}, {share: 25 %}]").unwrap_err();
        assert!(short.contains("add up to 75.0 %"), "{short}");
    }
}
