//! Collects the faults of a configuration.

use std::{fmt::Display, ops::RangeInclusive};

/// The faults so far: pairs of a key and the problem with its value. Each section of the settings adds its own.
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

    /// All faults.
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }
}
