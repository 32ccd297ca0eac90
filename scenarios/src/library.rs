//! The bundled scenarios, and reading one by bundled name or by path.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::auto::Open;
use crate::decode::suggestion;
use crate::diagnostic::{Origin, Problem, Problems, SourceFile};
use crate::node::{self, FILE_BYTES_MAX, Node};
use crate::overlay::{self, EXTENDS_MAX};
use crate::scenario::{SETTING, SIZED, Scenario, place};
use crate::validate::check_name;
use crate::write;

/// A scenario that comes with the program.
#[derive(Debug, Clone, Copy)]
pub struct Bundled {
    pub name: &'static str,
    pub yaml: &'static str,
}

macro_rules! bundle {
    ($name:literal) => {
        Bundled { name: $name, yaml: include_str!(concat!("../library/", $name, ".yaml")) }
    };
}

const LIBRARY: &[Bundled] = &[
    bundle!("ad-bidding"),
    bundle!("analytics"),
    bundle!("autocomplete"),
    bundle!("cdn"),
    bundle!("chat"),
    bundle!("collaborative-docs"),
    bundle!("distributed-cache"),
    bundle!("gaming"),
    bundle!("high-frequency-trading"),
    bundle!("live-streaming"),
    bundle!("monitoring"),
    bundle!("netflix"),
    bundle!("notifications"),
    bundle!("recommendations"),
    bundle!("retry-storm"),
    bundle!("retry-storm-budget"),
    bundle!("ride-sharing"),
    bundle!("spotify"),
    bundle!("stock-trading"),
    bundle!("twitter"),
    bundle!("uber"),
    bundle!("url-shortener"),
    bundle!("whatsapp"),
];

/// All bundled scenarios, in order of name.
#[must_use]
pub const fn bundled() -> &'static [Bundled] {
    LIBRARY
}

/// Most texts that a scenario is put together from: places number them in 16 bits.
const SOURCES_MAX: usize = 10_000;

/// A short scenario to start from, with comments, under this name.
///
/// # Errors
/// Cause and fix, where the name can't be that of a scenario.
pub fn starter(name: &str) -> Result<String, (String, String)> {
    const NAME: &str = "my-system";
    check_name(name)?;
    Ok(include_str!("starter.yaml").replace(NAME, name))
}

/// Why a scenario could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("no bundled scenario is named `{name}`, and no file is there{}", hint(*.nearest))]
    Unknown { name: String, nearest: Option<&'static str> },
    #[error("cannot read {path}: {cause}\nhint: {}", remedy(.cause))]
    Unreadable { path: String, cause: std::io::Error },
    #[error("{0}")]
    Invalid(#[from] Problems),
}

fn hint(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(
        || "\nhint: `plimsoll scenarios list` shows the bundled ones; a file is given by its path".to_owned(),
        |name| format!("\nhint: did you mean `{name}`?"),
    )
}

/// What to do about a file that can't be read.
fn remedy(cause: &std::io::Error) -> &'static str {
    match cause.kind() {
        ErrorKind::IsADirectory => "name a file in it",
        ErrorKind::InvalidData => "save it as text in UTF-8",
        ErrorKind::PermissionDenied => "check who may read it",
        ErrorKind::FileTooLarge => "a scenario is a page or two; is this the right file?",
        _ => "`plimsoll scenarios list` shows the bundled ones; a file is given by its path",
    }
}

/// The bundled name most like a text.
#[must_use]
pub fn nearest(text: &str) -> Option<&'static str> {
    let names: Vec<&'static str> = LIBRARY.iter().map(|b| b.name).collect();
    suggestion(text, &names)
}

/// The scenario of this bundled name, or in the file at this path.
///
/// # Errors
/// Unknown name, unreadable file, or every problem of the file.
pub fn load(name_or_path: &str) -> Result<Scenario, LoadError> {
    load_with(name_or_path, &[])
}

/// The same, with settings such as `population.users=2e9` put in before it is checked. A later one wins.
///
/// # Errors
/// As [`load`], and a setting that sets nothing.
pub fn load_with(name_or_path: &str, settings: &[String]) -> Result<Scenario, LoadError> {
    Ok(resolve(name_or_path, settings)?.scenario()?)
}

/// What a file says once all that it extends and all settings are put in; not checked yet.
#[derive(Debug, Clone)]
pub struct Resolved {
    root: Node,
    sources: Vec<SourceFile>,
}

/// Puts a bundled scenario or a file together with what it extends and with settings.
///
/// # Errors
/// Unknown name, unreadable file, bad YAML, or a setting that sets nothing.
pub fn resolve(name_or_path: &str, settings: &[String]) -> Result<Resolved, LoadError> {
    let mut sources = Vec::new();
    let mut root = read_tree(name_or_path, None, &mut sources)?;
    for setting in settings {
        if sources.len() >= SOURCES_MAX {
            let cause = format!("more than {SOURCES_MAX} files and settings");
            let fix = "write the settings into a file that `extends` this one".to_owned();
            let problem = Problem { origin: Origin::default(), cause, fix };
            return Err(Problems { sources, list: vec![problem] }.into());
        }
        let source = SourceFile::new(SETTING, setting);
        overlay::set(&mut root, &source, sources.len() as u16)?;
        sources.push(source);
    }
    Ok(Resolved { root, sources })
}

impl Resolved {
    /// The scenario that it is.
    ///
    /// # Errors
    /// Every problem of it.
    pub fn scenario(&self) -> Result<Scenario, Problems> {
        Scenario::from_tree(&self.root, self.sources.clone())
    }

    /// The scenario that it is, with what it leaves to the planner.
    ///
    /// # Errors
    /// Every problem of it.
    pub fn open(&self) -> Result<Open, Problems> {
        Open::from_tree(&self.root, self.sources.clone())
    }

    /// Puts in what the planner chose, in the form of settings such as `tiers.web.servers=420`.
    ///
    /// # Errors
    /// A setting that sets nothing.
    pub fn size(&mut self, settings: &[String]) -> Result<(), Problems> {
        for setting in settings {
            let source = SourceFile::new(SIZED, setting);
            overlay::set(&mut self.root, &source, self.sources.len() as u16)?;
            self.sources.push(source);
        }
        Ok(())
    }

    /// It as YAML that stands by itself. Behind each value that is not from the file itself stands where it is
    /// from: `spotify.yaml:14` or `--set population.users=2 B`.
    #[must_use]
    pub fn yaml(&self) -> String {
        write::yaml(&self.root, &|origin| place(&self.sources, origin).filter(|_| origin.file > 0))
    }

    /// The text of the file itself, as it is.
    #[must_use]
    pub fn text(&self) -> &str {
        self.sources.first().map_or("", |source| &source.text)
    }
}

/// Reads a file with all that it extends: bases first, each laid over by what extends it.
pub(crate) fn read_tree(
    name: &str,
    from: Option<&Path>,
    sources: &mut Vec<SourceFile>,
) -> Result<Node, LoadError> {
    let (source, directory) = read_source(name, from)?;
    let file = sources.len() as u16;
    let mut node = node::parse(&source)?;
    overlay::in_file(&mut node, file);
    sources.push(source);
    let Some((base, origin)) = overlay::take_extends(&mut node) else { return Ok(node) };
    let problem = |sources: &[SourceFile], cause: String, fix: &str| Problems {
        sources: sources.to_vec(),
        list: vec![Problem { origin, cause, fix: fix.to_owned() }],
    };
    if base.trim().is_empty() {
        return Err(problem(sources, "`extends` names no scenario".into(), "write `extends: spotify`").into());
    }
    if sources.len() >= EXTENDS_MAX {
        return Err(problem(
            sources,
            format!("more than {EXTENDS_MAX} files extend each other"),
            "is there a circle?",
        )
        .into());
    }
    let mut root = match read_tree(&base, directory.as_deref(), sources) {
        Err(LoadError::Unknown { name, nearest }) => {
            let fix = nearest.map_or_else(
                || "name a bundled scenario, or a file beside this one".to_owned(),
                |n| format!("did you mean `{n}`?"),
            );
            return Err(problem(sources, format!("`extends`: there is no scenario `{name}`"), &fix).into());
        }
        other => other?,
    };
    overlay::merge(&mut root, node);
    Ok(root)
}

/// The text of a bundled name or of a file, and the directory that its own `extends` is relative to.
fn read_source(name: &str, from: Option<&Path>) -> Result<(SourceFile, Option<PathBuf>), LoadError> {
    if let Some(found) = LIBRARY.iter().find(|b| b.name == name) {
        return Ok((SourceFile::new(&format!("{}.yaml", found.name), found.yaml), None));
    }
    let path = from.map_or_else(|| PathBuf::from(name), |directory| directory.join(name));
    if !path.exists() {
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or(name);
        return Err(LoadError::Unknown { name: name.to_owned(), nearest: nearest(stem) });
    }
    let shown = path.display().to_string();
    let unreadable = |cause| LoadError::Unreadable { path: shown.clone(), cause };
    let text = read_text(&path).map_err(unreadable)?;
    Ok((SourceFile::new(&shown, &text), path.parent().map(Path::to_path_buf)))
}

/// The text of a file, no more of it than a scenario may have: what is named may be without end.
pub(crate) fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    if read > FILE_BYTES_MAX {
        let cause = format!("it has more than {FILE_BYTES_MAX} bytes");
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, cause));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundled_scenario_is_valid_and_named_as_its_file() {
        for bundled in bundled() {
            let scenario = load(bundled.name).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(scenario.name, bundled.name);
        }
    }

    fn set(settings: &[&str]) -> Result<Scenario, LoadError> {
        load_with("spotify", &settings.iter().map(|&s| s.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_setting_changes_one_value_and_keeps_its_place() {
        let scenario = set(&["population.users=2 B", "tiers.web.service_time={exponential: 5 ms}"]).unwrap();
        assert_eq!(scenario.population.users.get(), 2e9);
        assert_eq!(
            scenario.place(scenario.population.users.origin).as_deref(),
            Some("--set population.users=2 B")
        );
        let web = scenario.tiers["web"].station.as_ref().unwrap();
        assert!((web.service_time.mean() - 0.005).abs() < 1e-12);
        let shares = ["population.regions.europe.share=20 %", "population.regions.asia-pacific.share=30 %"];
        assert!((set(&shares).unwrap().population.regions[0].share - 0.2).abs() < 1e-12);
        assert_eq!(
            set(&["tiers.edge.queue_max=7"]).unwrap().tiers["edge"].station.as_ref().unwrap().queue_max,
            7
        );
    }

    #[test]
    fn a_setting_takes_the_place_of_what_cannot_stand_beside_it() {
        let scenario = set(&["actions.play.rate=5 K/s", "actions.search.path.1=audio-store"]).unwrap();
        assert_eq!(scenario.mean_rate(&scenario.actions["play"]), 5000.0);
        let path: Vec<&str> =
            scenario.actions["search"].path.iter().map(|&tier| scenario.tier_name(tier)).collect();
        assert_eq!(path, ["gateway", "audio-store", "metadata-cache", "metadata-db"]);
        let new =
            set(&["tiers.spare={servers: 3, service_time: 1 ms}", "tiers.spare.concurrency=4"]).unwrap();
        assert_eq!(new.tiers["spare"].station.as_ref().unwrap().concurrency.get(), 4.0);
        assert!(set(&["population.downlink=null"]).unwrap().population.downlink.is_none());
    }

    #[test]
    fn what_it_came_to_stands_by_itself_and_says_where_from() {
        let settings = ["population.users=2 B".to_owned(), "tiers.web.servers=700".to_owned()];
        let resolved = resolve("spotify", &settings).unwrap();
        let yaml = resolved.yaml();
        assert!(yaml.contains("\n  users: 2 B  # --set population.users=2 B\n"), "{yaml}");
        assert!(yaml.contains("\n    servers: 700  # --set tiers.web.servers=700\n"), "{yaml}");
        assert_eq!(yaml.matches('#').count(), 2, "{yaml}");
        let again = Scenario::from_yaml(&SourceFile::new("again.yaml", &yaml)).unwrap();
        assert_eq!((again.population.users.get(), again.tiers.len()), (2e9, 9));
        assert!(resolve("spotify", &[]).unwrap().text().starts_with("# Find and play music"));
    }

    #[test]
    fn a_starter_is_valid_under_any_good_name() {
        for name in ["mine", "a.b-c_9", "my-system"] {
            let scenario =
                Scenario::from_yaml(&SourceFile::new("new.yaml", &starter(name).unwrap())).unwrap();
            assert_eq!(scenario.name, name);
            assert!(scenario.scaled_for_load().is_ok());
        }
        assert!(starter("../escape").unwrap_err().0.contains("can't name a scenario"));
    }

    #[test]
    fn a_bad_setting_is_shown_with_its_place() {
        let message = |setting: &str| set(&[setting]).unwrap_err().to_string();
        assert_eq!(
            message("tiers.edge.link=100 GB"),
            "error: tiers.edge.link: unit doesn't fit: `100 GB` is a size, expected a bandwidth\n \
             --> --set:1:17\n  |\n1 | tiers.edge.link=100 GB\n  |                 ^^^^^^ \
             write `100 Gbit/s` (or `12.5 GB/s`)"
        );
        for (setting, meant) in [
            ("population.user=2e9", "population.users"),
            ("users=2e9", "population.users"),
            ("tiers.wbe.servers=10", "tiers.web.servers"),
            ("web.servers=10", "tiers.web.servers"),
            ("tiers.web.storr.iops=5 K/s", "tiers.web.store.iops"),
            ("tiers.web.service_time.lognormal.meen=5 ms", "tiers.web.service_time.lognormal.mean"),
            ("population.regions.europ.share=1", "population.regions.europe.share"),
            ("actions.play.rat=5/s", "actions.play.rate"),
        ] {
            let said = message(&format!("{setting} "));
            assert!(said.contains(&format!("did you mean `{meant}`?")), "{said}");
        }
        for (setting, says) in [
            ("population.users.mean=2", "`population.users` is a single value and has no `mean`"),
            ("population.frobnicate=2", "known here: users, active"),
            ("actions.play.path.9=web", "the list `actions.play.path` has no item `9`"),
            ("tiers.mainframe.servers=10", "`tiers` has no `mainframe`"),
            ("tiers..servers=10", "the path has an empty part"),
        ] {
            assert!(message(setting).contains(says), "{}", message(setting));
        }
        assert!(message("population.users").contains("sets nothing"));
        assert!(message("population.users=[1").contains("not valid YAML"));
    }

    #[test]
    fn an_overlay_changes_what_it_names_and_nothing_else() {
        let directory = std::env::temp_dir().join(format!("plimsoll-overlay-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let nothing = load(&write("nothing.yaml", "extends: spotify\n")).unwrap();
        assert_eq!(
            nothing.mean_rate(&nothing.actions["play"]),
            load("spotify").unwrap().mean_rate(&nothing.actions["play"])
        );
        write("skew.yaml", "extends: spotify\ndatasets: {song: {popularity: {zipf: 0.8}}}\n");
        let twice =
            load(&write("twice.yaml", "extends: skew.yaml\nname: what-if\npopulation: {users: 2 B}\n"))
                .unwrap();
        assert_eq!((twice.name.as_str(), twice.population.users.get()), ("what-if", 2e9));
        let zipf = |exponent| crate::popularity::Popularity::zipf(exponent).over(1_000);
        assert_eq!(twice.datasets["song"].popularity.over(1_000), zipf(0.8));
        assert!(twice.place(twice.population.users.origin).unwrap().ends_with("twice.yaml:3"));
        assert!(twice.place(twice.datasets["song"].size.origin).unwrap().starts_with("spotify.yaml:"));
        let circle = load(&write("circle.yaml", "extends: circle.yaml\n")).unwrap_err().to_string();
        assert!(circle.contains("is there a circle?"), "{circle}");
        let missing = load(&write("missing.yaml", "extends: spotfy\n")).unwrap_err().to_string();
        assert!(missing.contains("did you mean `spotify`?"), "{missing}");
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn another_law_takes_the_place_of_the_one_before() {
        let scenario = set(&["tiers.web.service_time.exponential=5 ms"]).unwrap();
        let web = scenario.tiers["web"].station.as_ref().unwrap();
        assert_eq!((web.service_time.mean(), web.service_time.cv()), (0.005, 1.0));
        // The parameters of the same law are changed one by one.
        let scenario = set(&["tiers.web.service_time.lognormal.cv=2"]).unwrap();
        let web = scenario.tiers["web"].station.as_ref().unwrap();
        assert!(
            (web.service_time.mean() - 0.02).abs() < 1e-12 && (web.service_time.cv() - 2.0).abs() < 1e-12
        );
        let path = std::env::temp_dir().join(format!("plimsoll-law-{}.yaml", std::process::id()));
        let law = "{hot_set: {objects: 10 %, requests: 70 %}}";
        let text = format!("extends: spotify\ndatasets: {{song: {{popularity: {law}}}}}\n");
        std::fs::write(&path, text).unwrap();
        let scenario = load(&path.display().to_string()).unwrap();
        assert!((scenario.datasets["song"].popularity.over(1_000).mass(0, 100) - 0.7).abs() < 1e-12);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_cannot_be_read_gets_a_hint() {
        let directory = std::env::temp_dir().join(format!("plimsoll-unreadable-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let said = |path: &Path| load(&path.display().to_string()).unwrap_err().to_string();
        assert!(said(&directory).contains("hint: name a file in it"), "{}", said(&directory));
        let path = directory.join("bad.yaml");
        std::fs::write(&path, b"name: caf\xe9\n").unwrap();
        assert!(said(&path).contains("hint: save it as text in UTF-8"), "{}", said(&path));
        std::fs::write(&path, "#".repeat(FILE_BYTES_MAX + 1)).unwrap();
        assert!(said(&path).contains("is this the right file?"), "{}", said(&path));
        std::fs::write(&path, "extends:\n").unwrap();
        assert!(said(&path).contains("`extends` names no scenario"), "{}", said(&path));
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn an_unknown_name_suggests_the_nearest() {
        assert_eq!(
            load("spotfy").unwrap_err().to_string().lines().last(),
            Some("hint: did you mean `spotify`?")
        );
    }
}
