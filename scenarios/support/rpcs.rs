//! A table of every RPC: a valid request, and who may call it.
//!
//! The table is written by hand from the contracts' comments, so that an error in the code is not repeated here. Tests that walk the table
//! fail if an RPC is missing.

use jumak::house::Member;

use super::setup::Shape;

/// One RPC.
#[derive(Clone, Copy, Debug)]
pub struct Rpc {
    /// The full name.
    pub name: &'static str,
    /// The caller of the request below, who gets an answer: a person of the scene, a role or a context.
    pub by: &'static str,
    /// The roles that may call it; `*` is any user with a token.
    pub roles: &'static str,
    /// The contexts that may call it; `*` is all.
    pub contexts: &'static str,
    /// A valid request as JSON. `$…` is replaced by a name or date of the scene.
    pub request: &'static str,
}

impl Rpc {
    /// The context that serves it.
    pub fn context(&self) -> &'static str {
        self.name.split('.').nth(1).expect("a package")
    }

    /// The name without its service.
    pub fn bare(&self) -> &'static str {
        self.name.rsplit('/').next().expect("a method")
    }

    /// Whether the context that serves it has the keys of the context `caller`. In one process it has the keys of all contexts, in the mesh
    /// only those of its callers.
    pub fn knows(&self, caller: &str) -> bool {
        let calls_it = || {
            Member::named(caller).is_some_and(|caller| caller.callees().any(|callee| callee.name() == self.context()))
        };
        Shape::chosen() == Shape::Embedded || calls_it()
    }

    /// Whether `who`, a role or `contexts/…`, may call it.
    pub fn admits(&self, who: &str) -> bool {
        let (list, who) = match who.strip_prefix("contexts/") {
            Some(context) => (self.contexts, context),
            None => (self.roles, who),
        };
        list == "*" || list.split(',').any(|one| one == who)
    }
}

/// The RPC with that bare name. Bare names are unique.
pub fn rpc(bare: &str) -> &'static Rpc {
    RPCS.iter().find(|rpc| rpc.bare() == bare).unwrap_or_else(|| panic!("there is no {bare}"))
}

const fn rpc_of(
    name: &'static str,
    by: &'static str,
    roles: &'static str,
    contexts: &'static str,
    request: &'static str,
) -> Rpc {
    Rpc { name, by, roles, contexts, request }
}

/// RPCs that only a context that does not exist yet may call. They are refused for every caller.
#[rustfmt::skip]
pub const TO_COME: &[Rpc] = &[
    rpc_of("jumak.payment.v1.PaymentService/RetryRefund", "contexts/servicecenter", "", "servicecenter",
        r#"{"name": "payments/01990000-0000-7000-8000-00000000000a/refunds/01990000-0000-7000-8000-00000000000d",
            "refund_id": "01990000-0000-7000-8000-00000000000e"}"#),
];

/// All other RPCs. In this order each call succeeds; the ones that end a stay or a room come last.
#[rustfmt::skip]
pub const RPCS: &[Rpc] = &[
    rpc_of("jumak.room.v1.RoomService/CreateRoom", "host", "host", "",
        r#"{"room": {"display_name": "Sea view", "nightly_rate": {"currency_code": "KRW", "units": 80000}}}"#),
    rpc_of("jumak.room.v1.RoomService/GetRoom", "guest", "*", "*", r#"{"name": "$room"}"#),
    rpc_of("jumak.room.v1.RoomService/ListRooms", "guest", "*", "*", r#"{"host": "$host", "page_size": 10}"#),
    rpc_of("jumak.room.v1.RoomService/UpdateRoom", "host", "host", "",
        r#"{"room": {"name": "$room", "description": "Under the pine"}, "update_mask": "description"}"#),
    rpc_of("jumak.room.v1.RoomService/BlockNights", "host", "host", "",
        r#"{"name": "$room", "start_date": "$in", "end_date": "$out", "units": 1}"#),
    rpc_of("jumak.room.v1.RoomService/SearchRooms", "guest", "*", "*",
        r#"{"check_in_date": "$in", "check_out_date": "$out", "guests": 2, "place": "Jeju", "amenities": ["wifi"],
            "near": {"latitude": 33.4, "longitude": 126.5}}"#),
    rpc_of("jumak.room.v1.RoomService/GetRoomCalendar", "host", "host,agent,admin", "",
        r#"{"name": "$room", "start_date": "$in", "end_date": "$out"}"#),

    rpc_of("jumak.reservation.v1.ReservationService/QuoteReservation", "guest", "*", "*",
        r#"{"reservation": {"room": "$room", "check_in_date": "$in", "check_out_date": "$out"}}"#),
    rpc_of("jumak.reservation.v1.ReservationService/CreateReservation", "guest", "guest", "",
        r#"{"reservation": {"room": "$room", "check_in_date": "$in", "check_out_date": "$out",
            "guest_details": {"full_name": "Alice", "phone": "010-1234-5678", "note": "late"}},
            "payment_method": {"token": "tok_approve"}}"#),
    rpc_of("jumak.reservation.v1.ReservationService/PayReservation", "guest", "guest", "",
        r#"{"name": "$hold", "payment_method": {"token": "tok_approve"}}"#),
    rpc_of("jumak.reservation.v1.ReservationService/GetReservation", "guest", "*", "*", r#"{"name": "$stay"}"#),
    rpc_of("jumak.reservation.v1.ReservationService/ListReservations", "guest", "*", "",
        r#"{"view": "GUEST", "room": "$room", "states": ["CONFIRMED"], "from_date": "$in"}"#),
    rpc_of("jumak.reservation.v1.ReservationService/WatchReservation", "guest", "*", "*", r#"{"name": "$stay"}"#),

    rpc_of("jumak.payment.v1.PaymentService/CreatePayment", "contexts/reservation", "", "reservation,order,rental",
        r#"{"payment_id": "01990000-0000-7000-8000-00000000000a", "payment_method": {"token": "tok_approve"},
            "payment": {"case": "reservations/01990000-0000-7000-8000-00000000000b", "payer": "$guest", "payee": "$host",
            "amount": {"currency_code": "KRW", "units": 1000}}}"#),
    rpc_of("jumak.payment.v1.PaymentService/VoidPayment", "contexts/reservation", "", "reservation,order,rental",
        r#"{"name": "payments/01990000-0000-7000-8000-00000000000c",
            "case": "reservations/01990000-0000-7000-8000-00000000000b"}"#),
    rpc_of("jumak.payment.v1.PaymentService/RefundPayment", "contexts/reservation", "", "reservation,order,rental",
        r#"{"name": "payments/01990000-0000-7000-8000-00000000000a",
            "refund_id": "01990000-0000-7000-8000-00000000000d", "amount": {"currency_code": "KRW", "units": 400}}"#),
    rpc_of("jumak.payment.v1.PaymentService/GetPayment", "guest", "guest,host,agent,admin", "reservation,order,rental",
        r#"{"name": "$payment"}"#),
    rpc_of("jumak.payment.v1.PaymentService/ListPayments", "guest", "guest,host,agent,admin", "reservation,order,rental",
        r#"{"case": "$stay"}"#),
    rpc_of("jumak.payment.v1.PaymentService/ListRefunds", "guest", "guest,host,agent,admin", "reservation,order,rental",
        r#"{"parent": "$payment"}"#),
    rpc_of("jumak.payment.v1.PaymentService/ListLedgerEntries", "admin", "admin", "",
        r#"{"payment": "$payment", "account": "provider"}"#),

    rpc_of("jumak.provider.v1.ProviderService/CreateCharge", "contexts/payment", "", "payment",
        r#"{"charge_id": "charge-a", "amount": {"currency_code": "KRW", "units": 1000}, "token": "tok_approve"}"#),
    rpc_of("jumak.provider.v1.ProviderService/GetCharge", "contexts/payment", "", "payment",
        r#"{"charge_id": "charge-a"}"#),
    rpc_of("jumak.provider.v1.ProviderService/CompleteChargeAction", "guest", "guest,admin", "",
        r#"{"charge_id": "charge-a", "approve": true}"#),
    rpc_of("jumak.provider.v1.ProviderService/RefundCharge", "contexts/payment", "", "payment",
        r#"{"charge_id": "charge-a", "refund_id": "refund-a", "amount": {"currency_code": "KRW", "units": 400}}"#),
    rpc_of("jumak.provider.v1.ProviderService/GetChargeRefund", "contexts/payment", "", "payment",
        r#"{"charge_id": "charge-a", "refund_id": "refund-a"}"#),
    rpc_of("jumak.provider.v1.ProviderService/ListCharges", "contexts/payment", "admin", "payment",
        r#"{"page_size": 10}"#),

    rpc_of("jumak.mypage.v1.MyPageService/GetMyPage", "guest", "guest,host,agent,admin", "",
        r#"{"name": "users/me/myPage"}"#),
    rpc_of("jumak.mypage.v1.MyPageService/WatchMyPage", "guest", "guest,host,agent,admin", "",
        r#"{"name": "$guest/myPage"}"#),
    rpc_of("jumak.mypage.v1.MyPageService/ListBookings", "guest", "guest,host,agent,admin", "",
        r#"{"parent": "$guest", "role": "GUEST", "kinds": ["RESERVATION"], "phases": ["OPEN"]}"#),
    rpc_of("jumak.mypage.v1.MyPageService/GetBooking", "guest", "guest,host,agent,admin", "",
        r#"{"name": "$guest/bookings/$id", "min_version": 2}"#),
    rpc_of("jumak.mypage.v1.MyPageService/GetTimeline", "guest", "guest,host,agent,admin", "",
        r#"{"name": "$guest/bookings/$id"}"#),

    rpc_of("jumak.reservation.v1.ReservationService/CancelReservation", "guest", "guest,host,agent,admin", "servicecenter",
        r#"{"name": "$stay", "reason": "the ferry does not run"}"#),
    rpc_of("jumak.room.v1.RoomService/DeleteRoom", "host", "host,agent,admin", "servicecenter",
        r#"{"name": "$room", "on_reserved": "KEEP"}"#),
];
