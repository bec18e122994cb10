//! The rules themselves: pure functions of a reading.

mod calendar;
mod cases;
mod covered;
mod events;
mod ledger;
mod page;
mod payments;
mod rooms;
mod stays;
mod tasks;

use super::{findings::Verdict, index::Index, reading::Reading};

/// Checks a reading against every rule.
pub fn judge(reading: &Reading) -> Verdict {
    let index = Index::new(reading);
    let mut verdict = Verdict::default();
    stays::check(&index, &mut verdict);
    rooms::check(&index, &mut verdict);
    cases::check(&index, &mut verdict);
    payments::check(&index, &mut verdict);
    ledger::check(&index, &mut verdict);
    events::check(&index, &mut verdict);
    covered::check(&index, &mut verdict);
    calendar::check(&index, &mut verdict);
    page::check(&index, &mut verdict);
    tasks::check(&index, &mut verdict);
    verdict.findings.sort_by_key(|finding| finding.rule);
    verdict
}
