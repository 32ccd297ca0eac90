//! Quantities that a file leaves to the planner: `servers: auto`, `capacity: auto 10 TB to 200 TB`.
//!
//! Why beside the scenario and not in it: every engine may count on a scenario whose quantities are known, and
//! only the planner wants to hear of those that are not. So a file with `auto` is read as an [`Open`] scenario,
//! where a stand-in takes the place of what is free; as a [`Scenario`] it is refused, with the way out.

use crate::diagnostic::{Origin, Problem, Problems, SourceFile};
use crate::fields::{child, name_of};
use crate::node::{Node, Value};
use crate::scenario::{Scenario, TierId};
use crate::units::{Bandwidth, Count, Size};

/// The word that leaves a quantity to the planner.
pub const AUTO: &str = "auto";

const SITES_EXAMPLE: &str = "auto 4 to 40";

/// What of a tier may be left to the planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Knob {
    /// `servers`.
    Servers,
    /// `cache.capacity`, bytes of one instance.
    Capacity,
    /// `cache.policy`.
    Policy,
    /// `link`, bits per second of one server.
    Link,
    /// `copies` of what is stored.
    Copies,
    /// `zones` that it is spread over.
    Zones,
    /// `price.server`: the instance type.
    Instance,
    /// `replication`: copies or an erasure code.
    Replication,
    /// `shards` that keys are spread over.
    Shards,
    /// `concurrency` of one server.
    Concurrency,
}

impl Knob {
    /// Every knob.
    pub const ALL: [Self; 10] = [
        Self::Servers,
        Self::Capacity,
        Self::Policy,
        Self::Link,
        Self::Copies,
        Self::Zones,
        Self::Instance,
        Self::Replication,
        Self::Shards,
        Self::Concurrency,
    ];

    /// Where it stands in a tier: `cache.capacity`.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Servers => "servers",
            Self::Capacity => "cache.capacity",
            Self::Policy => "cache.policy",
            Self::Link => "link",
            Self::Copies => "copies",
            Self::Zones => "zones",
            Self::Instance => "price.server",
            Self::Replication => "replication",
            Self::Shards => "shards",
            Self::Concurrency => "concurrency",
        }
    }

    /// All places where it may stand in a tier.
    const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Servers => &["servers"],
            Self::Capacity => &["cache.capacity"],
            Self::Policy => &["cache.policy"],
            Self::Link => &["link"],
            Self::Copies => &["copies", "replication.copies"],
            Self::Zones => &["zones"],
            Self::Instance => &["price.server"],
            Self::Replication => &["replication"],
            Self::Shards => &["shards", "shards.count"],
            Self::Concurrency => &["concurrency"],
        }
    }

    /// What stands there until it is known; nothing where the field may be left out.
    fn stand_in(self, origin: Origin) -> Value {
        let text = |text: &str| Value::Text(text.to_owned());
        match self {
            Self::Servers | Self::Copies | Self::Zones | Self::Shards | Self::Concurrency => text("1"),
            // Whatever has to fit into it does.
            Self::Capacity => text("1 EB"),
            Self::Policy => text("lru"),
            Self::Link => text("10 Gbit/s"),
            Self::Instance => Value::Null,
            Self::Replication => {
                let node = |value: Value| Node { value, origin };
                Value::Map(vec![(node(text("copies")), node(text("3")))])
            }
        }
    }

    /// Whether it is one of several names rather than a number.
    const fn is_choice(self) -> bool {
        matches!(self, Self::Policy | Self::Instance | Self::Replication)
    }

    const fn example(self) -> &'static str {
        match self {
            Self::Servers => "auto 10 to 200",
            Self::Capacity => "auto 10 TB to 200 TB",
            Self::Policy => "auto lru or fifo",
            Self::Link => "auto 10 to 100 Gbit/s",
            Self::Copies => "auto 2 to 5",
            Self::Zones => "auto 1 to 3",
            Self::Instance => "auto m7g.xlarge or c7g.2xlarge",
            Self::Replication => "auto 3 copies or 6+3",
            Self::Shards => "auto 8 to 64",
            Self::Concurrency => "auto 4 to 64",
        }
    }

    /// The ends of a range in base units.
    fn range(self, text: &str) -> Result<(f64, f64), (String, String)> {
        let ends = match self {
            Self::Servers | Self::Copies | Self::Zones | Self::Shards | Self::Concurrency => {
                Count::parse(text)?.range
            }
            Self::Capacity => Size::parse(text)?.range,
            Self::Link => Bandwidth::parse(text)?.range,
            Self::Policy | Self::Instance | Self::Replication => None,
        };
        ends.ok_or_else(|| {
            let cause = format!("`{text}` has one end");
            (cause, format!("write both, such as `{}`, or the value alone without `auto`", self.example()))
        })
    }
}

/// A quantity that the planner chooses.
#[derive(Debug, Clone, PartialEq)]
pub struct Free {
    pub tier: TierId,
    pub knob: Knob,
    /// Where it stands in the tier: `shards.count`.
    pub field: &'static str,
    /// Least and greatest value, in base units, where the file states them.
    pub range: Option<(f64, f64)>,
    /// The names to choose from, where the file states them.
    pub choices: Vec<String>,
    pub origin: Origin,
}

/// A region's number of sites, where the planner chooses it.
#[derive(Debug, Clone, PartialEq)]
pub struct FreeSites {
    /// Position of the region.
    pub region: usize,
    /// Least and greatest number, where the file states them.
    pub range: Option<(f64, f64)>,
    pub origin: Origin,
}

/// A scenario some of whose quantities are for the planner to choose.
#[derive(Debug, Clone)]
pub struct Open {
    /// With a stand-in for each free quantity.
    pub scenario: Scenario,
    /// In order of tier and knob.
    pub free: Vec<Free>,
    /// In order of region.
    pub sites: Vec<FreeSites>,
}

impl Open {
    /// Checks a tree that was put together from several texts.
    pub(crate) fn from_tree(root: &Node, sources: Vec<SourceFile>) -> Result<Self, Problems> {
        if !mentions(root) {
            let scenario = Scenario::settled(root, sources)?;
            return Ok(Self { scenario, free: Vec::new(), sites: Vec::new() });
        }
        let mut root = root.clone();
        let (raw, mut list) = settle(&mut root);
        let sites = settle_sites(&mut root, &mut list);
        if !list.is_empty() {
            return Err(Problems { sources, list });
        }
        let scenario = Scenario::settled(&root, sources)?;
        let mut free: Vec<Free> = raw
            .into_iter()
            .filter_map(|(name, free)| Some(Free { tier: scenario.tiers.get_index_of(&name)?, ..free }))
            .collect();
        free.sort_by_key(|f| (f.tier, f.knob));
        Ok(Self { scenario, free, sites })
    }

    /// The scenario, where nothing is free.
    pub(crate) fn closed(self) -> Result<Scenario, Problems> {
        if self.free.is_empty() && self.sites.is_empty() {
            return Ok(self.scenario);
        }
        let problem = |(path, origin): (String, Origin)| Problem {
            origin,
            cause: format!("`{path}` is left to the planner"),
            fix: "`plimsoll plan FILE --write SIZED.yaml` sizes it; or write a value".to_owned(),
        };
        let of_tier = |f: &Free| (format!("tiers.{}.{}", self.scenario.tier_name(f.tier), f.field), f.origin);
        let of_region =
            |f: &FreeSites| (sites_path(&self.scenario.population.regions[f.region].name), f.origin);
        let all = self.sites.iter().map(of_region).chain(self.free.iter().map(of_tier));
        let list = all.map(problem).collect();
        Err(Problems { sources: self.scenario.sources.clone(), list })
    }
}

/// Whether some scalar of a tree leaves something to the planner.
fn mentions(node: &Node) -> bool {
    match &node.value {
        Value::Null => false,
        Value::Text(text) => rest(text).is_some(),
        Value::List(items) => items.iter().any(mentions),
        Value::Map(pairs) => pairs.iter().any(|(_, value)| mentions(value)),
    }
}

/// What stands behind `auto`; `None` where a text is something else.
fn rest(text: &str) -> Option<&str> {
    let rest = text.trim().strip_prefix(AUTO)?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| rest.trim())
}

/// Puts a stand-in for every free quantity of the tiers, and lists them by name of the tier. `auto` anywhere
/// else stays, and is refused as what it is not.
fn settle(root: &mut Node) -> (Vec<(String, Free)>, Vec<Problem>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let Some(Value::Map(tiers)) = child_mut(root, "tiers").map(|n| &mut n.value) else {
        return (found, problems);
    };
    for (key, tier) in tiers {
        let Value::Text(name) = &key.value else { continue };
        for (knob, field) in Knob::ALL.into_iter().flat_map(|k| k.fields().iter().map(move |f| (k, *f))) {
            let Some(node) = field.split('.').try_fold(&mut *tier, child_mut) else { continue };
            let Value::Text(text) = &node.value else { continue };
            let Some(bounds) = rest(text) else { continue };
            match free((knob, field), bounds, node.origin) {
                Ok(free) => found.push((name.clone(), free)),
                Err((cause, fix)) => {
                    let cause = format!("tiers.{name}.{field}: {cause}");
                    problems.push(Problem { origin: node.origin, cause, fix });
                }
            }
            node.value = knob.stand_in(node.origin);
        }
    }
    (found, problems)
}

/// Where a region's number of sites stands.
#[must_use]
pub fn sites_path(region: &str) -> String {
    format!("population.regions.{region}.sites")
}

/// Puts one site for every number of sites that is free, and lists them by region.
fn settle_sites(root: &mut Node, problems: &mut Vec<Problem>) -> Vec<FreeSites> {
    let mut found = Vec::new();
    let regions = child_mut(root, "population").and_then(|n| child_mut(n, "regions")).map(|n| &mut n.value);
    let Some(Value::List(items)) = regions else { return found };
    for (region, item) in items.iter_mut().enumerate() {
        let path = sites_path(name_of(item).unwrap_or(&region.to_string()));
        let measured = child(item, "area").is_some();
        let Some(node) = child_mut(item, "sites") else { continue };
        let Value::Text(text) = &node.value else { continue };
        let Some(bounds) = rest(text) else { continue };
        let origin = node.origin;
        let mut problem = |cause: String, fix: String| problems.push(Problem { origin, cause, fix });
        let range = match bounds {
            "" => Ok(None),
            bounds => Knob::Servers.range(bounds).map(Some),
        };
        match range {
            Err((cause, fix)) => {
                problem(format!("{path}: {cause}"), fix.replace(Knob::Servers.example(), SITES_EXAMPLE));
            }
            Ok(_) if !measured => problem(
                format!("`{path}` is left to the planner, and nothing hangs on it"),
                "say where its users live: with `area: 10 M km2` they are nearer to more sites".to_owned(),
            ),
            Ok(range) => found.push(FreeSites { region, range, origin }),
        }
        node.value = Value::Text("1".to_owned());
    }
    found
}

fn free((knob, field): (Knob, &'static str), bounds: &str, origin: Origin) -> Result<Free, (String, String)> {
    let mut free = Free { tier: 0, knob, field, range: None, choices: Vec::new(), origin };
    if bounds.is_empty() {
        return Ok(free);
    }
    if knob.is_choice() {
        // `or` and not only commas: in braces a comma ends the value.
        let names = bounds.split(',').flat_map(|part| part.split(" or "));
        free.choices = names.map(|name| name.trim().to_owned()).collect();
        if free.choices.iter().any(String::is_empty) {
            return Err((format!("`{bounds}` has an empty name"), format!("write `{}`", knob.example())));
        }
    } else {
        free.range = Some(knob.range(bounds)?);
    }
    Ok(free)
}

/// The child of this name of a map.
fn child_mut<'n>(node: &'n mut Node, name: &str) -> Option<&'n mut Node> {
    child(node, name)?;
    let Value::Map(pairs) = &mut node.value else { return None };
    pairs
        .iter_mut()
        .find(|(key, _)| matches!(&key.value, Value::Text(text) if text == name))
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{load_with, resolve};

    fn open(settings: &[&str]) -> Result<Open, Problems> {
        let settings: Vec<String> = settings.iter().map(|&s| s.to_owned()).collect();
        resolve("spotify", &settings).unwrap().open()
    }

    #[test]
    fn what_is_auto_is_listed_with_its_bounds() {
        let open = open(&[
            "tiers.web.servers=auto",
            "tiers.edge.cache.capacity=auto 10 to 200 TB",
            "tiers.edge.cache.policy=auto lru or fifo",
            "tiers.web.price.server=auto",
        ])
        .unwrap();
        let edge = open.scenario.tier("edge").unwrap().0;
        let web = open.scenario.tier("web").unwrap().0;
        let found: Vec<_> = open.free.iter().map(|f| (f.tier, f.knob)).collect();
        let wanted =
            [(edge, Knob::Capacity), (edge, Knob::Policy), (web, Knob::Servers), (web, Knob::Instance)];
        assert_eq!(found, wanted);
        assert_eq!(open.free[0].range, Some((10e12, 200e12)));
        assert_eq!(open.free[1].choices, ["lru", "fifo"]);
        assert_eq!(open.scenario.tiers[web].price.server, None);
        assert_eq!(open.free[2].range, None);
    }

    #[test]
    fn copies_shards_and_slots_are_free_wherever_they_stand() {
        let open = open(&[
            "tiers.audio-store.replication=auto 3 copies or 6+3",
            "tiers.audio-store.copies=null",
            "tiers.metadata-db.shards={count: auto 4 to 64, by: consistent}",
            "tiers.metadata-db.concurrency=auto 2 to 16",
            "tiers.events.shards=auto",
        ])
        .unwrap();
        let found: Vec<_> = open.free.iter().map(|f| (f.knob, f.field, f.range)).collect();
        let wanted = [
            (Knob::Shards, "shards.count", Some((4.0, 64.0))),
            (Knob::Concurrency, "concurrency", Some((2.0, 16.0))),
            (Knob::Replication, "replication", None),
            (Knob::Shards, "shards", None),
        ];
        assert_eq!(found, wanted);
        assert_eq!(open.free[2].choices, ["3 copies", "6+3"]);
    }

    #[test]
    fn sites_are_free_where_users_live_somewhere() {
        let some = open(&[
            "population.regions.europe.area=10 M km2",
            "population.regions.europe.sites=auto 4 to 40",
            "population.regions.asia-pacific.area=30 M km2",
            "population.regions.asia-pacific.sites=auto",
        ])
        .unwrap();
        let found: Vec<_> = some.sites.iter().map(|f| (f.region, f.range)).collect();
        assert_eq!(found, [(0, Some((4.0, 40.0))), (3, None)]);
        assert!(some.free.is_empty() && some.scenario.population.regions[0].sites == 1);
        let told = some.closed().unwrap_err().to_string();
        assert!(told.contains("`population.regions.europe.sites` is left to the planner"), "{told}");
        let told = |settings: &[&str]| open(settings).unwrap_err().to_string();
        let text = told(&["population.regions.europe.sites=auto"]);
        assert!(text.contains("nothing hangs on it") && text.contains("area: 10 M km2"), "{text}");
        let area = "population.regions.europe.area=10 M km2";
        let text = told(&[area, "population.regions.europe.sites=auto 40"]);
        assert!(text.contains("one end") && text.contains("auto 4 to 40"), "{text}");
        assert!(told(&["population.regions.europe.area=600 M km2"]).contains("all of the Earth"));
        assert!(told(&["population.path_stretch=0.5"]).contains("no cable is shorter"));
    }

    #[test]
    fn a_scenario_has_nothing_free() {
        let error = load_with("spotify", &["tiers.web.servers=auto 10 to 20".to_owned()]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("tiers.web.servers") && text.contains("plimsoll plan"), "{text}");
        assert!(open(&[]).unwrap().free.is_empty());
    }

    #[test]
    fn bad_bounds_and_fields_are_told() {
        let told = |setting: &str| open(&[setting]).unwrap_err().to_string();
        assert!(told("tiers.web.servers=auto 20 to 10").contains("no range"));
        assert!(told("tiers.web.servers=auto 20").contains("one end"));
        assert!(told("tiers.edge.cache.capacity=auto 10 to 20 Gbit/s").contains("unit"));
        assert!(told("tiers.web.rtt=auto").contains("a duration"));
        assert!(told("tiers.edge.cache.policy=auto lru,, fifo").contains("empty name"));
    }
}
