use crate::diagnostic::{Problems, SourceFile};
use crate::scenario::Scenario;

const SHOP: &str = "\
name: shop
population:
  users: 1 M
  regions:
    - {name: east, share: 60 %, sites: 3}
    - {name: west, share: 40 %}
  diurnal: {peak_to_mean: 2.0, peak_at: 19:00}
datasets:
  page: {count: 1 M, size: 20 KB, metadata: 1 KB, popularity: {zipf: 0.9}, in: store}
actions:
  view: {per_user: 5/day, of: page, path: [edge, web, store], then: [{to: store, http: {post: /e}}]}
  order: {per_user: 1/day, path: [web, store]}
tiers:
  edge: {per: site, link: 100 Gbit/s, cache: {capacity: 1 GB, policy: lru}, servers: 2, service_time: 1 ms}
  web: {per: region, servers: 10, concurrency: 4, service_time: {lognormal: {mean: 20 ms, cv: 1}}, queue_max: 9}
  store: {per: region, servers: 10, service_time: {exponential: 20 ms}, balance: random, copies: 2}
slos: [view.first_byte p99 < 250 ms, edge.hit_ratio > 50 %, web.utilisation < 80 %]
claims: [{what: page.storage, is: 20 GB}, {what: page.metadata, is: 1 GB}, {what: page.storage_replicated, is: 40 GB}]
load: {scale: {users: 1/1000, objects: 1/1000, sizes: {page: 1/2}}, warmup: 5 s, duration: 10 s}
";

fn read(text: &str) -> Result<Scenario, Problems> {
    Scenario::from_yaml(&SourceFile::new("shop.yaml", text))
}

/// The problems of the shop with some text replaced.
fn problems(from: &str, to: &str) -> Problems {
    assert!(SHOP.contains(from), "nothing to replace: {from}");
    read(&SHOP.replacen(from, to, 1)).expect_err(to)
}

/// The one problem of it, as (cause, fix).
#[track_caller]
fn problem(from: &str, to: &str) -> (String, String) {
    let mut problems = problems(from, to);
    assert_eq!(problems.list.len(), 1, "{to}: {problems}");
    let problem = problems.list.remove(0);
    assert!(!problem.cause.contains("``") && !problem.fix.contains("``"), "{to}: {problem:?}");
    assert!(!problem.cause.is_empty() && !problem.fix.is_empty(), "{to}: {problem:?}");
    (problem.cause, problem.fix)
}

#[test]
fn the_scenario_without_a_mistake_is_valid() {
    read(SHOP).unwrap_or_else(|problems| panic!("{problems}"));
}

#[test]
fn a_session_that_makes_no_sense_says_why() {
    for (sessions, says) in [
        ("{}", "`load.sessions.steps` is missing"),
        ("{steps: []}", "has 0 steps"),
        ("{steps: [{do: veiw}]}", "no action is named `veiw`"),
        ("{steps: [{think: 4 s}]}", "`load.sessions.steps[0].do` is missing"),
        ("{steps: [{do: view, again: 100 %}]}", "load.sessions.steps[0].again is 100 %"),
        ("{steps: [{do: view, times: 0}]}", "load.sessions.steps[0].times is 0"),
        ("{steps: [{do: view, think: 5}]}", "load.sessions.steps[0].think"),
        ("{steps: [{do: view, think: 2 days}]}", "think is 48 h on average"),
        ("{steps: [{do: view, object: other}]}", "unknown value `other`"),
        ("{steps: [{do: view, object: same}]}", "no step before asks for what `view` asks for"),
        ("{steps: [{do: view}, {do: order, object: same}]}", "`order` asks for no object"),
        ("{steps: [{do: view, share: 0 %}]}", "nothing is ever done"),
        ("{returning: 2, steps: [{do: view}]}", "load.sessions.returning"),
    ] {
        let (cause, _) = problem("duration: 10 s", &format!("sessions: {sessions}"));
        assert!(cause.contains(says), "{sessions}: {cause}");
    }
    let text = SHOP.replacen(
        "duration: 10 s",
        "sessions: {returning: 1/2, steps: [{do: view, again: 50 %}, {do: order}, {do: view, object: same}]}",
        1,
    );
    let scenario = read(&text).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(scenario.sessions.is_none(), "only what is scaled down comes in sessions");
    assert_eq!(scenario.scaled_for_load().unwrap().sessions.unwrap().steps.len(), 3);
}

#[test]
fn one_mistake_is_one_problem_with_a_fix() {
    let mut bad = Vec::new();
    for (from, to) in [
        ("name: shop", "name: ''"),
        ("name: shop", "name: [a]"),
        ("name: shop", "nam: shop"),
        ("name: shop", "extend: spotify"),
        ("name: shop", "name: shop\nextends: spotify"),
        ("users: 1 M", "users: [1, 2]"),
        ("users: 1 M", "user: 1 M"),
        ("share: 60 %", "share: 60 km"),
        ("share: 60 %", "shre: 60 %"),
        ("sites: 3", "sites: many"),
        ("peak_to_mean: 2.0", "peak_to_man: 2.0"),
        ("peak_to_mean: 2.0", "peak_to_mean: high"),
        ("peak_to_mean: 2.0", "hourly: [1, 2]"),
        ("peak_to_mean: 2.0", "hourly: 3"),
        ("datasets:", "datsets:"),
        ("size: 20 KB", "size: 20"),
        ("size: 20 KB", "sise: 20 KB"),
        ("metadata: 1 KB", "metadata: 1 day"),
        ("metadata: 1 KB", "metdata: 1 KB"),
        ("{zipf: 0.9}", "{zipf: 12}"),
        ("{zipf: 0.9}", "{zip: 0.9}"),
        ("{zipf: 0.9}", "[zipf]"),
        ("in: store", "in: stor"),
        ("in: store", "inn: store"),
        ("actions:", "actoins:"),
        ("per_user: 5/day", "per_usr: 5/day"),
        ("of: page", "of: pages"),
        ("of: page", "off: page"),
        ("path: [edge, web, store]", "path: edge"),
        ("path: [edge, web, store]", "path: []"),
        ("path: [edge, web, store]", "pth: [edge, web, store]"),
        ("path: [edge, web, store]", "path: [edge, web, store, web]"),
        ("path: [edge, web, store]", "path: [edge, ['']]"),
        ("path: [edge, web, store]", "path: [web, edge, store]"),
        ("{post: /e}", "{pots: /e}"),
        ("{post: /e}", "{post: e}"),
        ("{post: /e}", "{}"),
        ("tiers:", "teirs:"),
        ("link: 100 Gbit/s", "link: 100 GB"),
        ("capacity: 1 GB", "capacty: 1 GB"),
        ("cache: {capacity: 1 GB, policy: lru}", "cahce: {capacity: 1 GB}"),
        ("policy: lru", "policy: lruu"),
        ("policy: lru", "ttl: 0 s"),
        ("policy: lru", "memory: 2 GB"),
        ("policy: lru", "memory: 0 B"),
        ("policy: lru", "memory: half"),
        ("policy: lru", "memry: 1 MB"),
        ("policy: lru", "ttl: 20 years"),
        ("policy: lru", "ttl: 5"),
        ("policy: lru", "tll: 5 s"),
        ("policy: lru", "admit: {on: 3}"),
        ("policy: lru", "admit: {max_size: 0 B}"),
        ("policy: lru", "admit: {max: 5 MB}"),
        ("policy: lru", "admit: 2"),
        ("policy: lru", "on_write: purge"),
        ("servers: 10, concurrency", "servers: 0, concurrency"),
        ("servers: 10, concurrency", "servers: 2.5, concurrency"),
        ("servers: 10, concurrency", "servers: [10], concurrency"),
        ("servers: 10, concurrency", "servrs: 10, concurrency"),
        ("servers: 10, concurrency", "concurrency"),
        ("concurrency: 4", "concurrency: 0"),
        ("service_time: 1 ms", "servce_time: 1 ms"),
        ("service_time: 1 ms", "service_time: 0 ms"),
        ("{lognormal: {mean: 20 ms, cv: 1}}", "{lognorma: {mean: 20 ms, cv: 1}}"),
        ("{mean: 20 ms, cv: 1}", "{mean: 20 ms}"),
        ("{mean: 20 ms, cv: 1}", "{mean: 20 ms, cv: 50}"),
        ("{exponential: 20 ms}", "{}"),
        ("balance: random", "balance: fair"),
        ("copies: 2", "copies: 0"),
        ("slos: [", "slos: [other.complete p50 < 1 s, "),
        ("slos: [", "slos: [.complete p50 < 1 s, "),
        ("slos: [", "slos: [[], "),
        ("what: page.storage,", "what: page.weight,"),
        ("what: page.storage,", "wat: page.storage,"),
        ("what: page.storage,", "what: '',"),
        ("scale: {users: 1/1000, objects: 1/1000, sizes: {page: 1/2}}", "scale: 1/1000"),
        ("objects: 1/1000", "objects: 0"),
        ("sizes: {page: 1/2}", "sizes: {pge: 1/2}"),
        ("sizes: {page: 1/2}", "sizes: {page: 2}"),
        ("sizes: {page: 1/2}", "sites: 0"),
    ] {
        let said = problems(from, to);
        let problem = &said.list[0];
        let told = !problem.cause.contains("``") && !problem.fix.contains("``") && !problem.fix.is_empty();
        if said.list.len() > 1 || !told {
            bad.push(format!("{to}:\n{said}"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n\n"));
}

#[test]
fn a_section_that_is_none_is_one_problem() {
    for section in ["tiers", "actions", "datasets"] {
        let lines: Vec<&str> = SHOP.lines().collect();
        let start = lines.iter().position(|l| *l == format!("{section}:")).unwrap();
        let end = start + 1 + lines[start + 1..].iter().take_while(|l| l.starts_with(' ')).count();
        let whole = lines[start..end].join("\n");
        for none in ["5", "{}", "[a]"] {
            let (cause, _) = problem(&whole, &format!("{section}: {none}"));
            assert!(cause.starts_with(&format!("`{section}` ")), "{cause}");
        }
    }
}

#[test]
fn no_write_of_others_comes_by_a_device() {
    let (cause, fix) = problem(
        "edge: {per: site, link: 100 Gbit/s, cache: {capacity: 1 GB, policy: lru}, servers: 2, service_time: 1 ms}",
        "edge: {per: user, cache: {capacity: 1 GB, on_write: invalidate}}",
    );
    assert!(cause.contains("nobody else's write") && fix.contains("ttl"), "{cause}: {fix}");
}

#[test]
fn what_a_ruled_cache_does_no_real_stack_does() {
    let ruled = "policy: lru, ttl: 1 h, admit: {on: 2}, on_write: invalidate";
    let found = read(&SHOP.replacen("policy: lru", ruled, 1)).unwrap().not_emulated().join("\n");
    for what in ["a cache's `ttl`", "a cache's `admit`", "a cache's `on_write`", "shop.yaml:"] {
        assert!(found.contains(what), "{what}: {found}");
    }
}

#[test]
fn names_lead_nowhere() {
    let long = "a".repeat(65);
    for name in ["../escape", "a/b", "..", ".hidden", "-rf", "''", "\"a\\nb\"", "a\\b", "ä", &long] {
        let (cause, _) = problem("name: shop", &format!("name: {name}"));
        assert!(cause.contains("name"), "{cause}");
    }
    for name in ["a", "Shop-2_b.v1", "7", &long[1..]] {
        assert!(read(&SHOP.replacen("shop", name, 1)).is_ok(), "{name}");
    }
}

#[test]
fn a_file_that_is_no_map_is_told_what_to_hold() {
    for (text, what) in
        [("", "empty"), ("# nothing\n", "empty"), ("- a\n", "a list"), ("a", "a single value")]
    {
        let problems = read(text).unwrap_err();
        assert_eq!(problems.list.len(), 1, "{problems}");
        assert_eq!(problems.list[0].cause, format!("the file is {what}, expected a scenario"));
        assert!(problems.list[0].fix.starts_with("`plimsoll scenarios show spotify >"));
    }
}

#[test]
fn what_is_absurdly_large_is_refused() {
    for (from, to, says) in [
        ("users: 1 M", "users: 2 T", "1 to 1 T"),
        ("users: 1 M", "users: 0.5", "1 to 1 T"),
        ("users: 1 M", "users: 1 M to 2 T", "1 to 1 T"),
        ("count: 1 M", "count: 11 T", "1 to 10 T"),
        ("per_user: 5/day", "per_user: 2 M/s", "1 M/s"),
        ("servers: 10, concurrency", "servers: 11 M, concurrency", "from 1 to 10 M"),
        ("concurrency: 4", "concurrency: 1_000_001", "from 1 to 1 M"),
        ("queue_max: 9", "queue_max: 5 B", "from 0 to 10 M"),
        ("queue_max: 9", "queue_max: -1", "from 0 to 10 M"),
        ("sites: 3", "sites: 10_001", "from 1 to 10 K"),
        ("warmup: 5 s", "warmup: 25 h", "at most a day"),
        ("duration: 10 s", "duration: 25 h", "at most a day"),
        ("duration: 10 s", "duration: 0 s", "more than 0"),
    ] {
        let (cause, fix) = problem(from, to);
        assert!(fix.contains(says), "{to}: {cause}: {fix}");
    }
    assert!(read(&SHOP.replacen("queue_max: 9", "queue_max: 0", 1)).is_ok());
    let regions = |count: usize, sites: u32| {
        let region = |i: usize| format!("    - {{name: r{i}, share: 1/{count}, sites: {sites}}}\n");
        let two = "    - {name: east, share: 60 %, sites: 3}\n    - {name: west, share: 40 %}\n";
        SHOP.replacen(two, &(0..count).map(region).collect::<String>(), 1)
    };
    assert!(read(&regions(200, 250)).is_ok());
    assert!(read(&regions(201, 1)).unwrap_err().to_string().contains("at most 200"));
    let sites = read(&regions(6, 10_000)).unwrap_err().to_string();
    assert!(sites.contains("60000 sites in all") && sites.contains("at most 50000"), "{sites}");
}

#[test]
fn a_cycle_is_that_of_the_tiers_on_it() {
    let (cause, _) = problem("path: [web, store]", "path: [store, web]");
    assert_eq!(cause, "the paths of the actions form a cycle: web -> store -> web");
    // `store` calls nobody and is called from the cycle: no part of it.
    let same = SHOP.replace("per: site, ", "per: region, ").replace(", edge.hit_ratio > 50 %", "");
    let text = same.replacen(
        "order: {per_user: 1/day, path: [web, store]}",
        "order: {per_user: 1/day, of: page, path: [web, edge]}",
        1,
    );
    let said = read(&text).unwrap_err();
    assert_eq!(said.list.len(), 1, "{said}");
    assert_eq!(said.list[0].cause, "the paths of the actions form a cycle: edge -> web -> edge");
    let (cause, _) = problem("path: [web, store]", "of: page, path: [web, edge]");
    assert_eq!(cause, "actions.order.path goes from `web` out to `edge`");
}

#[test]
fn the_order_of_tiers_goes_forward_in_every_path() {
    let scenario = read(SHOP).unwrap();
    let order = scenario.tier_order();
    let position = |tier| order.iter().position(|&t| t == tier).unwrap();
    for pair in scenario.actions.values().flat_map(|a| a.path.windows(2)) {
        assert!(position(pair[0]) < position(pair[1]));
    }
}

#[test]
fn several_mistakes_are_told_each_and_cut_short_where_they_are_many() {
    let text =
        SHOP.replacen("size: 20 KB", "size: 20", 1).replacen("path: [web, store]", "path: [store, web]", 1);
    assert_eq!(read(&text).unwrap_err().list.len(), 2);
    let hours = format!("hourly: [{}]", vec!["-1"; 24].join(", "));
    let problems = problems("peak_to_mean: 2.0", &hours);
    assert_eq!(problems.list.len(), 24);
    let said = problems.to_string();
    assert_eq!(said.matches("error: ").count(), 10);
    assert!(said.ends_with("\n\nand 14 more: 24 problems in shop.yaml"), "{said}");
}

#[test]
fn a_message_stays_on_its_lines_whatever_the_file_holds() {
    let long = "x".repeat(5000);
    let said = problems("policy: lru", &format!("policy: {long}")).to_string();
    assert!(said.len() < 2000, "{} bytes", said.len());
    let said = problems("policy: lru", "policy: \"a\\e[31m\\nb\"").to_string();
    assert!(!said.contains('\u{1b}') && said.lines().count() == 5, "{said}");
}

#[test]
fn poor_values_get_an_example_that_fits() {
    for (from, to, says) in [
        ("{zipf: 0.9}", "pareto", "write `uniform`, `{zipf: 1.0}` or"),
        ("{zipf: 0.9}", "unifrom", "did you mean `uniform`?"),
        ("servers: 10, concurrency", "servers: many, concurrency", "such as `10`"),
        ("objects: 1/1000", "objects: 2", "such as `1/1000`"),
        ("size: 20 KB", "size: 20 gigs", "units: B, KB, MB, GB, TB"),
        ("size: 20 KB", "size: 20 kb", "did you mean `20 KB`?"),
        ("users: 1 M", "users: [1, 2]", "write a count such as `100 M`"),
        (
            "scale: {users: 1/1000, objects: 1/1000, sizes: {page: 1/2}}",
            "scale: 1/1000",
            "write `{users: 1/1000, objects: 1/1000}`",
        ),
    ] {
        let (cause, fix) = problem(from, to);
        assert!(fix.contains(says), "{cause}: {fix}");
    }
}

#[test]
fn a_file_of_one_long_line_or_of_many_fields_costs_little() {
    let began = std::time::Instant::now();
    let line = format!("datasets: {{a: {{in: [{}]}}}}\n", "abcdefghij, ".repeat(200_000));
    let problems = read(&line).unwrap_err();
    assert!(problems.to_string().len() < 10_000, "{problems}");
    let fields: String = (0..100_000).fold(String::new(), |text, i| text + &format!("usrs{i}: 1\n"));
    assert!(read(&fields).unwrap_err().to_string().contains("the file has 100000 fields"));
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[test]
fn what_memory_of_a_cache_cannot_be_is_told() {
    let (cause, fix) = problem("policy: lru", "memory: 2 GB");
    assert_eq!(cause, "`tiers.edge.cache.memory` is 2 GB, of a cache of 1 GB");
    assert!(fix.contains("`capacity` counts memory and disks together"), "{fix}");
    let (cause, fix) = problem("edge.hit_ratio > 50 %", "edge.memory_hit_ratio > 50 %");
    assert!(
        cause.contains("`edge` has no cache.memory") && fix.contains("add `cache.memory`"),
        "{cause}: {fix}"
    );
    let text =
        SHOP.replacen("policy: lru", "memory: 1 GB, policy: lru", 1).replacen("in: store", "in: edge", 1);
    let problems = read(&text).unwrap_err().to_string();
    assert!(problems.contains("is kept in `edge`, whose disks are those of its cache"), "{problems}");
    let scenario = read(&SHOP.replacen("policy: lru", "memory: 200 MB, policy: lru", 1)).unwrap();
    assert_eq!(scenario.tiers["edge"].cache.as_ref().unwrap().in_memory(), Some(2e8));
    assert!(scenario.not_emulated().iter().any(|what| what.contains("a cache in memory and on disk")));
    let scaled = scenario.scaled_for_load().unwrap();
    let cache = scaled.tiers["edge"].cache.as_ref().unwrap();
    assert!(
        (cache.in_memory().unwrap() / cache.capacity.get() - 0.2).abs() < 1e-9,
        "as much of it as before"
    );
}
