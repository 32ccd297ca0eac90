//! `estimate`: the page that one could hand in.

mod common;

use std::time::Duration;

use common::{out_of, plimsoll, record};
use plimsoll_reports::record::Estimate;

fn spotify() -> Estimate {
    record(&out_of(&["estimate", "spotify", "--format", "json"]))
}

#[test]
fn the_page_is_as_reviewed() {
    insta::assert_snapshot!("page", out_of(&["estimate", "spotify"]));
}

#[test]
fn every_figure_of_the_sources_is_met() {
    let estimate = spotify();
    assert_eq!(estimate.claims.len(), 7);
    for claim in &estimate.claims {
        assert!(claim.holds && claim.deviation.abs() <= claim.within, "{claim:?}");
    }
    let page = out_of(&["estimate", "spotify"]);
    assert!(page.contains("7 of 7 figures"), "{page}");
    assert_eq!(page.matches("✓ source says").count(), 7, "{page}");
}

#[test]
fn the_figures_of_the_published_design_come_out() {
    let estimate = spotify();
    let value = |id: &str| estimate.quantities.iter().find(|q| q.id == id).unwrap().value;
    let near = |id: &str, expected: f64| {
        let value = value(id);
        assert!((value / expected - 1.0).abs() < 1e-9, "{id}: {value}, expected {expected}");
    };
    near("play.per_day", 30e9);
    near("play.rate", 30e9 / 86_400.0);
    near("play.egress_uncached", 30e9 / 86_400.0 * 5e6 * 8.0);
    near("song.storage", 500e12);
    near("song.storage_replicated", 1.5e15);
    near("song.metadata", 10e9);
    near("user.storage", 1e12);
}

#[test]
fn explain_shows_formula_numbers_result_and_source() {
    let explained = out_of(&["estimate", "spotify", "--explain"]);
    let head: Vec<&str> = explained.lines().take(13).collect();
    insta::assert_snapshot!(head.join("\n"), @"
    spotify · find and play music
     a day has 86,400 s, a year 365 days, a month 730 h; 1 KB is 1,000 B, 1 KiB is 1,024 B; 1 B has 8
     bit

     demand
       play, a day
         = users x active share x times a day
         = 1,000,000,000 x 100 % x 30
         = 30 B/day                               from spotify.yaml:15, spotify.yaml:16, spotify.yaml:46
         ✓ source says 30 B/day
       play, mean rate
         = users x active share x times a day / seconds a day
         = 1,000,000,000 x 100 % x 30 / 86,400 s
    ");
    for quantity in spotify().quantities {
        assert!(explained.contains(&quantity.label), "{}", quantity.label);
    }
}

#[test]
fn every_quantity_has_its_working_and_a_line_of_the_scenario() {
    let lines = out_of(&["scenarios", "show", "spotify"]).lines().count();
    for quantity in spotify().quantities {
        assert!(!quantity.formula.is_empty() && !quantity.working.is_empty(), "{quantity:?}");
        assert!(quantity.value.is_finite() && quantity.value >= 0.0, "{quantity:?}");
        assert!(!quantity.sources.is_empty(), "{quantity:?}");
        for source in &quantity.sources {
            let line: usize = source.strip_prefix("spotify.yaml:").unwrap().parse().unwrap();
            assert!((1..=lines).contains(&line), "{quantity:?}");
        }
    }
}

#[test]
fn the_ids_of_the_json_are_stable() {
    let ids: Vec<String> = spotify().quantities.into_iter().map(|quantity| quantity.id).collect();
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "an id is given twice");
    insta::assert_snapshot!("ids", ids.join("\n"));
}

#[test]
fn markdown_has_a_row_for_every_quantity() {
    let page = out_of(&["estimate", "spotify", "--format", "markdown"]);
    assert!(page.starts_with("# spotify\n"), "{page}");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
    let mut columns = 0;
    for line in page.lines() {
        match (line.starts_with('|'), columns) {
            (false, _) => columns = 0,
            // The head of a table.
            (true, 0) => columns = line.matches('|').count(),
            (true, _) => assert_eq!(line.matches('|').count(), columns, "a cell too many or too few: {line}"),
        }
    }
    for heading in ["## as demand grows", "## all servers hangs on", "## SLOs that closed forms can judge"] {
        assert!(page.lines().any(|line| line == heading), "{heading}");
    }
    for quantity in spotify().quantities {
        let there = rows.iter().any(|row| row.starts_with(&format!("| {}", quantity.label)));
        assert!(there, "{}", quantity.label);
    }
}

#[test]
fn a_directory_gets_the_page_the_record_and_the_tornadoes() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("kept");
    out_of(&["estimate", "uber", "--out", out.to_str().unwrap()]);
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let record: Estimate = serde_json::from_str(&read("estimate.json")).unwrap();
    assert_eq!(record.provenance.scenario, "uber");
    assert!(read("report.html").contains("as demand grows"));
    for influence in &record.hangs_on {
        let picture = read(&format!("tornado-{}.svg", influence.of));
        assert!(picture.contains(&influence.inputs[0].input), "{picture}");
        let shares: f64 = influence.inputs.iter().map(|i| i.share).sum();
        assert!((shares - 1.0).abs() < 0.05, "{}: {shares}", influence.of);
    }
    assert!(record.hangs_on.len() > 1);
    assert_eq!(record.slos.len(), 3, "{:?}", record.slos);
}

#[test]
fn a_range_in_the_scenario_is_a_range_in_the_result() {
    let estimate = spotify();
    let search = estimate.quantities.iter().find(|quantity| quantity.id == "search.per_day").unwrap();
    let (low, high) = search.range.unwrap();
    // The ends are quantiles over ten thousand worlds.
    assert!((low / 3e9 - 1.0).abs() < 1e-3 && (high / 6e9 - 1.0).abs() < 1e-3, "{search:?}");
    assert!(low < search.value && search.value < high);
}

#[test]
fn colour_is_for_terminals_unless_asked_for() {
    let escape = '\u{1b}';
    assert!(!out_of(&["estimate", "spotify"]).contains(escape));
    assert!(!out_of(&["estimate", "spotify", "--color", "never"]).contains(escape));
    let coloured = out_of(&["estimate", "spotify", "--color", "always"]);
    assert!(coloured.contains(escape));
    assert!(coloured.contains('✓'), "colour is never the only sign");
    let machine = out_of(&["estimate", "spotify", "--color", "always", "--format", "json"]);
    assert!(!machine.contains(escape));
}

#[test]
fn absurd_sizes_end_soon_too() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = common::small_with(
        directory.path(),
        &[("users: 100 K", "users: 1e20"), ("count: 20 K", "count: 1e15")],
    );
    let output = plimsoll().timeout(Duration::from_secs(30)).arg("estimate").arg(path).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 2)), "{output:?}");
}
