//! A system with a room, a guest and a stay, and the values for requests about them.

use contracts::{reservation::v1::Reservation, room::v1::Room};
use mesh::Role;
use serde_json::Value;

use super::{Inn, Person, nights::night, rpcs::Rpc};

/// A system with a room, a stay and a hold.
pub struct Scene {
    pub inn: Inn,
    /// The host of the room.
    pub host: Person,
    /// The guest of the stay and the hold.
    pub guest: Person,
    /// A room with ten units.
    pub room: Room,
    /// Confirmed and paid.
    pub stay: Reservation,
    /// Held, not paid, for the same nights.
    pub hold: Reservation,
}

impl Scene {
    pub async fn set() -> Self {
        let inn = Inn::open().await;
        let (host, guest) = (inn.host("hanok"), inn.guest("alice"));
        let room = host.registers_a_room(10).await;
        let stay = guest.books_nights(&room, 0..2, Some("tok_approve")).await.expect("a stay");
        let hold = guest.books_nights(&room, 0..2, None).await.expect("a hold");
        Self { inn, host, guest, room, stay, hold }
    }

    /// The text with `$…` replaced by the scene's names and dates.
    pub fn fill(&self, text: &str) -> String {
        // If one placeholder is a prefix of another, the longer one comes first.
        text.replace("$room", &self.room.name)
            .replace("$stay", &self.stay.name)
            .replace("$hold", &self.hold.name)
            .replace("$payment", &self.stay.payment)
            .replace("$guest", &self.guest.name)
            .replace("$host", &self.host.name)
            .replace("$id", self.stay.name.trim_start_matches("reservations/"))
            .replace("$in", &night(0).to_string())
            .replace("$out", &night(2).to_string())
    }

    /// The valid request of an RPC.
    pub fn request(&self, rpc: &Rpc) -> Value {
        serde_json::from_str(&self.fill(rpc.request)).expect("JSON")
    }

    /// The caller of that request.
    pub fn by(&self, rpc: &Rpc) -> Person {
        match rpc.by {
            "guest" => self.guest.clone(),
            "host" => self.host.clone(),
            who => self.stranger(who, rpc),
        }
    }

    /// A caller who is not a party of the stay: a role, `nobody` without a token, `roleless`, or `contexts/…`.
    pub fn stranger(&self, who: &str, rpc: &Rpc) -> Person {
        if let Some(context) = who.strip_prefix("contexts/") {
            return self.inn.context(context, rpc.context());
        }
        match who {
            "nobody" => self.inn.nobody(),
            "roleless" => self.inn.person("somebody", &[]),
            role => self.inn.person(role, &[Role::parse(role).expect("a role")]),
        }
    }
}
