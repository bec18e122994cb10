//! What a booking finds: rooms with their nights, and parties who have been seen before.

use super::holes::{GUESTS, NIGHTS, ROOMS, STAYS, night, room};

/// Rows that one statement inserts.
const ROWS: usize = 500;

/// Statements that fill one context's empty tables. `id` writes an id of sixteen bytes as a literal, `blob` so many bytes.
pub fn seed(
    context: &str,
    table: impl Fn(&str) -> String,
    id: impl Fn(u128) -> String,
    blob: impl Fn(usize) -> String,
) -> anyhow::Result<Vec<String>> {
    let guests = (0..GUESTS).map(|guest| format!("users/guest-{guest}"));
    let mut statements = Vec::new();
    let mut insert = |into: &str, columns: &str, rows: Vec<String>| {
        for rows in rows.chunks(ROWS) {
            statements.push(format!("INSERT INTO {} ({columns}) VALUES {}", table(into), rows.join(", ")));
        }
    };
    if context != "payment" {
        let places = (0..ROOMS).map(|host| format!("('users/host-{host}', 0, {})", id(0)));
        insert("place", "consumer, \"position\", event_id", places.collect());
    }
    match context {
        "reservation" => {
            let offers =
                (0..ROOMS).map(|number| format!("({}, 1, FALSE, FALSE, 10000, {})", id(room(number)), blob(180)));
            insert("room", "id, version, deleted, cancel_stays, units, resource", offers.collect());
            let mut nights = Vec::new();
            for number in 0..ROOMS {
                for day in 0..STAYS * NIGHTS {
                    nights.push(format!("({}, '{}', 1000000, 1000000, 0, 0, 0)", id(room(number)), night(day)?));
                }
            }
            insert("night", "room, night, offered, capacity, taken, blocked, block_version", nights);
            insert("payer", "name", guests.map(|name| format!("('{name}')")).collect());
        }
        "mypage" => {
            let hosts = (0..ROOMS).map(|host| format!("users/host-{host}"));
            insert(
                "viewer",
                "user_name, \"position\"",
                guests.chain(hosts).map(|name| format!("('{name}', 0)")).collect(),
            );
        }
        _ => {}
    }
    Ok(statements)
}
