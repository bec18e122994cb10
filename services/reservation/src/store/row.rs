//! A reservation as a row, and back.

use contracts::reservation::v1::{Reservation as Resource, reservation::GuestDetails as ResourceDetails};
use jiff::civil::Date;
use mesh::{
    Error,
    checkout::{Cancellation, Mode, PaymentAction, Record, Standing, State},
    clock::from_micros,
    fields,
    money::Money,
};
use prost::Message;
use sea_orm::ActiveValue::Set;

use super::entity::reservation::{ActiveModel, Model};
use crate::{
    convert,
    domain::{Reservation, Stay},
};

pub(super) fn to_row(case: &Reservation) -> ActiveModel {
    let record = &case.record;
    let micros = |at: jiff::Timestamp| at.as_microsecond();
    ActiveModel {
        id: Set(case.id),
        version: Set(record.version),
        state: Set(record.standing.state.name().to_owned()),
        all_or_nothing: Set(record.standing.mode == Mode::AllOrNothing),
        attempt: Set(i32::try_from(record.standing.attempt).unwrap_or(i32::MAX)),
        attempt_open: Set(record.standing.attempt_open),
        calls: Set(i32::try_from(record.standing.calls).unwrap_or(i32::MAX)),
        paid: Set(record.standing.paid),
        cancel_asked: Set(record.standing.cancel_asked),
        correlation_id: Set(record.correlation_id.clone()),
        guest: Set(record.payer.clone()),
        host: Set(record.payee.clone()),
        room: Set(case.room),
        check_in_date: Set(case.stay.check_in.to_string()),
        check_out_date: Set(case.stay.check_out.to_string()),
        units: Set(i32::try_from(case.stay.units).unwrap_or(i32::MAX)),
        guests: Set(i32::try_from(case.stay.guests).unwrap_or(i32::MAX)),
        total_minor: Set(record.total.minor()),
        currency: Set(record.total.code().to_owned()),
        refund_minor: Set(record.refund_amount.map(Money::minor)),
        earn_time: Set(micros(record.earn_time)),
        hold_expire_time: Set(micros(record.hold_expire_time)),
        next_attempt_time: Set(record.next_attempt_time.map(micros)),
        sweeps: Set(i32::try_from(record.sweeps).unwrap_or(i32::MAX)),
        payment_label: Set(record.payment_label.clone()),
        pay_time: Set(record.pay_time.map(micros)),
        action_uri: Set(record.payment_action.as_ref().map(|action| action.uri.clone())),
        action_expire_time: Set(record.payment_action.as_ref().and_then(|action| action.expire_time).map(micros)),
        reject_reason: Set(record.reject_reason.clone()),
        refund_failure_reason: Set(record.refund_failure_reason.clone()),
        cancel_party: Set(record.cancellation.map(|cancellation| cancellation.names().0.to_owned())),
        cancel_cause: Set(record.cancellation.map(|cancellation| cancellation.names().1.to_owned())),
        cancel_reason: Set(record.cancel_reason.clone()),
        confirm_time: Set(record.confirm_time.map(micros)),
        cancel_time: Set(record.cancel_time.map(micros)),
        orphans: Set(record.orphans),
        confirmation_code: Set(case.confirmation_code.clone()),
        frozen: Set(convert::frozen(case).encode_to_vec()),
        guest_details: Set(case.guest_details.as_ref().map(|details| convert::guest_details(details).encode_to_vec())),
        create_time: Set(micros(record.create_time)),
        update_time: Set(micros(record.update_time)),
    }
}

pub(super) fn from_row(row: Model) -> Result<Reservation, Error> {
    let name = fields::name(crate::domain::COLLECTION, row.id);
    let broken = |what: &str| Error::Internal(format!("{name} is stored with a {what} that does not read back"));
    let frozen = Resource::decode(row.frozen.as_slice()).map_err(|_| broken("snapshot"))?;
    let stay = Stay {
        check_in: date(&row.check_in_date).ok_or_else(|| broken("date"))?,
        check_out: date(&row.check_out_date).ok_or_else(|| broken("date"))?,
        units: u32::try_from(row.units).map_err(|_| broken("number"))?,
        guests: u32::try_from(row.guests).map_err(|_| broken("number"))?,
    };
    let money = |minor| Money::new(minor, &row.currency).map_err(|_| broken("currency"));
    let guest_details = row
        .guest_details
        .map(|bytes| ResourceDetails::decode(bytes.as_slice()).map(|details| convert::read_guest_details(&details)))
        .transpose()
        .map_err(|_| broken("detail"))?;
    let (room_snapshot, price, cancellation_policy) =
        convert::read_frozen(&frozen).ok_or_else(|| broken("snapshot"))?;
    let record = Record {
        name: name.clone(),
        version: row.version,
        standing: Standing {
            state: State::parse(&row.state).ok_or_else(|| broken("state"))?,
            mode: if row.all_or_nothing { Mode::AllOrNothing } else { Mode::Hold },
            attempt: u32::try_from(row.attempt).map_err(|_| broken("number"))?,
            attempt_open: row.attempt_open,
            calls: u32::try_from(row.calls).map_err(|_| broken("number"))?,
            paid: row.paid,
            cancel_asked: row.cancel_asked,
        },
        correlation_id: row.correlation_id,
        payer: row.guest,
        payee: row.host,
        total: money(row.total_minor)?,
        earn_time: from_micros(row.earn_time),
        hold_expire_time: from_micros(row.hold_expire_time),
        next_attempt_time: row.next_attempt_time.map(from_micros),
        sweeps: u32::try_from(row.sweeps).unwrap_or_default(),
        payment_label: row.payment_label,
        pay_time: row.pay_time.map(from_micros),
        payment_action: row
            .action_uri
            .map(|uri| PaymentAction { uri, expire_time: row.action_expire_time.map(from_micros) }),
        reject_reason: row.reject_reason,
        refund_failure_reason: row.refund_failure_reason,
        cancellation: row
            .cancel_party
            .zip(row.cancel_cause)
            .map(|(party, cause)| Cancellation::parse(&party, &cause).ok_or_else(|| broken("cancellation")))
            .transpose()?,
        cancel_reason: row.cancel_reason,
        refund_amount: row.refund_minor.map(money).transpose()?,
        confirm_time: row.confirm_time.map(from_micros),
        cancel_time: row.cancel_time.map(from_micros),
        orphans: row.orphans,
        create_time: from_micros(row.create_time),
        update_time: from_micros(row.update_time),
    };
    Ok(Reservation {
        check_in: Reservation::check_in_instant(&stay, &room_snapshot),
        record,
        id: row.id,
        room: row.room,
        stay,
        guest_details,
        room_snapshot,
        price,
        cancellation_policy,
        confirmation_code: row.confirmation_code,
    })
}

fn date(text: &str) -> Option<Date> {
    text.parse().ok()
}
