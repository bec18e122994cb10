//! The rules: their names and claims.

use std::fmt;

macro_rules! rules {
    ($($name:ident = $text:literal, $claim:literal;)*) => {
        /// A rule of the audit.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule { $(#[doc = $claim] $name,)* }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The rule's name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The claim that holds if the rule finds nothing.
            pub const fn claim(self) -> &'static str {
                match self { $(Self::$name => $claim,)* }
            }
        }
    };
}

rules! {
    UnitsTaken = "units_taken", "the units taken on a night are the units that stays hold";
    Capacity = "capacity", "no night is sold beyond its capacity";
    RoomsKnown = "rooms_known", "reservation sells the rooms that room has, at room's price, less the units that hosts keep back";
    PaidOnce = "paid_once", "a confirmed case is paid exactly once, in payment's books and in the provider's";
    RefundedOnce = "refunded_once", "a cancelled case is refunded exactly once, in both books";
    Orphan = "orphan", "no payment keeps money for a case that does not exist or is not decided";
    NothingKept = "nothing_kept", "nothing stays charged for a case that was never confirmed";
    HoldsEnd = "holds_end", "no hold outlives its expiry";
    CancellationsEnd = "cancellations_end", "no cancellation waits too long for its refund";
    PaymentsSettle = "payments_settle", "no payment's outcome stays unknown";
    RefundsSettle = "refunds_settle", "no refund's outcome stays unknown";
    ChargesKnown = "charges_known", "payment and its provider agree on every charge";
    VoidedUncharged = "voided_uncharged", "charges of voided payments are refunded";
    Ledger = "ledger", "the ledger balances, and its accounts agree with the payments and the provider";
    EventsPublished = "events_published", "every event is on the bus";
    EventsHandled = "events_handled", "every context that consumes events is a consumer of the bus, has handled every event, and has no dead letters";
    EventsNamed = "events_named", "every event has a correlation id, the same one for all events of a case";
    Remembered = "remembered", "every context's database has the newest event that the context acknowledged, and the newest that is on the bus";
    RequestsAnswered = "requests_answered", "every request about a settled case has its answer";
    Calendar = "calendar", "the rooms' calendar shows exactly the stays that are reserved, in their current state";
    Covered = "covered", "every kind of event, case and open request is checked by a rule";
    MyPage = "my_page", "my page shows guests and hosts the current state of every reservation, payment, room and event";
    TasksRun = "tasks_run", "the background tasks of every running process take their turns, and the turns succeed";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
