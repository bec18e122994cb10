//! The canonical form of a request, by which a repeated request is recognised under its request id.
//!
//! It is made from the parsed values, and never from the request itself, so that explicit defaults and output-only fields make no
//! difference. Defaults are left out, so that a field that a later version adds does not change requests without it.

use contracts::{
    reservation::v1::{CancelReservationRequest, CreateReservationRequest, PayReservationRequest, Reservation},
    types::v1::{PaymentMethod, cancellation},
};
use mesh::fields::name;

use super::read::{Create, DEFAULT_GUESTS, DEFAULT_UNITS};
use crate::convert;

/// A request to make that reservation.
pub fn create(asked: &Create) -> CreateReservationRequest {
    let Create { wish, details, expected_total, token } = asked;
    let unless = |default, value: u32| i32::try_from(value).ok().filter(|value| *value != default);
    let reservation = Reservation {
        room: name("rooms", wish.room),
        check_in_date: wish.stay.check_in.to_string(),
        check_out_date: wish.stay.check_out.to_string(),
        units: unless(DEFAULT_UNITS, wish.stay.units),
        guests: unless(DEFAULT_GUESTS, wish.stay.guests),
        guest_details: details.as_ref().map(convert::guest_details),
        ..Reservation::default()
    };
    CreateReservationRequest {
        reservation: Some(reservation),
        payment_method: token.as_deref().map(method),
        expected_total: expected_total.map(Into::into),
        request_id: String::new(),
    }
}

/// A request to pay for a reservation.
pub fn pay(name: &str, token: &str) -> PayReservationRequest {
    PayReservationRequest { name: name.to_owned(), payment_method: Some(method(token)), request_id: String::new() }
}

/// A request to cancel a reservation. The default cause depends on the caller, so an explicit default makes no difference.
pub fn cancel(name: &str, reason: &str, cause: cancellation::Cause) -> CancelReservationRequest {
    use cancellation::Cause::{GuestRequest, Other, Unspecified};
    let cause = if matches!(cause, GuestRequest | Other) { Unspecified } else { cause };
    let (name, reason, request_id) = (name.to_owned(), reason.to_owned(), String::new());
    CancelReservationRequest { name, reason, request_id, cause: cause.into() }
}

fn method(token: &str) -> PaymentMethod {
    PaymentMethod { token: token.to_owned() }
}

#[cfg(test)]
mod tests {
    use contracts::{google::r#type::Money, reservation::v1::reservation::GuestDetails};

    use super::*;
    use crate::grpc::read;

    fn spelled(message: &CreateReservationRequest) -> CreateReservationRequest {
        create(&read::create(message).expect("a good request"))
    }

    fn asks(reservation: Reservation) -> CreateReservationRequest {
        CreateReservationRequest { reservation: Some(reservation), ..CreateReservationRequest::default() }
    }

    #[test]
    fn a_request_that_writes_its_defaults_out_is_the_same_request() {
        let least = Reservation {
            room: name("rooms", uuid::Uuid::from_u128(7)),
            check_in_date: "2027-05-01".to_owned(),
            check_out_date: "2027-05-03".to_owned(),
            ..Reservation::default()
        };
        let plain = spelled(&asks(least.clone()));
        assert_eq!(plain.reservation, Some(least.clone()), "a default is left out");
        for same in [
            Reservation { units: Some(1), ..least.clone() },
            Reservation { guests: Some(1), ..least.clone() },
            Reservation { guest_details: Some(GuestDetails::default()), ..least.clone() },
            // What is only shown is not asked for.
            Reservation { guest: "users/nobody".to_owned(), version: 9, ..least.clone() },
        ] {
            assert_eq!(spelled(&asks(same.clone())), plain, "{same:?}");
        }
        let named = GuestDetails { note: "late".to_owned(), ..GuestDetails::default() };
        for other in [
            Reservation { units: Some(2), ..least.clone() },
            Reservation { guests: Some(2), ..least.clone() },
            Reservation { check_out_date: "2027-05-04".to_owned(), ..least.clone() },
            Reservation { guest_details: Some(named), ..least.clone() },
        ] {
            assert_ne!(spelled(&asks(other.clone())), plain, "{other:?}");
        }
        let expects = |nanos| CreateReservationRequest {
            expected_total: Some(Money { currency_code: "KRW".to_owned(), units: 1, nanos }),
            payment_method: Some(method("tok_approve")),
            ..asks(least.clone())
        };
        assert_ne!(spelled(&expects(0)), plain);
        assert_eq!(spelled(&expects(0)), spelled(&expects(0)));
    }
}
