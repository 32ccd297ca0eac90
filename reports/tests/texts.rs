//! What stands on the terminal.

mod fixture;

use plimsoll_reports::record::*;
use plimsoll_reports::text::{self, Style};

fn all(report: &Report, style: Style) -> Vec<String> {
    let mut texts = vec![text::report(report, style)];
    if let Some(e) = &report.estimate {
        texts.extend([text::estimate(e, style), text::estimate_explained(e, style)]);
    }
    texts.extend(report.simulation.iter().map(|r| text::run(r, style)));
    texts.extend(report.prediction.iter().map(|r| text::run(r, style)));
    texts.extend(report.measurement.iter().map(|m| text::measurement(m, style)));
    texts.extend(report.comparison.iter().map(|c| text::comparison(c, style)));
    texts
}

#[test]
fn the_estimate_is_a_page() {
    let text = text::estimate(&fixture::estimate(), Style::PLAIN);
    assert_eq!(
        text,
        "\
spotify · find and play music

                                            peak  5 to 95 %, source
 demand
   play                         347 K/s  694 K/s  ✓ source says 347 K/s
   search, mean rate           52.1 K/s           34.7 to 69.4 K/s
   play, a day                 30 B/day

 bandwidth
   play, without any cache  13.9 Tbit/s

 storage
   song, one copy                500 TB           ✓ source says 500 TB
   song, all copies              1.5 PB           ✗ source says 1.2 PB (+25 %)

 caches
   edge, hit ratio (Che)         86.1 %

 servers
   web, busy at the peak         74.8 %

 as demand grows
  demand  breaks first                           then
  1x      nothing; fullest: web servers  74.8 %  metadata-db servers 40 %
  2x      web servers                     150 %  metadata-db servers 80 %

 under its events
  event                 what is fullest then   used  before
  hot release at 18:00  web servers           102 %  74.8 %

 search, mean rate hangs on
                                                             from its 5 % to its 95 %
  search, per user (3 to 6/day)  83 %  ████████████████████  34.7 to 69.4 K/s
  active (90 to 100 %)           17 %  ████                  46.9 to 52.1 K/s

 ✗ 2 of 3 figures that the sources state agree

    SLOs that closed forms can judge   value
 ✗  edge.hit_ratio > 90 %             86.1 %
 plimsoll 0.1.0 · seed 1 · objects_per_sample=1000 · replications=3
"
    );
}

#[test]
fn the_working_stands_under_each_quantity() {
    let text = text::estimate_explained(&fixture::estimate(), Style::PLAIN);
    assert!(text.contains(
        "   play, mean rate\n     = users x active share x plays a day / seconds a day\n     \
         = 1,000,000,000 x 100 % x 30 / 86,400 s\n     = 347 K/s"
    ));
    assert!(text.contains("✗ source says 1.2 PB (+25 %)"));
}

#[test]
fn the_last_screen_says_how_good_the_model_was_and_what_binds() {
    let text = text::report(&fixture::report(), Style::PLAIN);
    for line in [
        "   edge hit ratio               86.1 %    85.5 %  +0.6 points",
        "   play first byte p99         92.7 ms    111 ms      -16.6 %  largest",
        " binds first  web: its servers are 74.4 % busy at 19:00 local time, europe. Demand can",
        " SLOs         ✗ 5 of 6 hold",
        "              ✗ search.complete p95 < 150 ms, but is 241 ms",
    ] {
        assert!(text.lines().any(|l| l.starts_with(line)), "{line:?} not in\n{text}");
    }
    assert!(text.lines().count() <= 24, "one screen:\n{text}");
}

#[test]
fn nothing_is_wider_than_asked() {
    for width in [100, 120] {
        for text in all(&fixture::report(), Style { color: false, width }) {
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{} > {width}: {line}", line.chars().count());
                assert_eq!(line, line.trim_end());
            }
        }
    }
}

#[test]
fn colour_adds_escape_codes_and_nothing_else() {
    let strip = |text: &str| {
        let mut out = String::new();
        let mut parts = text.split('\u{1b}');
        out.push_str(parts.next().unwrap_or_default());
        parts.for_each(|p| out.push_str(p.split_once('m').unwrap().1));
        out
    };
    let plain = all(&fixture::report(), Style::PLAIN);
    let color = all(&fixture::report(), Style { color: true, width: 100 });
    for (plain, color) in plain.iter().zip(&color) {
        assert!(!plain.contains('\u{1b}') && color.contains('\u{1b}'));
        assert_eq!(*plain, strip(color));
    }
}

#[test]
fn names_cannot_steer_a_terminal() {
    let mut report = fixture::report();
    let evil = "a\u{1b}[2J\r\nb\u{7}";
    report.scenario = evil.into();
    let run = report.simulation.as_mut().unwrap();
    run.tiers[0].name = evil.into();
    run.notes.push(evil.into());
    run.slos[2].text = evil.into();
    run.bottleneck.as_mut().unwrap().tier = evil.into();
    report.measurement.as_mut().unwrap().invalid.push(evil.into());
    report.estimate.as_mut().unwrap().quantities[0].label = evil.into();
    for text in all(&report, Style::PLAIN) {
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }
}

#[test]
fn an_untrusted_run_says_so_first() {
    let mut measurement = fixture::measurement();
    measurement.invalid.push("the generator was 40 ms late at p99".into());
    let text = text::measurement(&measurement, Style::PLAIN);
    let third = text.lines().nth(2).unwrap();
    assert_eq!(third, " ✗ the run should not be trusted");
    assert!(text.contains("   - the generator was 40 ms late at p99\n"));
}

#[test]
fn an_empty_report_is_a_title() {
    let mut report = fixture::report();
    report.estimate = None;
    report.simulation = None;
    report.prediction = None;
    report.measurement = None;
    report.comparison = None;
    report.stages.clear();
    assert_eq!(text::report(&report, Style::PLAIN), "spotify · find and play music\n");
}
