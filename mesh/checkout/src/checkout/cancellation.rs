//! Who cancels, and why: what decides how much comes back, and until when.

use contracts::types::v1::{Cancellation as Message, cancellation as message};
use jiff::Timestamp;

use super::record::Record;

/// What somebody is in a case that they act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// The one who pays.
    Guest,
    /// The one who is paid.
    Host,
    /// Neither of them: the service centre.
    Agent,
    /// Nobody: what was sold is gone.
    System,
}

/// Why a case is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The guest wants to.
    GuestRequest,
    /// It is sold out after all.
    SoldOut,
    /// Too much else is to be done.
    TooBusy,
    /// The place is closed then.
    Closed,
    /// It cannot be brought.
    CannotDeliver,
    /// The guest has complained.
    Complaint,
    /// What was sold was removed.
    ListingRemoved,
    /// Something else.
    Other,
    /// The guest did not come.
    NoShow,
}

/// By whom a case was cancelled, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cancellation {
    /// By whom.
    pub party: By,
    /// Why.
    pub cause: Cause,
}

/// Who asks for a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks<'a> {
    /// This user, as what they are in the case: an agent may be its guest.
    User(&'a str),
    /// The service centre, whoever works there.
    ServiceCentre,
    /// The context itself.
    System,
}

/// Whether a case can still be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// It can.
    Open,
    /// Whoever fulfils it may have begun: they are asked, and decide (rule K).
    Ask,
    /// It cannot, since then.
    Closed(Timestamp),
}

impl By {
    /// What whoever asks is in that case.
    pub fn of(asks: Asks<'_>, record: &Record) -> Self {
        match asks {
            Asks::System => Self::System,
            Asks::User(user) if user == record.payer => Self::Guest,
            Asks::User(user) if user == record.payee => Self::Host,
            Asks::User(_) | Asks::ServiceCentre => Self::Agent,
        }
    }

    /// Why they cancel, if they do not say.
    pub const fn usual_cause(self) -> Cause {
        match self {
            Self::Guest => Cause::GuestRequest,
            Self::Host | Self::Agent => Cause::Other,
            Self::System => Cause::ListingRemoved,
        }
    }
}

impl Cancellation {
    /// Whether the policy frozen on the case says what comes back. It is a promise about guests who change their mind or do not come;
    /// whoever else cancels gives everything back.
    pub fn goes_by_policy(self) -> bool {
        self.party == By::Guest || self.cause == Cause::NoShow
    }

    /// The two words as they are stored.
    pub fn names(self) -> (&'static str, &'static str) {
        let Message { party, cause } = self.into();
        let party = message::Party::try_from(party).unwrap_or_default();
        let cause = message::Cause::try_from(cause).unwrap_or_default();
        (party.as_str_name(), cause.as_str_name())
    }

    /// What the two words stand for.
    pub fn parse(party: &str, cause: &str) -> Option<Self> {
        let party = match message::Party::from_str_name(party)? {
            message::Party::Guest => By::Guest,
            message::Party::Host => By::Host,
            message::Party::Agent => By::Agent,
            message::Party::System => By::System,
            message::Party::Unspecified => return None,
        };
        Some(Self { party, cause: Cause::read(message::Cause::from_str_name(cause)?)? })
    }
}

impl Cause {
    /// The contract's word; none for UNSPECIFIED.
    pub fn read(cause: message::Cause) -> Option<Self> {
        Some(match cause {
            message::Cause::Unspecified => return None,
            message::Cause::GuestRequest => Self::GuestRequest,
            message::Cause::SoldOut => Self::SoldOut,
            message::Cause::TooBusy => Self::TooBusy,
            message::Cause::Closed => Self::Closed,
            message::Cause::CannotDeliver => Self::CannotDeliver,
            message::Cause::Complaint => Self::Complaint,
            message::Cause::ListingRemoved => Self::ListingRemoved,
            message::Cause::Other => Self::Other,
            message::Cause::NoShow => Self::NoShow,
        })
    }
}

impl From<Cancellation> for Message {
    fn from(cancellation: Cancellation) -> Self {
        let party = match cancellation.party {
            By::Guest => message::Party::Guest,
            By::Host => message::Party::Host,
            By::Agent => message::Party::Agent,
            By::System => message::Party::System,
        };
        let cause = match cancellation.cause {
            Cause::GuestRequest => message::Cause::GuestRequest,
            Cause::SoldOut => message::Cause::SoldOut,
            Cause::TooBusy => message::Cause::TooBusy,
            Cause::Closed => message::Cause::Closed,
            Cause::CannotDeliver => message::Cause::CannotDeliver,
            Cause::Complaint => message::Cause::Complaint,
            Cause::ListingRemoved => message::Cause::ListingRemoved,
            Cause::Other => message::Cause::Other,
            Cause::NoShow => message::Cause::NoShow,
        };
        Self { party: party.into(), cause: cause.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_and_party_is_read_back_from_its_words() {
        for number in 1..=9 {
            let cause = message::Cause::try_from(number).ok().and_then(Cause::read).expect("a cause");
            for party in [By::Guest, By::Host, By::Agent, By::System] {
                let cancellation = Cancellation { party, cause };
                let (party, cause) = cancellation.names();
                assert_eq!(Cancellation::parse(party, cause), Some(cancellation));
            }
        }
        assert!(message::Cause::try_from(10).is_err(), "a new cause is in the loop above");
    }
}
