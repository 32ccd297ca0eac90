//! What is said of a mistake in a price list: cause, place and next step.

use super::{HOST, PriceList, read, said};
use crate::diagnostic::SourceFile;

#[test]
fn mistakes_in_the_head_and_in_names_have_a_cause_a_place_and_a_next_step() {
    insta::assert_snapshot!(said("currency: USD", "currency: EUR"), @"
    error: currency: prices are read in USD, not `EUR`
     --> host.yaml:1:11
      |
    1 | currency: EUR
      |           ^^^ convert the prices and write `currency: USD`
    ");
    insta::assert_snapshot!(said("as_of: 2026-03-31", "as_of: 31.3.2026"), @"
    error: as_of: `31.3.2026` is no date
     --> host.yaml:2:8
      |
    2 | as_of: 31.3.2026
      |        ^^^^^^^^^ write year, month and day, such as `2026-01-19`
    ");
    insta::assert_snapshot!(said("as_of: 2026-03-31\n", ""), @"
    error: `as_of` is missing
     --> host.yaml:1:1
      |
    1 | currency: USD
      | ^ add `as_of: 2026-01-19`
    ");
    insta::assert_snapshot!(said("balancer:", "load balancer:"), @"
    error: `load balancer` is no name
     --> host.yaml:9:3
      |
    9 |   load balancer: {hourly: $0.02}
      |   ^^^^^^^^^^^^^ use letters, digits, `-`, `_` and `.`
    ");
    insta::assert_snapshot!(said("traffic:", "trafic:"), @"
    error: unknown field `trafic`
      --> host.yaml:18:1
       |
    18 | trafic:
       | ^^^^^^ did you mean `traffic`?
    ");
}

#[test]
fn mistakes_in_a_price_have_a_cause_a_place_and_a_next_step() {
    insta::assert_snapshot!(said("hourly: $0.10", "hourly: 10 cents"), @"
    error: servers.small.hourly: unknown unit `cents` in `10 cents`
     --> host.yaml:6:61
      |
    6 |   small: {vcpu: 2, memory: 8 GB, network: 1 Gbit/s, hourly: 10 cents, reserved: {1_year: 60 %}}
      |                                                             ^^^^^^^^ write a price such as `$0.10`; units: USD
    ");
    insta::assert_snapshot!(said("hourly: $0.10", "hourly: $-0.10"), @"
    error: servers.small.hourly: `$-0.10` is out of range
     --> host.yaml:6:61
      |
    6 |   small: {vcpu: 2, memory: 8 GB, network: 1 Gbit/s, hourly: $-0.10, reserved: {1_year: 60 %}}
      |                                                             ^^^^^^ a price here is 0 or more, such as `$0.10`
    ");
    insta::assert_snapshot!(said("hourly: $0.10", "hourly: $0.10 to $0.20"), @"
    error: servers.small.hourly: `$0.10 to $0.20` is a range
     --> host.yaml:6:61
      |
    6 |   small: {vcpu: 2, memory: 8 GB, network: 1 Gbit/s, hourly: $0.10 to $0.20, reserved: {1_year: 60 %}}
      |                                                             ^^^^^^^^^^^^^^ write one price, such as `$0.10`
    ");
    insta::assert_snapshot!(said("hourly: $0.10", "hourly: $0.10, monthly: $73"), @"
    error: `servers.small.hourly` and `monthly` exclude each other
     --> host.yaml:6:77
      |
    6 |   small: {vcpu: 2, memory: 8 GB, network: 1 Gbit/s, hourly: $0.10, monthly: $73, reserved: {1_year: 60 %}}
      |                                                                             ^^^ keep one of them
    ");
    insta::assert_snapshot!(said("hourly: $0.10, ", ""), @"
    error: `servers.small.hourly` is missing
     --> host.yaml:6:10
      |
    6 |   small: {vcpu: 2, memory: 8 GB, network: 1 Gbit/s, reserved: {1_year: 60 %}}
      |          ^ add `hourly: $0.10`, or `monthly`
    ");
    insta::assert_snapshot!(said("hourly: $0.10", "hourli: $0.10"), @"
    error: unknown field `hourli` in `servers.small`
     --> host.yaml:6:53
      |
    6 |   small: {vcpu: 2, memory: 8 GB, network: 1 Gbit/s, hourli: $0.10, reserved: {1_year: 60 %}}
      |                                                     ^^^^^^ did you mean `hourly`?
    ");
}

#[test]
fn mistakes_in_what_a_price_buys_have_a_cause_a_place_and_a_next_step() {
    insta::assert_snapshot!(said("memory: 8 GB", "memory: 8"), @"
    error: servers.small.memory: `8` has no unit
     --> host.yaml:6:28
      |
    6 |   small: {vcpu: 2, memory: 8, network: 1 Gbit/s, hourly: $0.10, reserved: {1_year: 60 %}}
      |                            ^ a size needs one, such as `8 GiB`
    ");
    insta::assert_snapshot!(said("1_year: 60 %", "1_year: 160 %"), @"
    error: servers.small.reserved.1_year: `160 %` is out of range
     --> host.yaml:6:87
      |
    6 | l: {vcpu: 2, memory: 8 GB, network: 1 Gbit/s, hourly: $0.10, reserved: {1_year: 160 %}}
      |                                                                                 ^^^^^ a share here is at most 1 (100 %), such as `63 %`
    ");
    insta::assert_snapshot!(said("iops_included: 3000", "iops_included: some"), @"
    error: storage.volume.iops_included: `some` is not a whole number
      --> host.yaml:11:72
       |
    11 |   volume: {per_gb_month: $0.08, per_iops_month: $0.005, iops_included: some}
       |                                                                        ^^^^ write a whole number from 0 to 1 B, such as `3000`
    ");
    insta::assert_snapshot!(said("per_iops_month: $0.005, ", ""), @"
    error: `storage.volume` has `iops_included` and no price for more
      --> host.yaml:11:48
       |
    11 |   volume: {per_gb_month: $0.08, iops_included: 3000}
       |                                                ^^^^ add `per_iops_month: $0.005`, or drop it
    ");
    insta::assert_snapshot!(said("copies: 3", "copies: 0"), @"
    error: storage.bucket.copies is 0
      --> host.yaml:17:13
       |
    17 |     copies: 0
       |             ^ write a whole number from 1 to 1 K, such as `3`
    ");
}

#[test]
fn mistakes_in_tiers_have_a_cause_a_place_and_a_next_step() {
    insta::assert_snapshot!(said("{per_gb: $0.05}]", "{up_to: 100 TB, per_gb: $0.05}]"), @"
    error: `traffic.out.tiers.2` is the last and has an end: what is above has no price
      --> host.yaml:19:87
       |
    19 |  {tiers: [{up_to: 10 TB, per_gb: $0.09}, {up_to: 50 TB, per_gb: $0.08}, {up_to: 100 TB, per_gb: $0.05}]}
       |                                                                                 ^^^^^^ drop its `up_to`, or add `{per_gb: $0.09}` behind it
    ");
    insta::assert_snapshot!(said("up_to: 50 TB, per_gb:", "per_gb:"), @"
    error: `traffic.out.tiers.1` has no `up_to`, and is not the last
      --> host.yaml:19:48
       |
    19 |   out: {tiers: [{up_to: 10 TB, per_gb: $0.09}, {per_gb: $0.08}, {per_gb: $0.05}]}
       |                                                ^ write `{up_to: 10 TB, per_gb: $0.09}`
    ");
    insta::assert_snapshot!(said("up_to: 50 TB, per_gb:", "up_to: 5 TB, per_gb:"), @"
    error: traffic.out.tiers.1.up_to is 5 TB, not more than that of the one before
      --> host.yaml:19:56
       |
    19 |   out: {tiers: [{up_to: 10 TB, per_gb: $0.09}, {up_to: 5 TB, per_gb: $0.08}, {per_gb: $0.05}]}
       |                                                        ^^^^ `up_to` counts from 0: write them in rising order
    ");
    insta::assert_snapshot!(said("up_to: 50 TB, per_gb:", "up_to: 50 M, per_gb:"), @"
    error: traffic.out.tiers.1.up_to: unknown unit `M` in `50 M`
      --> host.yaml:19:56
       |
    19 |   out: {tiers: [{up_to: 10 TB, per_gb: $0.09}, {up_to: 50 M, per_gb: $0.08}, {per_gb: $0.05}]}
       |                                                        ^^^^ write a size such as `10 TB`; units: B, KB, MB, GB, TB, PB, EB, KiB, MiB, GiB, TiB, PiB, EiB
    ");
    insta::assert_snapshot!(said("up_to: 10 TB, per_gb: $0.09", "up_to: 10 TB"), @"
    error: `traffic.out.tiers.0.per_gb` is missing
      --> host.yaml:19:17
       |
    19 |   out: {tiers: [{up_to: 10 TB}, {up_to: 50 TB, per_gb: $0.08}, {per_gb: $0.05}]}
       |                 ^ add `per_gb: $0.09`
    ");
    insta::assert_snapshot!(said("per_gb: 0.01 USD", "tiers: []"), @"
    error: `traffic.zones.tiers` has 0 items, expected 1 to 100
      --> host.yaml:20:18
       |
    20 |   zones: {tiers: []}
       |                  ^ write `[{up_to: 10 TB, per_gb: $0.09}, {per_gb: $0.05}]`
    ");
    insta::assert_snapshot!(said("per_gb: 0.01 USD", "tiers: 0.01"), @"
    error: `traffic.zones.tiers` is a single value, expected a list
      --> host.yaml:20:18
       |
    20 |   zones: {tiers: 0.01}
       |                  ^^^^ write `[{up_to: 10 TB, per_gb: $0.09}, {per_gb: $0.05}]`
    ");
    insta::assert_snapshot!(said("per_million: $0.40}", "per_million: $0.40, tiers: [{per_million: $1}]}"), @"
    error: `requests.queue.per_million` and `tiers` exclude each other
      --> host.yaml:22:38
       |
    22 |   queue: {per_million: $0.40, tiers: [{per_million: $1}]}
       |                                      ^ keep one of them
    ");
}

#[test]
fn one_mistake_is_one_problem() {
    let mut bad = Vec::new();
    for (from, to) in [
        ("currency: USD", "curency: USD"),
        ("currency: USD", "currency: [USD]"),
        ("as_of: 2026-03-31", "as_of: 2026-02-30"),
        ("as_of: 2026-03-31", "as_of: 26-3-31"),
        ("as_of: 2026-03-31", "as_of: {year: 2026}"),
        ("source: the offer of the host", "source: ''"),
        ("source: the offer of the host", "sorce: the offer"),
        ("region: north", "region: [north]"),
        ("region: north", "region: north\ngigabyte: 1 MB"),
        ("region: north", "region: north\ngigabyte: 1"),
        ("region: north", "region: north\nextends: aws"),
        ("vcpu: 2,", "vcpu: 0,"),
        ("vcpu: 2,", "vcpu: 2.5,"),
        ("vcpu: 2,", "vcp: 2,"),
        ("vcpu: 2,", ""),
        ("memory: 8 GB, ", ""),
        ("network: 1 Gbit/s", "network: 1 GB"),
        ("disk: 2 TB", "disk: 2 Tbit/s"),
        ("reserved: {1_year: 60 %}", "reserved: 60 %"),
        ("reserved: {1_year: 60 %}", "reserved: {2_years: 60 %}"),
        ("balancer: {hourly: $0.02}", "balancer: $0.02"),
        ("balancer: {hourly: $0.02}", "balancer:"),
        ("balancer: {hourly: $0.02}", "'': {hourly: $0.02}"),
        ("{per_gb_month: $0.08,", "{per_gb_mont: $0.08,"),
        ("{per_gb_month: $0.08,", "{"),
        ("per_iops_month: $0.005,", "per_iops_mnth: $0.005,"),
        ("per_gb_read: $0.01", "per_gb_read: 1 GB"),
        ("{up_to: 10 TB, per_gb: $0.09}", "{upto: 10 TB, per_gb: $0.09}"),
        ("{up_to: 10 TB, per_gb: $0.09}", "{up_to: 10 TB, per_bg: $0.09}"),
        ("{up_to: 10 TB, per_gb: $0.09}", "10 TB"),
        ("{up_to: 10 TB, per_gb: $0.09}", "{up_to: 5 to 10 TB, per_gb: $0.09}"),
        ("queue: {per_million: $0.40}", "queue: {per_millon: $0.40}"),
        ("requests:\n  queue: {per_million: $0.40}", "requests: [queue]"),
    ] {
        assert!(HOST.contains(from), "nothing to replace: {from}");
        let Err(problems) = read(&HOST.replacen(from, to, 1)) else {
            bad.push(format!("{to}: is no problem"));
            continue;
        };
        let problem = &problems.list[0];
        let told = !problem.cause.contains("``") && !problem.fix.contains("``") && !problem.fix.is_empty();
        if problems.list.len() > 1 || !told {
            bad.push(format!("{to}:\n{problems}"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n\n"));
}

#[test]
fn several_mistakes_are_told_at_once_in_order_of_place() {
    let text = HOST.replacen("hourly: $0.10", "hourly: free", 1).replacen("copies: 3", "copies: many", 1);
    let problems = read(&text.replacen("currency: USD", "currency: yen", 1)).unwrap_err();
    assert_eq!(problems.list.iter().map(|p| p.origin.line).collect::<Vec<_>>(), [1, 6, 17]);
}

#[test]
fn a_file_that_is_no_price_list_is_told_what_to_start_with() {
    for (text, what) in [("", "empty"), ("- a\n", "a list"), ("a", "a single value")] {
        let problems = PriceList::from_yaml(&SourceFile::new("t.yaml", text)).unwrap_err();
        assert_eq!(problems.list.len(), 1, "{problems}");
        assert_eq!(problems.list[0].cause, format!("the file is {what}, expected a price list"));
        assert!(problems.list[0].fix.contains("extends: aws"));
    }
}

#[test]
fn too_many_of_anything_is_refused() {
    use std::fmt::Write;
    let mut text = HOST.to_owned();
    for i in 0..10_001 {
        writeln!(text, "  queue{i}: {{per_million: $1}}").unwrap();
    }
    assert!(read(&text).unwrap_err().to_string().contains("`requests` has 10002 entries"));
    let tiers = "{up_to: 1 TB, per_gb: $1}, ".repeat(101);
    let problems = read(&HOST.replacen("per_gb: 0.01 USD", &format!("tiers: [{tiers}]"), 1)).unwrap_err();
    assert!(problems.to_string().contains("`traffic.zones.tiers` has 101 items"), "{problems}");
}
