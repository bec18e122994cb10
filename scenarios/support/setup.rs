//! How a system is started: its shape, and the settings that differ from the defaults.

use std::env;

use toml::{Table, Value};

/// The environment variable that names the shape: `embedded` (the default) or `mesh`.
const VARIABLE: &str = "JUMAK_TEST_SHAPE";

/// The shape of a deployment. A scenario works in either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Everything in one process, on SQLite, with the embedded bus.
    Embedded,
    /// A process for each context, on PostgreSQL, MariaDB and NATS.
    Mesh,
}

impl Shape {
    /// The shape that the environment names. An unknown name panics, so that a typing error does not select the default.
    pub fn chosen() -> Self {
        match env::var(VARIABLE).unwrap_or_default().as_str() {
            "" | "embedded" => Self::Embedded,
            "mesh" => Self::Mesh,
            other => panic!("{VARIABLE} is {other:?}; use embedded or mesh"),
        }
    }
}

/// The differences from the defaults.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Settings, as in a configuration file.
    pub config: Table,
    /// Whether my page is left out.
    pub without_my_page: bool,
}

impl Setup {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key, such as `checkout.hold_ms`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        let mut path: Vec<&str> = key.split('.').collect();
        let last = path.pop().expect("a key");
        let mut table = &mut self.config;
        for section in path {
            let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            table = entry.as_table_mut().expect("a section");
        }
        table.insert(last.to_owned(), value.into());
        self
    }

    /// Leaves my page out.
    #[must_use]
    pub fn without_my_page(self) -> Self {
        Self { without_my_page: true, ..self }
    }
}
