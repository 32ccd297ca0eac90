//! A price list of one's own, laid over a bundled one or over a file.

use super::{GB, HOST, LoadError, PriceList, TB, assert_near};
use crate::prices::ServerPrice;
use crate::units::{Bandwidth, Money};

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn load(&self, name: &str, text: &str) -> Result<PriceList, LoadError> {
        PriceList::load(&self.write(name, text))
    }

    #[track_caller]
    fn said(&self, name: &str, text: &str) -> String {
        self.load(name, text).expect_err(text).to_string().replace(&self.0.path().display().to_string(), "")
    }
}

#[test]
fn an_overlay_replaces_what_it_names_and_nothing_else() {
    let files = Files::new();
    let own = "\
extends: aws
as_of: 2026-11-01
source: our contract of 2026
servers:
  m7g.large: {hourly: $0.05}
  r7g.large: {monthly: $40}
  rack: {vcpu: 64, memory: 512 GiB, monthly: $900}
traffic:
  internet-egress: {per_gb: $0.01}
  inter-region: {tiers: [{up_to: 1 TiB, per_gb: $0.03}, {per_gb: $0.02}]}
";
    let (list, aws) = (files.load("own.yaml", own).unwrap(), PriceList::bundled());
    assert_eq!((list.source.as_str(), list.region.as_str()), ("our contract of 2026", "us-east-1"));
    assert_eq!(list.as_of.to_string(), "2026-11-01");
    let general = list.server("m7g.large").unwrap();
    assert_near(general.monthly(), 0.05 * 730.0);
    let before = aws.server("m7g.large").unwrap();
    let network = |server: &ServerPrice| server.network.as_ref().map(Bandwidth::get);
    assert_eq!((general.memory.get(), network(general)), (before.memory.get(), network(before)));
    // A price by the month takes the place of one by the hour, tiers that of a single price, and back.
    assert_eq!(list.server("r7g.large").unwrap().monthly(), 40.0);
    assert_near(list.traffic("internet-egress").unwrap().monthly(1024_f64.powi(3) * 1e6), 1e4);
    assert_eq!(list.traffic("inter-region").unwrap().steps.list().len(), 2);
    assert_eq!(list.servers.len(), aws.servers.len() + 1);
    assert_eq!(list.server("m7i.large").unwrap().monthly(), aws.server("m7i.large").unwrap().monthly());
    assert_eq!(list.storage.len(), aws.storage.len());
    let place = |price: &Money| list.place(price.origin).unwrap();
    assert!(place(general.charge.stated()).ends_with("own.yaml:5"));
    assert!(place(list.server("m7i.large").unwrap().charge.stated()).starts_with("aws.yaml:"));
    assert_eq!(list.sources.len(), 2);
}

#[test]
fn a_list_extends_one_beside_it() {
    let files = Files::new();
    files.write("host.yaml", HOST);
    files.write("team.yaml", "extends: host.yaml\ntraffic: {out: {per_gb: $0.04}}\n");
    let list = files.load("mine.yaml", "extends: team.yaml\nservers: {small: {hourly: $0.2}}\n").unwrap();
    assert_near(list.traffic("out").unwrap().monthly(100.0 * TB), 4000.0);
    assert_near(list.server("small").unwrap().monthly(), 146.0);
    assert_near(list.traffic("zones").unwrap().monthly(GB), 0.01);
    assert_eq!(list.sources.len(), 3);
}

#[test]
fn the_examples_of_the_page_are_valid() {
    let files = Files::new();
    let page = include_str!("../../../PRICES.md");
    let blocks: Vec<&str> =
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 2);
    for yaml in blocks {
        files.load("page.yaml", yaml).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn what_cannot_be_had_gets_a_next_step() {
    let files = Files::new();
    let unknown = |name: &str| PriceList::load(name).unwrap_err().to_string();
    insta::assert_snapshot!(unknown("asw"), @"
    no bundled price list is named `asw`, and no file is there
    hint: did you mean `aws`?
    ");
    insta::assert_snapshot!(unknown("hetzner.yaml"), @"
    no bundled price list is named `hetzner.yaml`, and no file is there
    hint: bundled: aws; a file is given by its path
    ");
    insta::assert_snapshot!(files.said("a.yaml", "extends: awss\n"), @"
    error: `extends`: there is no price list `awss`
     --> /a.yaml:1:10
      |
    1 | extends: awss
      |          ^^^^ did you mean `aws`?
    ");
    insta::assert_snapshot!(files.said("b.yaml", "extends:\n"), @"
    error: `extends` names no price list
     --> /b.yaml:1:8
      |
    1 | extends:
      |        ^ write `extends: aws`
    ");
    insta::assert_snapshot!(files.said("c.yaml", "extends: c.yaml\n"), @"
    error: more than 8 files extend each other
     --> /c.yaml:1:10
      |
    1 | extends: c.yaml
      |          ^^^^^^ is there a circle?
    ");
    assert!(files.said("d.yaml", "extends: aws\nservers: [\n").contains("d.yaml:"));
    let directory = PriceList::load(&files.0.path().display().to_string()).unwrap_err().to_string();
    assert!(directory.contains("hint: name a file in it"), "{directory}");
    let path = files.0.path().join("latin.yaml");
    std::fs::write(&path, b"source: caf\xe9\n").unwrap();
    let latin = PriceList::load(&path.display().to_string()).unwrap_err().to_string();
    assert!(latin.contains("hint: save it as text in UTF-8"), "{latin}");
}

#[test]
fn a_mistake_in_an_overlay_stands_in_its_own_file() {
    let files = Files::new();
    insta::assert_snapshot!(
        files.said("own.yaml", "extends: aws\nservers:\n  m7g.large: {hourly: $0.05, monthly: $40}\n"),
        @"
    error: `servers.m7g.large.hourly` and `monthly` exclude each other
     --> /own.yaml:3:39
      |
    3 |   m7g.large: {hourly: $0.05, monthly: $40}
      |                                       ^^^ keep one of them
    "
    );
    insta::assert_snapshot!(
        files.said("own.yaml", "extends: aws\ntraffic:\n  internet-egress: {per_GB: $0.05}\n"),
        @"
    error: unknown field `per_GB` in `traffic.internet-egress`
     --> /own.yaml:3:21
      |
    3 |   internet-egress: {per_GB: $0.05}
      |                     ^^^^^^ did you mean `per_gb`?
    "
    );
}
