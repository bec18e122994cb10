//! The server tells its contracts, with the comments, which are the manual.

use prost_reflect::prost::bytes::Bytes;

use super::grpcurl::House;
use crate::support::{Inn, wire};

#[tokio::test]
async fn a_stock_client_lists_every_service_and_method_there_is() {
    let house = House::open().await;
    let listed = house.without_a_token(&[], &["list"]);
    assert!(listed.ok, "{}", listed.err);
    let services: Vec<&str> = listed.out.lines().collect();
    for service in wire::contracts().services().filter(|service| service.full_name().starts_with("jumak.")) {
        assert!(services.contains(&service.full_name()), "{services:?} without {}", service.full_name());
        let methods = house.grpcurl(&[], &["list", service.full_name()]);
        for method in service.methods() {
            assert!(
                methods.out.lines().any(|line| line == method.full_name()),
                "{}: {}",
                method.full_name(),
                methods.out
            );
        }
    }
    assert!(services.contains(&"grpc.health.v1.Health"), "{services:?}");
}

/// What the contract says above an RPC or a message.
fn comment(symbol: &str) -> String {
    let method = wire::methods().into_iter().map(|(_, method)| method).find(|method| method.full_name() == symbol);
    let (file, path) = match method {
        Some(method) => (method.parent_file(), method.path().to_vec()),
        None => {
            let message = wire::contracts().get_message_by_name(symbol).expect("a message");
            (message.parent_file(), message.path().to_vec())
        }
    };
    let info = file.file_descriptor_proto().source_code_info.as_ref().expect("source info");
    let location = info.location.iter().find(|location| location.path == path).expect("a location");
    let comment = location.leading_comments().to_owned();
    assert!(comment.lines().count() > 1, "{symbol} is explained in {comment:?}");
    comment
}

#[tokio::test]
async fn describe_is_the_manual() {
    let house = House::open().await;
    let describe = |symbol: &str| {
        let said = house.grpcurl(&[], &["describe", symbol]);
        assert!(said.ok, "{symbol}: {}", said.err);
        said.out
    };
    for symbol in ["jumak.reservation.v1.ReservationService.CreateReservation", "jumak.room.v1.Room"] {
        let described = describe(symbol);
        for line in comment(symbol).lines() {
            assert!(described.contains(&format!("//{line}")), "no {line:?} in {described}");
        }
    }
    let route = r#"post: "/v1/reservations""#;
    let method = describe("jumak.reservation.v1.ReservationService.CreateReservation");
    assert!(method.contains(route), "no {route} in {method}");
    let refusal = describe("google.rpc.ErrorInfo");
    assert!(refusal.contains("string reason = 1"), "{refusal}");
}

#[tokio::test]
async fn health_is_asked_without_a_token() {
    let house = House::open().await;
    let said = house.grpcurl(
        &["-d", r#"{"service": "jumak.reservation.v1.ReservationService"}"#],
        &["grpc.health.v1.Health/Check"],
    );
    assert!(said.ok && said.out.contains("SERVING") && !said.out.contains("NOT_SERVING"), "{}{}", said.out, said.err);
}

/// grpcurl takes v1 wherever it is; others know only v1alpha. To both, this one message asks for the list of services.
#[tokio::test]
async fn clients_of_both_versions_of_reflection_are_answered_without_a_token() {
    const LIST_SERVICES: Bytes = Bytes::from_static(b"\x3a\x01*");
    let inn = Inn::open().await;
    for version in ["v1", "v1alpha"] {
        let method = format!("grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        let answer = inn.nobody().sends(&method, LIST_SERVICES).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer);
        for service in ["jumak.room.v1.RoomService", "jumak.reservation.v1.ReservationService"] {
            assert!(answer.contains(service), "{version}: {answer}");
        }
    }
    inn.close().await;
}
