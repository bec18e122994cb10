//! A fixture of consistent books: one reservation for each course of events, with the records of every context.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp, ToSpan, civil::date, tz::TimeZone};
use mesh::{
    bus::embedded::backlog::Backlog,
    checkout::{CaseEntry, State, payment_name},
    context::CaseOwner,
    fields::{name, parse_name},
    money::Money,
    task_reports::TaskReport,
};
use mypage::audit::{BookingRow, CaseRow, PartyRow};
use payment::{
    audit::Balance,
    domain::{
        ledger::{Movement, Side},
        payment::{Bill, Payment},
        refund::Refund,
    },
};
use provider::{
    audit::AuditedCharge,
    domain::{
        charge::{Charge, State as ChargeState},
        token::{Pace, Plan, RefundPlan, Script},
    },
};
use reservation::audit::{NightRow, Reserved, RoomRow as KnownRoom};
use room::audit::{Details, Heard, Nights, Occupancy, Room, Stay};
use uuid::Uuid;

use super::payment_courses::{Done, PaymentCourses};
use crate::audit::{KnownEvent, MyPage, OutboxEvent, Reading, ReportedTask};

/// The price of every stay, in won.
pub const TOTAL: i64 = 160_000;
const NIGHTS: i64 = 2;
const GUEST: &str = "users/guest";
const HOST: &str = "users/host";
const CONSUMERS: [&str; 3] = ["payment", "room", "reservation"];
const ROOM: Uuid = Uuid::from_u128(1_000);
const TITLE: &str = "Sea view";

/// The reservations of [`in_order`], by their places in the reading.
pub mod at {
    /// Paid.
    pub const CONFIRMED: usize = 0;
    /// Paid, cancelled, refunded.
    pub const CANCELLED: usize = 1;
    /// Paid, and cancelled too late for a refund.
    pub const CANCELLED_LATE: usize = 2;
    /// Declined.
    pub const REJECTED: usize = 3;
    /// Voided, then charged all the same, then reversed.
    pub const EXPIRED: usize = 4;
    /// Held, not paid.
    pub const HELD: usize = 5;
    /// Being paid.
    pub const PAYING: usize = 6;
    /// Paid, cancelled, with a pending refund.
    pub const CANCELLING: usize = 7;
    /// Rejected. Its payment was approved after that, and refunded.
    pub const ORPHANED: usize = 8;
}

/// When the books are read.
pub fn now() -> Timestamp {
    "2027-01-01T00:00:00Z".parse().unwrap()
}

/// A time long before `now`.
pub fn long_ago() -> Timestamp {
    now() - 1.hour()
}

/// A time within the grace period.
pub fn just_now() -> Timestamp {
    now() - 5.seconds()
}

fn won(minor: i64) -> Money {
    Money::new(minor, "KRW").unwrap()
}

/// Books without findings.
pub fn in_order() -> Reading {
    let mut house = House::default();
    house.room();
    house.reservation(State::Confirmed, Some(Payment::charged_once));
    house.reservation(State::Cancelled, Some(Payment::charged_and_refunded));
    house.reservation(State::Cancelled, Some(Payment::charged_once));
    house.reservation(State::Rejected, Some(Payment::declined));
    house.reservation(State::Expired, Some(Payment::voided_and_reversed));
    house.reservation(State::Pending, None);
    house.reservation(State::Pending, Some(Payment::called));
    house.reservation(State::CancelRequested, Some(Payment::charged_and_refunding));
    house.reservation(State::Rejected, Some(Payment::charged_and_refunded));
    let mut reading = house.read();
    reading.cases[at::CANCELLED_LATE].refund_minor = Some(0);
    let orphaned = &mut reading.cases[at::ORPHANED];
    (orphaned.was_confirmed, orphaned.refund_minor) = (false, None);
    reading
}

/// The only payment of that reservation.
pub fn payment_of(reading: &mut Reading, place: usize) -> &mut Payment {
    let case = reading.cases[place].name.clone();
    reading.payments.iter_mut().find(|payment| payment.case == case).unwrap()
}

/// The only refund or reversal of that reservation's payment.
pub fn refund_of(reading: &mut Reading, place: usize) -> &mut Refund {
    let id = payment_of(reading, place).id;
    reading.refunds.iter_mut().find(|refund| refund.payment == id).unwrap()
}

/// The provider's charge for that reservation.
pub fn charge_of(reading: &mut Reading, place: usize) -> &mut AuditedCharge {
    let id = payment_of(reading, place).id.to_string();
    reading.charges.iter_mut().find(|audited| audited.charge.id == id).unwrap()
}

/// The reservation's stay in the calendar.
pub fn stay_of(reading: &mut Reading, place: usize) -> &mut Heard {
    let case = reading.cases[place].name.clone();
    reading.stays.iter_mut().find(|heard| name("reservations", heard.reservation) == case).unwrap()
}

/// All bookings that my page shows.
pub fn bookings(reading: &mut Reading) -> &mut Vec<BookingRow> {
    &mut reading.my_page.as_mut().unwrap().bookings
}

/// A report about a task that has just ended a turn.
fn sweeper() -> TaskReport {
    TaskReport {
        process: Uuid::from_u128(1),
        task: "reservation.sweeper".to_owned(),
        start_time: long_ago(),
        longest_rest: SignedDuration::from_secs(20),
        turn_time: Some(just_now()),
        failures: 0,
        problem: None,
        report_time: just_now(),
    }
}

/// The books of an empty system.
pub fn nothing() -> Reading {
    Reading { backlogs: Vec::new(), ..House::default().read() }
}

/// The reservation's booking on its guest's page.
pub fn booking_of(reading: &mut Reading, place: usize) -> &mut BookingRow {
    let case = reading.cases[place].name.clone();
    bookings(reading).iter_mut().find(|booking| booking.name == case && booking.party.user_name == GUEST).unwrap()
}

/// The newest event of that reservation.
pub fn event_of(reading: &mut Reading, place: usize) -> &mut OutboxEvent {
    let case = reading.cases[place].name.clone();
    reading.events.iter_mut().rfind(|event| event.subject == case).unwrap()
}

/// Collects the records of all contexts.
#[derive(Default)]
struct House {
    rooms: Vec<Room>,
    known_rooms: Vec<KnownRoom>,
    hosted: Vec<mypage::audit::RoomRow>,
    cases: Vec<CaseEntry>,
    reserved: Vec<Reserved>,
    nights: Vec<NightRow>,
    stays: Vec<Heard>,
    payments: Vec<Payment>,
    refunds: Vec<Refund>,
    movements: Vec<(Uuid, Movement)>,
    charges: Vec<AuditedCharge>,
    bookings: Vec<BookingRow>,
    events: Vec<OutboxEvent>,
}

impl House {
    /// The one room, with its copies in all contexts.
    fn room(&mut self) {
        let (name, host, nightly_rate) = (name("rooms", ROOM), HOST.to_owned(), won(TOTAL / NIGHTS));
        self.publish("room", "jumak.room.v1.RoomCreated", &name, 1, "room", long_ago());
        self.hosted.push(mypage::audit::RoomRow {
            room_id: ROOM,
            host: host.clone(),
            number: String::new(),
            display_name: TITLE.to_owned(),
            units: 1,
            rate_minor: nightly_rate.minor(),
            currency: nightly_rate.code().to_owned(),
            deleted: false,
            version: 1,
            create_time: long_ago().as_microsecond(),
            source_time: long_ago().as_microsecond(),
        });
        self.known_rooms.push(KnownRoom {
            id: ROOM,
            host: host.clone(),
            version: 1,
            deleted: false,
            units: 1,
            units_told: 1,
            nightly_rate,
        });
        let details = Details::new(TITLE.to_owned(), nightly_rate, TimeZone::UTC);
        self.rooms.push(Room::register(ROOM, host, details, long_ago()).room);
    }

    /// A reservation on nights of its own, with a payment that took the course `way`, if any.
    fn reservation(&mut self, state: State, way: Option<fn(&mut Payment) -> Done>) {
        let number = self.cases.len();
        let id = Uuid::from_u128(number as u128);
        let case = name("reservations", id);
        let check_in = date(2027, 5, 1).checked_add((3 * i64::try_from(number).unwrap()).days()).unwrap();
        let check_out = check_in.checked_add(NIGHTS.days()).unwrap();
        let nights: Vec<String> =
            (0..NIGHTS).map(|night| check_in.checked_add(night.days()).unwrap().to_string()).collect();
        let taken = i32::from(state.holds_units());
        self.nights.extend(nights.iter().map(|night| NightRow {
            room: ROOM,
            night: night.clone(),
            offered: 1,
            capacity: 1,
            taken,
            blocked: 0,
            block_version: 0,
        }));
        let version = if state == State::Pending { 1 } else { 2 };
        let changed = if state == State::CancelRequested { just_now() } else { long_ago() };
        for sequence in 1..=version {
            self.publish("reservation", "jumak.reservation.v1.ReservationChanged", &case, sequence, &case, long_ago());
        }
        let occupancy = match state {
            State::Pending => Occupancy::Held,
            State::Confirmed => Occupancy::Charged,
            _ => Occupancy::Released,
        };
        let stay = Stay { nights: Nights::new(check_in, check_out).unwrap(), units: 1, occupancy };
        self.stays.push(Heard { reservation: id, version, room: ROOM, stay });
        let paid = way.map(|way| self.pay(&case, way));
        for user in [GUEST, HOST] {
            let (payment_state, refunded_minor) = paid.clone().flatten().unwrap_or_default();
            let party = PartyRow {
                user_name: user.to_owned(),
                case_id: id,
                is_guest: user == GUEST,
                is_host: user == HOST,
                counterparty: if user == GUEST { HOST } else { GUEST }.to_owned(),
                create_time: long_ago().as_microsecond(),
                position: version,
                update_time: changed.as_microsecond(),
            };
            let case_row = CaseRow {
                case_id: id,
                kind: "STAY".to_owned(),
                version,
                correlation_id: case.clone(),
                room_id: Some(ROOM),
                title: TITLE.to_owned(),
                state: state.name().to_owned(),
                course: match state {
                    State::Pending | State::CancelRequested => "UNDECIDED",
                    State::Confirmed => "AGREED",
                    _ => "OFF",
                }
                .to_owned(),
                start_date: check_in.to_string(),
                end_date: check_out.to_string(),
                end_time: changed.as_microsecond(),
                total_minor: TOTAL,
                currency: "KRW".to_owned(),
                details: None,
                source_time: changed.as_microsecond(),
                payment_id: None,
                payment_create_time: 0,
                payment_version: 0,
                payment_state,
                refunded_minor,
                payment_source_time: 0,
            };
            self.bookings.push(BookingRow { name: case.clone(), party, case: case_row });
        }
        let was_confirmed = matches!(state, State::Confirmed | State::CancelRequested | State::Cancelled);
        let payment = paid.map(|_| payment_name(&case, 1));
        self.reserved.push(Reserved { name: case.clone(), room: ROOM, nights, units: 1, title: TITLE.to_owned() });
        self.cases.push(CaseEntry {
            state,
            version,
            payer: GUEST.to_owned(),
            payee: HOST.to_owned(),
            total_minor: TOTAL,
            currency: "KRW",
            refund_minor: (was_confirmed && state != State::Confirmed).then_some(TOTAL),
            payments: payment.iter().cloned().collect(),
            payment,
            was_confirmed,
            hold_expire_micros: (now() + 1.minute()).as_microsecond(),
            update_micros: changed.as_microsecond(),
            name: case,
        });
    }

    /// The records of payment and the provider. Returns the subject and version of the payment's event, if it has published one.
    fn pay(&mut self, case: &str, way: fn(&mut Payment) -> Done) -> Option<(String, i64)> {
        let id = parse_name(&payment_name(case, 1), "payments").unwrap();
        let bill = Bill { payer: GUEST.to_owned(), payee: HOST.to_owned(), amount: won(TOTAL), earn_time: None };
        let mut payment = Payment::begin(id, case.to_owned(), bill, "simulated", case.to_owned(), long_ago());
        let done = way(&mut payment);
        let script = Script { plan: Plan::Approve, pace: Pace::Answered(Duration::ZERO), refunds: RefundPlan::Done };
        let state = if done.times_taken > 0 { ChargeState::Charged } else { ChargeState::Processing };
        let charge = Charge::arrive(id.to_string(), won(TOTAL), script, state, long_ago(), long_ago());
        let Done { movements, refunds, times_taken, given_back_minor, is_published } = done;
        self.charges.push(AuditedCharge { charge, times_taken, given_back_minor });
        self.movements.extend(movements.into_iter().map(|movement| (id, movement)));
        self.refunds.extend(refunds);
        if is_published {
            let (subject, version) = (payment.name(), payment.version);
            self.publish("payment", "jumak.payment.v1.PaymentChanged", &subject, version, case, long_ago());
        }
        let shown = (payment.state().name().to_owned(), payment.bill.as_ref().unwrap().1.refunded.minor());
        self.payments.push(payment);
        is_published.then_some(shown)
    }

    fn publish(
        &mut self,
        context: &'static str,
        kind: &str,
        subject: &str,
        sequence: i64,
        case: &str,
        time: Timestamp,
    ) {
        self.events.push(OutboxEvent {
            id: Uuid::from_u128(2_000 + self.events.len() as u128),
            context,
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            sequence,
            occur_time: time,
            correlation_id: case.to_owned(),
            is_published: true,
        });
    }

    fn read(self) -> Reading {
        let newest = self.events.last();
        let known = newest.map(|event| KnownEvent { context: event.context, id: event.id, by: "the bus has it" });
        let known = known.into_iter().collect();
        let mut balances: BTreeMap<(Uuid, String, &str), i64> = BTreeMap::new();
        for (payment, movement) in &self.movements {
            for entry in movement.entries() {
                let minor = entry.amount.minor();
                *balances.entry((*payment, entry.account.name(), entry.amount.code())).or_default() +=
                    if entry.side == Side::Debit { minor } else { -minor };
            }
        }
        let backlog = |consumer: &str| Backlog {
            consumer: consumer.to_owned(),
            waiting: 1,
            oldest: Some(just_now()),
            dead_letters: Vec::new(),
        };
        Reading {
            time: now(),
            grace: SignedDuration::from_secs(30),
            owners: vec![CaseOwner { context: "reservation", collection: "reservations" }],
            cases: self.cases,
            reserved: self.reserved,
            nights: self.nights,
            known_rooms: self.known_rooms,
            rooms: self.rooms,
            blocked: Vec::new(),
            stays: self.stays,
            payments: self.payments,
            refunds: self.refunds,
            balances: balances
                .into_iter()
                .map(|((payment_id, account, currency), debit_minor)| Balance {
                    payment_id,
                    account,
                    currency: currency.to_owned(),
                    debit_minor,
                })
                .collect(),
            unbalanced: Vec::new(),
            charges: self.charges,
            my_page: Some(MyPage {
                bookings: self.bookings,
                rooms: self.hosted,
                heard: self.events.iter().map(|event| event.id).collect(),
            }),
            events: self.events,
            known,
            open_requests: Vec::new(),
            consumers: CONSUMERS.map(str::to_owned).to_vec(),
            backlogs: CONSUMERS.map(backlog).to_vec(),
            tasks: vec![ReportedTask::read(sweeper(), true, now())],
        }
    }
}
