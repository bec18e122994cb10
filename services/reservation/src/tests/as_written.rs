//! T2 decides on the case as its caller wrote it, and commits only if it still stands so: whatever was faster meanwhile.

use mesh::checkout::{State, machine::Outcome, payment_name};

use super::*;

/// What somebody else does while the handler waits for payment's answer, which will be that it is approved.
#[derive(Clone, Copy, Debug)]
enum Others {
    Nothing,
    HearsApproved,
    HearsDeclined,
    Cancels,
    SweepsAndHearsApproved,
    SweepsAndVoids,
}

impl House {
    /// Books, and waits at the till's gate until `others` are done.
    async fn book_while(&self, others: impl AsyncFn(&str)) -> Result<Answer, Error> {
        let booking = self.book(usual(), Some("gate"));
        let meanwhile = async {
            while self.till.asked() == 0 {
                tokio::task::yield_now().await;
            }
            let name = self.newest().await.record.name;
            others(&name).await;
            self.till.open_gate();
        };
        tokio::join!(booking, meanwhile).0
    }

    async fn does(&self, others: Others, name: &str) {
        let payment = payment_name(name, 1);
        match others {
            Others::Nothing => {}
            Others::HearsApproved => self.hears(name, 1, Outcome::Approved).await,
            Others::HearsDeclined => self.hears(name, 1, Outcome::Declined).await,
            Others::Cancels => {
                self.cancel(name).await.expect("asked");
            }
            Others::SweepsAndHearsApproved | Others::SweepsAndVoids => {
                if matches!(others, Others::SweepsAndHearsApproved) {
                    self.till.decide(&payment, Outcome::Approved);
                    self.wait(8);
                } else {
                    // Past the hold's time.
                    self.wait(601);
                }
                self.checkout.sweep_once().await.expect("swept");
            }
        }
    }
}

#[tokio::test]
async fn whoever_settles_first_wins_and_the_caller_is_told_what_stands() {
    for (others, state, told, taken, answered) in [
        (Others::Nothing, State::Confirmed, &["Held", "Confirmed"][..], 1, "CONFIRMED"),
        (Others::HearsApproved, State::Confirmed, &["Held", "Confirmed"], 1, "CONFIRMED"),
        (Others::SweepsAndHearsApproved, State::Confirmed, &["Held", "Confirmed"], 1, "CONFIRMED"),
        (Others::HearsDeclined, State::Rejected, &["Held", "Rejected", "RefundRequested"], 0, "PAYMENT_DECLINED"),
        (Others::Cancels, State::CancelRequested, &["Held", "Confirmed", "CancelRequested"], 0, "CANCEL_REQUESTED"),
        // What was voided stays voided: the till says so.
        (Others::SweepsAndVoids, State::Expired, &["Held", "Expired"], 0, "PAYMENT_VOIDED"),
    ] {
        let house = House::with_units(1).await;
        let answer = house.book_while(async |name| house.does(others, name).await).await;
        let answer = match answer {
            Ok(Answer::Ok(bytes)) => {
                Resource::decode(bytes.as_slice()).expect("a reservation").state().as_str_name().to_owned()
            }
            refused => reason(refused).to_owned(),
        };
        assert_eq!(answer, answered, "{others:?}");
        assert_eq!((house.only().await.record.state(), house.taken().await), (state, vec![taken; 2]), "{others:?}");
        assert_eq!(house.told().await, told, "{others:?}");
    }
}

/// At the same moment, over connections of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_who_settle_at_once_one_wins() {
    let house = House::with_units(100).await;
    for round in 0..8 {
        let asked = house.till.asked();
        let booking = house.book(usual(), Some("gate"));
        let others = async {
            while house.till.asked() == asked {
                tokio::task::yield_now().await;
            }
            let name = house.newest().await.record.name;
            house.till.decide(&payment_name(&name, 1), Outcome::Approved);
            house.wait(8);
            let hears = async {
                house.till.let_one_through();
                house.hears(&name, 1, Outcome::Approved).await;
            };
            let cancels = async {
                if round % 2 == 0 {
                    house.cancel(&name).await.expect("an answer");
                }
            };
            let (_, _, swept) = tokio::join!(hears, cancels, house.checkout.sweep_once());
            swept.expect("swept");
            name
        };
        let (answer, name) = tokio::join!(booking, others);
        let answered = resource(answer.expect("an answer"));
        let stands = house.read(&name).await.record;
        let state = if round % 2 == 0 { State::CancelRequested } else { State::Confirmed };
        assert_eq!((stands.state(), stands.confirm_time.is_some(), stands.orphans), (state, true, 0));
        assert!(["CONFIRMED", "CANCEL_REQUESTED"].contains(&answered.state().as_str_name()), "{answered:?}");
        assert!(answered.version <= stands.version);
    }
    assert_eq!(house.taken().await, [4, 4]);
    let told = house.told().await;
    let count = |word: &str| told.iter().filter(|told| **told == word).count();
    assert_eq!((count("Held"), count("Confirmed"), count("CancelRequested"), told.len()), (8, 8, 4, 20));
}
