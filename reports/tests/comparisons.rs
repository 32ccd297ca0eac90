//! Which rows a comparison has, and which error is the worst.

mod fixture;

use plimsoll_reports::compare::compare;
use plimsoll_reports::record::*;

fn find<'a>(comparison: &'a Comparison, id: &str) -> Option<&'a ComparisonRow> {
    comparison.rows.iter().find(|r| r.id == id)
}

fn compared() -> Comparison {
    compare(&fixture::prediction(), &fixture::measurement())
}

#[test]
fn shares_differ_by_points_and_all_else_by_ratio() {
    let compared = compared();
    let hit = find(&compared, "edge.hit_ratio").unwrap();
    assert!((hit.error - (hit.predicted - hit.measured)).abs() < 1e-12);
    let p99 = find(&compared, "play.first_byte.p99").unwrap();
    assert!((p99.error - (p99.predicted / p99.measured - 1.0)).abs() < 1e-12);
    assert_eq!(compared.worst.as_deref(), Some("play.first_byte.p99"));
}

#[test]
fn what_the_device_answers_is_not_held_against_the_measurement() {
    let compared = compared();
    let rate = find(&compared, "play.rate").unwrap();
    assert!((rate.predicted - 347_222.0 / 500.0 * (1.0 - 0.452)).abs() < 1e-6);
    let edge = find(&compared, "play.served_by.edge").unwrap();
    assert!((edge.predicted - 0.472 / 0.548).abs() < 1e-9);
    assert!(find(&compared, "play.served_by.device").is_none());
    assert!(find(&compared, "device.hit_ratio").is_none());
}

#[test]
fn hit_ratios_of_regions_are_compared_where_enough_was_asked_for() {
    let (mut prediction, mut measurement) = (fixture::prediction(), fixture::measurement());
    let edge = prediction.tiers.iter_mut().find(|tier| tier.name == "edge").unwrap();
    edge.cache.as_mut().unwrap().by_region =
        [("west", 0.8), ("east", 0.7), ("north", 0.6)].map(|(name, hit)| (name.to_owned(), hit)).into();
    measurement.regions = [("west", 5_000.0), ("east", 50.0)]
        .map(|(name, lookups)| RegionMeasured {
            name: name.into(),
            sites: 1,
            share: 0.5,
            planned: 9_000,
            sent: 9_000,
            failed: 0,
            caches: vec![RegionCache { tier: "edge".into(), lookups, hit_ratio: 0.75 }],
        })
        .into();
    let compared = compare(&prediction, &measurement);
    let west = find(&compared, "edge.hit_ratio.west").unwrap();
    assert_eq!((west.label.as_str(), west.predicted, west.measured), ("edge hit ratio, west", 0.8, 0.75));
    assert!(find(&compared, "edge.hit_ratio.east").is_none(), "50 lookups say nothing");
    assert!(find(&compared, "edge.hit_ratio.north").is_none(), "nobody there was measured");

    let text = plimsoll_reports::text::measurement(&measurement, plimsoll_reports::text::Style::PLAIN);
    let row = text.lines().find(|line| line.trim_start().starts_with("west")).unwrap();
    assert!(row.contains("50 %") && row.contains("9,000") && row.contains("edge 75 %"), "{text}");
}

#[test]
fn negligible_waits_are_left_out_and_never_divide() {
    assert!(find(&compared(), "edge.wait_mean").is_none(), "130 µs against 107 µs says nothing");
    let mut measurement = fixture::measurement();
    let mut prediction = fixture::prediction();
    let web = prediction.tiers.iter_mut().find(|t| t.name == "web").unwrap();
    web.station.as_mut().unwrap().wait.mean_s = 0.005;
    measurement.tiers.iter_mut().find(|t| t.name == "web").unwrap().wait_mean_s = Some(0.0);
    let row = compare(&prediction, &measurement);
    assert!((find(&row, "web.wait_mean").unwrap().error - 4.0).abs() < 1e-12);
}

#[test]
fn a_quantile_needs_observations_beyond_it() {
    let mut measurement = fixture::measurement();
    measurement.actions[0].first_byte.count = 500;
    let compared = compare(&fixture::prediction(), &measurement);
    assert!(find(&compared, "play.first_byte.p90").is_some());
    assert!(find(&compared, "play.first_byte.p99").is_none());
}

#[test]
fn what_only_one_side_has_is_no_row() {
    let mut measurement = fixture::measurement();
    measurement.tiers.clear();
    measurement.actions.clear();
    let compared = compare(&fixture::prediction(), &measurement);
    assert!(compared.rows.is_empty());
    assert_eq!(compared.worst, None);
}

#[test]
fn no_row_holds_a_value_that_is_no_number() {
    let mut measurement = fixture::measurement();
    measurement.tiers[0].hit_ratio = Some(f64::NAN);
    measurement.tiers[0].rate_per_s = f64::INFINITY;
    let compared = compare(&fixture::prediction(), &measurement);
    assert!(find(&compared, "edge.hit_ratio").is_none());
    assert!(compared.rows.iter().all(|r| r.error.is_finite() && r.measured.is_finite()));
}

#[test]
fn ids_are_unique() {
    let compared = compared();
    let mut ids: Vec<&str> = compared.rows.iter().map(|r| r.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), compared.rows.len());
}
