//! The server tells its contracts, with the comments, which are the manual.

use prost_reflect::prost::bytes::Bytes;

use super::grpcurl::House;
use crate::support::{Inn, wire};

#[tokio::test]
async fn a_stock_client_lists_every_service_and_method_there_is() {
    let house = House::open().await;
    let listed = house.grpcurl(&[], &["list"]);
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

#[tokio::test]
async fn describe_is_the_manual() {
    let house = House::open().await;
    let describe = |symbol: &str| {
        let said = house.grpcurl(&[], &["describe", symbol]);
        assert!(said.ok, "{symbol}: {}", said.err);
        said.out
    };
    let method = describe("jumak.reservation.v1.ReservationService.CreateReservation");
    assert!(method.contains("// Makes a reservation; a room and two dates are all it needs."), "{method}");
    assert!(method.contains("ROOM_UNAVAILABLE"), "the refusals are named: {method}");
    assert!(method.contains(r#"post: "/v1/reservations""#), "the options are there: {method}");
    let message = describe("jumak.room.v1.Room");
    assert!(message.contains("// The room's host. Format: `users/{user}`."), "{message}");
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
