//! The courses that a payment may take, computed by payment's own state machine.

use mesh::Actor;
use payment::domain::{
    ledger::Movement,
    payment::{Change, Payment},
    provider::{Method, Outcome, RefundOutcome},
    refund::Refund,
};
use uuid::Uuid;

use super::house::{just_now, long_ago};

/// The records of payment and the provider after one course.
#[derive(Default)]
pub struct Done {
    pub movements: Vec<Movement>,
    pub refunds: Vec<Refund>,
    pub times_taken: u32,
    pub given_back_minor: i64,
    pub is_published: bool,
}

impl Done {
    fn note(&mut self, change: Change) {
        self.movements.extend(change.movement);
        self.refunds.extend(change.refund);
        self.is_published |= change.fact.is_some();
    }

    fn give_back(&mut self, payment: &mut Payment) {
        let refund = self.refunds.last_mut().unwrap();
        let change = payment.settle_refund(refund, &RefundOutcome::Succeeded, long_ago()).unwrap().unwrap();
        self.given_back_minor += refund.amount.minor();
        self.note(change);
    }
}

/// The courses that a payment may take.
pub trait PaymentCourses {
    fn called(&mut self) -> Done;
    fn charged_once(&mut self) -> Done;
    fn declined(&mut self) -> Done;
    fn voided_and_reversed(&mut self) -> Done;
    fn charged_and_refunding(&mut self) -> Done;
    fn charged_and_refunded(&mut self) -> Done;
}

impl PaymentCourses for Payment {
    fn called(&mut self) -> Done {
        self.call_time = Some(just_now());
        Done::default()
    }

    fn charged_once(&mut self) -> Done {
        let mut done = Done { times_taken: 1, ..Done::default() };
        done.note(self.record(&charged(), false, long_ago()).unwrap().unwrap());
        done
    }

    fn declined(&mut self) -> Done {
        let mut done = Done::default();
        let outcome = Outcome::Declined { reason: "CARD_EXPIRED".to_owned() };
        done.note(self.record(&outcome, false, long_ago()).unwrap().unwrap());
        done
    }

    fn voided_and_reversed(&mut self) -> Done {
        let mut done = Done { times_taken: 1, ..Done::default() };
        done.note(self.void(long_ago()).unwrap());
        done.note(self.record(&charged(), false, long_ago()).unwrap().unwrap());
        done.give_back(self);
        done
    }

    fn charged_and_refunding(&mut self) -> Done {
        let mut done = self.charged_once();
        let actor = Actor::context("reservation", self.correlation_id.clone());
        let (refund, movement) = self.ask_refund(Uuid::from_u128(7), None, actor, just_now()).unwrap();
        done.refunds.push(refund);
        done.movements.extend(movement);
        done
    }

    fn charged_and_refunded(&mut self) -> Done {
        let mut done = self.charged_and_refunding();
        done.give_back(self);
        done
    }
}

fn charged() -> Outcome {
    let method = Method { kind: "card".to_owned(), brand: "visa".to_owned(), last4: "4242".to_owned() };
    Outcome::Charged { method, reference: "reference".to_owned() }
}
