//! A plan as a page: the answer, pictures, the bill of materials, and what it would take to be wrong.

use super::element::{Column, Row, definitions, escape, list, mark, section, table};
use super::pictures::figure;
use super::style;
use crate::format::{human, significant};
use crate::json;
use crate::plan::{Plan, PlannedTier, Target};
use crate::plot;
use crate::record::Unit;
use crate::text::plan as words;

/// One HTML file without scripts or network; the record itself is in it as JSON.
#[must_use]
pub fn plan(record: &Plan) -> String {
    let sections = [
        ("pictures", "Pictures", pictures(record)),
        ("tiers", "Bill of materials", tiers(record)),
        ("sites", "Sites", sites(record)),
        ("regions", "By region", regions(record)),
        ("why", "Why each is what it is", reasons(record)),
        ("targets", "Targets", targets(&record.targets)),
        ("why-not", "Why not", alternatives(record)),
        ("growth", "When to buy", growth(record)),
        ("worlds", "In the worlds that the ranges make", worlds(record)),
        ("failures", "Under failures", failures(record)),
        ("under-failures", "Targets under failures, predicted and simulated", under_failures(record)),
        ("storage", "What is kept, and how safely", storage(record)),
        ("made", "How it was made", made(record)),
    ];
    let present: Vec<_> = sections.iter().filter(|(_, _, body)| !body.is_empty()).collect();
    let nav: Vec<String> =
        present.iter().map(|(id, name, _)| format!("<a href=\"#{id}\">{}</a>", escape(name))).collect();
    let body: String = present.iter().map(|(id, name, body)| section(id, name, body)).collect();
    let answer: String = words::answer(record)
        .iter()
        .map(|line| format!("<p class=\"verdict\">{}</p>\n", escape(line)))
        .collect();
    let data = json::to_script(record).map_or(String::new(), |text| {
        format!("<script type=\"application/json\" id=\"plimsoll-plan\">{text}</script>\n")
    });
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{name}, planned · plimsoll</title>\n\
         <style>{css}{plots}</style>\n</head>\n<body>\n<header>\n<h1>{name}, planned</h1>\n<p>{summary}</p>\n</header>\n\
         <main>\n{answer}<nav>{nav}</nav>\n{body}</main>\n{data}</body>\n</html>\n",
        name = escape(&record.provenance.scenario),
        summary = escape(&record.summary),
        css = style::CSS,
        plots = plot::CSS,
        nav = nav.join("\n"),
    )
}

fn pictures(record: &Plan) -> String {
    let mut out = String::new();
    let money = |v: f64| human(v, Unit::DollarsPerMonth);
    let numbers = |name: &str, rows: Vec<[String; 2]>| {
        let rows: Vec<Row> = rows.into_iter().map(Row::of).collect();
        table("", &[Column::Number(name), Column::Number("cost a month")], &rows)
    };
    for curve in &record.curves {
        let rows = curve
            .points
            .iter()
            .map(|(bound, cost)| [human(*bound, curve.unit), cost.map_or("no plan".to_owned(), money)]);
        out.push_str(&figure(plot::target_cost(curve), &numbers("bound", rows.collect())));
    }
    let rows = record.growth.iter().map(|g| [significant(g.factor, 3), money(g.cost_per_month)]);
    out.push_str(&figure(plot::growth_cost(record), &numbers("demand", rows.collect())));
    if let Some(worlds) = &record.worlds {
        let rows = worlds.confidence.iter().map(|c| [human(c.holds, Unit::Share), money(c.cost_per_month)]);
        out.push_str(&figure(plot::certainty_cost(record), &numbers("holds in", rows.collect())));
    }
    if out.is_empty() { out } else { format!("<div class=\"pictures\">\n{out}</div>\n") }
}

fn tiers(record: &Plan) -> String {
    let columns = [
        Column::Text("tier"),
        Column::Number("servers"),
        Column::Number("was"),
        Column::Text("instance"),
        Column::Number("cache"),
        Column::Number("was"),
        Column::Number("hits"),
        Column::Number("busy"),
        Column::Number("copies"),
        Column::Number("cost a month"),
    ];
    let row = |tier: &PlannedTier| {
        let count = |v: Option<f64>| v.map_or(String::new(), |v| human(v, Unit::Count));
        let bytes = |v: Option<f64>| v.map_or(String::new(), |v| human(v, Unit::Bytes));
        let share = |v: Option<f64>| v.map_or(String::new(), |v| human(v, Unit::Share));
        let cost = if tier.cost_per_month <= 0.0 && tier.shadow_per_month > 0.0 {
            "not billed".to_owned()
        } else {
            human(tier.cost_per_month, Unit::DollarsPerMonth)
        };
        Row::of([
            tier.name.clone(),
            count(tier.servers.map(|n| n as f64)),
            count(tier.servers_stated),
            tier.instance.clone().unwrap_or_default(),
            bytes(tier.capacity_bytes),
            bytes(tier.capacity_stated_bytes),
            share(tier.hit_ratio),
            share(tier.utilisation_peak),
            count(tier.copies.map(f64::from)),
            cost,
        ])
    };
    table("", &columns, &record.tiers.iter().map(row).collect::<Vec<_>>())
}

fn sites(record: &Plan) -> String {
    if record.sites.is_empty() {
        return String::new();
    }
    let [region, sites, distance, trip, less] = words::SITES;
    let columns = [
        Column::Text(region),
        Column::Number(sites),
        Column::Number(distance),
        Column::Number(trip),
        Column::Text(less),
    ];
    let rows: Vec<Row> = record.sites.iter().map(|s| Row::of(words::of_sites(s))).collect();
    table("", &columns, &rows)
}

fn regions(record: &Plan) -> String {
    let columns = [
        Column::Text("tier"),
        Column::Text("region"),
        Column::Number("servers"),
        Column::Number("busy at its peak"),
    ];
    let rows = record.tiers.iter().flat_map(|tier| {
        tier.regions.iter().map(|region| {
            Row::of([
                tier.name.clone(),
                region.region.clone(),
                region.servers.to_string(),
                human(region.utilisation_peak, Unit::Share),
            ])
        })
    });
    table("", &columns, &rows.collect::<Vec<_>>())
}

fn reasons(record: &Plan) -> String {
    let columns = [
        Column::Text("tier"),
        Column::Text("bound by"),
        Column::Text("with one step less"),
        Column::Text("also chosen"),
    ];
    let rows = record.tiers.iter().filter(|t| !t.binding.is_empty()).map(|tier| {
        Row::of([
            tier.name.clone(),
            tier.binding.clone(),
            tier.one_less.clone().unwrap_or_default(),
            words::chosen(tier),
        ])
    });
    table("", &columns, &rows.collect::<Vec<_>>())
}

fn targets(all: &[Target]) -> String {
    let columns = [
        Column::Text("target"),
        Column::Text(""),
        Column::Text("under"),
        Column::Number("predicted, at the peak"),
        Column::Number("simulated, at the peak"),
        Column::Number("simulated, over the day"),
        Column::Text("from"),
    ];
    let rows = all.iter().map(|target| {
        let value = |v: Option<f64>| v.map_or(String::new(), |v| escape(&human(v, target.unit)));
        Row {
            cells: vec![
                escape(&target.text),
                mark(target.holds).to_owned(),
                escape(target.under.as_deref().unwrap_or_default()),
                value(target.predicted),
                value(target.simulated),
                value(target.simulated_day),
                if target.assumed { "assumed".to_owned() } else { "the scenario".to_owned() },
            ],
            ..Row::default()
        }
    });
    table("", &columns, &rows.collect::<Vec<_>>())
}

fn alternatives(record: &Plan) -> String {
    let columns = [Column::Text("instead"), Column::Number("costs"), Column::Text("what happens")];
    let rows =
        record.alternatives.iter().map(|a| Row::of([a.what.clone(), words::extra(a), a.verdict.clone()]));
    table("", &columns, &rows.collect::<Vec<_>>())
}

fn growth(record: &Plan) -> String {
    let columns = [
        Column::Number("times the demand"),
        Column::Number("in years"),
        Column::Number("cost a month"),
        Column::Text("add"),
    ];
    let rows = record.growth.iter().map(|step| {
        Row::of([
            significant(step.factor, 3),
            step.years.map_or(String::new(), |y| significant(y, 2)),
            human(step.cost_per_month, Unit::DollarsPerMonth),
            step.add.join(", "),
        ])
    });
    table("", &columns, &rows.collect::<Vec<_>>())
}

fn worlds(record: &Plan) -> String {
    let Some(worlds) = &record.worlds else { return String::new() };
    let columns = [
        Column::Text("sized for"),
        Column::Number("holds in"),
        Column::Number("cost a month"),
        Column::Number("regret a month"),
    ];
    let rows = worlds.confidence.iter().enumerate().map(|(i, c)| {
        let least = if i == worlds.least_regret { " (least regret)" } else { "" };
        Row::of([
            format!("{}{least}", c.sized_for),
            human(c.holds, Unit::Share),
            human(c.cost_per_month, Unit::DollarsPerMonth),
            human(c.regret_per_month, Unit::DollarsPerMonth),
        ])
    });
    table("", &columns, &rows.collect::<Vec<_>>())
}

fn failures(record: &Plan) -> String {
    let columns = [
        Column::Text("failure"),
        Column::Text(""),
        Column::Text("required"),
        Column::Text("what happens"),
        Column::Text("what breaks, by formula"),
    ];
    let rows = record.failures.iter().map(|check| {
        let fullest = check.fullest.as_ref().map_or(String::new(), |(name, busy)| {
            format!("nothing; fullest {name}, {} busy", human(*busy, Unit::Share))
        });
        let breaks = if check.breaks.is_empty() { fullest } else { check.breaks.join(", ") };
        Row {
            cells: vec![
                escape(&check.failure),
                mark(check.breaks.is_empty()).to_owned(),
                if check.required { "yes".to_owned() } else { "no".to_owned() },
                escape(&check.what),
                escape(&breaks),
            ],
            ..Row::default()
        }
    });
    table("", &columns, &rows.collect::<Vec<_>>())
}

/// Every target under every failure that was played.
fn under_failures(record: &Plan) -> String {
    let columns = [
        Column::Text("failure"),
        Column::Text("target"),
        Column::Text(""),
        Column::Number("predicted"),
        Column::Number("simulated"),
        Column::Text("played"),
    ];
    let mut rows = Vec::new();
    for failure in record.failures.iter().filter(|f| !f.played.is_empty()) {
        for (i, target) in failure.targets.iter().enumerate() {
            let value = |v: Option<f64>| v.map_or(String::new(), |v| escape(&human(v, target.unit)));
            rows.push(Row {
                cells: vec![
                    escape(if i == 0 { &failure.failure } else { "" }),
                    escape(&target.text),
                    mark(target.holds).to_owned(),
                    value(target.predicted),
                    value(target.simulated),
                    escape(&if i == 0 { failure.played.join("; ") } else { String::new() }),
                ],
                ..Row::default()
            });
        }
    }
    table("", &columns, &rows)
}

fn storage(record: &Plan) -> String {
    let columns = [
        Column::Text("tier"),
        Column::Text("kept as"),
        Column::Number("lost in a year, independent"),
        Column::Number("with zones"),
        Column::Number("operator"),
        Column::Number("some object, 1 % of servers at once"),
        Column::Number("repair"),
        Column::Number("repair traffic"),
        Column::Number("stale reads"),
    ];
    let rows = record.storage.iter().map(|s| {
        Row::of([
            s.tier.clone(),
            s.scheme.clone(),
            words::chance(s.independent_loss),
            words::chance(s.zone_loss),
            words::chance(s.operator_loss),
            words::chance(s.copyset_loss),
            human(s.repair_hours * 3600.0, Unit::Seconds),
            human(s.repair_bytes_per_s * 8.0, Unit::BitsPerSecond),
            human(s.stale_read, Unit::Share),
        ])
    });
    table("", &columns, &rows.collect::<Vec<_>>())
}

fn made(record: &Plan) -> String {
    let mut pairs = vec![
        ("version".to_owned(), escape(&format!("plimsoll {}", record.provenance.version))),
        ("seed".to_owned(), record.provenance.seed.to_string()),
    ];
    pairs.extend(record.provenance.options.iter().map(|(k, v)| (k.clone(), escape(v))));
    let mut out = definitions(&pairs);
    out.push_str("<h3>Assumed</h3>\n");
    out.push_str(&list(&record.assumptions));
    if let Some(verification) = &record.verification {
        out.push_str("<h3>Simulated</h3>\n");
        out.push_str(&list(&verification.adjusted));
        out.push_str(&list(&[words::verified(verification)]));
    }
    out.push_str("<h3>What to know</h3>\n");
    out.push_str(&list(&record.notes));
    out.push_str("<h3>The sizes as settings</h3>\n");
    out.push_str(&list(&record.settings));
    out
}
