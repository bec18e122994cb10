//! The statements of a booking of two nights, all or nothing, that is approved.

use super::{Locking, Part, Statement};

const fn run(does: &'static str, sql: &'static str) -> Statement {
    Statement { does, sql, locking: Locking::None }
}

const fn locks(does: &'static str, sql: &'static str) -> Statement {
    Statement { does, sql, locking: Locking::ItsRows }
}

const fn only_locks(does: &'static str, sql: &'static str) -> Statement {
    Statement { does, sql, locking: Locking::OnlyForThat }
}

const fn reads(context: &'static str, does: &'static str, statements: &'static [Statement]) -> Part {
    Part { context, does, is_transaction: false, statements }
}

const fn commits(context: &'static str, does: &'static str, statements: &'static [Statement]) -> Part {
    Part { context, does, is_transaction: true, statements }
}

/// A booking, from its request to the last of what follows by event.
pub const BOOKING: &[Part] = &[
    reads(
        "reservation",
        "before the hold",
        &[
            run(
                "whether the request was answered before",
                "SELECT * FROM @request WHERE principal = {guest} AND method = 'CreateReservation' AND request_id = {case_name} LIMIT 1",
            ),
            run("the room, its price and its policy", "SELECT * FROM @room WHERE id = {room} LIMIT 1"),
            run(
                "whether all nights have a row",
                "SELECT COUNT(*) FROM (SELECT * FROM @night WHERE room = {room} AND night >= {check_in} AND night < {check_out}) AS sub_query",
            ),
            run(
                "whether a night is sold out, before anything is locked",
                "SELECT * FROM @night WHERE room = {room} AND night >= {check_in} AND night < {check_out} AND NOT taken + 1 <= capacity ORDER BY night ASC LIMIT 1",
            ),
        ],
    ),
    commits(
        "reservation",
        "T1: the hold",
        &[
            run(
                "the request is claimed",
                "INSERT INTO @request (principal, method, request_id, fingerprint, case_name, attempt, answer, create_time) \
                 VALUES ({guest}, 'CreateReservation', {case_name}, {bytes:32}, {case_name}, 1, NULL, {now}) ON CONFLICT DO NOTHING",
            ),
            only_locks(
                "the guest's holds are counted one at a time",
                "SELECT name FROM @payer WHERE name = {guest} LIMIT 1",
            ),
            run(
                "how many holds the guest has open",
                "SELECT COUNT(*) FROM (SELECT * FROM @reservation WHERE guest = {guest} AND state = 'PENDING') AS sub_query",
            ),
            only_locks(
                "the nights, in their order",
                "SELECT night FROM @night WHERE room = {room} AND night >= {check_in} AND night < {check_out} ORDER BY night ASC",
            ),
            run(
                "whether a night is sold out",
                "SELECT * FROM @night WHERE room = {room} AND night >= {check_in} AND night < {check_out} AND NOT taken + 1 <= capacity ORDER BY night ASC LIMIT 1",
            ),
            run(
                "the units",
                "UPDATE @night SET taken = taken + 1 WHERE room = {room} AND night >= {check_in} AND night < {check_out} AND taken + 1 <= capacity",
            ),
            run(
                "the reservation",
                "INSERT INTO @reservation (id, version, state, all_or_nothing, attempt, attempt_open, calls, paid, cancel_asked, correlation_id, \
                 guest, host, room, check_in_date, check_out_date, units, guests, total_minor, currency, refund_minor, earn_time, \
                 hold_expire_time, next_attempt_time, sweeps, payment_label, pay_time, action_uri, action_expire_time, reject_reason, \
                 refund_failure_reason, cancel_party, cancel_cause, cancel_reason, confirm_time, cancel_time, orphans, confirmation_code, frozen, guest_details, create_time, update_time) \
                 VALUES ({case}, 1, 'PENDING', TRUE, 1, TRUE, 1, FALSE, FALSE, {correlation}, {guest}, {host}, {room}, {check_in}, \
                 {check_out}, 1, 1, 160000, 'KRW', NULL, {now}, {now}, {now}, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
                 NULL, NULL, NULL, 0, 'PRWW7H8Q', {bytes:172}, NULL, {now}, {now})",
            ),
            run(
                "ReservationHeld",
                "INSERT INTO @outbox (id, subject, sequence, kind, route, occur_time, correlation_id, causation_id, actor, traceparent, body, \
                 publish_time, next_attempt_time) VALUES ({held}, {case_name}, 1, 'jumak.reservation.v1.ReservationHeld', \
                 'jumak.reservation.v1.reservation.held', {now}, {correlation}, NULL, {guest}, NULL, {bytes:412}, NULL, 0)",
            ),
        ],
    ),
    commits(
        "payment",
        "the payment, before the provider is called",
        &[
            locks("whether it is there", "SELECT * FROM @payment WHERE id = {payment} LIMIT 1"),
            run(
                "the payment",
                "INSERT INTO @payment (id, case_name, payer, payee, currency, amount_minor, earn_time, refunded_minor, refunding_minor, \
                 owed_minor, provider, state, calls, call_time, decline_reason, method_kind, method_brand, method_last4, provider_reference, \
                 action_uri, action_expire_time, approve_time, create_time, update_time, version, revision, correlation_id, attempts, \
                 next_attempt_time) VALUES ({payment}, {case_name}, {guest}, {host}, 'KRW', 160000, {now}, 0, 0, 0, 'simulated', \
                 'PENDING', 1, {now}, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, {now}, {now}, 1, 1, {correlation}, 0, {now}) \
                 ON CONFLICT DO NOTHING",
            ),
        ],
    ),
    commits(
        "payment",
        "the provider's answer",
        &[
            locks("the payment as it is now", "SELECT * FROM @payment WHERE id = {payment} LIMIT 1"),
            run(
                "APPROVED",
                "UPDATE @payment SET case_name = {case_name}, payer = {guest}, payee = {host}, currency = 'KRW', amount_minor = 160000, \
                 earn_time = {now}, refunded_minor = 0, refunding_minor = 0, owed_minor = 0, provider = 'simulated', state = 'APPROVED', \
                 calls = 1, call_time = {now}, decline_reason = NULL, method_kind = 'card', method_brand = 'visa', method_last4 = '4242', \
                 provider_reference = {payment_text}, action_uri = NULL, action_expire_time = NULL, approve_time = {now}, \
                 create_time = {now}, update_time = {now}, version = 2, revision = 2, correlation_id = {correlation}, attempts = 0, \
                 next_attempt_time = NULL WHERE id = {payment} AND revision = 1",
            ),
            run(
                "the movement in the ledger",
                "INSERT INTO @ledger_entry (id, transaction_id, payment_id, account, side, currency, amount_minor, earn_time, create_time) \
                 VALUES ({debit}, {transaction}, {payment}, 'provider', 'DEBIT', 'KRW', 160000, NULL, {now}), \
                 ({credit}, {transaction}, {payment}, 'payable/users/host', 'CREDIT', 'KRW', 160000, {now}, {now})",
            ),
            run(
                "PaymentApproved",
                "INSERT INTO @outbox (id, subject, sequence, kind, route, occur_time, correlation_id, causation_id, actor, traceparent, body, \
                 publish_time, next_attempt_time) VALUES ({approved}, {payment_name}, 2, 'jumak.payment.v1.PaymentApproved', \
                 'jumak.payment.v1.payment.approved', {now}, {correlation}, NULL, 'contexts/reservation', NULL, {bytes:311}, NULL, 0)",
            ),
        ],
    ),
    commits(
        "reservation",
        "T2: confirmed",
        &[
            run("the reservation as it is now", "SELECT * FROM @reservation WHERE id = {case} LIMIT 1"),
            run(
                "CONFIRMED",
                "UPDATE @reservation SET version = 2, state = 'CONFIRMED', all_or_nothing = TRUE, attempt = 1, attempt_open = FALSE, calls = 1, \
                 paid = TRUE, cancel_asked = FALSE, correlation_id = {correlation}, guest = {guest}, host = {host}, room = {room}, \
                 check_in_date = {check_in}, check_out_date = {check_out}, units = 1, guests = 1, total_minor = 160000, currency = 'KRW', \
                 refund_minor = NULL, earn_time = {now}, hold_expire_time = {now}, next_attempt_time = NULL, sweeps = 0, \
                 payment_label = 'visa 4242', pay_time = {now}, action_uri = NULL, action_expire_time = NULL, reject_reason = NULL, \
                 refund_failure_reason = NULL, cancel_party = NULL, cancel_cause = NULL, cancel_reason = NULL, confirm_time = {now}, cancel_time = NULL, orphans = 0, confirmation_code = 'PRWW7H8Q', \
                 frozen = {bytes:172}, guest_details = NULL, create_time = {now}, update_time = {now} \
                 WHERE id = {case} AND version = 1 AND state = 'PENDING'",
            ),
            run(
                "ReservationConfirmed",
                "INSERT INTO @outbox (id, subject, sequence, kind, route, occur_time, correlation_id, causation_id, actor, traceparent, body, \
                 publish_time, next_attempt_time) VALUES ({confirmed}, {case_name}, 2, 'jumak.reservation.v1.ReservationConfirmed', \
                 'jumak.reservation.v1.reservation.confirmed', {now}, {correlation}, NULL, {guest}, NULL, {bytes:489}, NULL, 0)",
            ),
            run(
                "the answer is kept",
                "UPDATE @request SET answer = {bytes:499} WHERE case_name = {case_name} AND attempt = 1 AND answer IS NULL",
            ),
        ],
    ),
    reads("reservation", "the relay looks", &[UNPUBLISHED]),
    commits("reservation", "the relay claims", &[run("both events", CLAIM_OF_TWO)]),
    reads("reservation", "the relay looks", &[BEFORE]),
    commits("reservation", "the relay has published", &[run("both events", PUBLISHED_TWO)]),
    reads("payment", "the relay looks", &[UNPUBLISHED]),
    commits("payment", "the relay claims", &[run("its event", CLAIM_OF_ONE)]),
    reads("payment", "the relay looks", &[BEFORE]),
    commits("payment", "the relay has published", &[run("its event", PUBLISHED_ONE)]),
    commits(
        "reservation",
        "hears of the payment, and knows already",
        &[
            run(
                "PaymentApproved",
                "INSERT INTO @inbox (consumer, event_id, handle_time) VALUES ('reservation', {approved}, {now}) ON CONFLICT DO NOTHING",
            ),
            run("the reservation", "SELECT * FROM @reservation WHERE id = {case} LIMIT 1"),
            HEARD,
        ],
    ),
    commits(
        "room",
        "the calendar as hosts see it",
        &[
            run(
                "ReservationHeld",
                "INSERT INTO @inbox (consumer, event_id, handle_time) VALUES ('room', {held}, {now}) ON CONFLICT DO NOTHING",
            ),
            run("held", STAY_IS_HELD),
            run(
                "ReservationConfirmed",
                "INSERT INTO @inbox (consumer, event_id, handle_time) VALUES ('room', {confirmed}, {now}) ON CONFLICT DO NOTHING",
            ),
            run("whether it is a stay that was not heard of", STAY_IS_CHARGED),
            run(
                "charged",
                "UPDATE @stay SET reservation = {case}, room = {room}, check_in = {check_in}, check_out = {check_out}, units = 1, \
                 occupancy = 'CHARGED', version = 2 WHERE reservation = {case} AND version < 2",
            ),
            HEARD,
        ],
    ),
    commits("mypage", "the guest's and the host's pages", PAGES),
];

/// What a relay does with every batch.
const UNPUBLISHED: Statement = run(
    "what is not published yet",
    "SELECT * FROM @outbox WHERE publish_time IS NULL AND next_attempt_time <= {now} ORDER BY publish_time ASC, id ASC LIMIT 256",
);
const CLAIM_OF_TWO: &str = "UPDATE @outbox SET next_attempt_time = {now} WHERE id IN ({held}, {confirmed}) AND publish_time IS NULL AND next_attempt_time <= {now}";
const CLAIM_OF_ONE: &str = "UPDATE @outbox SET next_attempt_time = {now} WHERE id IN ({approved}) AND publish_time IS NULL AND next_attempt_time <= {now}";
/// Where the stream put what was published before.
const BEFORE: Statement = run(
    "what was published last before these",
    "SELECT stream_position, id, route FROM @outbox WHERE stream_position <= {now} ORDER BY stream_position DESC LIMIT 1",
);
const PUBLISHED_TWO: &str = "UPDATE @outbox SET stream_position = (CASE WHEN id = {held} THEN {now} WHEN id = {confirmed} THEN {now} + 1 END), publish_time = {now}, next_attempt_time = 0 WHERE id IN ({held}, {confirmed}) AND next_attempt_time = {now}";
const PUBLISHED_ONE: &str = "UPDATE @outbox SET stream_position = (CASE WHEN id = {approved} THEN {now} END), publish_time = {now}, next_attempt_time = 0 WHERE id IN ({approved}) AND next_attempt_time = {now}";

/// What a consumer does at the end of every batch. It has one row for that, and is alone; here each room has a row of its own, because
/// bookings that wait for one another's row would be a slowness that there is not.
const HEARD: Statement = run(
    "how far it has heard",
    "UPDATE @place SET \"position\" = {now}, event_id = {confirmed} WHERE consumer = {host} AND \"position\" <> {now}",
);

const STAY_IS_HELD: &str = "INSERT INTO @stay (reservation, room, check_in, check_out, units, occupancy, version) \
     VALUES ({case}, {room}, {check_in}, {check_out}, 1, 'HELD', 1) ON CONFLICT DO NOTHING";
const STAY_IS_CHARGED: &str = "INSERT INTO @stay (reservation, room, check_in, check_out, units, occupancy, version) \
     VALUES ({case}, {room}, {check_in}, {check_out}, 1, 'CHARGED', 2) ON CONFLICT DO NOTHING";

const NUMBER_CHANGE: Statement = run(
    "the next position of each party",
    "UPDATE @viewer SET \"position\" = \"position\" + 1 WHERE user_name IN ({guest}, {host})",
);
const PLACE_CHANGE: Statement = run(
    "the booking at that position",
    "UPDATE @booking SET \"position\" = (SELECT \"position\" FROM @viewer AS viewer WHERE viewer.user_name = @booking.user_name), \
     update_time = {now} WHERE case_id = {case}",
);

const PAGES: &[Statement] = &[
    run(
        "ReservationHeld",
        "INSERT INTO @inbox (consumer, event_id, handle_time) VALUES ('mypage', {held}, {now}) ON CONFLICT DO NOTHING",
    ),
    run(
        "in the timeline",
        "INSERT INTO @timeline (event_id, case_id, subject, sequence, occur_time, kind, actor, causation_id, state) VALUES ({held}, {case}, \
         {case_name}, 1, {now}, 'jumak.reservation.v1.ReservationHeld', {guest}, NULL, 'PENDING') ON CONFLICT DO NOTHING",
    ),
    run(
        "over an older state, which there is not",
        "UPDATE @business_case SET case_id = {case}, kind = 'RESERVATION', version = 1, correlation_id = {correlation}, room_id = {room}, \
         title = 'Sea view', state = 'PENDING', course = 'UNDECIDED', start_date = {check_in}, end_date = {check_out}, end_time = {now}, \
         total_minor = 160000, currency = 'KRW', details = {bytes:62}, source_time = {now} WHERE case_id = {case} AND version < 1",
    ),
    run(
        "the case",
        "INSERT INTO @business_case (case_id, kind, version, correlation_id, room_id, title, state, course, start_date, end_date, end_time, \
         total_minor, currency, details, source_time) VALUES ({case}, 'RESERVATION', 1, {correlation}, {room}, 'Sea view', 'PENDING', \
         'UNDECIDED', {check_in}, {check_out}, {now}, 160000, 'KRW', {bytes:62}, {now}) ON CONFLICT DO NOTHING",
    ),
    NUMBER_CHANGE,
    PLACE_CHANGE,
    run(
        "the booking of each party",
        "INSERT INTO @booking (user_name, case_id, is_guest, is_host, counterparty, create_time, \"position\", update_time) VALUES \
         ({guest}, {case}, TRUE, FALSE, {host}, {now}, 0, {now}), ({host}, {case}, FALSE, TRUE, {guest}, {now}, 0, {now})",
    ),
    PLACE_CHANGE,
    run(
        "PaymentApproved",
        "INSERT INTO @inbox (consumer, event_id, handle_time) VALUES ('mypage', {approved}, {now}) ON CONFLICT DO NOTHING",
    ),
    run(
        "in the timeline",
        "INSERT INTO @timeline (event_id, case_id, subject, sequence, occur_time, kind, actor, causation_id, state) VALUES ({approved}, {case}, \
         {payment_name}, 2, {now}, 'jumak.payment.v1.PaymentApproved', 'contexts/reservation', NULL, 'APPROVED') ON CONFLICT DO NOTHING",
    ),
    run(
        "the case's payment",
        "UPDATE @business_case SET case_id = {case}, payment_id = {payment}, payment_create_time = {now}, payment_version = 2, \
         payment_state = 'APPROVED', refunded_minor = 0, payment_source_time = {now} WHERE case_id = {case} AND (payment_create_time < {now} \
         OR (payment_create_time = {now} AND payment_id < {payment}) \
         OR (payment_create_time = {now} AND payment_id = {payment} AND payment_version < 2))",
    ),
    run("its parties", "SELECT user_name FROM @booking WHERE case_id = {case}"),
    NUMBER_CHANGE,
    PLACE_CHANGE,
    run(
        "ReservationConfirmed",
        "INSERT INTO @inbox (consumer, event_id, handle_time) VALUES ('mypage', {confirmed}, {now}) ON CONFLICT DO NOTHING",
    ),
    run(
        "in the timeline",
        "INSERT INTO @timeline (event_id, case_id, subject, sequence, occur_time, kind, actor, causation_id, state) VALUES ({confirmed}, {case}, \
         {case_name}, 2, {now}, 'jumak.reservation.v1.ReservationConfirmed', {guest}, NULL, 'CONFIRMED') ON CONFLICT DO NOTHING",
    ),
    run(
        "over the older state",
        "UPDATE @business_case SET case_id = {case}, kind = 'RESERVATION', version = 2, correlation_id = {correlation}, room_id = {room}, \
         title = 'Sea view', state = 'CONFIRMED', course = 'AGREED', start_date = {check_in}, end_date = {check_out}, end_time = {now}, \
         total_minor = 160000, currency = 'KRW', details = {bytes:85}, source_time = {now} WHERE case_id = {case} AND version < 2",
    ),
    NUMBER_CHANGE,
    PLACE_CHANGE,
    HEARD,
];
