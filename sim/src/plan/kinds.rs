//! What a server may be: instance types of the price list, with what each brings.
//!
//! Why a tier without a server price gets one: a cache that cost nothing would be as large as can be. Where a tier is
//! billed by its bytes (a CDN, an object store), its servers are somebody else's, and their price steers the
//! search only; where it has no price at all, the assumed type is in the bill, and the plan says so.

use plimsoll_scenarios::prices::{PriceList, ServerPrice};
use plimsoll_scenarios::{Free, Knob, Scenario, TierId};

/// A kind of server.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerKind {
    pub name: String,
    /// US dollars a month.
    pub monthly: f64,
    /// Slots of one.
    pub concurrency: f64,
    /// Bit/s of one.
    pub link: Option<f64>,
    /// Bytes of a cache that one holds; no bound where nothing is known.
    pub fits: Option<f64>,
}

/// Who pays for a tier's servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billing {
    /// As the scenario names it, or as chosen from a list.
    Named,
    /// Assumed, and in the bill.
    Assumed,
    /// Assumed, and not in the bill: the tier is billed by bytes or requests.
    Shadow,
}

/// Share of a server's memory that a cache may take, and of its disks.
const OF_MEMORY: f64 = 0.75;
const OF_DISK: f64 = 0.85;

/// The kinds of servers that a tier may have, by rising price; with who pays.
///
/// # Errors
/// Cause and next step, where the list has no price that would do.
pub fn kinds_of(
    scenario: &Scenario,
    tier: TierId,
    free: &[Free],
    prices: &PriceList,
) -> Result<(Vec<ServerKind>, Billing), (String, String)> {
    let here = &scenario.tiers[tier];
    let Some(station) = &here.station else { return Ok((Vec::new(), Billing::Shadow)) };
    let name = scenario.tier_name(tier);
    let slots = station.concurrency.get();
    let link_free = free.iter().find(|f| f.tier == tier && f.knob == Knob::Link);
    let (slowest, fastest) = link_free.and_then(|f| f.range).unwrap_or((0.0, f64::INFINITY));
    let link = |price: &ServerPrice| {
        let network = price.network.as_ref().map(plimsoll_scenarios::units::Quantity::get);
        match link_free {
            Some(_) => network.map(|network| network.min(fastest)),
            None => here.link.as_ref().map(plimsoll_scenarios::units::Quantity::get),
        }
    };
    let fast = |price: &ServerPrice| slowest <= 0.0 || link(price).is_some_and(|link| link >= slowest);
    let too_slow = || {
        let cause = format!("tiers.{name}.link: none of its server types has that much");
        (cause, "lower the bound, or name faster types (`price.server: auto`)".to_owned())
    };
    let kind = |name: &str, price: &ServerPrice, concurrency: f64| ServerKind {
        name: name.to_owned(),
        monthly: price.monthly(),
        concurrency,
        link: link(price),
        fits: Some(room(price)),
    };
    if let Some(choice) = free.iter().find(|f| f.tier == tier && f.knob == Knob::Instance) {
        return chosen(choice, slots, prices, name)
            .map(|list| {
                let fast = list.into_iter().filter(|(_, p, _)| fast(p));
                let kinds = fast.map(|(n, p, c)| ServerKind { link: link(p), ..kind(n, p, c) });
                (kinds.collect::<Vec<_>>(), Billing::Named)
            })
            .and_then(
                |(kinds, billing)| if kinds.is_empty() { Err(too_slow()) } else { Ok((kinds, billing)) },
            );
    }
    if let Some(server) = &here.price.server {
        let price = prices.server(server).ok_or_else(|| {
            let near = prices.nearest(plimsoll_scenarios::prices::Kind::Server, server);
            let fix =
                near.map_or("name an entry of the price list".to_owned(), |n| format!("did you mean `{n}`?"));
            (format!("tiers.{name}.price.server: the price list has no `{server}`"), fix)
        })?;
        if !fast(price) {
            return Err(too_slow());
        }
        return Ok((vec![kind(server, price, slots)], Billing::Named));
    }
    let otherwise =
        here.price.traffic.is_some() || here.price.storage.is_some() || here.price.requests.is_some();
    let billing = if otherwise { Billing::Shadow } else { Billing::Assumed };
    let stated = here.link.as_ref().map_or(0.0, plimsoll_scenarios::units::Quantity::get);
    let wanted = if link_free.is_some() { slowest } else { stated };
    let list = assumed(prices, slots, wanted);
    if list.is_empty() {
        let cause = format!("tiers.{name} has no server price, and the price list no type to assume");
        return Err((cause, format!("write `tiers.{name}.price.server`, or use `--prices aws`")));
    }
    // Whose servers these are nobody knows: their caches are paid for by the byte.
    Ok((list.into_iter().map(|(n, p)| ServerKind { fits: None, ..kind(n, p, slots) }).collect(), billing))
}

/// Bytes of a cache that fit one server.
fn room(price: &ServerPrice) -> f64 {
    price.disk.as_ref().map_or(price.memory.get() * OF_MEMORY, |disk| disk.get() * OF_DISK)
}

/// A type by name, with its price and its slots.
type Choice<'p> = (&'p str, &'p ServerPrice, f64);

/// The types to choose from: those named, or all general ones. Slots go with the virtual CPUs; the scenario's are
/// those of the first type named, or else of a server with as many virtual CPUs.
fn chosen<'p>(
    choice: &'p Free,
    slots: f64,
    prices: &'p PriceList,
    tier: &str,
) -> Result<Vec<Choice<'p>>, (String, String)> {
    let mut found: Vec<(&str, &ServerPrice)> = Vec::new();
    for name in &choice.choices {
        let price = prices.server(name).ok_or_else(|| {
            let near = prices.nearest(plimsoll_scenarios::prices::Kind::Server, name);
            let fix =
                near.map_or("name an entry of the price list".to_owned(), |n| format!("did you mean `{n}`?"));
            (format!("tiers.{tier}.price.server: the price list has no `{name}`"), fix)
        })?;
        found.push((name, price));
    }
    if found.is_empty() {
        found = prices.servers.iter().filter(|(n, _)| general(n)).map(|(n, p)| (n.as_str(), p)).collect();
    }
    if found.is_empty() {
        let cause = format!("tiers.{tier}.price.server is `auto`, and the price list has no servers");
        return Err((cause, "name a price list that has some, such as `--prices aws`".to_owned()));
    }
    let each = match choice.choices.first() {
        Some(_) => slots / found[0].1.vcpu.get(),
        None => 1.0,
    };
    let mut list: Vec<Choice<'p>> = found
        .into_iter()
        .map(|(name, price)| (name, price, (price.vcpu.get() * each).round().max(1.0)))
        .collect();
    list.sort_by(|a, b| a.1.monthly().total_cmp(&b.1.monthly()).then(a.0.cmp(b.0)));
    Ok(list)
}

/// A type of plain servers: `m7g.large`, and not `cache.m7g.large`.
fn general(name: &str) -> bool {
    name.matches('.').count() == 1 && !name.starts_with("kafka")
}

/// The cheapest type that would do for a tier without a price.
fn assumed(prices: &PriceList, slots: f64, link: f64) -> Vec<(&str, &ServerPrice)> {
    let network = |p: &ServerPrice| p.network.as_ref().map_or(0.0, plimsoll_scenarios::units::Quantity::get);
    let all = || prices.servers.iter().map(|(n, p)| (n.as_str(), p)).filter(|(n, _)| general(n));
    let most = all().map(|(_, p)| p.vcpu.get()).fold(0.0, f64::max);
    let does =
        |p: &ServerPrice, link: f64| network(p) >= link && (link > 0.0 || p.vcpu.get() >= slots.min(most));
    let mut list: Vec<(&str, &ServerPrice)> = all().filter(|(_, p)| does(p, link)).collect();
    if list.is_empty() {
        list = all().filter(|(_, p)| does(p, 0.0)).collect();
    }
    list.sort_by(|a, b| a.1.monthly().total_cmp(&b.1.monthly()).then(a.0.cmp(b.0)));
    list.truncate(1);
    list
}

/// What a byte of a cache costs a month where the tier has no server price: the cheapest storage of the list that is
/// neither kept in several copies nor paid for by reading; with its name.
#[must_use]
pub fn byte_price(prices: &PriceList) -> Option<(&str, f64)> {
    const TERABYTE: f64 = 1e12;
    let plain = prices
        .storage
        .iter()
        .filter(|(_, s)| s.copies == 1 && s.per_gb_read.is_none() && s.per_million_reads.is_none());
    plain
        .map(|(name, s)| (name.as_str(), s.monthly(TERABYTE) / TERABYTE))
        .min_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(b.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(
        name: &str,
        settings: &[&str],
        tier: &str,
    ) -> Result<(Vec<ServerKind>, Billing), (String, String)> {
        let settings: Vec<String> = settings.iter().map(|&s| s.to_owned()).collect();
        let open = plimsoll_scenarios::resolve(name, &settings).unwrap().open().unwrap();
        let id = open.scenario.tier(tier).unwrap().0;
        kinds_of(&open.scenario, id, &open.free, &PriceList::bundled())
    }

    #[test]
    fn a_named_type_stands_and_others_are_assumed() {
        let (web, billing) = kinds("spotify", &[], "web").unwrap();
        assert_eq!((web.len(), billing), (1, Billing::Named));
        assert_eq!(web[0].name, "r7g.4xlarge");
        let (edge, billing) = kinds("spotify", &[], "edge").unwrap();
        assert_eq!(billing, Billing::Shadow);
        assert_eq!((edge.len(), edge[0].link, edge[0].fits), (1, Some(100e9), None), "{edge:?}");
        assert_eq!(byte_price(&PriceList::bundled()).map(|(name, _)| name), Some("ebs-st1"));
    }

    #[test]
    fn slots_go_with_the_cores() {
        let set = ["tiers.web.price.server=auto r7g.4xlarge, r7g.8xlarge", "tiers.web.concurrency=8"];
        let (web, _) = kinds("spotify", &set, "web").unwrap();
        assert_eq!(web.iter().map(|k| k.concurrency).collect::<Vec<_>>(), [8.0, 16.0]);
        let error = kinds("spotify", &["tiers.web.price.server=auto r7g.5xlarge"], "web").unwrap_err();
        assert!(error.1.contains("r7g"), "{error:?}");
    }
}
