//! The cancellation of a stay.

use contracts::{
    mypage::v1::{GetTimelineRequest, timeline_entry::Cause},
    payment::v1::{GetPaymentRequest, ListRefundsRequest, payment, refund},
    reservation::v1::{CancelReservationRequest, GetReservationRequest, Reservation, reservation::State},
};

use super::{Hotel, TOTAL, room::won};
use crate::demo::expect::{Check, equal, eventually};

/// The events of a stay that is booked, paid and cancelled.
const COURSE: [&str; 4] = [
    "jumak.reservation.v1.ReservationHeld",
    "jumak.reservation.v1.ReservationConfirmed",
    "jumak.reservation.v1.ReservationCancelRequested",
    "jumak.reservation.v1.ReservationCancelled",
];

impl Hotel<'_> {
    /// Cancels the stay, as its guest.
    pub async fn is_cancelled(&self, stay: &Reservation) -> anyhow::Result<Reservation> {
        let request = CancelReservationRequest {
            name: stay.name.clone(),
            reason: "the ferry does not run".to_owned(),
            request_id: self.stage.unique("cancel"),
            ..CancelReservationRequest::default()
        };
        let cancelled = self.guest.reservations().cancel_reservation(request).await?.into_inner();
        equal("the reservation", State::CancelRequested, cancelled.state())?;
        equal("what comes back", Some(won(TOTAL)), cancelled.refund_amount.clone())?;
        Ok(cancelled)
    }

    /// Waits until the reservation is in `state`.
    pub async fn comes_to(&self, stay: &Reservation, state: State) -> anyhow::Result<Reservation> {
        eventually(&format!("{} to be {}", stay.name, state.as_str_name()), async || {
            let request = GetReservationRequest { name: stay.name.clone() };
            let now = self.guest.reservations().get_reservation(request).await?.into_inner();
            let seen = now.state();
            Ok(Check::when(seen == state, now, seen.as_str_name()))
        })
        .await
    }

    /// Waits for the refund: the reservation becomes CANCELLED only when the payment is refunded.
    pub async fn is_refunded(&self, stay: &Reservation) -> anyhow::Result<()> {
        self.comes_to(stay, State::Cancelled).await?;
        let request = GetPaymentRequest { name: stay.payment.clone() };
        let paid = self.guest.payments().get_payment(request).await?.into_inner();
        equal("the payment", payment::State::Refunded, paid.state())?;
        equal("what went back", Some(won(TOTAL)), paid.refunded_amount)?;
        let request = ListRefundsRequest { parent: stay.payment.clone(), ..ListRefundsRequest::default() };
        let refunds = self.guest.payments().list_refunds(request).await?.into_inner().refunds;
        let states: Vec<_> = refunds.iter().map(refund_state).collect();
        equal("the refunds", vec![refund::State::Succeeded], states)
    }

    /// Reads the timeline until it is complete.
    pub async fn is_told(&self, stay: &Reservation) -> anyhow::Result<()> {
        let timeline = eventually("the whole course in the timeline", async || {
            let name = stay.name.replacen("reservations/", "users/me/bookings/", 1);
            let timeline = self.guest.my_page().get_timeline(GetTimelineRequest { name }).await?.into_inner();
            let course: Vec<_> = timeline
                .entries
                .iter()
                .map(|entry| entry.event.clone())
                .filter(|event| event.starts_with("jumak.reservation."))
                .collect();
            Ok(Check::when(course == COURSE, timeline, format_args!("{course:?}")))
        })
        .await?;
        equal("whether it has a correlation id", false, timeline.correlation_id.is_empty())?;
        let by_event = timeline.entries.iter().any(|entry| matches!(&entry.cause, Some(Cause::CauseEvent(_))));
        equal("whether an event is named as a cause", true, by_event)
    }
}

fn refund_state(refund: &contracts::payment::v1::Refund) -> refund::State {
    refund.state()
}
