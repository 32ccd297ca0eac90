//! What a box of combinations costs at least, so that the search can leave it out.
//!
//! Why corners: loads fall with every capacity and caches cost by the byte, so a box costs at least its far corner's
//! servers and its near corner's caches. With sites it is the other way round: the fewest cost least and answer most
//! by their caches, the most are nearest to users, and what their servers cost in whole ones is bounded by what they
//! would cost if they could be cut.

use plimsoll_scenarios::{Scenario, Scope, TierId};

use super::evaluate::{Broken, Choice, Evaluator, Sizing};
use super::goals;
use super::kinds::ServerKind;
use super::load::{PlaceLoad, loads};
use super::problem::GoalMetric;
use super::size::{FILL, TierProblem};
use crate::model;

/// Servers of a stated number that are there at least once they are shared out in whole ones: of one and a half less a
/// hair one is left.
const ROUNDED: f64 = 2.0 / 3.0;

impl Evaluator<'_> {
    /// The least that any point of a box can cost.
    ///
    /// # Errors
    /// A target that no point of the box meets.
    pub fn bound(&mut self, near: &[usize], far: &[usize]) -> Result<f64, Broken> {
        let (small, large) = (self.choice(near), self.choice(far));
        self.bound_of_hits(&small, &large)?;
        // Few sites leave least to the tiers behind their caches, and many are nearest to users.
        let mut choice = Choice { sites: small.sites.clone(), ..large.clone() };
        let scenario = self.changed(&choice);
        let hits = self.hits_at_most(&choice, (&small, &large));
        let loads = loads(&scenario, self.flow, &self.demand, &hits);
        choice.caches.clone_from(&small.caches);
        // How uneven keys are hangs on the caches before them: evenly, no box is cut off by mistake.
        let keys = vec![None; loads.len()];
        let several = small.sites != large.sites;
        let mut sizing = Sizing::begun(choice, hits, loads, keys);
        let mut in_parts = 0.0;
        for position in 0..self.inwards.len() {
            let tier = self.inwards[position];
            if several && scenario.tiers[tier].scope == Scope::Site {
                in_parts += self.price_in_parts(&scenario, &sizing, tier);
                continue;
            }
            let sized = self.size_tier(&scenario, &sizing, &[], tier);
            sizing.tiers[tier] = sized.map_err(|reason| Broken::Tier { tier, reason })?;
        }
        let nearest = if several { self.changed(&large) } else { scenario.clone() };
        for (goal, value) in goals::without_waits(self, &nearest, &sizing) {
            if !goals::met(self, goal, value) {
                return Err(Broken::Goal { goal, value });
            }
        }
        self.price(&scenario, &mut sizing);
        Ok(sizing.objective + in_parts)
    }

    /// A cache hits most where it is large and those before it are small.
    fn bound_of_hits(&mut self, small: &Choice, large: &Choice) -> Result<(), Broken> {
        for goal in 0..self.problem.goals.len() {
            let GoalMetric::HitRatio(tier) = self.problem.goals[goal].metric else { continue };
            let mut kindest = small.clone();
            kindest.caches[tier] = large.caches[tier];
            let hits = self.hits_at_most(&kindest, (small, large));
            let mut value = goals::hit_ratio(self, &hits, tier);
            if small.sites != large.sites {
                // With fewer sites objects that are new are fetched less often, by it and by those before it.
                kindest.sites.clone_from(&large.sites);
                let hits = self.hits_at_most(&kindest, (small, large));
                value = value.max(goals::hit_ratio(self, &hits, tier));
            }
            if !goals::met(self, goal, value) {
                return Err(Broken::Goal { goal, value });
            }
        }
        Ok(())
    }

    /// The least that servers and caches of a tier of sites cost a month at so many sites or more, as if servers could
    /// be cut.
    fn price_in_parts(&self, scenario: &Scenario, sizing: &Sizing, tier: TierId) -> f64 {
        let (Some(fleet), Some((problem, _))) =
            (&self.problem.fleets[tier], self.tier_problem(scenario, sizing, &[], tier))
        else {
            return 0.0;
        };
        let places = &sizing.loads[tier].places;
        let servers = |kind: &ServerKind| -> f64 {
            let each = |place: &PlaceLoad| {
                let stated = if fleet.free { 0.0 } else { fleet.range.0 as f64 * place.share * ROUNDED };
                in_parts(&problem, kind, place).max(stated)
            };
            places.iter().map(each).sum::<f64>() * kind.monthly
        };
        let least = fleet.kinds.iter().map(servers).fold(f64::INFINITY, f64::min);
        let bytes = sizing.choice.caches[tier].map_or(0.0, |size| size.capacity);
        let caches = bytes * model::cache_instances(scenario, tier) as f64 * fleet.per_byte;
        if least.is_finite() { least + caches } else { caches }
    }
}

/// Servers of a place over all its instances that its load asks for at least in normal operation.
fn in_parts(tier: &TierProblem<'_>, kind: &ServerKind, at: &PlaceLoad) -> f64 {
    let normal = tier.rules.iter().find(|rule| rule.failure.is_none());
    let Some(rule) = normal else { return at.instances };
    let mut most = at.instances.max(at.work * tier.service / (kind.concurrency * rule.busy));
    if let Some(link) = kind.link {
        most = most.max(at.egress / (link * rule.link));
    }
    if let Some(iops) = tier.store.and_then(|s| s.iops.as_ref()) {
        most = most.max(at.operations / (iops.get() * rule.link));
    }
    if let Some(connections) = tier.connections_max {
        most = most.max(at.connections / (connections * FILL));
    }
    if let (Some((bytes, false)), Some(fits)) = (tier.cache, kind.fits) {
        most = most.max((bytes / fits * (1.0 - 1e-12)).ceil() * at.instances);
    }
    most * (1.0 - 1e-9)
}
