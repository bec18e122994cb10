//! A scraper, and what it finds.

use std::{collections::BTreeSet, time::Duration};

use mesh::Role;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::{nights::two_nights, process::Process};

/// What a process lets be scraped: the lines that are no comments.
pub async fn scrape(process: &Process) -> Vec<String> {
    let address = process.printed("metrics").expect("it says where");
    scrape_at(address.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/metrics")).expect("a URL")).await
}

/// What can be scraped at an address, as `127.0.0.1:9464`.
pub async fn scrape_at(address: &str) -> Vec<String> {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut reply = String::new();
    timeout(Duration::from_secs(10), stream.read_to_string(&mut reply)).await.expect("an end").expect("a reply");
    let (head, body) = reply.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    body.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// The value of the line with that name and these labels, in their alphabetical order.
pub fn value(lines: &[String], series: &str) -> Option<f64> {
    let value = lines.iter().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    Some(value.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn x_a_scraper_finds_the_calls_that_were_made() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let process = Process::start(&folder.path().join("data"), &[("JUMAK_METRICS__LISTEN", "127.0.0.1:0")]).await;
    let channel = process.connect().await;
    let guest = process.person(&channel, "alice", &[Role::Guest]);
    let host = process.person(&channel, "hanok", &[Role::Host]);
    let room = host.registers_a_room(1).await;
    guest.reservations().create_reservation(two_nights(&room, Some("tok_approve"))).await.expect("a stay");
    guest.reservations().create_reservation(two_nights(&room, Some("tok_approve"))).await.expect_err("sold out");

    let lines = scrape(&process).await;
    let calls = |code: i32, method: &str| {
        value(
            &lines,
            &format!(r#"jumak_server_calls_total{{rpc_grpc_status_code="{code}",rpc_method="jumak.{method}"}}"#),
        )
    };
    assert_eq!(calls(0, "room.v1.RoomService/CreateRoom"), Some(1.0), "{lines:#?}");
    assert_eq!(calls(0, "reservation.v1.ReservationService/CreateReservation"), Some(1.0), "{lines:#?}");
    assert_eq!(calls(9, "reservation.v1.ReservationService/CreateReservation"), Some(1.0), "{lines:#?}");
    assert_eq!(calls(0, "payment.v1.PaymentService/CreatePayment"), Some(1.0), "{lines:#?}");
    let took = r#"jumak_server_call_duration_seconds_count{rpc_method="jumak.room.v1.RoomService/CreateRoom"}"#;
    assert_eq!(value(&lines, took), Some(1.0), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with(r#"target_info{"#) && line.contains(r#"service_name="jumak""#)));

    // Whoever calls what is not there adds nothing to what has to be kept.
    for method in 0..10 {
        let mut client = tonic::client::Grpc::new(guest.wire());
        client.ready().await.expect("a connection");
        let path = format!("/jumak.room.v1.RoomService/Guess{method}").parse().expect("a path");
        let codec = tonic_prost::ProstCodec::<(), ()>::default();
        client.unary(tonic::Request::new(()), path, codec).await.expect_err("there is no such method");
    }
    let series = |lines: &[String]| -> BTreeSet<String> {
        lines.iter().filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
    };
    let more = scrape(&process).await;
    let guessed: Vec<_> =
        series(&more).difference(&series(&lines)).filter(|name| name.contains("Guess")).cloned().collect();
    assert!(guessed.is_empty(), "{guessed:?}");
    process.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x_without_a_listener_nothing_is_exposed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let process = Process::start(&folder.path().join("data"), &[]).await;
    assert_eq!(process.printed("metrics"), None);
    process.stops().await;
}
