//! How an inn is opened: in which shape, and with what configured otherwise.

use std::env;

use toml::{Table, Value};

/// Names the shape, in the environment: `embedded` (unless it is set) or `mesh`.
const VARIABLE: &str = "JUMAK_TEST_SHAPE";

/// The shape of a deployment. A scenario does not know in which one it is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Everything in one process, on SQLite, with the embedded bus.
    Embedded,
    /// A process for each context, on PostgreSQL, MariaDB and NATS.
    Mesh,
}

impl Shape {
    /// The one that the environment names. A name that stands for none must not pass for the usual one.
    pub fn chosen() -> Self {
        match env::var(VARIABLE).unwrap_or_default().as_str() {
            "" | "embedded" => Self::Embedded,
            "mesh" => Self::Mesh,
            other => panic!("{VARIABLE} is {other:?}; there are embedded and mesh"),
        }
    }
}

/// What is different from the defaults.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// What is configured otherwise, as in a configuration file.
    pub config: Table,
    /// Whether my page does not run.
    pub without_my_page: bool,
}

impl Setup {
    /// Everything as it is by default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Configures a key, as in `checkout.hold_ms`.
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
