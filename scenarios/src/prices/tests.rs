use proptest::prelude::{ProptestConfig, Strategy, prop};
use proptest::{prop_assert, proptest};

use super::{Charge, Commitment, HOURS_PER_MONTH, Kind, LoadError, PriceList, Step, Steps, bundled_lists};
use crate::diagnostic::{Problems, SourceFile};
use crate::units::Money;

const HOST: &str = "\
currency: USD
as_of: 2026-03-31
source: the offer of the host
region: north
servers:
  small: {vcpu: 2, memory: 8 GB, network: 1 Gbit/s, hourly: $0.10, reserved: {1_year: 60 %}}
  large: {vcpu: 16, memory: 64 GB, disk: 2 TB, monthly: $500}
services:
  balancer: {hourly: $0.02}
storage:
  volume: {per_gb_month: $0.08, per_iops_month: $0.005, iops_included: 3000}
  bucket:
    tiers: [{up_to: 50 TB, per_gb_month: $0.03}, {per_gb_month: $0.02}]
    per_gb_read: $0.01
    per_million_reads: $0.40
    per_million_writes: $5
    copies: 3
traffic:
  out: {tiers: [{up_to: 10 TB, per_gb: $0.09}, {up_to: 50 TB, per_gb: $0.08}, {per_gb: $0.05}]}
  zones: {per_gb: 0.01 USD}
requests:
  queue: {per_million: $0.40}
";

const GB: f64 = 1e9;
const TB: f64 = 1e12;

fn read(text: &str) -> Result<PriceList, Problems> {
    PriceList::from_yaml(&SourceFile::new("host.yaml", text))
}

fn host() -> PriceList {
    read(HOST).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What is said of the host's list with some text replaced.
#[track_caller]
fn said(from: &str, to: &str) -> String {
    assert!(HOST.contains(from), "nothing to replace: {from}");
    read(&HOST.replacen(from, to, 1)).expect_err(to).to_string()
}

#[track_caller]
fn assert_near(left: f64, right: f64) {
    assert!((left - right).abs() <= 1e-12 * right.abs(), "{left} is not {right}");
}

/// All prices with steps of a list, each with its name and a volume beyond its last step.
fn stepped(list: &PriceList) -> Vec<(String, &Steps)> {
    let storage = list.storage.iter().map(|(name, price)| (format!("storage.{name}"), &price.kept));
    let traffic = list.traffic.iter().map(|(name, price)| (format!("traffic.{name}"), &price.steps));
    let requests = list.requests.iter().map(|(name, price)| (format!("requests.{name}"), &price.steps));
    storage.chain(traffic).chain(requests).collect()
}

#[test]
fn every_bundled_list_is_valid_and_the_first_is_the_one_to_start_with() {
    for list in bundled_lists() {
        let loaded = PriceList::load(list.name).unwrap_or_else(|e| panic!("{e}"));
        assert!(!loaded.servers.is_empty() && !loaded.traffic.is_empty());
    }
    let list = PriceList::bundled();
    assert_eq!((list.region.as_str(), list.as_of.to_string().as_str()), ("us-east-1", "2026-01-19"));
    assert_eq!(list.names(Kind::Server).len(), list.servers.len());
}

/// Two worked examples that the provider's cost tools publish: 10,240 GB, 40,960 GB and 5,800 GB out cost
/// $921.60, $3,481.60 and $406.00.
#[test]
fn the_bundled_traffic_costs_what_the_provider_bills() {
    let list = PriceList::bundled();
    let out = list.traffic("internet-egress").unwrap();
    let gib = 1024_f64.powi(3);
    let costs: Vec<f64> = out.explain(57_000.0 * gib).iter().map(|step| step.cost).collect();
    assert_eq!(costs.len(), 3);
    for (cost, billed) in costs.iter().zip([921.60, 3481.60, 406.00]) {
        assert_near(*cost, billed);
    }
    assert_near(list.server("m7g.large").unwrap().monthly(), 59.568);
    assert_near(list.storage("ebs-gp3").unwrap().monthly_iops(4000.0, 1.0), 5.0);
    let table = list.storage("dynamodb").unwrap();
    assert_near(table.monthly(230.0 * gib), 57.5);
    assert_near(table.monthly_operations(8e6, 3e6), 1.0 + 1.875);
}

#[test]
fn bundled_servers_of_a_family_get_dearer_and_larger_together() {
    let list = PriceList::bundled();
    for family in ["m7g", "m8g", "m7i", "c7g", "c8g", "c7i", "c7gn", "r7g", "r8g", "r7i", "i4i", "i4g"] {
        let mut servers: Vec<_> = list
            .servers
            .iter()
            .filter(|(name, _)| name.split('.').next() == Some(family))
            .map(|(_, server)| server)
            .collect();
        servers.sort_by(|a, b| a.monthly().total_cmp(&b.monthly()));
        assert!(servers.len() >= 6, "{family}");
        for pair in servers.windows(2) {
            assert!(pair[0].vcpu.get() < pair[1].vcpu.get(), "{family}");
            assert!(pair[0].memory.get() < pair[1].memory.get(), "{family}");
            assert!(pair[0].network.as_ref().unwrap().get() < pair[1].network.as_ref().unwrap().get());
            // Sizes double in all and in price, to the rounding of the list.
            let (vcpu, price) =
                (pair[1].vcpu.get() / pair[0].vcpu.get(), pair[1].monthly() / pair[0].monthly());
            assert!((price / vcpu - 1.0).abs() < 0.005, "{family}: {price} for {vcpu}");
        }
    }
}

#[test]
fn all_prices_of_a_list_are_looked_up_by_name_and_know_their_place() {
    let list = host();
    let small = list.server("small").unwrap();
    assert_eq!((small.vcpu.get(), small.memory.get()), (2.0, 8e9));
    assert_near(small.monthly(), 73.0);
    assert_eq!(small.monthly_committed(Commitment::OnDemand), Some(small.monthly()));
    assert_near(small.monthly_committed(Commitment::OneYear).unwrap(), 43.8);
    assert_eq!(small.monthly_committed(Commitment::ThreeYears), None);
    assert_eq!(list.server("large").unwrap().monthly(), 500.0);
    assert!(matches!(list.server("large").unwrap().charge, Charge::Monthly(_)));
    assert_near(list.service("balancer").unwrap().monthly(), 0.02 * HOURS_PER_MONTH);
    assert_near(list.traffic("zones").unwrap().monthly(500.0 * GB), 5.0);
    assert_near(list.requests("queue").unwrap().monthly(3e9), 1200.0);
    assert_eq!(list.place(small.charge.stated().origin).as_deref(), Some("host.yaml:6"));
    assert_eq!(
        list.place(list.storage("bucket").unwrap().kept.list()[1].price.origin).unwrap(),
        "host.yaml:13"
    );
    assert_eq!(list.place(list.gigabyte.origin), None);
    assert!(list.server("medium").is_none());
    assert_eq!(list.nearest(Kind::Server, "smal"), Some("small"));
    assert_eq!(list.nearest(Kind::Traffic, "small"), None);
    assert_eq!(list.names(Kind::Storage), ["volume", "bucket"]);
}

#[test]
fn storage_is_billed_for_keeping_reading_and_operations() {
    let list = host();
    let bucket = list.storage("bucket").unwrap();
    assert_eq!(bucket.copies, 3);
    assert_near(bucket.monthly(60.0 * TB), 50_000.0 * 0.03 + 10_000.0 * 0.02);
    assert_near(bucket.monthly_read(2.0 * TB), 20.0);
    assert_near(bucket.monthly_operations(5e6, 2e6), 12.0);
    assert_eq!(bucket.monthly_iops(1e6, 10.0), 0.0);
    let volume = list.storage("volume").unwrap();
    assert_eq!((volume.copies, volume.monthly_read(TB), volume.monthly_operations(1e9, 1e9)), (1, 0.0, 0.0));
    // What each volume has for nothing is not carried over to another.
    assert_near(volume.monthly_iops(5000.0, 4.0), 40.0);
    assert_eq!(volume.monthly_iops(2000.0, 4.0), 0.0);
}

#[test]
fn traffic_is_billed_by_the_ranges_it_falls_into() {
    let list = host();
    let out = list.traffic("out").unwrap();
    assert_eq!((out.monthly(0.0), out.monthly(-1.0), out.monthly(f64::NAN)), (0.0, 0.0, 0.0));
    assert!(out.explain(0.0).is_empty());
    assert_near(out.monthly(GB), 0.09);
    assert_near(out.monthly(10.0 * TB), 900.0);
    assert_near(out.monthly(60.0 * TB), 900.0 + 3200.0 + 500.0);
    let steps = out.explain(60.0 * TB);
    let shown: Vec<_> = steps.iter().map(|s| (s.from, s.up_to, s.units, s.price.text.as_str())).collect();
    assert_eq!(
        shown,
        [
            (0.0, Some(10.0 * TB), 10_000.0, "$0.09"),
            (10.0 * TB, Some(50.0 * TB), 40_000.0, "$0.08"),
            (50.0 * TB, None, 10_000.0, "$0.05"),
        ]
    );
    assert_eq!(steps.iter().map(|s| s.volume).sum::<f64>(), 60.0 * TB);
    // At the end of a range nothing is in the next.
    assert_eq!(out.explain(10.0 * TB).len(), 1);
}

#[test]
fn a_gigabyte_is_what_the_list_says() {
    let binary = read(&HOST.replacen("region: north", "region: north\ngigabyte: 1 GiB", 1)).unwrap();
    let gib = 1024_f64.powi(3);
    assert_near(binary.traffic("zones").unwrap().monthly(gib), 0.01);
    assert_near(binary.storage("volume").unwrap().monthly(gib), 0.08);
    assert_near(binary.storage("bucket").unwrap().monthly_read(gib), 0.01);
    assert_near(host().traffic("zones").unwrap().monthly(GB), 0.01);
}

#[test]
fn every_step_function_of_the_bundled_list_is_continuous_and_never_falls() {
    let list = PriceList::bundled();
    let all = stepped(&list);
    assert!(all.iter().filter(|(_, steps)| steps.list().len() > 1).count() >= 12);
    for (name, steps) in all {
        check(&name, steps);
    }
}

/// No jump at the ends of ranges, the slope between them, and the total that `explain` adds up to.
fn check(name: &str, steps: &Steps) {
    let mut from = 0.0;
    let mut before = 0.0;
    for step in steps.list() {
        let end = step.up_to.unwrap_or(from * 2.0 + steps.unit());
        for part in [0.0, 1e-9, 0.3, 0.7, 1.0 - 1e-9, 1.0] {
            let volume = from + (end - from) * part;
            let cost = steps.monthly(volume);
            let expected = before + (volume - from) / steps.unit() * step.price.get();
            assert!((cost - expected).abs() <= 1e-9 * expected.max(1.0), "{name} at {volume}: {cost}");
            let explained: f64 = steps.explain(volume).iter().map(|s| s.cost).sum();
            assert_eq!(cost, explained, "{name} at {volume}");
        }
        before += (end - from) / steps.unit() * step.price.get();
        from = end;
    }
}

/// Steps with rising ends and any prices.
fn any_steps() -> impl Strategy<Value = Steps> {
    let step = (1e-3..1e6_f64, 0.0..10.0_f64);
    (prop::collection::vec(step, 0..6), 0.0..10.0_f64).prop_map(|(parts, last)| {
        let mut end = 0.0;
        let mut list: Vec<Step> = parts
            .into_iter()
            .map(|(width, price)| {
                end += width;
                Step { up_to: Some(end), price: Money::given(price, "") }
            })
            .collect();
        list.push(Step { up_to: None, price: Money::given(last, "") });
        Steps::new(list, 7.0).expect("the ends rise")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_steps_are_continuous_and_explained(steps in any_steps()) {
        check("any", &steps);
    }

    #[test]
    fn more_never_costs_less(steps in any_steps(), a in 0.0..1e7_f64, more in 0.0..1e7_f64) {
        prop_assert!(steps.monthly(a + more) >= steps.monthly(a));
    }

    #[test]
    fn a_small_step_costs_at_most_the_highest_price(steps in any_steps(), at in 0.0..1e7_f64, more in 0.0..1.0_f64) {
        let highest = steps.list().iter().map(|s| s.price.get()).fold(0.0, f64::max);
        let dearer = steps.monthly(at + more) - steps.monthly(at);
        prop_assert!(dearer <= highest * more / steps.unit() + 1e-6, "{dearer}");
    }
}

#[test]
fn steps_that_leave_a_gap_or_have_an_end_are_none() {
    let step = |up_to| Step { up_to, price: Money::given(1.0, "$1") };
    assert!(Steps::new(vec![step(Some(1.0)), step(None)], 1.0).is_some());
    for list in [
        vec![],
        vec![step(Some(1.0))],
        vec![step(None), step(None)],
        vec![step(Some(2.0)), step(Some(2.0)), step(None)],
        vec![step(Some(f64::NAN)), step(None)],
    ] {
        assert!(Steps::new(list.clone(), 1.0).is_none(), "{list:?}");
    }
}

mod mistakes;
mod overlays;
