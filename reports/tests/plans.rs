//! Plans as pages: what stands in them, nothing that steers a terminal or a browser, and two beside each other.

use std::collections::BTreeMap;

use plimsoll_reports::plan::{
    Alternative, Confidence, Cost, Curve, FailureCheck, LoadLine, Plan, PlannedSites, PlannedTier, Purchase,
    RegionServers, Search, StorageCheck, Target, Verification, Worlds, compare,
};
use plimsoll_reports::record::{Provenance, Unit};
use plimsoll_reports::text::{Style, plan_markdown, plans_compared, plans_compared_markdown};
use plimsoll_reports::{html, json, text};

fn tier(name: &str, servers: u64, cost: f64) -> PlannedTier {
    PlannedTier {
        name: name.to_owned(),
        chosen: ["servers", "replication", "shards", "concurrency"].map(str::to_owned).to_vec(),
        servers: Some(servers),
        servers_stated: Some(600.0),
        regions: vec![RegionServers { region: "europe".to_owned(), servers, utilisation_peak: 0.79 }],
        instance: Some("r7g.4xlarge".to_owned()),
        capacity_bytes: Some(64e9),
        capacity_stated_bytes: Some(64e9),
        caches: servers,
        policy: Some("LRU".to_owned()),
        hit_ratio: Some(0.4),
        copies: None,
        kept_as: Some("6+3".to_owned()),
        shards: Some(12),
        concurrency: Some(8),
        zones: 3,
        link_bit_per_s: Some(10e9),
        utilisation_peak: Some(0.79),
        binding: "79 % busy, at most 80 %".to_owned(),
        one_less: Some("384: 80.6 % busy".to_owned()),
        cost_per_month: cost,
        shadow_per_month: 0.0,
    }
}

/// A failure that was played, and breaks a target.
fn zone_down() -> FailureCheck {
    FailureCheck {
        failure: "zone-down".to_owned(),
        what: "one zone of every tier".to_owned(),
        required: false,
        breaks: vec!["web 120 % busy".to_owned()],
        fullest: Some(("web".to_owned(), 1.2)),
        targets: vec![Target {
            text: "play.first_byte p99 < 250 ms".to_owned(),
            under: Some("zone-down".to_owned()),
            assumed: false,
            unit: Unit::Seconds,
            bound: 0.25,
            less_than: true,
            predicted: Some(0.24),
            simulated: Some(0.31),
            simulated_day: None,
            holds: false,
        }],
        played: vec!["one zone of every tier: 3 s from 18:00 UTC on, every request".to_owned()],
    }
}

fn plan(name: &str, servers: u64) -> Plan {
    let cost = servers as f64 * 625.0;
    let confidence = |holds: f64, cost_per_month: f64| Confidence {
        sized_for: format!("{holds}"),
        holds,
        cost_per_month,
        regret_per_month: 10.0,
    };
    Plan {
        provenance: Provenance {
            version: "0".to_owned(),
            scenario: name.to_owned(),
            seed: 1,
            options: BTreeMap::new(),
            partial: false,
        },
        summary: "play music".to_owned(),
        tiers: vec![tier("web", servers, cost)],
        sites: vec![PlannedSites {
            region: "europe".to_owned(),
            sites: servers / 100,
            distance_m: 353_553.0,
            round_trip_s: 0.0074,
            one_less: Some("breaks play.first_byte p99 251 ms ≥ 250 ms".to_owned()),
        }],
        targets: vec![Target {
            text: "play.first_byte p99 < 250 ms".to_owned(),
            under: Some("server-down".to_owned()),
            assumed: false,
            unit: Unit::Seconds,
            bound: 0.25,
            less_than: true,
            predicted: Some(0.14),
            simulated: Some(0.15),
            simulated_day: Some(0.14),
            holds: true,
        }],
        cost: Cost {
            total_per_month: cost,
            fixed_per_month: 100.0,
            stated_per_month: Some(cost * 1.5),
            stated_breaks: None,
        },
        search: Search { combinations: 4e6, sized: 340, proved: 1.0 },
        alternatives: vec![Alternative {
            what: "edge.capacity = 12 TB".to_owned(),
            verdict: "breaks edge.hit_ratio 83.1 % ≤ 85 %".to_owned(),
            extra_per_month: None,
        }],
        worlds: Some(Worlds {
            worlds: 512,
            plan_holds: 0.5,
            confidence: vec![confidence(0.5, cost), confidence(0.95, cost * 1.2)],
            least_regret: 1,
            tiers: vec![("web".to_owned(), 300.0, 386.0, 520.0)],
        }),
        load_line: Some(LoadLine {
            factor: 1.02,
            breaks: "web: 80 % busy".to_owned(),
            full_factor: Some(1.25),
            full: Some("web: every slot is busy".to_owned()),
        }),
        growth: vec![Purchase {
            factor: 2.0,
            years: Some(3.1),
            add: vec!["web +385".to_owned()],
            cost_per_month: cost * 2.0,
        }],
        curves: vec![Curve {
            target: "edge.hit_ratio > 85 %".to_owned(),
            unit: Unit::Share,
            bound: 0.85,
            points: vec![(0.8, Some(cost * 0.9)), (0.85, Some(cost)), (0.9, None)],
        }],
        failures: vec![zone_down()],
        storage: vec![StorageCheck {
            tier: "audio-store".to_owned(),
            scheme: "3 copies".to_owned(),
            independent_loss: 5e-12,
            zone_loss: 1e-6,
            operator_loss: 1e-5,
            copyset_loss: 0.6,
            repair_hours: 1.4,
            repair_bytes_per_s: 1e6,
            stale_read: 1.0 / 3.0,
        }],
        verification: Some(Verification {
            runs: 5,
            moments: 7,
            requests: 4_000_000,
            adjusted: vec!["gateway: links 71 % full".to_owned()],
            seconds_simulated: 86_400.0,
            note: "a day".to_owned(),
        }),
        settings: vec![format!("tiers.web.servers={servers}")],
        assumptions: vec!["one server of any place may fail (N+1)".to_owned()],
        notes: vec!["Prices: a list.".to_owned()],
    }
}

#[test]
fn a_page_has_the_answer_and_every_question() {
    let page = text::plan(&plan("spotify", 386), Style::PLAIN);
    for said in [
        "$241 K/month for the least sizes",
        "as written costs $362 K/month and keeps them too",
        "load line: 2 % more demand breaks web: 80 % busy; 25 % more: web: every slot is busy",
        "proved the cheapest",
        "386 (was 600)",
        "chosen: 6+3, 12 shards, 8 at a time",
        "79 % busy, at most 80 %; with 384: 80.6 % busy",
        "play.first_byte p99 < 250 ms under server-down",
        "breaks edge.hit_ratio 83.1 % ≤ 85 %",
        "web +385",
        "least regret",
        "zone-down: web 120 % busy",
        "5.0e-12",
        "N+1",
        "gateway: links 71 % full",
        "played: one zone of every tier: 3 s from 18:00 UTC on, every request",
        "5 simulated days and 7 moments, 4 M requests",
    ] {
        assert!(page.contains(said), "`{said}` is missing in\n{page}");
    }
    assert!(page.lines().all(|line| line.chars().count() <= 100), "{page}");
}

#[test]
fn no_name_steers_a_terminal_or_a_browser() {
    let mut evil = plan("<script>\u{1b}[31m", 3);
    evil.tiers[0].name = "a|b\u{1b}[31m<img>".to_owned();
    evil.tiers[0].binding = evil.tiers[0].name.clone();
    evil.alternatives[0].what.clone_from(&evil.tiers[0].name);
    assert!(!text::plan(&evil, Style::PLAIN).contains('\u{1b}'));
    let markdown = plan_markdown(&evil);
    assert!(!markdown.contains('\u{1b}') && !markdown.contains("<img>") && markdown.contains("a\\|b"));
    let page = html::plan(&evil);
    assert!(!page.contains("<img>") && !page.contains('\u{1b}') && page.matches("<script").count() == 1);
}

#[test]
fn the_html_page_has_pictures_and_the_record() {
    let record = plan("spotify", 386);
    let page = html::plan(&record);
    assert!(page.matches("<figure>").count() >= 3, "{}", page.matches("<figure>").count());
    let (_, data) = page.split_once("id=\"plimsoll-plan\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    assert_eq!(json::from_str::<Plan>(data).unwrap(), record);
}

#[test]
fn two_plans_differ_by_lines() {
    let (a, b) = (plan("spotify", 386), plan("louder", 772));
    let record = compare(&a, &b);
    let row = |what: &str| record.rows.iter().find(|r| r.what == what).unwrap();
    assert_eq!((row("web, servers").a, row("web, servers").b), (Some(386.0), Some(772.0)));
    let page = plans_compared(&record, Style::PLAIN);
    assert!(page.contains("web, servers") && page.contains("+100 %"), "{page}");
    assert!(plans_compared_markdown(&record).contains("| web, servers | 386 | 772 |"));
}
