//! From a file's tree to a [`Scenario`]: every field decoded, every name resolved, every rule checked,
//! all problems noted.

use indexmap::IndexMap;

use crate::arrivals::Diurnal;
use crate::decode::{Decoder, Fields, suggestion};
use crate::diagnostic::{Origin, Problem, Problems, SourceFile};
use crate::distribution::Distribution;
use crate::node::{self, Node, Value};
use crate::popularity::Popularity;
use crate::scenario::{
    Action, Balance, Branch, Cache, Claim, Dataset, Http, Load, LoadScale, Peak, Policy, Population, Region,
    Scenario, Scope, Station, Tier, TierId,
};
use crate::slo::{Metric, Slo};
use crate::units::{self, Bandwidth, Bytes, Count, Duration, Fraction, Number, Quantity, Rate, Share, Size};

/// Most objects, tiers or actions that a file may name; keeps a hostile file from costing much.
const NAMES_MAX: usize = 1000;

impl Scenario {
    /// Reads and checks a scenario.
    ///
    /// # Errors
    /// Every problem of the file, in order of place.
    pub fn from_yaml(source: &SourceFile) -> Result<Self, Problems> {
        Self::from_tree(&node::parse(source)?, vec![source.clone()])
    }

    /// Checks a tree that was put together from several texts.
    pub(crate) fn from_tree(root: &Node, sources: Vec<SourceFile>) -> Result<Self, Problems> {
        let mut decoder = Decoder::default();
        let scenario = scenario(&mut decoder, root, &sources);
        let mut list = decoder.problems;
        if let (Some(scenario), true) = (scenario, list.is_empty()) {
            return Ok(scenario);
        }
        if list.is_empty() {
            list.push(Problem { origin: root.origin, cause: "not a scenario".into(), fix: String::new() });
        }
        list.sort_by_key(|p| (p.origin.file, p.origin.line, p.origin.column));
        Err(Problems { sources, list })
    }
}

const SCENARIO: [&str; 9] =
    ["name", "summary", "population", "datasets", "actions", "tiers", "slos", "claims", "load"];

fn scenario(decoder: &mut Decoder, root: &Node, sources: &[SourceFile]) -> Option<Scenario> {
    let mut fields = decoder.fields(root, "")?;
    let name = fields.need(decoder, "name", "my-system").and_then(|n| decoder.text(n, "name"));
    let summary = fields.text(decoder, "summary").unwrap_or_default();
    let population = fields.need(decoder, "population", "{users: 1 M}").and_then(|n| population(decoder, n));
    let tier_node = fields.need(decoder, "tiers", "{web: {servers: 10, service_time: 20 ms}}");
    let dataset_node = fields.take("datasets");
    let names = Names {
        tiers: tier_node.map(keys).unwrap_or_default(),
        datasets: dataset_node.map(keys).unwrap_or_default(),
    };
    let tiers =
        tier_node.map(|n| named(decoder, n, "tiers", |d, n, p| tier(d, n, p, &names))).unwrap_or_default();
    let datasets = dataset_node
        .map(|n| named(decoder, n, "datasets", |d, n, p| dataset(d, n, p, &names.tiers)))
        .unwrap_or_default();
    let action_node = fields.need(decoder, "actions", "{view: {per_user: 5/day, path: [web]}}");
    let actions = action_node
        .map(|n| named(decoder, n, "actions", |d, n, p| action(d, n, p, &names, &datasets)))
        .unwrap_or_default();
    let mut slos = Vec::new();
    if let Some(node) = fields.take("slos") {
        for item in decoder.list(node, "slos") {
            let text = decoder.text(item, "slos");
            slos.extend(
                text.and_then(|t| decoder.noted(item.origin, "slos", Slo::parse(&t)))
                    .map(|s| (s, item.origin)),
            );
        }
    }
    let mut claims = Vec::new();
    if let Some(node) = fields.take("claims") {
        for item in decoder.list(node, "claims") {
            claims.extend(claim(decoder, item, &datasets, &actions));
        }
    }
    let load = fields.take("load").and_then(|n| load(decoder, n, &datasets));
    fields.finish(decoder, &SCENARIO);
    let action_names = action_node.map(keys).unwrap_or_default();
    check_slos(decoder, &slos, &names, &action_names, &tiers);
    let whole = tiers.len() == names.tiers.len() && actions.len() == action_names.len();
    if whole {
        check_paths(decoder, &actions, &tiers);
    }
    Some(Scenario {
        name: name?,
        summary,
        population: population?,
        datasets,
        actions,
        tiers,
        slos: slos.into_iter().map(|(slo, _)| slo).collect(),
        claims,
        load,
        sources: sources.to_vec(),
    })
}

struct Names {
    tiers: Vec<String>,
    datasets: Vec<String>,
}

fn keys(node: &Node) -> Vec<String> {
    let Value::Map(pairs) = &node.value else { return Vec::new() };
    pairs
        .iter()
        .filter_map(|(k, _)| if let Value::Text(t) = &k.value { Some(t.clone()) } else { None })
        .collect()
}

/// A map from names that the user chooses.
fn named<T>(
    decoder: &mut Decoder,
    node: &Node,
    path: &str,
    mut each: impl FnMut(&mut Decoder, &Node, &str) -> Option<T>,
) -> IndexMap<String, T> {
    let mut found = IndexMap::new();
    let Some(mut fields) = decoder.fields(node, path) else { return found };
    let entries = fields.entries();
    if entries.is_empty() || entries.len() > NAMES_MAX {
        decoder.problem(
            node.origin,
            format!("`{path}` has {} entries, expected 1 to {NAMES_MAX}", entries.len()),
            "",
        );
        return found;
    }
    for (name, origin, node) in entries {
        let plain =
            name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
        if !plain || name.is_empty() {
            decoder.problem(origin, format!("`{name}` is no name"), "use a-z, 0-9, - and _");
        }
        if let Some(value) = each(decoder, node, &format!("{path}.{name}")) {
            found.insert(name, value);
        }
    }
    found
}

fn population(decoder: &mut Decoder, node: &Node) -> Option<Population> {
    let mut fields = decoder.fields(node, "population")?;
    let users = fields.need_quantity(decoder, "users");
    let active = fields.quantity(decoder, "active").unwrap_or_else(|| Fraction::given(1.0, "100 %"));
    let downlink = fields.quantity(decoder, "downlink");
    let diurnal = fields.take("diurnal").and_then(|n| diurnal(decoder, n)).unwrap_or(Diurnal::Flat);
    let mut regions = Vec::new();
    if let Some(list) = fields.take("regions") {
        for (i, item) in decoder.list(list, "population.regions").iter().enumerate() {
            regions.extend(region(decoder, item, &format!("population.regions[{i}]"), &diurnal));
        }
        let total: f64 = regions.iter().map(|r: &Region| r.share).sum();
        if !regions.is_empty() && (total - 1.0).abs() > 1e-6 {
            let cause = format!("the shares of the regions add up to {:.4} %", total * 100.0);
            decoder.problem(list.origin, cause, "make them add up to 100 %");
        }
        if regions.is_empty() {
            decoder.problem(list.origin, "`population.regions` is empty", "leave it out for one region");
        }
    } else {
        let origin = fields.origin;
        regions.push(Region {
            name: "world".into(),
            share: 1.0,
            utc_offset_s: 0.0,
            sites: 1,
            diurnal,
            origin,
        });
    }
    fields.finish(decoder, &["users", "active", "downlink", "regions", "diurnal"]);
    Some(Population { users: users?, active, regions, downlink })
}

fn region(decoder: &mut Decoder, node: &Node, path: &str, default: &Diurnal) -> Option<Region> {
    let mut fields = decoder.fields(node, path)?;
    let name = fields.need(decoder, "name", "europe").and_then(|n| decoder.text(n, path));
    let share: Option<Fraction> = fields.need_quantity(decoder, "share");
    let offset_name = fields.name("utc_offset");
    let utc_offset_s = match fields.take("utc_offset") {
        Some(n) => decoder
            .text(n, &offset_name)
            .and_then(|t| decoder.noted(n.origin, &offset_name, units::parse_offset(&t)))
            .unwrap_or(0.0),
        None => 0.0,
    };
    let sites = fields.whole(decoder, "sites", 1).unwrap_or(1);
    let diurnal = fields.take("diurnal").and_then(|n| diurnal(decoder, n)).unwrap_or_else(|| default.clone());
    let origin = fields.origin;
    fields.finish(decoder, &["name", "share", "utc_offset", "sites", "diurnal"]);
    Some(Region { name: name?, share: share?.get(), utc_offset_s, sites, diurnal, origin })
}

fn diurnal(decoder: &mut Decoder, node: &Node) -> Option<Diurnal> {
    let mut fields = decoder.fields(node, "diurnal")?;
    let hourly = fields.take("hourly");
    let peak: Option<Number> = fields.quantity(decoder, "peak_to_mean");
    let peak_at = match fields.take("peak_at") {
        Some(n) => decoder
            .text(n, "peak_at")
            .and_then(|t| decoder.noted(n.origin, "peak_at", units::parse_time_of_day(&t)))?,
        None => 19.0 * 3600.0,
    };
    let origin = fields.origin;
    fields.finish(decoder, &["hourly", "peak_to_mean", "peak_at"]);
    if let Some(list) = hourly {
        let items = decoder.list(list, "diurnal.hourly");
        let values: Vec<f64> = items
            .iter()
            .filter_map(|n| decoder.quantity::<units::Plain>(n, "diurnal.hourly"))
            .map(|q| q.get())
            .collect();
        let Ok(mut hours) = <[f64; 24]>::try_from(values) else {
            decoder.problem(
                list.origin,
                format!("`diurnal.hourly` has {} values", items.len()),
                "give 24, one for each hour from 00:00",
            );
            return None;
        };
        let mean = hours.iter().sum::<f64>() / 24.0;
        for hour in &mut hours {
            *hour /= mean;
        }
        return Some(Diurnal::Hourly(hours));
    }
    let Some(peak) = peak else {
        decoder.problem(
            origin,
            "`diurnal` says neither `peak_to_mean` nor `hourly`",
            "add `peak_to_mean: 2.0`",
        );
        return None;
    };
    if !(1.0..=100.0).contains(&peak.get()) {
        decoder.problem(peak.origin, format!("`peak_to_mean` is {}", peak.text), "expected 1 to 100");
        return None;
    }
    Some(Diurnal::with_peak(peak.get(), peak_at))
}

fn dataset(decoder: &mut Decoder, node: &Node, path: &str, tiers: &[String]) -> Option<Dataset> {
    let mut fields = decoder.fields(node, path)?;
    let count: Option<Count> = fields.need_quantity(decoder, "count");
    if let Some(count) = count.as_ref().filter(|c| !(1.0..=1e15).contains(&c.get())) {
        decoder.problem(count.origin, format!("{path}.count is {}", count.text), "expected 1 to 1e15");
    }
    let size = fields.need_quantity(decoder, "size");
    let metadata = fields.quantity(decoder, "metadata");
    let popularity = match fields.take("popularity") {
        Some(n) => popularity(decoder, n, &format!("{path}.popularity"))?,
        None => Popularity::Uniform,
    };
    let in_name = fields.name("in");
    let stored_in = fields.take("in").and_then(|n| reference(decoder, n, &in_name, "tier", tiers));
    let origin = fields.origin;
    fields.finish(decoder, &["count", "size", "metadata", "popularity", "in"]);
    Some(Dataset { count: count?, size: size?, metadata, popularity, stored_in, origin })
}

fn popularity(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Popularity> {
    if let Value::Text(_) = &node.value {
        return decoder.one_of(node, path, &[("uniform", Popularity::Uniform)]);
    }
    let mut fields = decoder.fields(node, path)?;
    let exponent: Option<Number> = fields.need_quantity(decoder, "zipf");
    fields.finish(decoder, &["zipf"]);
    let exponent = exponent?;
    if exponent.get() > 5.0 {
        decoder.problem(
            exponent.origin,
            format!("{path}.zipf is {}", exponent.text),
            "expected an exponent up to 5; music is near 1",
        );
        return None;
    }
    Some(Popularity::Zipf { exponent: exponent.get() })
}

/// The position of a name in a list of names.
fn reference(decoder: &mut Decoder, node: &Node, what: &str, kind: &str, names: &[String]) -> Option<usize> {
    let text = decoder.text(node, what)?;
    let found = names.iter().position(|n| *n == text);
    if found.is_none() {
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let fix = suggestion(&text, &known)
            .map_or_else(|| format!("known: {}", known.join(", ")), |n| format!("did you mean `{n}`?"));
        decoder.problem(node.origin, format!("{what}: no {kind} is named `{text}`"), fix);
    }
    found
}

fn action(
    decoder: &mut Decoder,
    node: &Node,
    path: &str,
    names: &Names,
    datasets: &IndexMap<String, Dataset>,
) -> Option<Action> {
    let mut fields = decoder.fields(node, path)?;
    let per_user: Option<Rate> = fields.need_quantity(decoder, "per_user");
    let of_name = fields.name("of");
    let of = fields.take("of").and_then(|n| reference(decoder, n, &of_name, "dataset", &names.datasets));
    let repeat = fields.quantity(decoder, "repeat").unwrap_or_else(|| Fraction::given(0.0, "0 %"));
    let request = fields.quantity(decoder, "request").unwrap_or_else(|| Size::given(0.0, "0 B"));
    let object_size = of.and_then(|d| datasets.get(&names.datasets[d])).map(|d| d.size.clone());
    let response =
        fields.quantity(decoder, "response").or(object_size).unwrap_or_else(|| Size::given(0.0, "0 B"));
    let path_name = fields.name("path");
    let mut tiers = Vec::new();
    if let Some(list) = fields.need(decoder, "path", "[web]") {
        let items = decoder.list(list, &path_name);
        if items.is_empty() {
            decoder.problem(list.origin, format!("`{path_name}` names no tier"), "write `[web, db]`");
        }
        for item in items {
            tiers
                .extend(reference(decoder, item, &path_name, "tier", &names.tiers).map(|t| (t, item.origin)));
        }
    }
    for (i, (tier, origin)) in tiers.iter().enumerate() {
        if tiers[..i].iter().any(|(earlier, _)| earlier == tier) {
            let cause = format!("`{path_name}` comes back to `{}`: a cycle", names.tiers[*tier]);
            decoder.problem(*origin, cause, "name every tier of a path once");
        }
    }
    let then_name = fields.name("then");
    let mut then = Vec::new();
    if let Some(list) = fields.take("then") {
        for item in decoder.list(list, &then_name) {
            then.extend(branch(decoder, item, &then_name, names));
        }
    }
    let http = fields.take("http").and_then(|n| http(decoder, n, &format!("{path}.http")));
    let origin = fields.origin;
    fields.finish(decoder, &["per_user", "of", "repeat", "request", "response", "path", "then", "http"]);
    let path = tiers.into_iter().map(|(t, _)| t).collect();
    Some(Action { per_user: per_user?, of, repeat, request, response, path, then, http, origin })
}

fn branch(decoder: &mut Decoder, node: &Node, path: &str, names: &Names) -> Option<Branch> {
    if let Value::Text(_) = &node.value {
        let tier = reference(decoder, node, path, "tier", &names.tiers)?;
        return Some(Branch { tier, size: Size::given(0.0, "0 B"), http: None });
    }
    let mut fields = decoder.fields(node, path)?;
    let tier =
        fields.need(decoder, "to", "events").and_then(|n| reference(decoder, n, path, "tier", &names.tiers));
    let size = fields.quantity(decoder, "size").unwrap_or_else(|| Size::given(0.0, "0 B"));
    let http = fields.take("http").and_then(|n| http(decoder, n, &format!("{path}.http")));
    fields.finish(decoder, &["to", "size", "http"]);
    Some(Branch { tier: tier?, size, http })
}

fn http(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Http> {
    let mut fields = decoder.fields(node, path)?;
    let get = fields.text(decoder, "get");
    let post = fields.text(decoder, "post");
    let body = fields.text(decoder, "body");
    let origin = fields.origin;
    fields.finish(decoder, &["get", "post", "body"]);
    let (method, template) = match (get, post) {
        (Some(template), None) => ("GET", template),
        (None, Some(template)) => ("POST", template),
        _ => {
            decoder.problem(
                origin,
                format!("`{path}` needs either `get` or `post`"),
                "write `{get: /songs/{object}}`",
            );
            return None;
        }
    };
    if !template.starts_with('/') {
        decoder.problem(origin, format!("`{path}`: the path `{template}` does not start with `/`"), "");
        return None;
    }
    Some(Http { method: method.to_owned(), path: template, body })
}

const TIER: [&str; 10] = [
    "per",
    "rtt",
    "link",
    "cache",
    "servers",
    "concurrency",
    "service_time",
    "queue_max",
    "balance",
    "copies",
];

fn tier(decoder: &mut Decoder, node: &Node, path: &str, names: &Names) -> Option<Tier> {
    let mut fields = decoder.fields(node, path)?;
    let per_name = fields.name("per");
    let scopes =
        [("user", Scope::User), ("site", Scope::Site), ("region", Scope::Region), ("global", Scope::Global)];
    let scope =
        fields.take("per").and_then(|n| decoder.one_of(n, &per_name, &scopes)).unwrap_or(Scope::Global);
    let rtt = fields.quantity::<units::Seconds>(decoder, "rtt");
    let link = fields.quantity::<units::BitsPerSecond>(decoder, "link");
    let cache =
        fields.take("cache").and_then(|n| cache(decoder, n, &format!("{path}.cache"), &names.datasets));
    let station = station(decoder, &mut fields, path);
    let copies = fields.whole(decoder, "copies", 1).unwrap_or(1);
    let origin = fields.origin;
    fields.finish(decoder, &TIER);
    if scope == Scope::User && station.is_some() {
        decoder.problem(
            origin,
            format!("`{path}` is on the user's device and has servers"),
            "drop `servers` or `per: user`",
        );
    }
    if let (Some(cache), None) = (&cache, &station)
        && cache.per_server
    {
        decoder.problem(
            origin,
            format!("`{path}.cache` is per server, and `{path}` has no servers"),
            "add `servers`, or drop `per_server`",
        );
    }
    Some(Tier { scope, rtt, link, cache, station, copies, origin })
}

fn cache(decoder: &mut Decoder, node: &Node, path: &str, datasets: &[String]) -> Option<Cache> {
    let mut fields = decoder.fields(node, path)?;
    let capacity = fields.need_quantity(decoder, "capacity");
    let policy_name = fields.name("policy");
    let policies =
        [("lru", Policy::Lru), ("fifo", Policy::Fifo), ("clock", Policy::Clock), ("sieve", Policy::Sieve)];
    let policy =
        fields.take("policy").and_then(|n| decoder.one_of(n, &policy_name, &policies)).unwrap_or(Policy::Lru);
    let per_name = fields.name("per_server");
    let per_server = fields
        .take("per_server")
        .and_then(|n| decoder.one_of(n, &per_name, &[("true", true), ("false", false)]))
        .unwrap_or(false);
    let of_name = fields.name("of");
    let of = fields.take("of").map(|n| {
        let items = decoder.list(n, &of_name);
        items.iter().filter_map(|item| reference(decoder, item, &of_name, "dataset", datasets)).collect()
    });
    fields.finish(decoder, &["capacity", "policy", "per_server", "of"]);
    Some(Cache { capacity: capacity?, policy, per_server, of })
}

fn station(decoder: &mut Decoder, fields: &mut Fields<'_>, path: &str) -> Option<Station> {
    let servers: Option<Count> = fields.quantity(decoder, "servers");
    let concurrency: Option<Count> = fields.quantity(decoder, "concurrency");
    let service_node = fields.take("service_time");
    let service_time = service_node.and_then(|n| distribution(decoder, n, &format!("{path}.service_time")));
    let queue_max = fields.whole(decoder, "queue_max", 0);
    let balance_name = fields.name("balance");
    let balances = [
        ("random", Balance::Random),
        ("round-robin", Balance::RoundRobin),
        ("least-connections", Balance::LeastConnections),
    ];
    let balance = fields.take("balance").and_then(|n| decoder.one_of(n, &balance_name, &balances));
    for (field, quantity) in [("servers", &servers), ("concurrency", &concurrency)] {
        if let Some(q) =
            quantity.as_ref().filter(|q| q.get() < 1.0 || q.get().fract() != 0.0 || q.get() > 1e9)
        {
            decoder.problem(
                q.origin,
                format!("{path}.{field} is {}, expected a whole number from 1 to 1e9", q.text),
                "",
            );
        }
    }
    if servers.is_none() {
        let stray = [
            ("concurrency", concurrency.is_some()),
            ("service_time", service_node.is_some()),
            ("queue_max", queue_max.is_some()),
            ("balance", balance.is_some()),
        ];
        if let Some((field, _)) = stray.iter().find(|(_, there)| *there) {
            decoder.problem(
                fields.origin,
                format!("`{path}` has `{field}` and no `servers`"),
                "add `servers: 10`",
            );
        }
        return None;
    }
    if service_node.is_none() {
        decoder.problem(
            fields.origin,
            format!("`{path}.service_time` is missing"),
            "add `service_time: {lognormal: {mean: 20 ms, cv: 1}}`",
        );
    }
    Some(Station {
        servers: servers?,
        concurrency: concurrency.unwrap_or_else(|| Count::given(1.0, "1")),
        service_time: service_time?,
        queue_max: queue_max.unwrap_or(1024),
        balance: balance.unwrap_or(Balance::Random),
    })
}

fn distribution(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Distribution> {
    let mean = |decoder: &mut Decoder, q: Option<Duration>| {
        let q = q?;
        if q.get() <= 0.0 {
            decoder.problem(q.origin, format!("{path} is {}, expected more than 0", q.text), "");
            return None;
        }
        Some(q.get())
    };
    if let Value::Text(_) = &node.value {
        let q = decoder.quantity(node, path);
        return mean(decoder, q).map(|mean| Distribution::Constant { mean });
    }
    let mut fields = decoder.fields(node, path)?;
    let constant = fields.quantity(decoder, "constant");
    let exponential = fields.quantity(decoder, "exponential");
    let lognormal = fields.take("lognormal");
    let origin = fields.origin;
    fields.finish(decoder, &["constant", "exponential", "lognormal"]);
    if let Some(node) = lognormal {
        let mut inner = decoder.fields(node, &format!("{path}.lognormal"))?;
        let value = inner.need_quantity(decoder, "mean");
        let value = mean(decoder, value);
        let cv: Option<Number> = inner.need_quantity(decoder, "cv");
        inner.finish(decoder, &["mean", "cv"]);
        let cv = cv?;
        if cv.get() > 20.0 {
            decoder.problem(cv.origin, format!("{path}: cv is {}", cv.text), "expected up to 20");
        }
        return Some(Distribution::Lognormal { mean: value?, cv: cv.get() });
    }
    if constant.is_some() {
        return mean(decoder, constant).map(|mean| Distribution::Constant { mean });
    }
    if exponential.is_some() {
        return mean(decoder, exponential).map(|mean| Distribution::Exponential { mean });
    }
    decoder.problem(
        origin,
        format!("`{path}` names no distribution"),
        "write `20 ms`, `{exponential: 20 ms}` or `{lognormal: {mean: 20 ms, cv: 1}}`",
    );
    None
}

/// Quantities that an estimate gives for every dataset and action, with what they are measured in.
const DATASET_QUANTITIES: [&str; 3] = ["storage", "storage_replicated", "metadata"];
const ACTION_QUANTITIES: [&str; 5] =
    ["rate", "peak_rate", "per_day", "egress_uncached", "egress_uncached_peak"];

fn claim(
    decoder: &mut Decoder,
    node: &Node,
    datasets: &IndexMap<String, Dataset>,
    actions: &IndexMap<String, Action>,
) -> Option<Claim> {
    let mut fields = decoder.fields(node, "claims")?;
    let what_node = fields.need(decoder, "what", "song.storage");
    let is_node = fields.need(decoder, "is", "500 TB");
    let within: Fraction =
        fields.quantity(decoder, "within").unwrap_or_else(|| Quantity::<Share>::given(0.05, "5 %"));
    let origin = fields.origin;
    fields.finish(decoder, &["what", "is", "within"]);
    let (what_node, is_node) = (what_node?, is_node?);
    let what = decoder.text(what_node, "claims.what")?;
    let text = decoder.text(is_node, "claims.is")?;
    // What is kept nowhere in the scenario has no copies, and what has no metadata says nothing of it.
    let there = |dataset: &Dataset, quantity: &str| match quantity {
        "storage_replicated" => dataset.stored_in.is_some(),
        "metadata" => dataset.metadata.is_some(),
        _ => true,
    };
    let known: Vec<String> = datasets
        .iter()
        .flat_map(|(d, set)| {
            DATASET_QUANTITIES.iter().filter(|q| there(set, q)).map(move |q| format!("{d}.{q}"))
        })
        .chain(actions.keys().flat_map(|a| ACTION_QUANTITIES.iter().map(move |q| format!("{a}.{q}"))))
        .collect();
    if !known.contains(&what) {
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        let fix = suggestion(&what, &names).map_or_else(
            || "write `DATASET.storage` or `ACTION.rate`".to_owned(),
            |n| format!("did you mean `{n}`?"),
        );
        decoder.problem(what_node.origin, format!("claims: no quantity is named `{what}`"), fix);
        return None;
    }
    let series = what.rsplit_once('.').map_or("", |(_, s)| s);
    let is = match series {
        "storage" | "storage_replicated" | "metadata" => Quantity::<Bytes>::parse(&text).map(|q| q.get()),
        "rate" | "peak_rate" => Rate::parse(&text).map(|q| q.get()),
        "per_day" => Rate::parse(&text).map(|q| q.get() * crate::arrivals::DAY_S),
        _ => Bandwidth::parse(&text).map(|q| q.get()),
    };
    let is = decoder.noted(is_node.origin, "claims.is", is)?;
    Some(Claim { what, is, text, within: within.get(), origin })
}

fn load(decoder: &mut Decoder, node: &Node, datasets: &IndexMap<String, Dataset>) -> Option<Load> {
    let mut fields = decoder.fields(node, "load")?;
    let scale_node = fields.need(decoder, "scale", "{users: 1/1000, objects: 1/1000}");
    let warmup = fields.quantity(decoder, "warmup").unwrap_or_else(|| Duration::given(10.0, "10 s"));
    let duration: Duration =
        fields.quantity(decoder, "duration").unwrap_or_else(|| Duration::given(30.0, "30 s"));
    let at = fields
        .take("at")
        .and_then(|n| decoder.one_of(n, "load.at", &[("mean", Peak::Mean), ("peak", Peak::Peak)]));
    let origin = fields.origin;
    fields.finish(decoder, &["scale", "warmup", "duration", "at"]);
    if duration.get() <= 0.0 {
        decoder.problem(
            duration.origin,
            format!("load.duration is {}, expected more than 0", duration.text),
            "",
        );
    }
    let scale = load_scale(decoder, scale_node?, datasets)?;
    Some(Load { scale, duration, warmup, at: at.unwrap_or(Peak::Mean), origin })
}

fn load_scale(decoder: &mut Decoder, node: &Node, datasets: &IndexMap<String, Dataset>) -> Option<LoadScale> {
    let mut fields = decoder.fields(node, "load.scale")?;
    let mut factor = |decoder: &mut Decoder, field: &str| {
        let q: Fraction = fields.quantity(decoder, field).unwrap_or_else(|| Fraction::given(1.0, "1"));
        if q.get() <= 0.0 {
            decoder.problem(q.origin, format!("load.scale.{field} is {}, expected more than 0", q.text), "");
        }
        q.get()
    };
    let (users, objects) = (factor(decoder, "users"), factor(decoder, "objects"));
    let mut sizes = IndexMap::new();
    if let Some(node) = fields.take("sizes") {
        let mut inner = decoder.fields(node, "load.scale.sizes")?;
        for (name, origin, value) in inner.entries() {
            let Some(id) = datasets.get_index_of(&name) else {
                let known: Vec<&str> = datasets.keys().map(String::as_str).collect();
                decoder.problem(
                    origin,
                    format!("load.scale.sizes: no dataset is named `{name}`"),
                    format!("known: {}", known.join(", ")),
                );
                continue;
            };
            sizes.extend(decoder.quantity::<Share>(value, "load.scale.sizes").map(|q| (id, q.get())));
        }
    }
    let sites = fields.whole(decoder, "sites", 1).unwrap_or(1);
    fields.finish(decoder, &["users", "objects", "sizes", "sites"]);
    Some(LoadScale { users, objects, sizes, sites })
}

fn check_slos(
    decoder: &mut Decoder,
    slos: &[(Slo, Origin)],
    names: &Names,
    actions: &[String],
    tiers: &IndexMap<String, Tier>,
) {
    for (slo, origin) in slos {
        let (kind, name, known) = match &slo.metric {
            Metric::FirstByte { action, .. } | Metric::Complete { action, .. } => ("action", action, actions),
            Metric::HitRatio { tier } | Metric::Utilisation { tier } => {
                ("tier", tier, names.tiers.as_slice())
            }
            Metric::Availability => continue,
        };
        if !known.contains(name) {
            let list: Vec<&str> = known.iter().map(String::as_str).collect();
            let fix = suggestion(name, &list)
                .map_or_else(|| format!("known: {}", list.join(", ")), |n| format!("did you mean `{n}`?"));
            decoder.problem(*origin, format!("slos: no {kind} is named `{name}`"), fix);
            continue;
        }
        let Some(tier) = tiers.get(name) else { continue };
        let missing = match &slo.metric {
            Metric::HitRatio { .. } if tier.cache.is_none() => "cache",
            Metric::Utilisation { .. } if tier.station.is_none() => "servers",
            _ => continue,
        };
        decoder.problem(
            *origin,
            format!("slos: `{name}` has no {missing}"),
            format!("add `{missing}` to the tier, or drop the target"),
        );
    }
}

/// Paths must flow one way: outward to inward in scope, and without a cycle over all actions together.
fn check_paths(decoder: &mut Decoder, actions: &IndexMap<String, Action>, tiers: &IndexMap<String, Tier>) {
    let name = |id: TierId| tiers.get_index(id).map_or("?", |(n, _)| n.as_str());
    for (action_name, action) in actions {
        for pair in action.path.windows(2) {
            if tiers[pair[0]].scope > tiers[pair[1]].scope {
                let cause = format!(
                    "actions.{action_name}.path goes from `{}` out to `{}`",
                    name(pair[0]),
                    name(pair[1])
                );
                decoder.problem(action.origin, cause, "order a path from user to site to region to global");
            }
        }
        let cached = action.path.iter().find(|&&t| tiers[t].cache.as_ref().is_some_and(|c| c.of.is_none()));
        if let (Some(&tier), None) = (cached, action.of) {
            let cause = format!(
                "actions.{action_name} passes the cache `{}` and says not what it asks for",
                name(tier)
            );
            decoder.problem(action.origin, cause, "add `of: DATASET`");
        }
        let on_device =
            action.path.iter().any(|&t| tiers[t].scope == Scope::User && tiers[t].cache.is_some());
        if action.repeat.get() > 0.0 && !on_device {
            let cause = format!("actions.{action_name} has `repeat` and no cache `per: user` in its path");
            decoder.problem(action.repeat.origin, cause, "add a device cache, or drop `repeat`");
        }
        if action.path.iter().all(|&t| tiers[t].scope == Scope::User) && !action.path.is_empty() {
            decoder.problem(
                action.origin,
                format!("actions.{action_name}.path ends on the device"),
                "add the tier that has the data",
            );
        }
    }
    if let Err(cycle) = tier_order(actions, tiers.len()) {
        let shown: Vec<&str> = cycle.iter().map(|&t| name(t)).collect();
        let origin = actions.values().next().map_or(Origin::default(), |a| a.origin);
        decoder.problem(
            origin,
            format!("the paths of the actions form a cycle: {}", shown.join(" -> ")),
            "let all paths pass these tiers in one order",
        );
    }
}

/// An order of tiers in which every call goes forward, or the tiers of a cycle.
pub(crate) fn tier_order(
    actions: &IndexMap<String, Action>,
    tiers: usize,
) -> Result<Vec<TierId>, Vec<TierId>> {
    let mut next = vec![Vec::new(); tiers];
    let mut waiting = vec![0_usize; tiers];
    for action in actions.values() {
        for pair in action.path.windows(2) {
            next[pair[0]].push(pair[1]);
            waiting[pair[1]] += 1;
        }
    }
    let mut order = Vec::with_capacity(tiers);
    let mut ready: Vec<TierId> = (0..tiers).rev().filter(|&t| waiting[t] == 0).collect();
    while let Some(tier) = ready.pop() {
        order.push(tier);
        for &to in &next[tier] {
            waiting[to] -= 1;
            if waiting[to] == 0 {
                ready.push(to);
            }
        }
    }
    if order.len() == tiers {
        return Ok(order);
    }
    // Walk forward among what is left until a tier comes back.
    let mut walk = vec![(0..tiers).find(|&t| waiting[t] > 0).unwrap_or(0)];
    for _ in 0..=tiers {
        let here = walk[walk.len() - 1];
        let Some(&to) = next[here].iter().find(|&&t| waiting[t] > 0) else { break };
        if let Some(start) = walk.iter().position(|&t| t == to) {
            let mut cycle = walk.split_off(start);
            cycle.push(to);
            return Err(cycle);
        }
        walk.push(to);
    }
    Err(walk)
}
