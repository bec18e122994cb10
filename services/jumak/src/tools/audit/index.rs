//! Indices over a reading, so that each rule finds related records.

use std::collections::HashMap;

use jiff::Timestamp;
use mesh::{checkout::CaseEntry, fields::parse_name};
use payment::domain::{
    payment::Payment,
    refund::{Kind, Refund, RefundState},
};
use provider::audit::AuditedCharge;
use reservation::audit::Reserved;
use uuid::Uuid;

use super::reading::{OutboxEvent, Reading};

/// A reading with its indices.
pub struct Index<'a> {
    /// The reading.
    pub reading: &'a Reading,
    cases: HashMap<&'a str, &'a CaseEntry>,
    reserved: HashMap<&'a str, &'a Reserved>,
    payments: HashMap<Uuid, &'a Payment>,
    of_case: HashMap<&'a str, Vec<&'a Payment>>,
    refunds: HashMap<Uuid, Vec<&'a Refund>>,
    charges: HashMap<Uuid, &'a AuditedCharge>,
    newest: HashMap<&'a str, &'a OutboxEvent>,
}

impl<'a> Index<'a> {
    /// Indexes a reading.
    pub fn new(reading: &'a Reading) -> Self {
        let mut of_case: HashMap<&str, Vec<&Payment>> = HashMap::new();
        for payment in &reading.payments {
            of_case.entry(&payment.case).or_default().push(payment);
        }
        let mut refunds: HashMap<Uuid, Vec<&Refund>> = HashMap::new();
        for refund in &reading.refunds {
            refunds.entry(refund.payment).or_default().push(refund);
        }
        let mut newest: HashMap<&str, &OutboxEvent> = HashMap::new();
        for event in &reading.events {
            let newest = newest.entry(&event.subject).or_insert(event);
            if event.sequence > newest.sequence {
                *newest = event;
            }
        }
        Self {
            reading,
            cases: reading.cases.iter().map(|entry| (entry.name.as_str(), entry)).collect(),
            reserved: reading.reserved.iter().map(|reserved| (reserved.name.as_str(), reserved)).collect(),
            payments: reading.payments.iter().map(|payment| (payment.id, payment)).collect(),
            of_case,
            refunds,
            charges: reading
                .charges
                .iter()
                .filter_map(|audited| Some((Uuid::try_parse(&audited.charge.id).ok()?, audited)))
                .collect(),
            newest,
        }
    }

    /// The case of that name.
    pub fn case(&self, name: &str) -> Option<&'a CaseEntry> {
        self.cases.get(name).copied()
    }

    /// The reservation of that name, and what it holds.
    pub fn reservation(&self, name: &str) -> Option<(&'a CaseEntry, &'a Reserved)> {
        self.case(name).zip(self.reserved.get(name).copied())
    }

    /// Every reservation, and what it holds.
    pub fn reservations(&self) -> impl Iterator<Item = (&'a CaseEntry, &'a Reserved)> {
        self.reading.cases.iter().filter_map(|entry| self.reservation(&entry.name))
    }

    /// The payment of that id.
    pub fn payment(&self, id: Uuid) -> Option<&'a Payment> {
        self.payments.get(&id).copied()
    }

    /// The payment of that name.
    pub fn payment_named(&self, name: &str) -> Option<&'a Payment> {
        self.payment(parse_name(name, "payments")?)
    }

    /// All payments for a case.
    pub fn payments_of(&self, case: &str) -> &[&'a Payment] {
        self.of_case.get(case).map_or(&[], Vec::as_slice)
    }

    /// The refunds of a payment that are of that kind.
    pub fn refunds_of(&self, payment: Uuid, kind: Kind) -> impl Iterator<Item = &'a Refund> {
        self.refunds.get(&payment).into_iter().flatten().copied().filter(move |refund| refund.kind == kind)
    }

    /// Whether a refund of that payment is pending.
    pub fn is_refunding(&self, payment: Uuid) -> bool {
        self.refunds.get(&payment).into_iter().flatten().any(|refund| refund.state == RefundState::Pending)
    }

    /// The provider's charge for that payment.
    pub fn charge_of(&self, payment: Uuid) -> Option<&'a AuditedCharge> {
        self.charges.get(&payment).copied()
    }

    /// The provider's balance of that payment, in minor units: charges less refunds.
    pub fn net_charge_of(&self, payment: Uuid) -> i64 {
        self.charge_of(payment).map_or(0, net)
    }

    /// The newest event about that resource.
    pub fn newest_event(&self, subject: &str) -> Option<&'a OutboxEvent> {
        self.newest.get(subject).copied()
    }

    /// Whether an event that should have followed `since` is late.
    pub fn is_late(&self, since: Timestamp) -> bool {
        self.reading.time.duration_since(since) > self.reading.grace
    }
}

/// The provider's balance of a charge, in minor units.
pub fn net(audited: &AuditedCharge) -> i64 {
    i64::from(audited.times_taken) * audited.charge.amount.minor() - audited.given_back_minor
}
