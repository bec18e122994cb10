//! A payment context that does as the token says, remembers what it did, and can be asked about it.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use mesh_checkout::checkout::{
    PaymentAction, Record,
    machine::Outcome,
    payments::{PaymentStatus, Payments, Refunded},
};
use mesh_foundation::{
    error::{Error, Reason, Refusal},
    money::Money,
};
use mesh_store::db::assert_no_transaction;
use tokio::sync::Semaphore;

/// A payment context that does as the token says.
///
/// Tokens: `approve`, `decline`, `not_sent`, `lost` (no answer, nothing kept), `late` (no answer, but approved), `open` (no answer, and
/// not decided), `action` (the payer has to do something first), and two that wait for [`Till::open_gate`]: `gate`, which then
/// approves, and `gate_lost`, which then is `lost`.
pub struct Till {
    payments: Mutex<HashMap<String, Outcome>>,
    /// How often money was taken, by payment.
    charges: Mutex<HashMap<String, u32>>,
    asked: AtomicU32,
    /// The circuit in front of the till is open.
    pub circuit_open: AtomicBool,
    /// The till answers no questions.
    pub unreachable: AtomicBool,
    /// What becomes of refunds.
    pub refund: Mutex<Refunded>,
    gate: Semaphore,
}

impl Default for Till {
    fn default() -> Self {
        Self {
            payments: Mutex::default(),
            charges: Mutex::default(),
            asked: AtomicU32::new(0),
            circuit_open: AtomicBool::new(false),
            unreachable: AtomicBool::new(false),
            refund: Mutex::new(Refunded::Pending),
            gate: Semaphore::new(0),
        }
    }
}

impl Till {
    /// How often any payment was charged.
    pub fn charges(&self) -> u32 {
        self.charges.lock().unwrap().values().sum()
    }

    /// How often it was asked for a payment, or about one.
    pub fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Lets every call that waits at the gate through.
    pub fn open_gate(&self) {
        self.gate.add_permits(1_000);
    }

    /// Lets one call that waits at the gate through.
    pub fn let_one_through(&self) {
        self.gate.add_permits(1);
    }

    /// Decides a payment that was left open.
    pub fn decide(&self, payment: &str, outcome: Outcome) {
        self.payments.lock().unwrap().insert(payment.to_owned(), outcome);
    }

    /// What it knows of a payment.
    pub fn knows(&self, payment: &str) -> Option<Outcome> {
        self.payments.lock().unwrap().get(payment).copied()
    }

    fn keep(&self, payment: &str, outcome: Outcome) -> Outcome {
        let mut payments = self.payments.lock().unwrap();
        // A payment that is settled stays as it is, whatever the next token says.
        let kept = *payments
            .entry(payment.to_owned())
            .and_modify(|kept| {
                if *kept == Outcome::Unknown {
                    *kept = outcome
                }
            })
            .or_insert(outcome);
        if kept == Outcome::Approved {
            self.charges.lock().unwrap().entry(payment.to_owned()).or_insert(1);
        }
        kept
    }
}

fn seen(outcome: Outcome) -> PaymentStatus {
    PaymentStatus {
        label: (outcome == Outcome::Approved).then(|| "visa 4242".to_owned()),
        reason: (outcome == Outcome::Declined).then(|| "insufficient_funds".to_owned()),
        ..PaymentStatus::bare(outcome)
    }
}

#[async_trait]
impl Payments for Till {
    fn refuses_now(&self) -> Option<Refusal> {
        self.circuit_open
            .load(Ordering::SeqCst)
            .then(|| Refusal::new(Reason::UPSTREAM_UNAVAILABLE, "the circuit is open"))
    }

    async fn create(&self, _record: &Record, payment: &str, token: &str, _within: Duration) -> PaymentStatus {
        assert_no_transaction("a call to payment");
        self.asked.fetch_add(1, Ordering::SeqCst);
        match token {
            "approve" => seen(self.keep(payment, Outcome::Approved)),
            "decline" => seen(self.keep(payment, Outcome::Declined)),
            "not_sent" => seen(Outcome::NotSent),
            "lost" => seen(Outcome::Unknown),
            "late" => {
                self.keep(payment, Outcome::Approved);
                seen(Outcome::Unknown)
            }
            "open" => seen(self.keep(payment, Outcome::Unknown)),
            "action" => PaymentStatus {
                action: Some(PaymentAction { uri: "https://bank.example/3ds".to_owned(), expire_time: None }),
                ..seen(self.keep(payment, Outcome::Unknown))
            },
            "gate" => {
                self.keep(payment, Outcome::Unknown);
                self.gate.acquire().await.unwrap().forget();
                seen(self.keep(payment, Outcome::Approved))
            }
            "gate_lost" => {
                self.gate.acquire().await.unwrap().forget();
                seen(Outcome::Unknown)
            }
            other => panic!("no such token: {other}"),
        }
    }

    async fn get(&self, _record: &Record, payment: &str) -> Result<Option<PaymentStatus>, Error> {
        assert_no_transaction("a call to payment");
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.unreachable.load(Ordering::SeqCst) {
            return Err(tonic::Status::unavailable("no route").into());
        }
        Ok(self.payments.lock().unwrap().get(payment).copied().map(seen))
    }

    async fn void(&self, _record: &Record, payment: &str) -> Result<PaymentStatus, Error> {
        assert_no_transaction("a call to payment");
        Ok(seen(self.keep(payment, Outcome::Voided)))
    }

    async fn refund(&self, _record: &Record, _payment: &str, _amount: Money) -> Result<Refunded, Error> {
        assert_no_transaction("a call to payment");
        Ok(self.refund.lock().unwrap().clone())
    }
}
