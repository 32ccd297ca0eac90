//! The page and its charts: complete without any network, well-formed, and honest about odd input.

mod fixture;

use fixture::markup::tags;
use plimsoll_reports::html::html;
use plimsoll_reports::plot::{self, Plot};
use plimsoll_reports::record::*;

fn empty() -> Report {
    Report::new("nothing", "")
}

fn plots(report: &Report) -> Vec<Plot> {
    let mut plots = Vec::new();
    if let Some(run) = &report.simulation {
        plots.extend(plot::rates(run));
        plots.extend(plot::hit_ratios(run));
        plots.extend(plot::utilisation(run));
        plots.extend(plot::first_byte(run));
        for action in &run.actions {
            plots.extend(plot::percentiles(Some(action), None));
            let measured =
                report.measurement.as_ref().and_then(|m| m.actions.iter().find(|a| a.name == action.name));
            plots.extend(plot::percentiles(Some(action), measured));
            plots.extend(plot::percentiles(None, measured));
        }
    }
    if let Some(comparison) = &report.comparison {
        plots.extend(plot::shares(comparison));
        plots.extend(plot::errors(comparison));
    }
    if let Some(estimate) = &report.estimate {
        for influence in &estimate.hangs_on {
            let quantity = estimate.quantities.iter().find(|q| q.id == influence.of).unwrap();
            plots.push(plot::tornado(quantity, influence).unwrap());
        }
    }
    plots
}

/// Every chart is well-formed, and no text or line starts outside its picture.
fn check(plot: &Plot) {
    for svg in [&plot.svg, &plot.standalone()] {
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", plot.title);
        let tags = tags(svg);
        let view = &tags[0].1.iter().find(|(n, _)| n == "viewBox").unwrap().1;
        let view: Vec<f64> = view.split(' ').map(|v| v.parse().unwrap()).collect();
        for (name, attributes) in tags.iter().skip(1) {
            for (attribute, value) in attributes {
                let value = || value.parse::<f64>().unwrap();
                match attribute.as_str() {
                    "x" | "cx" | "x1" | "x2" => {
                        assert!((0.0..=view[2]).contains(&value()), "{name} {attribute}");
                    }
                    "y" | "cy" | "y1" | "y2" => {
                        assert!((view[1]..=view[3]).contains(&value()), "{}: {name} {attribute}", plot.title);
                    }
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn all_charts_of_a_full_report_are_drawn_and_well_formed() {
    let plots = plots(&fixture::report());
    assert_eq!(plots.len(), 13);
    for plot in &plots {
        check(plot);
    }
    assert_eq!(plots[0].title, "play peaks at 660 K/s, 1.9 times its mean, at 18:00 UTC");
    assert_eq!(plots[1].title, "edge answers 86.1 % of what reaches it");
}

#[test]
fn the_page_is_well_formed_and_asks_nothing_of_a_network() {
    let page = html(&fixture::report());
    let tags = tags(&page);
    let values = |name: &str| {
        let all = tags.iter().flat_map(|(_, attributes)| attributes);
        all.filter(|(n, _)| n == name).map(|(_, v)| v.clone()).collect::<Vec<String>>()
    };
    let mut ids = values("id");
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "ids are unique");
    for link in values("href") {
        let target = link.strip_prefix('#').expect("links stay on the page");
        assert!(ids.iter().any(|id| id == target), "{link} leads nowhere");
    }
    assert!(values("src").is_empty());
    assert!(!page.replace("http://www.w3.org/2000/svg", "").contains("http"));
    assert!(!page.contains("url(") && !page.contains("@import"));
}

#[test]
fn a_breach_links_to_its_row() {
    let page = html(&fixture::report());
    assert!(page.contains("<a href=\"#action-search\">search.complete p95 &lt; 150 ms</a>"));
    assert!(page.contains("<tr id=\"action-search\">"));
    assert!(page.contains("<a href=\"#servers-web\">web</a> binds first"));
}

#[test]
fn the_embedded_records_read_back_as_they_were() {
    let report = fixture::report();
    let page = html(&report);
    let (_, rest) = page.split_once("id=\"plimsoll-report\">").unwrap();
    let (json, _) = rest.split_once("</script>").unwrap();
    let back: Report = plimsoll_reports::json::from_str(json).unwrap();
    assert_eq!(back, report);
}

#[test]
fn every_slot_of_a_chart_is_in_a_table() {
    let page = html(&fixture::report());
    for time in ["00:00", "11:45", "23:45"] {
        assert_eq!(page.matches(&format!("<th scope=\"row\">{time}</th>")).count(), 4, "{time}");
    }
}

#[test]
fn every_part_may_be_missing() {
    let full = fixture::report();
    tags(&html(&empty()));
    let parts: [fn(&mut Report, &Report); 5] = [
        |r, f| r.estimate.clone_from(&f.estimate),
        |r, f| r.simulation.clone_from(&f.simulation),
        |r, f| r.prediction.clone_from(&f.prediction),
        |r, f| r.measurement.clone_from(&f.measurement),
        |r, f| r.comparison.clone_from(&f.comparison),
    ];
    for only in parts {
        let mut report = empty();
        only(&mut report, &full);
        let page = html(&report);
        let tags = tags(&page);
        for (_, attributes) in &tags {
            for (_, link) in attributes.iter().filter(|(n, _)| n == "href") {
                let id = format!("id=\"{}\"", &link[1..]);
                assert!(page.contains(&id), "{link} leads nowhere");
            }
        }
    }
}

#[test]
fn names_cannot_become_markup() {
    let evil = "</script><img src=x onerror=alert(1)>\"'&\n";
    let mut report = fixture::report();
    report.scenario = evil.into();
    report.summary = evil.into();
    let run = report.simulation.as_mut().unwrap();
    run.tiers[1].name = evil.into();
    run.actions[0].name = evil.into();
    run.notes.push(evil.into());
    run.slos[2].text = evil.into();
    run.bottleneck.as_mut().unwrap().tier = evil.into();
    run.bottleneck.as_mut().unwrap().region = evil.into();
    report.estimate.as_mut().unwrap().quantities[0].formula = evil.into();
    report.measurement.as_mut().unwrap().invalid.push(evil.into());
    report.comparison.as_mut().unwrap().rows[0].label = evil.into();
    let page = html(&report);
    assert!(!page.contains("<img"));
    tags(&page);
    plots(&report).iter().for_each(check);
}

#[test]
fn odd_numbers_break_no_chart() {
    let mut report = fixture::report();
    let run = report.simulation.as_mut().unwrap();
    for (i, tier) in run.tiers.iter_mut().enumerate() {
        tier.name = format!("{}{i}", "long-name-".repeat(30));
        tier.series.hit_ratio[3] = Some(f64::NAN);
        tier.series.utilisation[4] = Some(f64::INFINITY);
    }
    run.actions[0].series.rate_per_s[5] = f64::NAN;
    run.actions[0].first_byte.quantiles[7].value_s = f64::NAN;
    run.actions[1].first_byte = Latency::default();
    run.actions[1].series = ActionSeries::default();
    run.bottleneck.as_mut().unwrap().headroom = f64::INFINITY;
    report.comparison.as_mut().unwrap().rows[0].error = f64::NAN;
    report.comparison.as_mut().unwrap().rows[1].error = 250.0;
    plots(&report).iter().for_each(check);
    tags(&html(&report));
}

#[test]
fn nothing_to_draw_is_no_chart() {
    let mut run = fixture::simulation();
    for tier in &mut run.tiers {
        tier.series = TierSeries::default();
    }
    for action in &mut run.actions {
        action.series = ActionSeries { rate_per_s: vec![1.0], ..ActionSeries::default() };
    }
    assert_eq!(plot::rates(&run), None, "one slot is no curve");
    assert_eq!(plot::hit_ratios(&run), None);
    assert_eq!(plot::utilisation(&run), None);
    assert_eq!(plot::first_byte(&run), None);
    assert_eq!(plot::percentiles(None, None), None);
    let nothing = Comparison { provenance: fixture::provenance(), rows: Vec::new(), worst: None };
    assert_eq!(plot::shares(&nothing), None);
    assert_eq!(plot::errors(&nothing), None);
}

#[test]
fn all_zero_is_a_flat_line() {
    let mut run = fixture::simulation();
    for action in &mut run.actions {
        action.series.rate_per_s.fill(0.0);
    }
    check(&plot::rates(&run).unwrap());
}

/// For looking at it: `PLIMSOLL_GALLERY=/some/folder cargo test -p plimsoll-reports --test pages`.
#[test]
fn the_gallery_is_written_where_asked() {
    let Some(folder) = std::env::var_os("PLIMSOLL_GALLERY").map(std::path::PathBuf::from) else { return };
    std::fs::write(folder.join("report.html"), html(&fixture::report())).unwrap();
    for (i, plot) in plots(&fixture::report()).iter().enumerate() {
        std::fs::write(folder.join(format!("plot-{i}.svg")), plot.standalone()).unwrap();
    }
}
