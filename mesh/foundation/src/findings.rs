//! What is wrong with a configuration, while it is being looked for.

use std::{fmt::Display, ops::RangeInclusive};

/// All that is wrong so far: pairs of a key and what is wrong with its value. Each section of the settings adds its own.
#[derive(Debug, Default)]
pub struct Findings(Vec<(String, String)>);

impl Findings {
    /// Adds `problem` with the value at `key` unless it is `good`.
    pub fn unless(&mut self, good: bool, key: impl Into<String>, problem: impl Into<String>) {
        if !good {
            self.0.push((key.into(), problem.into()));
        }
    }

    /// Adds the value at `key` unless it is within `bounds`.
    pub fn within<T: PartialOrd + Display>(&mut self, key: &str, value: T, bounds: RangeInclusive<T>) {
        let problem = format!("is {value}; it must be {} to {}", bounds.start(), bounds.end());
        self.unless(bounds.contains(&value), key, problem);
    }

    /// All that was found.
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }
}
