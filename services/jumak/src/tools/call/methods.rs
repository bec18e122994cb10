//! Finds RPCs by name. Names are unique across all services, so the bare name is enough.

use std::fmt::Write;

use prost_reflect::{DescriptorPool, MethodDescriptor};

use super::describe;

/// Names with a lower similarity are not suggested.
const LIKENESS: f64 = 0.75;
const MAX_SUGGESTIONS: usize = 3;

/// All RPCs of the contracts.
pub struct Methods(Vec<MethodDescriptor>);

impl Methods {
    /// The RPCs in `pool`.
    pub fn of(pool: &DescriptorPool) -> Self {
        Self(pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect())
    }

    /// The RPC called `name`: the bare name, `Service/Method`, or with the package before it.
    pub fn find(&self, name: &str) -> anyhow::Result<MethodDescriptor> {
        let is_called = |method: &&MethodDescriptor| match name.rsplit_once(['/', '.']) {
            None => method.name() == name,
            Some((service, bare)) => {
                let (parent, service) = (method.parent_service(), service.trim_start_matches('/'));
                method.name() == bare && (parent.name() == service || parent.full_name() == service)
            }
        };
        self.0.iter().find(is_called).cloned().ok_or_else(|| {
            let next = match self.like(name).as_slice() {
                [] => String::new(),
                names => format!("did you mean {}? ", names.join(" or ")),
            };
            anyhow::anyhow!("there is no RPC {name}; {next}`jumak call --list` lists them")
        })
    }

    /// The names most similar to `name`, best first.
    fn like(&self, name: &str) -> Vec<&str> {
        let bare = name.rsplit(['/', '.']).next().unwrap_or(name).to_lowercase();
        let likeness = |method: &MethodDescriptor| {
            let candidate = method.name().to_lowercase();
            let contains = bare.len() > 2 && candidate.contains(&bare);
            // A part of a name counts like a name with a typing error.
            let part = if contains { LIKENESS } else { 0.0 };
            strsim::normalized_damerau_levenshtein(&candidate, &bare).max(part)
        };
        let mut names: Vec<(f64, &str)> = self
            .0
            .iter()
            .map(|method| (likeness(method), method.name()))
            .filter(|(likeness, _)| *likeness >= LIKENESS)
            .collect();
        names.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        names.into_iter().map(|(_, name)| name).take(MAX_SUGGESTIONS).collect()
    }

    /// All RPCs by service, each with the first sentence of its comment.
    pub fn list(&self) -> String {
        let width = self.0.iter().map(|method| method.name().len()).max().unwrap_or_default();
        let mut text = String::new();
        let mut service = None;
        for method in &self.0 {
            let parent = method.parent_service();
            if service.as_ref() != Some(&parent) {
                let gap = if service.is_none() { "" } else { "\n\n" };
                let _never_fails = write!(text, "{gap}{}", parent.full_name());
                service = Some(parent);
            }
            let mark = if describe::is_internal(method) { " (contexts only)" } else { "" };
            let _never_fails = write!(text, "\n  {:<width$}  {}{mark}", method.name(), describe::summary(method));
        }
        text
    }
}
