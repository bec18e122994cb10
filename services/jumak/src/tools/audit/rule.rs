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
    UnitsTaken = "units_taken", "the units taken on a night are those of the stays that hold them";
    Capacity = "capacity", "no night is sold beyond its capacity";
    RoomsKnown = "rooms_known", "reservation sells what the rooms' own context has, at its price, less what hosts keep back";
    PaidOnce = "paid_once", "a confirmed case is paid exactly once, by payment's books and by the provider's";
    RefundedOnce = "refunded_once", "a cancelled case is refunded exactly once, by both books";
    Orphan = "orphan", "no payment keeps money for a case that does not exist or is not decided";
    NothingKept = "nothing_kept", "nothing stays charged for a case that never came about";
    HoldsEnd = "holds_end", "no hold outlives its expiry";
    CancellationsEnd = "cancellations_end", "no cancellation waits for its refund";
    PaymentsSettle = "payments_settle", "no payment's outcome stays unknown";
    RefundsSettle = "refunds_settle", "no refund's outcome stays unknown";
    ChargesKnown = "charges_known", "payment and its provider agree on every charge";
    VoidedUncharged = "voided_uncharged", "charges of voided payments are refunded";
    Ledger = "ledger", "the ledger balances, and its accounts say what payments and provider say";
    EventsPublished = "events_published", "every event is on the bus";
    EventsHandled = "events_handled", "every context that consumes events is a consumer of the bus, has handled every event, and has no dead letters";
    EventsNamed = "events_named", "every event names its business case, the same one all along";
    Remembered = "remembered", "every context's database has the newest event that it has acknowledged, and the newest that the bus has of it";
    RequestsAnswered = "requests_answered", "every request about a settled case has its answer";
    Calendar = "calendar", "the rooms' calendar shows every stay as its reservation stands, and no other";
    Covered = "covered", "every kind of event, case and open request is one that the rules know";
    MyPage = "my_page", "my page shows guest and host every reservation, payment, room and event as it stands";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
