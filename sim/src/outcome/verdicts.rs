//! What a run comes to: the tier with least room, and the targets.

use plimsoll_reports::record::{ActionRun, Bottleneck, SloVerdict, TierRun, Unit};
use plimsoll_scenarios::Scenario;
use plimsoll_scenarios::slo::Metric;

pub(super) fn bottleneck(tiers: &[TierRun]) -> Option<Bottleneck> {
    let mut found: Option<Bottleneck> = None;
    let mut consider = |candidate: Bottleneck| {
        if candidate.utilisation > 0.0 && found.as_ref().is_none_or(|f| candidate.utilisation > f.utilisation)
        {
            found = Some(candidate);
        }
    };
    for tier in tiers {
        if let Some(s) = &tier.station {
            // What arrives and not what is let in: a tier that turns requests away has no headroom.
            let offered = s.utilisation_peak.value / (1.0 - s.rejected_share).max(0.01);
            consider(Bottleneck {
                tier: tier.name.clone(),
                resource: "servers".to_owned(),
                utilisation: s.utilisation_peak.value,
                at_s: s.peak_at_s,
                local_s: s.peak_local_s,
                region: s.peak_region.clone(),
                headroom: 1.0 / offered.max(f64::MIN_POSITIVE),
            });
        }
        if let Some(disks) = &tier.disks {
            consider(Bottleneck {
                tier: tier.name.clone(),
                resource: "disks".to_owned(),
                utilisation: disks.utilisation_peak,
                at_s: disks.peak_at_s,
                local_s: disks.peak_local_s,
                region: disks.peak_region.clone(),
                headroom: 1.0 / disks.utilisation_peak.max(f64::MIN_POSITIVE),
            });
        }
        if let Some(l) = &tier.link {
            consider(Bottleneck {
                tier: tier.name.clone(),
                resource: "link".to_owned(),
                utilisation: l.utilisation_peak,
                at_s: l.peak_at_s,
                local_s: l.peak_local_s,
                region: l.peak_region.clone(),
                headroom: 1.0 / l.utilisation_peak.max(f64::MIN_POSITIVE),
            });
        }
    }
    found
}

/// Share of all requests that failed; `None` without requests.
fn failed_share(actions: &[ActionRun]) -> Option<f64> {
    let requests: f64 = actions.iter().map(|a| a.requests).sum();
    let failed: f64 = actions.iter().map(|a| a.requests * a.failed_share).sum();
    (requests > 0.0).then(|| failed / requests)
}

pub(super) fn judge(scenario: &Scenario, tiers: &[TierRun], actions: &[ActionRun]) -> Vec<SloVerdict> {
    let tier = |name: &str| tiers.iter().find(|t| t.name == name);
    let action = |name: &str| actions.iter().find(|a| a.name == name);
    let mut verdicts = Vec::new();
    for slo in &scenario.slos {
        let (value, unit) = match &slo.metric {
            Metric::FirstByte { action: name, p } => {
                (action(name).and_then(|a| a.first_byte.at(*p)), Unit::Seconds)
            }
            Metric::Complete { action: name, p } => {
                (action(name).and_then(|a| a.complete.at(*p)), Unit::Seconds)
            }
            Metric::HitRatio { tier: name } => {
                (tier(name).and_then(|t| t.cache.as_ref()).map(|c| c.hit_ratio.value), Unit::Share)
            }
            Metric::MemoryHitRatio { tier: name } => {
                let levels = tier(name).and_then(|t| t.cache.as_ref()).and_then(|c| c.levels.as_ref());
                (levels.map(|l| l.memory_hit_ratio.value), Unit::Share)
            }
            Metric::Utilisation { tier: name } => {
                (tier(name).and_then(|t| t.station.as_ref()).map(|s| s.utilisation_peak.value), Unit::Share)
            }
            Metric::Headroom { tier: name } => (
                tier(name).and_then(|t| t.station.as_ref()).map(|s| 1.0 - s.utilisation_peak.value),
                Unit::Share,
            ),
            Metric::Loss { tier: Some(name) } => {
                (tier(name).and_then(|t| t.station.as_ref()).map(|s| s.rejected_share), Unit::Share)
            }
            Metric::Loss { tier: None } => (failed_share(actions), Unit::Share),
            Metric::Stale { tier: name } => {
                (tier(name).and_then(|t| t.staleness.as_ref()).map(|s| s.stale_share.value), Unit::Share)
            }
            // No day is long enough to see it.
            Metric::Durability { .. } => (None, Unit::Share),
            Metric::Availability => (failed_share(actions).map(|failed| 1.0 - failed), Unit::Share),
        };
        // Without an observation (an empty run) nothing is judged.
        verdicts.extend(value.map(|value| SloVerdict {
            text: slo.text.clone(),
            value,
            bound: slo.bound,
            unit,
            holds: slo.holds(value),
        }));
    }
    verdicts
}
