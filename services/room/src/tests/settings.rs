//! Room's section of the configuration.

use mesh::config::{Config, Known};

use crate::{DESCRIPTOR, Settings};

fn read(zone: &str) -> Result<Config, String> {
    let variables = [("JUMAK_ROOM__TIME_ZONE".to_owned(), zone.to_owned())];
    Config::from_sources(None, variables, &Known::of([&DESCRIPTOR])).map_err(|error| error.to_string())
}

#[test]
fn the_time_zone_of_rooms_that_name_none_is_one_of_ianas() {
    assert_eq!(read("Europe/Rome").expect("a zone").section::<Settings>().time_zone, "Europe/Rome");
    let problem = read("Asia/Soul").expect_err("no zone");
    assert!(problem.contains("room.time_zone is `Asia/Soul`, which is no IANA time zone"), "{problem}");
}
