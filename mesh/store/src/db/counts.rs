//! What a database was asked for: what a use case costs, however fast the machine is that it runs on.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sea_orm::DatabaseConnection;

/// How much this process has asked a database for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Statements, without BEGIN, COMMIT and ROLLBACK. What an engine is given as one is one.
    pub statements: u64,
    /// Transactions that were committed.
    pub commits: u64,
}

impl Counts {
    /// What came after `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            statements: self.statements.saturating_sub(before.statements),
            commits: self.commits.saturating_sub(before.commits),
        }
    }
}

/// Counts. Clones are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    statements: AtomicU64,
    commits: AtomicU64,
}

impl Counter {
    /// Counts each statement that goes over this connection from now on.
    pub(super) fn watch(&self, connection: &mut DatabaseConnection) {
        let counted = self.0.clone();
        connection.set_metric_callback(move |_| {
            counted.statements.fetch_add(1, Ordering::Relaxed);
        });
    }

    pub(super) fn committed(&self) {
        self.0.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn so_far(&self) -> Counts {
        Counts {
            statements: self.0.statements.load(Ordering::Relaxed),
            commits: self.0.commits.load(Ordering::Relaxed),
        }
    }
}
