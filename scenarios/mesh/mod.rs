//! The mesh as such: its processes and servers are killed, replaced, slowed down and cut off, and nobody's answer becomes untrue.
//!
//! These scenarios are about processes, and so they run on a local mesh whatever shape the environment names.

mod answers;
mod breaker;
mod bus;
mod drain;
mod full;
mod insisting;
mod kill;
mod load;
mod loss;
mod meters;
mod replicas;
mod stopped;

use std::{collections::BTreeMap, path::Path};

use contracts::mypage::v1::{ListBookingsRequest, booking};
use local_mesh::{Options, Servers};
use mesh::Role;

use crate::{
    kill::busy::reservations,
    support::{Inn, Person, eventually},
};

/// A mesh of one replica each, whose database servers do not sync: for what is about processes.
fn options() -> Options {
    Options { servers: Servers::Shared, ..Options::new(Path::new(env!("CARGO_BIN_EXE_jumak"))) }
}

/// Somebody with connections of their own.
async fn caller(inn: &Inn, name: &str, roles: &[Role]) -> Person {
    Person::over(inn.connection().await, &inn.user(name), &inn.token(name, roles))
}

/// A guest's page shows every reservation of theirs as it stands, and no other.
async fn shows_what_is(guest: &Person) {
    let is: BTreeMap<String, String> = reservations(guest)
        .await
        .into_iter()
        .map(|reservation| (reservation.name.clone(), reservation.state().as_str_name().to_owned()))
        .collect();
    eventually(format!("the page of {} shows {is:#?}", guest.name), || async {
        (shown(guest).await? == is).then_some(())
    })
    .await;
}

async fn shown(guest: &Person) -> Option<BTreeMap<String, String>> {
    let (mut shown, mut page_token) = (BTreeMap::new(), String::new());
    loop {
        let request = ListBookingsRequest {
            parent: "users/me".to_owned(),
            role: booking::Role::Guest.into(),
            page_size: 100,
            page_token,
            ..ListBookingsRequest::default()
        };
        let page = guest.my_page().list_bookings(request).await.ok()?.into_inner();
        shown.extend(page.bookings.into_iter().map(|booking| (booking.case, booking.state)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Some(shown);
        }
    }
}
