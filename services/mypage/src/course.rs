//! The phase of a case, common to all kinds, derived from its owner's state and the time.

use contracts::{mypage::v1::booking::Phase, reservation::v1::reservation::State};
use jiff::Timestamp;

/// What a case still waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Course {
    /// A payment or a refund.
    Undecided,
    /// Only the time: it takes place.
    Agreed,
    /// Nothing: it does not take place.
    Off,
}

impl Course {
    /// What a reservation in that state waits for; none for an unknown state.
    pub fn of_reservation(state: State) -> Option<Self> {
        match state {
            State::Unspecified => None,
            State::Pending | State::CancelRequested => Some(Self::Undecided),
            State::Confirmed => Some(Self::Agreed),
            State::Cancelled | State::Rejected | State::Expired => Some(Self::Off),
        }
    }

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The phase at `now` of a case that ends at `end`. The SQL conditions of [`store::read`](crate::store::read) say the same.
    pub fn phase(self, end: Timestamp, now: Timestamp) -> Phase {
        match self {
            Self::Undecided => Phase::Open,
            Self::Agreed if end > now => Phase::Open,
            Self::Agreed => Phase::Done,
            Self::Off => Phase::Cancelled,
        }
    }
}
