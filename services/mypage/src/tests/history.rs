//! Histories as the other contexts write them.

use contracts::{
    google::r#type::Money,
    payment::v1::{
        Payment, PaymentApproved, PaymentDeclined, PaymentRefundFailed, PaymentRefunded, PaymentVoided, payment,
    },
    reservation::v1::{
        Reservation, ReservationCancelRequested, ReservationCancelled, ReservationConfirmed, ReservationExpired,
        ReservationHeld, ReservationRefundRequested, ReservationRejected,
        reservation::{RoomSnapshot, State},
    },
    room::v1::{NightsBlocked, Room, RoomCreated, RoomDeleted, RoomUpdated, room},
    types::v1::Price,
};
use jiff::{SignedDuration, Timestamp};
use mesh::{Actor, Event, checkout::payment_name, clock::to_proto};
use prost::{Message, Name};
use uuid::Uuid;

use super::today;

/// How a reservation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plot {
    Held,
    Rejected,
    Expired,
    CancelledUnpaid,
    Confirmed,
    Refunding,
    RefundFailed,
    Cancelled,
    /// Its payment was approved when it had ended, and is given back.
    Orphaned,
}

impl Plot {
    pub const ALL: [Self; 9] = [
        Self::Held,
        Self::Rejected,
        Self::Expired,
        Self::CancelledUnpaid,
        Self::Confirmed,
        Self::Refunding,
        Self::RefundFailed,
        Self::Cancelled,
        Self::Orphaned,
    ];
}

/// One reservation, and its payments, from its beginning to where it stands; the events in the order in which they came about.
pub struct Story {
    pub reservation: Reservation,
    pub events: Vec<Event>,
    attempt: u32,
    now: Timestamp,
}

impl Story {
    /// A hold that was taken `minute` minutes after today.
    pub fn held(guest: &str, host: &str, room: Uuid, minute: i64) -> Self {
        let now = today() + SignedDuration::from_mins(minute);
        let reservation = Reservation {
            name: format!("reservations/{}", Uuid::now_v7()),
            room: format!("rooms/{room}"),
            guest: guest.to_owned(),
            host: host.to_owned(),
            check_in_date: "2027-05-01".to_owned(),
            check_out_date: "2027-05-03".to_owned(),
            units: Some(1),
            guests: Some(2),
            room_snapshot: Some(RoomSnapshot {
                number: "204".to_owned(),
                display_name: "Sea view".to_owned(),
                amenities: vec!["wifi".to_owned()],
                time_zone: "Asia/Seoul".to_owned(),
                check_in_time: "15:00".to_owned(),
                check_out_time: "11:00".to_owned(),
                ..RoomSnapshot::default()
            }),
            price: Some(Price { total: Some(won(180_000)), ..Price::default() }),
            create_time: Some(to_proto(now)),
            ..Reservation::default()
        };
        let mut story = Self { reservation, events: Vec::new(), attempt: 0, now };
        let guest = story.by_guest();
        story.tell(State::Pending, &guest, |reservation| ReservationHeld { reservation });
        story
    }

    /// The whole of a reservation whose first `declined` payments are declined.
    pub fn whole(guest: &str, host: &str, room: Uuid, minute: i64, declined: u32, plot: Plot) -> Self {
        let mut story = Self::held(guest, host, room, minute);
        for _ in 0..declined {
            story.declined();
        }
        match plot {
            Plot::Held => {}
            Plot::Rejected => {
                let cause = story.declined();
                story.tell(State::Rejected, &hearing(&cause), |reservation| ReservationRejected { reservation });
            }
            Plot::Expired => story.expired(),
            Plot::CancelledUnpaid => {
                let cause = story.voided();
                story.tell(State::Cancelled, &hearing(&cause), |reservation| ReservationCancelled { reservation });
            }
            Plot::Confirmed => story.confirmed(),
            Plot::Refunding => {
                story.confirmed();
                story.cancel_requested();
            }
            Plot::RefundFailed => {
                story.confirmed();
                story.cancel_requested();
                story.refund_failed();
            }
            Plot::Cancelled => {
                story.confirmed();
                story.cancelled();
            }
            Plot::Orphaned => {
                story.expired_without_asking();
                story.orphaned();
            }
        }
        story
    }

    pub fn name(&self) -> String {
        self.reservation.name.clone()
    }

    /// The payment of the latest attempt is approved, and so the reservation confirmed.
    pub fn confirmed(&mut self) {
        let cause = self.pay(payment::State::Approved, 1, |payment| PaymentApproved { payment });
        self.reservation.payment_label = "visa 4242".to_owned();
        self.reservation.pay_time = Some(to_proto(self.now));
        self.tell(State::Confirmed, &hearing(&cause), |reservation| ReservationConfirmed { reservation });
    }

    pub fn cancel_requested(&mut self) {
        let guest = self.by_guest();
        self.tell(State::CancelRequested, &guest, |reservation| ReservationCancelRequested { reservation });
    }

    /// The guest cancels, and has the money back.
    pub fn cancelled(&mut self) {
        self.cancel_requested();
        let cause = self.refunded();
        self.tell(State::Cancelled, &hearing(&cause), |reservation| ReservationCancelled { reservation });
    }

    /// The guest pays, if that is still to do, cancels, and has the money back.
    pub fn cancelled_after_paying(&mut self) {
        if self.reservation.state() == State::Pending {
            self.confirmed();
        }
        self.cancelled();
    }

    fn declined(&mut self) -> Event {
        self.pay(payment::State::Declined, 1, |payment| PaymentDeclined { payment })
    }

    fn voided(&mut self) -> Event {
        self.pay(payment::State::Voided, 1, |payment| PaymentVoided { payment })
    }

    fn refunded(&mut self) -> Event {
        let cause = self.last().clone();
        let payment = self.payment(payment::State::Refunded, 2);
        self.put("payment", 2, &hearing(&cause), &PaymentRefunded { payment: Some(payment), refund: None })
    }

    fn refund_failed(&mut self) {
        let cause = self.last().clone();
        let payment = self.payment(payment::State::Approved, 2);
        self.put("payment", 2, &hearing(&cause), &PaymentRefundFailed { payment: Some(payment), refund: None });
    }

    fn expired(&mut self) {
        let cause = self.voided();
        self.tell(State::Expired, &hearing(&cause), |reservation| ReservationExpired { reservation });
    }

    fn expired_without_asking(&mut self) {
        let sweeper = Actor::context("reservation", self.correlation());
        self.tell(State::Expired, &sweeper, |reservation| ReservationExpired { reservation });
    }

    fn orphaned(&mut self) {
        let cause = self.pay(payment::State::Approved, 1, |payment| PaymentApproved { payment });
        let payment = payment_name(&self.reservation.name, self.attempt);
        self.tell(State::Expired, &hearing(&cause), |reservation| ReservationRefundRequested {
            reservation,
            payment: payment.clone(),
        });
        self.refunded();
    }

    /// The next attempt comes to its first end.
    fn pay<M: Message + Name>(
        &mut self,
        state: payment::State,
        version: i64,
        as_event: fn(Option<Payment>) -> M,
    ) -> Event {
        self.attempt += 1;
        self.now += SignedDuration::from_secs(1);
        let actor = Actor::context("reservation", self.correlation());
        let payment = self.payment(state, version);
        self.put("payment", version, &actor, &as_event(Some(payment)))
    }

    fn payment(&self, state: payment::State, version: i64) -> Payment {
        let refunded = if state == payment::State::Refunded { 180_000 } else { 0 };
        Payment {
            name: payment_name(&self.reservation.name, self.attempt),
            case: self.reservation.name.clone(),
            // What is voided before it is asked for has no amount.
            refunded_amount: (state != payment::State::Voided).then(|| won(refunded)),
            state: state.into(),
            create_time: Some(to_proto(today() + SignedDuration::from_secs(i64::from(self.attempt)))),
            version,
            ..Payment::default()
        }
    }

    fn tell<M: Message + Name>(&mut self, state: State, actor: &Actor, as_event: impl Fn(Option<Reservation>) -> M) {
        self.reservation.version += 1;
        self.reservation.set_state(state);
        let message = as_event(Some(self.reservation.clone()));
        self.put("reservation", self.reservation.version, actor, &message);
    }

    fn put<M: Message + Name>(&mut self, context: &str, version: i64, actor: &Actor, message: &M) -> Event {
        self.now += SignedDuration::from_secs(1);
        let subject = match context {
            "payment" => payment_name(&self.reservation.name, self.attempt),
            _ => self.reservation.name.clone(),
        };
        let version = u64::try_from(version).expect("a version");
        let event = Event::new(context, context, subject, version, self.now, actor, message);
        self.events.push(event.clone());
        event
    }

    pub fn last(&self) -> &Event {
        self.events.last().expect("an event")
    }

    pub fn correlation(&self) -> String {
        format!("the case of {}", self.reservation.name)
    }

    fn by_guest(&self) -> Actor {
        Actor { correlation_id: self.correlation(), causation_id: None, actor: self.reservation.guest.clone() }
    }
}

/// A room's first `changes` changes, of which the fourth, if it comes to it, is its deletion.
pub fn room_story(host: &str, room: Uuid, changes: usize) -> Vec<Event> {
    let host_acts = Actor { correlation_id: "a room".to_owned(), causation_id: None, actor: host.to_owned() };
    let mut resource = Room {
        name: format!("rooms/{room}"),
        host: host.to_owned(),
        number: "204".to_owned(),
        display_name: "Sea view".to_owned(),
        units: Some(1),
        nightly_rate: Some(won(90_000)),
        state: room::State::Active.into(),
        create_time: Some(to_proto(today())),
        ..Room::default()
    };
    let mut events = Vec::new();
    for version in 1..=changes.min(4) as u64 {
        let time = today() + SignedDuration::from_secs(i64::try_from(version).expect("few"));
        resource.version += 1;
        let mut put =
            |event: Event| events.push(Event { subject: format!("rooms/{room}"), sequence: version, time, ..event });
        let room = Some(resource.clone());
        match version {
            1 => put(room_event(&host_acts, &RoomCreated { room })),
            2 => {
                resource.display_name = "Garden view".to_owned();
                resource.units = Some(3);
                put(room_event(&host_acts, &RoomUpdated { room: Some(resource.clone()) }));
            }
            3 => put(room_event(&host_acts, &NightsBlocked { room, ..NightsBlocked::default() })),
            _ => {
                resource.set_state(room::State::Deleted);
                put(room_event(&host_acts, &RoomDeleted { room: Some(resource.clone()), on_reserved: 0 }));
            }
        }
    }
    events
}

fn room_event<M: Message + Name>(actor: &Actor, message: &M) -> Event {
    Event::new("room", "room", "", 0, today(), actor, message)
}

pub fn hearing(cause: &Event) -> Actor {
    Actor::hearing("reservation", cause)
}

pub fn won(units: i64) -> Money {
    Money { currency_code: "KRW".to_owned(), units, nanos: 0 }
}
