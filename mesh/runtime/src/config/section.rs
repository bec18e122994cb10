//! Sections that contexts bring: each is defined by its context, and stands in the file beside those of the mesh.

use std::{any::Any, collections::BTreeMap, fmt, sync::Arc, time::Duration};

use figment::{
    error::Kind,
    value::{Dict, Value},
};
use mesh_foundation::findings::Findings;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::Config;

/// A section that belongs to a context. It refuses keys that it does not have (`deny_unknown_fields`), and every key has a default.
pub trait Section: fmt::Debug + Clone + Default + DeserializeOwned + Send + Sync + 'static {
    /// Its name in the file, which is the context's.
    const NAME: &'static str;

    /// Finds what is wrong with it: the bounds of every value, and what it must be to the other sections.
    fn check(&self, config: &Config, found: &mut Findings);
}

/// The section of a context, as the context's [`Descriptor`](crate::Descriptor) brings it.
#[derive(Clone, Copy)]
pub struct AnySection {
    /// Its name in the file.
    pub name: &'static str,
    /// The names of its keys.
    pub keys: fn() -> &'static [&'static str],
    /// Reads it out of the values of the whole configuration.
    pub(super) read: fn(&Dict) -> Reading,
}

impl AnySection {
    /// That section.
    pub const fn of<S: Section>() -> Self {
        Self { name: S::NAME, keys: keys::<S>, read: read::<S> }
    }
}

impl fmt::Debug for AnySection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnySection").field(&self.name).finish()
    }
}

/// A section that was read.
pub(super) trait Read: Any + fmt::Debug + Send + Sync {
    fn check(&self, config: &Config, found: &mut Findings);
}

impl<S: Section> Read for S {
    fn check(&self, config: &Config, found: &mut Findings) {
        Section::check(self, config, found);
    }
}

/// A section that was read, or why it cannot be.
pub(super) type Reading = Result<Arc<dyn Read>, Box<figment::Error>>;

/// The sections that were read, by their names.
#[derive(Clone, Debug, Default)]
pub struct Sections(BTreeMap<&'static str, Arc<dyn Read>>);

impl Sections {
    pub(super) fn insert(&mut self, name: &'static str, section: Arc<dyn Read>) {
        self.0.insert(name, section);
    }

    pub(super) fn check(&self, config: &Config, found: &mut Findings) {
        self.0.values().for_each(|section| section.check(config, found));
    }
}

impl Config {
    /// A context's own section.
    pub fn section<S: Section>(&self) -> S {
        let read = self.sections.0.get(S::NAME).map(|section| &**section as &dyn Any);
        read.and_then(|section| section.downcast_ref::<S>()).cloned().unwrap_or_default()
    }

    /// Replaces a context's section.
    pub fn set_section<S: Section>(&mut self, section: S) {
        self.sections.insert(S::NAME, Arc::new(section));
    }
}

fn read<S: Section>(values: &Dict) -> Reading {
    // In a map of its own, so that an error's path begins with the section's name.
    let own: Dict = values.clone().into_iter().filter(|(name, _)| name == S::NAME).collect();
    let mut read: BTreeMap<String, S> = Value::from(own).deserialize()?;
    Ok(Arc::new(read.remove(S::NAME).unwrap_or_default()))
}

/// A key that no section has makes serde tell those that this one has.
fn keys<S: Section>() -> &'static [&'static str] {
    let unknown = Value::from(Dict::from([("?".to_owned(), Value::from(0))]));
    match unknown.deserialize::<S>().map_err(|error| error.kind) {
        Err(Kind::UnknownField(_, keys)) => keys,
        _ => &[],
    }
}

/// Reads a time in milliseconds, for a key whose name ends with `_ms`.
pub fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigError, Known};

    /// What a shop might let be configured.
    #[derive(Clone, Debug, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Shop {
        #[serde(rename = "closes_after_ms", deserialize_with = "millis")]
        closes_after: Duration,
    }

    impl Default for Shop {
        fn default() -> Self {
            Self { closes_after: Duration::from_secs(1) }
        }
    }

    impl Section for Shop {
        const NAME: &'static str = "shop";

        fn check(&self, config: &Config, found: &mut Findings) {
            let (closes, hold) = (self.closes_after, config.checkout.hold());
            found.unless(closes < hold, "shop.closes_after_ms", "is not below checkout.hold_ms");
        }
    }

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let known = Known { contexts: vec!["shop"], sections: vec![AnySection::of::<Shop>()] };
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_sources(None, variables, &known)
    }

    #[test]
    fn a_context_reads_its_own_section() {
        assert_eq!(read(&[]).unwrap().section::<Shop>().closes_after, Duration::from_secs(1));
        let config = read(&[("JUMAK_SHOP__CLOSES_AFTER_MS", "7000")]).unwrap();
        assert_eq!(config.section::<Shop>().closes_after, Duration::from_secs(7));
        assert_eq!((AnySection::of::<Shop>().keys)(), ["closes_after_ms"]);
    }

    #[test]
    fn what_is_wrong_with_it_is_said_like_anything_else() {
        for (name, value, key) in [
            ("JUMAK_SHOP__CLOSES_AFTER_MS", "600000", "shop.closes_after_ms"),
            ("JUMAK_SHOP__CLOSES_AFTER_MS", "soon", "shop.closes_after_ms"),
            ("JUMAK_SHOP__CLOSES", "1", "shop.closes"),
            ("JUMAK_SHOP", "1", "shop"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            let [problem] = error.problems() else { panic!("{error}") };
            assert_eq!((problem.key.as_str(), problem.origin.as_str()), (key, &*format!("from {name}")));
        }
    }

    #[test]
    fn a_section_that_no_context_brings_is_refused_and_those_that_are_there_are_named() {
        let error = read(&[("JUMAK_SHOPP__CLOSES_AFTER_MS", "1")]).unwrap_err();
        let [problem] = error.problems() else { panic!("{error}") };
        assert_eq!(problem.key, "shopp");
        assert!(problem.problem.contains("`checkout`") && problem.problem.contains("`shop`"), "{error}");
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_whosever_section_it_is_in() {
        let error = read(&[("JUMAK_SHOP__CLOSES", "1"), ("JUMAK_LIMITS__IN_FLIGHT", "0")]).unwrap_err();
        let keys: Vec<&str> = error.problems().iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["shop.closes", "limits.in_flight"]);
    }
}
