//! What can be wrong with payment.

use jumak::house::Member;
use local_mesh::Variables;
use tokio::time::Instant;

use super::play::{BREAKER_FAILURES, BREAKER_IN_FLIGHT};
use crate::{
    mesh::answers::{Answer, Asked},
    support::Inn,
};

/// Calls that payment has in hand at once when it is to be full.
const FEW: u16 = 2;

/// What is wrong with payment, while it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Its process is killed.
    Killed,
    /// Its process is stopped: it neither answers nor hangs up.
    Hangs,
    /// Each payment takes half a second, and very many are asked for at once.
    Slow,
    /// The provider's process is stopped, and payment waits for it.
    ProviderHangs,
    /// It has as many calls in hand as it takes.
    Full,
    /// Its database is stopped: it answers, and goes on, when the time that its caller had is over.
    Late,
}

impl Trouble {
    /// What payment's process is started with.
    pub fn variables(self) -> Variables {
        match self {
            Self::Full => vec![("JUMAK_LIMITS__IN_FLIGHT".to_owned(), FEW.to_string())],
            _ => Vec::new(),
        }
    }

    /// How many guests book at once before, and after.
    pub fn calm_guests(self) -> usize {
        if self == Self::Full { 1 } else { 4 }
    }

    /// How many guests book at once meanwhile.
    pub fn guests(self) -> usize {
        match self {
            // Many more than the calls in flight at which the circuit opens.
            Self::Slow => 3 * BREAKER_IN_FLIGHT,
            // Too few for that: it opens because calls fail.
            _ => BREAKER_IN_FLIGHT / 2,
        }
    }

    /// What they pay with.
    pub fn token(self) -> &'static str {
        match self {
            Self::Slow | Self::Full => "tok_slow_500",
            _ => "tok_approve",
        }
    }

    pub async fn begins(self, inn: &Inn) {
        let mut mesh = inn.mesh().await;
        match self {
            Self::Killed => mesh.kill(Member::PAYMENT, 0).expect("it ran"),
            Self::Hangs => mesh.replica(Member::PAYMENT, 0).expect("a replica").pause().expect("it ran"),
            Self::ProviderHangs => mesh.replica(Member::PROVIDER, 0).expect("a replica").pause().expect("it ran"),
            Self::Late => mesh.mariadb().expect("its own").pause().expect("it ran"),
            Self::Slow | Self::Full => {}
        }
    }

    pub async fn ends(self, inn: &Inn) {
        let mut mesh = inn.mesh().await;
        match self {
            Self::Killed => mesh.restart(Member::PAYMENT, 0, Vec::new()).await.expect("it starts again"),
            Self::Hangs => mesh.replica(Member::PAYMENT, 0).expect("a replica").resume().expect("it was paused"),
            Self::ProviderHangs => {
                mesh.replica(Member::PROVIDER, 0).expect("a replica").resume().expect("it was paused")
            }
            Self::Late => mesh.mariadb().expect("its own").resume().expect("it was paused"),
            Self::Slow | Self::Full => {}
        }
    }

    /// When the circuit had all reason to open, by what the guests saw: so many calls in a row had failed, or so many were in flight.
    pub fn threshold(self, asked: &[Asked]) -> Option<Instant> {
        let mut asked: Vec<&Asked> = asked.iter().collect();
        if self == Self::Slow {
            asked.sort_by_key(|one| one.sent);
            let full = asked.get(BREAKER_IN_FLIGHT + BREAKER_FAILURES - 1).map(|one| one.sent)?;
            // Nobody of those before had an answer by then, so all of them were in flight.
            let first = asked.iter().map(|one| one.answered).min()?;
            return (full < first).then_some(full);
        }
        asked.sort_by_key(|one| one.answered);
        let mut failed = 0;
        for one in asked {
            match one.answer {
                Answer::Confirmed(_) => failed = 0,
                // Payment answers that it does not know: that is an answer.
                Answer::Pending(_) if self == Self::ProviderHangs => failed = 0,
                Answer::Pending(_) | Answer::NotSent(_) => failed += 1,
                Answer::HeldOff => {}
            }
            if failed == BREAKER_FAILURES {
                return Some(one.answered);
            }
        }
        None
    }
}
