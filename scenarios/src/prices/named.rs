//! Whether a price list has what a scenario names.

use super::{Kind, PriceList};
use crate::diagnostic::{Problem, Problems};
use crate::scenario::Scenario;

impl PriceList {
    /// Checks every price that a scenario's tiers name.
    ///
    /// # Errors
    /// Each name that is not in the list, with the nearest one that is.
    pub fn check(&self, scenario: &Scenario) -> Result<(), Problems> {
        let mut list = Vec::new();
        for (tier_name, tier) in &scenario.tiers {
            let price = &tier.price;
            for (field, name, kind) in [
                ("server", &price.server, Kind::Server),
                ("storage", &price.storage, Kind::Storage),
                ("traffic", &price.traffic, Kind::Traffic),
                ("requests", &price.requests, Kind::Requests),
                ("site", &price.site, Kind::Service),
            ] {
                let Some(name) = name else { continue };
                let names = self.names(kind);
                if names.iter().any(|known| known == name) {
                    continue;
                }
                let fix = self.nearest(kind, name).map_or_else(
                    || format!("the list has {}", names.join(", ")),
                    |nearest| format!("did you mean `{nearest}`?"),
                );
                let cause = format!("tiers.{tier_name}.price.{field}: the price list has no `{name}`");
                list.push(Problem { origin: price.origin, cause, fix });
            }
        }
        if list.is_empty() { Ok(()) } else { Err(Problems { sources: scenario.sources.clone(), list }) }
    }
}
