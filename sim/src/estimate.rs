//! `estimate`: closed forms, each with its formula and the numbers put in.
//!
//! A scenario's ranges go through the formulas as their ends: every quantity here grows or falls with each
//! of its inputs alone, so the ends of the inputs give the ends of the result.

use plimsoll_reports::format::{human, significant, with_separators};
use plimsoll_reports::record::{ClaimCheck, Estimate, Provenance, Quantity, Unit};
use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::{Action, Dataset, Origin, Scenario, Scope, TierId};

use crate::analytic::caches::{Chain, chain};
use crate::model;

/// Utilisation at which a tier is called well used.
const TARGET_UTILISATION: f64 = 0.7;

/// Everything the closed forms say of a scenario, and its claims checked.
#[must_use]
pub fn estimate(scenario: &Scenario) -> Estimate {
    let mut page = Page { scenario, quantities: Vec::new() };
    let chain = chain(scenario);
    for (id, (name, action)) in scenario.actions.iter().enumerate() {
        page.demand(id, name, action);
    }
    for (name, action) in &scenario.actions {
        page.uncached(name, action);
    }
    for tier in 0..scenario.tiers.len() {
        page.egress(tier, &chain);
    }
    for (name, dataset) in &scenario.datasets {
        page.storage(name, dataset);
    }
    for tier in 0..scenario.tiers.len() {
        page.cache(tier, &chain);
    }
    for tier in 0..scenario.tiers.len() {
        page.servers(tier, &chain);
    }
    let claims = scenario.claims.iter().filter_map(|claim| {
        let found = page.quantities.iter().find(|q| q.id == claim.what)?;
        let deviation = found.value / claim.is - 1.0;
        Some(ClaimCheck {
            what: claim.what.clone(),
            claimed_text: claim.text.clone(),
            claimed: claim.is,
            estimated: found.value,
            deviation,
            within: claim.within,
            holds: deviation.abs() <= claim.within,
        })
    });
    Estimate {
        provenance: Provenance {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: scenario.name.clone(),
            seed: 0,
            options: crate::simulate::settings(scenario),
            partial: false,
        },
        summary: scenario.summary.clone(),
        claims: claims.collect(),
        quantities: page.quantities,
    }
}

struct Page<'a> {
    scenario: &'a Scenario,
    quantities: Vec<Quantity>,
}

/// A line of the page, before it has its place.
struct Line<'l> {
    group: &'l str,
    label: String,
    value: f64,
    range: Option<(f64, f64)>,
    unit: Unit,
    formula: &'l str,
    working: String,
    sources: Vec<String>,
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e18 {
        with_separators(value as u64)
    } else {
        significant(value, 5)
    }
}

fn per_cent(share: f64) -> String {
    format!("{} %", significant(share * 100.0, 4))
}

impl Page<'_> {
    fn add(&mut self, id: &str, line: Line<'_>) {
        self.quantities.push(Quantity {
            id: id.to_owned(),
            group: line.group.to_owned(),
            label: line.label,
            value: line.value,
            range: line.range,
            unit: line.unit,
            formula: line.formula.to_owned(),
            working: line.working,
            sources: line.sources,
        });
    }

    fn at(&self, origins: &[Origin]) -> Vec<String> {
        origins.iter().filter_map(|&origin| self.scenario.place(origin)).collect()
    }

    /// Peak over mean if all regions peaked at once, and of the sum over regions as their clocks are.
    fn peaks(&self) -> (f64, f64) {
        let regions = &self.scenario.population.regions;
        let alike = regions.iter().map(|r| r.share * r.diurnal.peak()).sum();
        let together = (0..1440)
            .map(|minute| {
                regions
                    .iter()
                    .map(|r| r.share * r.diurnal.at(f64::from(minute) * 60.0 + r.utc_offset_s))
                    .sum()
            })
            .fold(0.0, f64::max);
        (alike, together)
    }

    fn demand(&mut self, id: usize, name: &str, action: &Action) {
        let population = &self.scenario.population;
        let rate = self.scenario.mean_rate(action);
        let per_day =
            self.scenario.mean_rate(action) * DAY_S / (population.users.get() * population.active.get());
        let scale = population.users.get() * population.active.get();
        let range: Option<(f64, f64)> = None::<(f64, f64)>.map(|(low, high)| (low * scale, high * scale));
        let sources = self.at(&[population.users.origin, population.active.origin, action.origin]);
        let inputs = format!(
            "{} x {} x {}",
            number(population.users.get()),
            per_cent(population.active.get()),
            number_of(per_day)
        );
        let (alike, together) = self.peaks();
        self.add(
            &format!("{name}.per_day"),
            Line {
                group: "demand",
                label: format!("{name}, a day"),
                value: rate * DAY_S,
                range: range.map(|(low, high)| (low * DAY_S, high * DAY_S)),
                unit: Unit::PerDay,
                formula: "users x active share x times a day",
                working: inputs.clone(),
                sources: sources.clone(),
            },
        );
        self.add(
            &format!("{name}.rate"),
            Line {
                group: "demand",
                label: format!("{name}, mean rate"),
                value: rate,
                range,
                unit: Unit::PerSecond,
                formula: "users x active share x times a day / seconds a day",
                working: format!("{inputs} / 86,400 s"),
                sources: sources.clone(),
            },
        );
        let peaks = [
            ("peak_rate", "peak rate, all regions at once", alike, "mean rate x peak to mean"),
            (
                "peak_rate_global",
                "peak rate, by the regions' clocks",
                together,
                "mean rate x highest sum over the regions' days / mean",
            ),
        ];
        // Where the day is flat, or all clocks are one, there is no second peak to speak of.
        let lines = if (alike - together).abs() < 1e-9 { &peaks[..1] } else { &peaks[..] };
        for (what, label, factor, formula) in lines {
            self.add(
                &format!("{name}.{what}"),
                Line {
                    group: "demand",
                    label: format!("{name}, {label}"),
                    value: rate * factor,
                    range: range.map(|(low, high)| (low * factor, high * factor)),
                    unit: Unit::PerSecond,
                    formula,
                    working: format!("{} x {}", human(rate, Unit::PerSecond), significant(*factor, 4)),
                    sources: sources.clone(),
                },
            );
        }
        debug_assert_eq!(self.scenario.action_name(id), name);
    }

    fn uncached(&mut self, name: &str, action: &Action) {
        let bytes = action.response.get();
        if bytes <= 0.0 {
            return;
        }
        let rate = self.scenario.mean_rate(action);
        let (alike, _) = self.peaks();
        let scale = self.scenario.population.users.get() * self.scenario.population.active.get();
        let range =
            None::<(f64, f64)>.map(|(low, high)| (low * scale * bytes * 8.0, high * scale * bytes * 8.0));
        let sources = self.at(&[action.origin, action.response.origin]);
        self.add(
            &format!("{name}.egress_uncached"),
            Line {
                group: "bandwidth",
                label: format!("{name}, no cache, mean"),
                value: rate * bytes * 8.0,
                range,
                unit: Unit::BitsPerSecond,
                formula: "mean rate x response size x 8 bits a byte",
                working: format!("{} x {} x 8", human(rate, Unit::PerSecond), human(bytes, Unit::Bytes)),
                sources: sources.clone(),
            },
        );
        self.add(
            &format!("{name}.egress_uncached_peak"),
            Line {
                group: "bandwidth",
                label: format!("{name}, no cache, peak"),
                value: rate * bytes * 8.0 * alike,
                range: range.map(|(low, high)| (low * alike, high * alike)),
                unit: Unit::BitsPerSecond,
                formula: "mean bandwidth x peak to mean",
                working: format!(
                    "{} x {}",
                    human(rate * bytes * 8.0, Unit::BitsPerSecond),
                    significant(alike, 4)
                ),
                sources,
            },
        );
    }

    /// Requests that reach a tier along paths, 1/s, and bits that go back, bit/s.
    fn flow(&self, tier: TierId, chain: &Chain) -> (f64, f64) {
        let (mut rate, mut bits) = (0.0, 0.0);
        for (id, action) in self.scenario.actions.values().enumerate() {
            if let Some(at) = action.path.iter().position(|&t| t == tier) {
                let here = self.scenario.mean_rate(action) * chain.arriving[id][at];
                rate += here;
                bits += here * action.response.get() * 8.0;
            }
        }
        (rate, bits)
    }

    fn egress(&mut self, tier: TierId, chain: &Chain) {
        let (rate, bits) = self.flow(tier, chain);
        if self.scenario.tiers[tier].scope == Scope::User || bits <= 0.0 {
            return;
        }
        let (alike, _) = self.peaks();
        let name = self.scenario.tier_name(tier).to_owned();
        let sources = self.at(&[self.scenario.tiers[tier].origin]);
        self.add(
            &format!("{name}.egress"),
            Line {
                group: "bandwidth",
                label: format!("out of {name}, mean"),
                value: bits,
                range: None,
                unit: Unit::BitsPerSecond,
                formula: "sum over actions of (rate that reaches the tier x response size x 8)",
                working: format!(
                    "{} requests in all, {} bits each",
                    human(rate, Unit::PerSecond),
                    significant(bits / rate, 4)
                ),
                sources: sources.clone(),
            },
        );
        self.add(
            &format!("{name}.egress_peak"),
            Line {
                group: "bandwidth",
                label: format!("out of {name}, peak"),
                value: bits * alike,
                range: None,
                unit: Unit::BitsPerSecond,
                formula: "mean bandwidth x peak to mean",
                working: format!("{} x {}", human(bits, Unit::BitsPerSecond), significant(alike, 4)),
                sources,
            },
        );
    }

    fn storage(&mut self, name: &str, dataset: &Dataset) {
        let (count, size) = (dataset.count.get(), dataset.size.get());
        let range = crossed(dataset.count.range, count, dataset.size.range, size);
        let sources = self.at(&[dataset.count.origin, dataset.size.origin]);
        let working = format!("{} x {}", number(count), human(size, Unit::Bytes));
        self.add(
            &format!("{name}.storage"),
            Line {
                group: "storage",
                label: format!("{name}, one copy"),
                value: count * size,
                range,
                unit: Unit::Bytes,
                formula: "objects x size",
                working: working.clone(),
                sources: sources.clone(),
            },
        );
        let kept = dataset.stored_in.map(|t| &self.scenario.tiers[t]);
        let copies = kept.map_or(1, |t| t.copies());
        if let Some(kept_in) = dataset.stored_in {
            let tier = self.scenario.tier_name(kept_in);
            let label = format!("{name}, {copies} {} in {tier}", if copies == 1 { "copy" } else { "copies" });
            self.add(
                &format!("{name}.storage_replicated"),
                Line {
                    group: "storage",
                    label,
                    value: count * size * f64::from(copies),
                    range: range.map(|(low, high)| (low * f64::from(copies), high * f64::from(copies))),
                    unit: Unit::Bytes,
                    formula: "objects x size x copies",
                    working: format!("{working} x {copies}"),
                    sources: self.at(&[
                        dataset.count.origin,
                        dataset.size.origin,
                        kept.map(|t| t.origin).unwrap_or_default(),
                    ]),
                },
            );
        }
        if let Some(metadata) = &dataset.metadata {
            self.add(
                &format!("{name}.metadata"),
                Line {
                    group: "storage",
                    label: format!("{name}, metadata"),
                    value: count * metadata.get(),
                    range: crossed(dataset.count.range, count, metadata.range, metadata.get()),
                    unit: Unit::Bytes,
                    formula: "objects x metadata of one",
                    working: format!("{} x {}", number(count), human(metadata.get(), Unit::Bytes)),
                    sources: self.at(&[dataset.count.origin, metadata.origin]),
                },
            );
        }
    }

    fn cache(&mut self, tier: TierId, chain: &Chain) {
        let Some(cache) = &self.scenario.tiers[tier].cache else { return };
        let Some(hit) = chain.hit_ratio[tier] else { return };
        let name = self.scenario.tier_name(tier).to_owned();
        let on_device = self.scenario.tiers[tier].scope == Scope::User;
        let formula = if on_device {
            "repeats + (1 - repeats) x sum over objects of p x (1 - exp(-p t)); t: sum of (1 - exp(-p t)) = capacity (Che)"
        } else {
            "sum over objects of p x (1 - exp(-p t)), p as the tier before leaves it; t: sum of (1 - exp(-p t)) = capacity (Che)"
        };
        let instances = if cache.per_server {
            self.scenario.tiers[tier].station.as_ref().map_or(1, |s| s.servers.get() as u64)
        } else {
            model::instances(self.scenario, tier)
        };
        let sources = self.at(&[cache.capacity.origin]);
        let working =
            format!("{} caches of {}", with_separators(instances), human(cache.capacity.get(), Unit::Bytes));
        self.add(
            &format!("{name}.hit_ratio"),
            Line {
                group: "caches",
                label: format!("{name}, hit ratio"),
                value: hit,
                range: None,
                unit: Unit::Share,
                formula,
                working,
                sources,
            },
        );
    }

    fn servers(&mut self, tier: TierId, chain: &Chain) {
        let Some(station) = &self.scenario.tiers[tier].station else { return };
        let name = self.scenario.tier_name(tier).to_owned();
        let messages: f64 = self
            .scenario
            .actions
            .values()
            .map(|a| self.scenario.mean_rate(a) * a.then.iter().filter(|b| b.tier == tier).count() as f64)
            .sum();
        let rate = self.flow(tier, chain).0 + messages;
        let (alike, _) = self.peaks();
        let mean = station.service_time.mean();
        let busy = rate * alike * mean;
        let slots = station.servers.get() * station.concurrency.get();
        let sources = self.at(&[station.servers.origin, self.scenario.tiers[tier].origin]);
        self.add(
            &format!("{name}.rate"),
            Line {
                group: "servers",
                label: format!("{name}, mean rate"),
                value: rate,
                range: None,
                unit: Unit::PerSecond,
                formula: "sum over actions of mean rate x share that reaches the tier",
                working: human(rate, Unit::PerSecond),
                sources: sources.clone(),
            },
        );
        self.add(
            &format!("{name}.utilisation_peak"),
            Line {
                group: "servers",
                label: format!("{name}, busy at the peak"),
                value: busy / slots,
                range: None,
                unit: Unit::Share,
                formula: "mean rate x peak to mean x service time / (servers x concurrency)",
                working: format!(
                    "{} x {} x {} / ({} x {})",
                    human(rate, Unit::PerSecond),
                    significant(alike, 4),
                    human(mean, Unit::Seconds),
                    number(station.servers.get()),
                    number(station.concurrency.get())
                ),
                sources: sources.clone(),
            },
        );
        let by_slots = busy / station.concurrency.get() / TARGET_UTILISATION;
        let (mut needed, mut working) = (
            by_slots,
            format!("{} slots busy / {} / 70 %", significant(busy, 5), number(station.concurrency.get())),
        );
        let bits = self.flow(tier, chain).1 * alike;
        if let Some(link) = self.scenario.tiers[tier].link.as_ref().filter(|_| bits > 0.0) {
            let links = station.servers.get() * link.get();
            self.add(
                &format!("{name}.link_utilisation_peak"),
                Line {
                    group: "servers",
                    label: format!("{name}, links full at the peak"),
                    value: bits / links,
                    range: None,
                    unit: Unit::Share,
                    formula: "peak bandwidth out of the tier / (servers x link of one)",
                    working: format!(
                        "{} / ({} x {})",
                        human(bits, Unit::BitsPerSecond),
                        number(station.servers.get()),
                        human(link.get(), Unit::BitsPerSecond)
                    ),
                    sources: self.at(&[station.servers.origin, link.origin]),
                },
            );
            let by_links = bits / link.get() / TARGET_UTILISATION;
            if by_links > needed {
                needed = by_links;
                working = format!(
                    "{} / {} / 70 %",
                    human(bits, Unit::BitsPerSecond),
                    human(link.get(), Unit::BitsPerSecond)
                );
            }
        }
        self.add(&format!("{name}.servers_needed"), Line {
            group: "servers",
            label: format!("{name}, servers for {} busy", per_cent(TARGET_UTILISATION)),
            value: needed.ceil(),
            range: None,
            unit: Unit::Count,
            formula: "the larger of peak rate x service time / concurrency and peak bandwidth / link, over 70 %",
            working,
            sources,
        });
    }
}

fn number_of(per_day: f64) -> String {
    if (per_day - per_day.round()).abs() < 1e-9 { number(per_day.round()) } else { significant(per_day, 4) }
}

/// Ends of a product of two quantities, either of which may be a range.
fn crossed(a: Option<(f64, f64)>, a_value: f64, b: Option<(f64, f64)>, b_value: f64) -> Option<(f64, f64)> {
    if a.is_none() && b.is_none() {
        return None;
    }
    let ((a_low, a_high), (b_low, b_high)) =
        (a.unwrap_or((a_value, a_value)), b.unwrap_or((b_value, b_value)));
    Some((a_low * b_low, a_high * b_high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_claim_of_every_bundled_scenario_holds() {
        for bundled in plimsoll_scenarios::bundled() {
            let scenario = plimsoll_scenarios::load(bundled.name).unwrap();
            let estimate = estimate(&scenario);
            assert_eq!(
                estimate.claims.len(),
                scenario.claims.len(),
                "{}: a claim names no quantity",
                bundled.name
            );
            for claim in &estimate.claims {
                assert!(
                    claim.holds,
                    "{}: {} is {} and not {}",
                    bundled.name, claim.what, claim.estimated, claim.claimed_text
                );
            }
        }
    }

    #[test]
    fn spotify_has_the_figures_of_its_sources() {
        let scenario = plimsoll_scenarios::load("spotify").unwrap();
        let estimate = estimate(&scenario);
        let value = |id: &str| estimate.quantities.iter().find(|q| q.id == id).map(|q| q.value).unwrap();
        assert!((value("play.rate") - 347_222.222_222).abs() < 1e-3);
        assert!((value("song.storage") - 500e12).abs() < 1.0);
        assert!((value("song.storage_replicated") - 1.5e15).abs() < 1.0);
        assert!((value("song.metadata") - 10e9).abs() < 1e-3);
        assert!((value("user.storage") - 1e12).abs() < 1e-1);
        assert!((value("play.egress_uncached") - 13.888_888_9e12).abs() < 1e6);
        assert!((value("play.peak_rate") - 694_444.44).abs() < 0.1);
    }
}
