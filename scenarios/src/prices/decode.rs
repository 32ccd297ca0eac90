//! From a file's tree to a [`PriceList`]: every field decoded, every rule checked, all problems noted.

use chrono::NaiveDate;
use indexmap::IndexMap;

use super::{
    CURRENCY, Charge, MILLION, PriceList, RequestPrice, ServerPrice, ServicePrice, Step, Steps, StoragePrice,
    TrafficPrice,
};
use crate::decode::{Decoder, Fields, Shape, describe, named};
use crate::diagnostic::{Origin, Problem, Problems, SourceFile};
use crate::node::{Node, Value};
use crate::overlay;
use crate::units::{Bytes, Count, Dimension, Dollars, Fraction, Money, Size, Things};

/// Most names in a section; the largest clouds have about a thousand kinds of servers.
const NAMES_MAX: usize = 10_000;
/// Most ranges of one price.
const TIERS_MAX: usize = 100;
const VCPU_MAX: u32 = 100_000;
const COPIES_MAX: u32 = 1000;
const IOPS_INCLUDED_MAX: u32 = 1_000_000_000;
/// Bytes that a provider may call a gigabyte: 10^9 to 2^30.
const GIGABYTE: (f64, f64) = (1e9, 1_073_741_824.0);

const LIST: Shape = Shape {
    fields: &[
        named("currency"),
        named("as_of"),
        named("source"),
        named("region"),
        named("gigabyte"),
        named("servers"),
        named("services"),
        named("storage"),
        named("traffic"),
        named("requests"),
        named("extends"),
    ],
    example: "currency: USD",
};
const SERVER: Shape = Shape {
    fields: &[
        named("vcpu"),
        named("memory"),
        named("network"),
        named("disk"),
        named("hourly"),
        named("monthly"),
        named("reserved"),
    ],
    example: "{vcpu: 2, memory: 8 GiB, hourly: $0.10}",
};
const RESERVED: Shape =
    Shape { fields: &[named("1_year"), named("3_years")], example: "{1_year: 63 %, 3_years: 43 %}" };
const SERVICE: Shape = Shape { fields: &[named("hourly"), named("monthly")], example: "{hourly: $0.02}" };
const STORAGE: Shape = Shape {
    fields: &[
        named("per_gb_month"),
        named("tiers"),
        named("per_gb_read"),
        named("per_iops_month"),
        named("iops_included"),
        named("per_million_reads"),
        named("per_million_writes"),
        named("copies"),
    ],
    example: "{per_gb_month: $0.023}",
};
const TRAFFIC: Shape = Shape { fields: &[named("per_gb"), named("tiers")], example: "{per_gb: $0.09}" };
const REQUESTS: Shape =
    Shape { fields: &[named("per_million"), named("tiers")], example: "{per_million: $0.40}" };

/// A price that may change with the volume.
struct Stepped {
    /// The field with the price, here and in each of `tiers`.
    field: &'static str,
    example: &'static str,
    /// Where a range may end.
    end: &'static str,
    tier: Shape,
    tiers: &'static str,
}

const PER_GB_MONTH: Stepped = Stepped {
    field: "per_gb_month",
    example: "$0.023",
    end: "50 TB",
    tier: Shape {
        fields: &[named("up_to"), named("per_gb_month")],
        example: "{up_to: 50 TB, per_gb_month: $0.023}",
    },
    tiers: "[{up_to: 50 TB, per_gb_month: $0.023}, {per_gb_month: $0.021}]",
};
const PER_GB: Stepped = Stepped {
    field: "per_gb",
    example: "$0.09",
    end: "10 TB",
    tier: Shape { fields: &[named("up_to"), named("per_gb")], example: "{up_to: 10 TB, per_gb: $0.09}" },
    tiers: "[{up_to: 10 TB, per_gb: $0.09}, {per_gb: $0.05}]",
};
const PER_MILLION: Stepped = Stepped {
    field: "per_million",
    example: "$0.40",
    end: "300 M",
    tier: Shape {
        fields: &[named("up_to"), named("per_million")],
        example: "{up_to: 300 M, per_million: $1}",
    },
    tiers: "[{up_to: 300 M, per_million: $1}, {per_million: $0.90}]",
};

/// Fields that say the same in two ways: what extends a list says it in its own.
const ALTERNATIVES: [(&str, &[&str]); 5] = [
    ("servers", &["hourly", "monthly"]),
    ("services", &["hourly", "monthly"]),
    ("storage", &[PER_GB_MONTH.field, "tiers"]),
    ("traffic", &[PER_GB.field, "tiers"]),
    ("requests", &[PER_MILLION.field, "tiers"]),
];

/// Lays a list over the one it extends. An entry of the same name keeps the fields that the new one does
/// not state, except those that say otherwise what the new one states.
pub(super) fn lay(base: &mut Node, over: Node) {
    for (section, fields) in ALTERNATIVES {
        let (Some(old), Some(new)) = (entry_mut(base, section), entry(&over, section)) else { continue };
        let Value::Map(new) = &new.value else { continue };
        for (name, stated) in new {
            let Value::Text(name) = &name.value else { continue };
            if fields.iter().any(|field| entry(stated, field).is_some())
                && let Some(Node { value: Value::Map(pairs), .. }) = entry_mut(old, name)
            {
                pairs
                    .retain(|(key, _)| !matches!(&key.value, Value::Text(k) if fields.contains(&k.as_str())));
            }
        }
    }
    overlay::merge(base, over);
}

fn entry<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Value::Map(pairs) = &node.value else { return None };
    pairs.iter().find(|(key, _)| matches!(&key.value, Value::Text(k) if k == name)).map(|(_, value)| value)
}

fn entry_mut<'n>(node: &'n mut Node, name: &str) -> Option<&'n mut Node> {
    let Value::Map(pairs) = &mut node.value else { return None };
    pairs
        .iter_mut()
        .find(|(key, _)| matches!(&key.value, Value::Text(k) if k == name))
        .map(|(_, value)| value)
}

/// Checks a tree that was put together from several texts.
pub(super) fn from_tree(root: &Node, sources: Vec<SourceFile>) -> Result<PriceList, Problems> {
    let mut decoder = Decoder::default();
    let list = price_list(&mut decoder, root, &sources);
    let mut problems = decoder.problems;
    if let (Some(list), true) = (list, problems.is_empty()) {
        return Ok(list);
    }
    if problems.is_empty() {
        problems.push(Problem {
            origin: root.origin,
            cause: "this is no price list".into(),
            fix: START_FROM.into(),
        });
    }
    problems.sort_by_key(|p| (p.origin.file, p.origin.line, p.origin.column));
    Err(Problems { sources, list: problems })
}

const START_FROM: &str = "start with `extends: aws` and the prices that differ";

fn price_list(decoder: &mut Decoder, root: &Node, sources: &[SourceFile]) -> Option<PriceList> {
    if !matches!(root.value, Value::Map(_)) {
        let cause = format!("the file is {}, expected a price list", describe(root));
        let origin = Origin { file: root.origin.file, ..Origin::default() };
        decoder.problem(origin, cause, START_FROM);
        return None;
    }
    let mut fields = decoder.fields(root, "", &LIST)?;
    // What a file extends was put in before; here the field comes from nowhere that could be read.
    if let Some(node) = fields.take("extends") {
        decoder.problem(node.origin, "`extends` works only in a file", "write it into the price list's file");
    }
    currency(decoder, &mut fields);
    let as_of = as_of(decoder, &mut fields);
    let source = head_text(decoder, &mut fields, "source", "public list prices of the provider");
    let region = head_text(decoder, &mut fields, "region", "us-east-1");
    let gigabyte = gigabyte(decoder, &mut fields);
    // After a bad gigabyte the rest is still checked: its size is no matter for that.
    let bytes = gigabyte.as_ref().map_or(GIGABYTE.0, Size::get);
    let servers = section(decoder, &mut fields, ("servers", &SERVER), server);
    let services = section(decoder, &mut fields, ("services", &SERVICE), service);
    let storage =
        section(decoder, &mut fields, ("storage", &STORAGE), |d, n, path| storage_price(d, n, path, bytes));
    let traffic = section(decoder, &mut fields, ("traffic", &TRAFFIC), |d, n, path| {
        let mut fields = d.fields(n, path, &TRAFFIC)?;
        let steps = steps::<Bytes>(d, &mut fields, &PER_GB, bytes);
        fields.finish(d);
        Some(TrafficPrice { steps: steps?, origin: n.origin })
    });
    let requests = section(decoder, &mut fields, ("requests", &REQUESTS), |d, n, path| {
        let mut fields = d.fields(n, path, &REQUESTS)?;
        let steps = steps::<Things>(d, &mut fields, &PER_MILLION, MILLION);
        fields.finish(d);
        Some(RequestPrice { steps: steps?, origin: n.origin })
    });
    fields.finish(decoder);
    Some(PriceList {
        as_of: as_of?,
        source: source?,
        region: region?,
        gigabyte: gigabyte?,
        servers: servers?,
        services: services?,
        storage: storage?,
        traffic: traffic?,
        requests: requests?,
        sources: sources.to_vec(),
    })
}

fn currency(decoder: &mut Decoder, fields: &mut Fields<'_>) {
    let fix = format!("convert the prices and write `currency: {CURRENCY}`");
    let Some(node) = fields.need(decoder, "currency", CURRENCY) else { return };
    if let Some(text) = decoder.text(node, "currency", &fix)
        && text != CURRENCY
    {
        decoder.problem(node.origin, format!("currency: prices are read in {CURRENCY}, not `{text}`"), fix);
    }
}

fn as_of(decoder: &mut Decoder, fields: &mut Fields<'_>) -> Option<NaiveDate> {
    const FIX: &str = "write year, month and day, such as `2026-01-19`";
    let node = fields.need(decoder, "as_of", "2026-01-19")?;
    let text = decoder.text(node, "as_of", FIX)?;
    // All ten characters: chrono takes `26-1-9` for a day of the year 26.
    let date = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok().filter(|_| text.len() == "2026-01-19".len());
    if date.is_none() {
        decoder.problem(node.origin, format!("as_of: `{text}` is no date"), FIX);
    }
    date
}

fn head_text(decoder: &mut Decoder, fields: &mut Fields<'_>, name: &str, example: &str) -> Option<String> {
    let fix = format!("write `{name}: {example}`");
    let node = fields.need(decoder, name, example)?;
    let text = decoder.text(node, name, &fix)?;
    if text.trim().is_empty() {
        decoder.problem(node.origin, format!("`{name}` is empty"), fix);
        return None;
    }
    Some(text)
}

/// What the provider calls a gigabyte; decimal unless said otherwise.
fn gigabyte(decoder: &mut Decoder, fields: &mut Fields<'_>) -> Option<Size> {
    const FIX: &str = "write `1 GB` (10^9 bytes) or `1 GiB` (2^30)";
    let Some(node) = fields.take("gigabyte") else { return Some(Size::given(GIGABYTE.0, "1 GB")) };
    let size: Size = decoder.quantity_like(node, "gigabyte", "1 GiB")?;
    if size.get() != GIGABYTE.0 && size.get() != GIGABYTE.1 {
        decoder.problem(node.origin, format!("gigabyte is {}", size.text), FIX);
        return None;
    }
    Some(size)
}

/// A section of named prices; `None` where one of them is bad. A section that is not there has none.
fn section<T>(
    decoder: &mut Decoder,
    fields: &mut Fields<'_>,
    (name, shape): (&str, &Shape),
    mut each: impl FnMut(&mut Decoder, &Node, &str) -> Option<T>,
) -> Option<IndexMap<String, T>> {
    const NAME_FIX: &str = "use letters, digits, `-`, `_` and `.`";
    let Some(node) = fields.take(name) else { return Some(IndexMap::new()) };
    let entries = decoder.entries(node, name, &format!("{{a-name: {}}}", shape.example))?;
    if entries.len() > NAMES_MAX {
        let cause = format!("`{name}` has {} entries, expected up to {NAMES_MAX}", entries.len());
        decoder.problem(node.origin, cause, "name fewer");
        return None;
    }
    let mut found = Some(IndexMap::new());
    for (entry, origin, node) in entries {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if entry.is_empty() {
            decoder.problem(origin, format!("a name in `{name}` is empty"), NAME_FIX);
        } else if !entry.chars().all(plain) {
            decoder.problem(origin, format!("`{entry}` is no name"), NAME_FIX);
        }
        let price = decoder.clean(|d| each(d, node, &format!("{name}.{entry}")));
        if let (Some(found), Some(price)) = (&mut found, price) {
            found.insert(entry.to_owned(), price);
        } else {
            found = None;
        }
    }
    found
}

fn server(decoder: &mut Decoder, node: &Node, path: &str) -> Option<ServerPrice> {
    let mut fields = decoder.fields(node, path, &SERVER)?;
    fields.need(decoder, "vcpu", "2");
    let vcpu = fields.whole(decoder, "vcpu", (1, VCPU_MAX), "2");
    let memory = fields.need_quantity_like(decoder, "memory", "8 GiB");
    let network = fields.quantity_like(decoder, "network", "12.5 Gbit/s");
    let disk = fields.quantity_like(decoder, "disk", "1875 GB");
    let charge = charge(decoder, &mut fields);
    let (one_year, three_years) = fields
        .take("reserved")
        .and_then(|n| reserved(decoder, n, &format!("{path}.reserved")))
        .unwrap_or_default();
    fields.finish(decoder);
    Some(ServerPrice {
        vcpu: vcpu?,
        memory: memory?,
        network,
        disk,
        charge: charge?,
        one_year,
        three_years,
        origin: node.origin,
    })
}

fn reserved(decoder: &mut Decoder, node: &Node, path: &str) -> Option<(Option<Fraction>, Option<Fraction>)> {
    let mut fields = decoder.fields(node, path, &RESERVED)?;
    let one_year = fields.quantity_like(decoder, "1_year", "63 %");
    let three_years = fields.quantity_like(decoder, "3_years", "43 %");
    fields.finish(decoder);
    Some((one_year, three_years))
}

fn service(decoder: &mut Decoder, node: &Node, path: &str) -> Option<ServicePrice> {
    let mut fields = decoder.fields(node, path, &SERVICE)?;
    let charge = charge(decoder, &mut fields);
    fields.finish(decoder);
    Some(ServicePrice { charge: charge?, origin: node.origin })
}

/// `hourly` or `monthly`.
fn charge(decoder: &mut Decoder, fields: &mut Fields<'_>) -> Option<Charge> {
    match one_of_two(decoder, fields, ("hourly", "monthly"), "$0.10")? {
        (node, true) => money(decoder, node, &fields.name("hourly"), "$0.10").map(Charge::Hourly),
        (node, false) => money(decoder, node, &fields.name("monthly"), "$70").map(Charge::Monthly),
    }
}

/// The one that is there of two fields that exclude each other, and whether it is the first.
fn one_of_two<'n>(
    decoder: &mut Decoder,
    fields: &mut Fields<'n>,
    (first, second): (&str, &str),
    example: &str,
) -> Option<(&'n Node, bool)> {
    match (fields.take(first), fields.take(second)) {
        (Some(_), Some(node)) => {
            let cause = format!("`{}` and `{second}` exclude each other", fields.name(first));
            decoder.problem(node.origin, cause, "keep one of them");
            None
        }
        (Some(node), None) => Some((node, true)),
        (None, Some(node)) => Some((node, false)),
        (None, None) => {
            // A mistyped field is told as such, and not as missing too.
            if !fields.misspelt(first) && !fields.misspelt(second) {
                let cause = format!("`{}` is missing", fields.name(first));
                let fix = format!("add `{first}: {example}`, or `{second}`");
                decoder.problem(fields.origin, cause, fix);
            }
            None
        }
    }
}

fn storage_price(decoder: &mut Decoder, node: &Node, path: &str, gigabyte: f64) -> Option<StoragePrice> {
    let mut fields = decoder.fields(node, path, &STORAGE)?;
    let kept = steps::<Bytes>(decoder, &mut fields, &PER_GB_MONTH, gigabyte);
    let per_gb_read = optional(decoder, &mut fields, "per_gb_read", "$0.01");
    let per_iops_month = optional(decoder, &mut fields, "per_iops_month", "$0.005");
    let included = fields.whole(decoder, "iops_included", (0, IOPS_INCLUDED_MAX), "3000");
    let per_million_reads = optional(decoder, &mut fields, "per_million_reads", "$0.40");
    let per_million_writes = optional(decoder, &mut fields, "per_million_writes", "$5");
    let copies = fields.number(decoder, "copies", (1, COPIES_MAX), "3").unwrap_or(1);
    if let Some(included) = &included
        && fields.take("per_iops_month").is_none()
        && !fields.misspelt("per_iops_month")
    {
        let cause = format!("`{path}` has `iops_included` and no price for more");
        decoder.problem(included.origin, cause, "add `per_iops_month: $0.005`, or drop it");
    }
    fields.finish(decoder);
    Some(StoragePrice {
        kept: kept?,
        per_gb_read,
        per_iops_month,
        iops_included: included.as_ref().map_or(0.0, Count::get),
        per_million_reads,
        per_million_writes,
        copies,
        gigabyte,
        origin: node.origin,
    })
}

fn optional(decoder: &mut Decoder, fields: &mut Fields<'_>, field: &str, example: &str) -> Option<Money> {
    let name = fields.name(field);
    fields.take(field).and_then(|node| money(decoder, node, &name, example))
}

/// One price; a range of prices is no price.
fn money(decoder: &mut Decoder, node: &Node, what: &str, example: &str) -> Option<Money> {
    let price: Money = decoder.quantity_like::<Dollars>(node, what, example)?;
    if price.range.is_some() {
        let cause = format!("{what}: `{}` is a range", price.text);
        decoder.problem(node.origin, cause, format!("write one price, such as `{example}`"));
        return None;
    }
    Some(price)
}

/// A price for all of the volume, or `tiers` of it. `D` is what the volume is counted in.
fn steps<D: Dimension>(
    decoder: &mut Decoder,
    fields: &mut Fields<'_>,
    what: &'static Stepped,
    unit: f64,
) -> Option<Steps> {
    let list = match one_of_two(decoder, fields, (what.field, "tiers"), what.example)? {
        (node, true) => {
            let price = money(decoder, node, &fields.name(what.field), what.example)?;
            vec![Step { up_to: None, price }]
        }
        (node, false) => tiers::<D>(decoder, node, &fields.name("tiers"), what)?,
    };
    Steps::new(list, unit)
}

fn tiers<D: Dimension>(
    decoder: &mut Decoder,
    node: &Node,
    path: &str,
    what: &'static Stepped,
) -> Option<Vec<Step>> {
    let items = decoder.list(node, path, what.tiers)?;
    if items.is_empty() || items.len() > TIERS_MAX {
        let cause = format!("`{path}` has {} items, expected 1 to {TIERS_MAX}", items.len());
        decoder.problem(node.origin, cause, format!("write `{}`", what.tiers));
        return None;
    }
    let mut list = Vec::new();
    let mut below = 0.0;
    for (i, item) in items.iter().enumerate() {
        let path = format!("{path}.{i}");
        let last = i + 1 == items.len();
        list.push(decoder.clean(|d| tier::<D>(d, item, (&path, last), what, &mut below)));
    }
    list.into_iter().collect()
}

/// One range; `below` is where it begins, and becomes where it ends.
fn tier<D: Dimension>(
    decoder: &mut Decoder,
    node: &Node,
    (path, last): (&str, bool),
    what: &'static Stepped,
    below: &mut f64,
) -> Option<Step> {
    let mut fields = decoder.fields(node, path, &what.tier)?;
    let end_node = fields.take("up_to");
    let end_name = fields.name("up_to");
    let end = end_node.and_then(|n| decoder.quantity_like::<D>(n, &end_name, what.end));
    let price_name = fields.name(what.field);
    let price = fields
        .need(decoder, what.field, what.example)
        .and_then(|n| money(decoder, n, &price_name, what.example));
    match (end_node, last) {
        (Some(node), true) => decoder.problem(
            node.origin,
            format!("`{path}` is the last and has an end: what is above has no price"),
            format!("drop its `up_to`, or add `{{{}: {}}}` behind it", what.field, what.example),
        ),
        (None, false) if !fields.misspelt("up_to") => decoder.problem(
            node.origin,
            format!("`{path}` has no `up_to`, and is not the last"),
            format!("write `{}`", what.tier.example),
        ),
        _ => {}
    }
    if let Some(end) = &end {
        if end.range.is_some() {
            decoder.problem(end.origin, format!("{end_name}: `{}` is a range", end.text), "write one volume");
        } else if end.get() <= *below {
            let cause = format!("{end_name} is {}, not more than that of the one before", end.text);
            decoder.problem(end.origin, cause, "`up_to` counts from 0: write them in rising order");
        }
        *below = end.get();
    }
    fields.finish(decoder);
    Some(Step { up_to: end.map(|end| end.get()), price: price? })
}
