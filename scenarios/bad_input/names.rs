//! A bare id where a name belongs.

use serde_json::json;

use super::put;
use crate::support::{refusal, rpcs::rpc, scene::Scene};

const ID: &str = "01990000-0000-7000-8000-0000000000aa";

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_id_is_told_what_was_probably_meant() {
    let scene = Scene::set().await;
    for (names, field, collection) in [
        (&["GetRoom", "DeleteRoom", "BlockNights", "GetRoomCalendar"][..], "name", "rooms"),
        (&["UpdateRoom"], "room.name", "rooms"),
        (&["QuoteReservation", "CreateReservation"], "reservation.room", "rooms"),
        (&["ListReservations"], "room", "rooms"),
        (&["GetReservation", "PayReservation", "CancelReservation", "WatchReservation"], "name", "reservations"),
        (&["GetPayment", "VoidPayment", "RefundPayment"], "name", "payments"),
        (&["ListRefunds"], "parent", "payments"),
        (&["ListLedgerEntries"], "payment", "payments"),
        (&["ListPayments", "VoidPayment"], "case", "reservations"),
        (&["CreatePayment"], "payment.case", "reservations"),
        (&["GetBooking", "GetTimeline"], "name", "users/me/bookings"),
    ] {
        for name in names {
            let rpc = rpc(name);
            let mut request = scene.request(rpc);
            put(&mut request, field, json!(ID));
            let status = scene.by(rpc).asks(rpc.name, &request).await.expect_err(name);
            let refusal = refusal(&status);
            let meant = format!("did you mean {collection}/{ID}?");
            assert_eq!(refusal.violations.len(), 1, "{name}: {status:?}");
            assert!(refusal.violations[0].1.contains(&meant), "{name}: {status:?}");
            assert!(refusal.message.contains(&meant), "{name}: {status:?}");
        }
    }
    scene.inn.close().await;
}
