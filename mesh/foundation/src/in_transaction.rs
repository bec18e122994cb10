//! Records whether the current task has a transaction open, so that no remote call is awaited inside it. The store sets it, and code that
//! makes remote calls checks it; neither depends on the other.

tokio::task_local! {
    /// The label of the open transaction.
    static IN_TRANSACTION: &'static str;
}

/// Runs `work` as part of the transaction `label`.
pub fn within<F: Future>(label: &'static str, work: F) -> impl Future<Output = F::Output> {
    IN_TRANSACTION.scope(label, work)
}

/// Panics if the current task has a transaction open: called by everything that awaits something remote.
#[expect(clippy::panic, reason = "a mistake of ours, which no answer to a caller may hide")]
pub fn assert_no_transaction(what: &str) {
    if let Ok(label) = IN_TRANSACTION.try_with(|label| *label) {
        panic!("{what} was awaited inside the transaction `{label}`");
    }
}
