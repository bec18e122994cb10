//! What a guest entrusts to us, followed through logs, events and files.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use contracts::{
    google::r#type::Money,
    reservation::v1::{
        CancelReservationRequest, CreateReservationRequest, GetReservationRequest, PayReservationRequest, Reservation,
        reservation::{GuestDetails, State},
    },
    room::v1::Room,
    types::v1::PaymentMethod,
};
use mesh::{Database, Role};
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use crate::support::{Person, nights::two_nights, process::Process, reason};

/// The provider takes it for a token that asks to be paid after 31 milliseconds.
const PAYMENT_TOKEN: &str = "tok_slow_00000000000000000000000031";
const UNKNOWN_TOKEN: &str = "tok_canary_that_nobody_knows";
const FULL_NAME: &str = "Kanari Hwang-Bo";
const PHONE: &str = "010-97-53-24";
const NOTE: &str = "kanari needs a perch by the window";
const CANCEL_REASON: &str = "kanari has flown away";
const HOSTS_REASON: &str = "kanari would not fit in";

/// What is written down nowhere at all.
const NOWHERE: [&str; 2] = [PAYMENT_TOKEN, UNKNOWN_TOKEN];
/// What only the reservation's own row, and the answers kept for its request ids, may say.
const OWNER_ONLY: [&str; 5] = [FULL_NAME, PHONE, NOTE, CANCEL_REASON, HOSTS_REASON];
/// Where that is.
const OWNER: &str = "reservation.db";
const OWNERS_TABLES: [&str; 2] = ["reservation", "request"];

/// A guest books, pays, is declined, errs and cancels; with secrets in every place that takes one.
async fn stay(guest: &Person, host: &Person) {
    let room = Room {
        display_name: "Garden room".to_owned(),
        nightly_rate: Some(Money { currency_code: "KRW".to_owned(), units: 90_000, nanos: 0 }),
        units: Some(5),
        ..Room::default()
    };
    let request = contracts::room::v1::CreateRoomRequest { room: Some(room), request_id: "room-1".to_owned() };
    let room = host.rooms().create_room(request).await.expect("a room").into_inner();

    let wish = |request_id: &str, token: Option<&str>| with_details(&room, request_id, token);
    let mut reservations = guest.reservations();
    let paid = reservations.create_reservation(wish("stay-1", Some(PAYMENT_TOKEN))).await.expect("a stay");
    let paid = paid.into_inner();
    assert_eq!(paid.state(), State::Confirmed);
    let hold = reservations.create_reservation(wish("stay-2", None)).await.expect("a hold").into_inner();

    let pay = |token: &str| PayReservationRequest {
        name: hold.name.clone(),
        payment_method: Some(PaymentMethod { token: token.to_owned() }),
        ..PayReservationRequest::default()
    };
    for (token, why) in [(UNKNOWN_TOKEN, "INVALID_FIELDS"), ("tok_decline_expired", "PAYMENT_DECLINED")] {
        let status = reservations.pay_reservation(pay(token)).await.expect_err(why);
        assert_eq!(reason(&status), why, "{status:?}");
    }
    reservations.pay_reservation(pay(PAYMENT_TOKEN)).await.expect("paid after all");
    let unknown =
        reservations.create_reservation(wish("stay-3", Some(UNKNOWN_TOKEN))).await.expect_err("no such token");
    assert_eq!(reason(&unknown), "INVALID_FIELDS");

    // What is refused must not be told to the log either.
    let mut bad = wish("stay 4", Some(PAYMENT_TOKEN));
    let details = bad.reservation.as_mut().and_then(|stay| stay.guest_details.as_mut()).expect("details");
    details.full_name = FULL_NAME.repeat(20);
    reservations.create_reservation(bad).await.expect_err("too long a name");
    for name in [format!("reservations/{FULL_NAME}"), NOTE.to_owned()] {
        reservations.get_reservation(GetReservationRequest { name }).await.expect_err("no name of a reservation");
    }

    let cancel = |name: &str, reason: &str| CancelReservationRequest {
        name: name.to_owned(),
        reason: reason.to_owned(),
        request_id: "cancel-1".to_owned(),
        ..Default::default()
    };
    reservations.cancel_reservation(cancel(&paid.name, CANCEL_REASON)).await.expect("cancelled");
    host.reservations().cancel_reservation(cancel(&hold.name, HOSTS_REASON)).await.expect("cancelled by the host");
    for name in [&paid.name, &hold.name] {
        // Refunded, and told to everybody who listens.
        let cancelled = guest.reservation_in(name, State::Cancelled).await;
        guest.booking(&cancelled).await.expect("the guest's page");
        host.booking(&cancelled).await.expect("the host's page");
    }
}

fn with_details(room: &Room, request_id: &str, token: Option<&str>) -> CreateReservationRequest {
    let request = two_nights(room, token);
    let details = GuestDetails { full_name: FULL_NAME.to_owned(), phone: PHONE.to_owned(), note: NOTE.to_owned() };
    let reservation = Reservation { guest_details: Some(details), ..request.reservation.expect("a stay") };
    CreateReservationRequest { reservation: Some(reservation), request_id: request_id.to_owned(), ..request }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_entrusts_to_us_stays_where_it_belongs() {
    let parent = tempfile::tempdir().expect("a temporary folder");
    let data = parent.path().join("data");
    let process = Process::start(&data, &[("JUMAK_LOG__FILTER", "trace")]).await;
    let channel = process.connect().await;
    let guest = process.person(&channel, "alice", &[Role::Guest]);
    let host = process.person(&channel, "hanok", &[Role::Host]);
    let bearers = [guest.token(), host.token()];
    stay(&guest, &host).await;
    drop((guest, host, channel));
    let log = process.stops().await;

    assert!(log.contains("DEBUG") && log.contains("ReservationService/CreateReservation"), "no log: {log}");
    for secret in NOWHERE.iter().chain(&OWNER_ONLY).copied().chain(bearers.iter().map(String::as_str)) {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(secret)).collect();
        assert!(lines.is_empty(), "the log tells `{secret:.40}`: {lines:#?}");
    }

    let files = files(&data);
    assert!(files.iter().any(|file| file.ends_with("bus.db")), "{files:?}");
    for secret in NOWHERE.iter().copied().chain(bearers.iter().map(String::as_str)) {
        assert_eq!(holding(&files, secret), BTreeSet::new(), "`{secret:.40}` is written down");
    }
    for secret in OWNER_ONLY {
        let own = BTreeSet::from([OWNER.to_owned()]);
        assert_eq!(holding(&files, secret), own, "`{secret}` is where it does not belong, or nowhere");
        let tables = tables_holding(&data.join(OWNER), secret).await;
        assert!(tables.contains("reservation"), "`{secret}` is lost: {tables:?}");
        let others: Vec<_> = tables.iter().filter(|table| !OWNERS_TABLES.contains(&table.as_str())).collect();
        assert!(others.is_empty(), "`{secret}` stands in {others:?}");
    }
}

/// All files in a folder and in those within it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The databases, by the names of their files, in which a text stands, in a page of theirs or in their logs: also where it was
/// deleted.
fn holding(files: &[PathBuf], text: &str) -> BTreeSet<String> {
    let holds = |file: &&PathBuf| {
        let bytes = fs::read(file).expect("a file");
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let name = |file: &PathBuf| {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        name.trim_end_matches("-wal").trim_end_matches("-shm").to_owned()
    };
    files.iter().filter(holds).map(name).collect()
}

/// The tables of a database in which a text stands.
async fn tables_holding(file: &Path, text: &str) -> BTreeSet<String> {
    let database = Database::open_file_to_read(file, 1).await.expect("a database");
    let rows = async |query: &str, values: Vec<Value>| {
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, query, values);
        database.read().query_all_raw(statement).await.expect("an answer")
    };
    let columns =
        "SELECT m.name AS t, c.name AS c FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'";
    let mut found = BTreeSet::new();
    for row in rows(columns, Vec::new()).await {
        let (table, column): (String, String) = (row.try_get("", "t").expect("t"), row.try_get("", "c").expect("c"));
        let query = format!(r#"SELECT 1 FROM "{table}" WHERE instr(CAST("{column}" AS BLOB), CAST(? AS BLOB)) > 0"#);
        if !rows(&query, vec![text.into()]).await.is_empty() {
            found.insert(table);
        }
    }
    found
}
