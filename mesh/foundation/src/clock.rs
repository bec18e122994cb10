//! Time as a dependency: the domain is given the time, and a test can control it. Time zones, too: they are the same on every host.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicI64, Ordering},
};

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
    tz::{TimeZone, TimeZoneDatabase},
};

/// Tells what time it is. Cheap to clone; clones share one source.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still at `start` until [`advance`](Self::advance) moves it.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.as_microsecond()))))
    }

    /// Now, in whole microseconds: what every engine stores without loss.
    #[expect(clippy::disallowed_methods, reason = "this is what the others ask instead")]
    pub fn now(&self) -> Timestamp {
        let micros = match &self.0 {
            Source::System => Timestamp::now().as_microsecond(),
            Source::Manual(micros) => micros.load(Ordering::SeqCst),
        };
        from_micros(micros)
    }

    /// Moves a manual clock forward; the machine's clock cannot be moved.
    pub fn advance(&self, by: SignedDuration) {
        if let Source::Manual(micros) = &self.0 {
            micros.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}

/// The time zone of that IANA name, from the table that is compiled into this program; none if the name is not in it.
///
/// The host's own table is never used: it may be older or missing, and it has names that depend on the host, such as `localtime`. Two
/// replicas could then count a room's days differently.
#[expect(clippy::disallowed_methods, reason = "this is what the others ask instead")]
pub fn zone(name: &str) -> Option<TimeZone> {
    static TABLE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
    // Factory is IANA's name for a clock that is not set.
    let zone = TABLE.get(name).ok().filter(|zone| !zone.is_unknown());
    zone.filter(|zone| zone.iana_name().is_some_and(|name| name != "Factory"))
}

/// The instant that a BIGINT column holds; an instant outside jiff's range becomes the nearest one inside.
pub fn from_micros(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// The instant of a time of day on `date` in `zone`, by RFC 5545: a time that the clocks skip that day is moved later by as much as they
/// skip; of a time that occurs twice, the first.
pub fn instant_of(date: Date, time: Time, zone: &TimeZone) -> Timestamp {
    zone.to_ambiguous_zoned(date.to_datetime(time)).compatible().map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// An instant as protobuf has it.
pub fn to_proto(at: Timestamp) -> prost_types::Timestamp {
    let micros = at.as_microsecond();
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0),
    }
}

/// The instant of a protobuf timestamp, in whole microseconds; `None` outside jiff's range.
pub fn from_proto(at: &prost_types::Timestamp) -> Option<Timestamp> {
    let micros = at.seconds.checked_mul(1_000_000)?.checked_add(i64::from(at.nanos) / 1_000)?;
    Timestamp::from_microsecond(micros).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_comes_from_the_programs_own_table() {
        for name in ["Asia/Seoul", "Europe/Istanbul", "America/Argentina/Ushuaia", "UTC", "Etc/GMT-14", "Asia/Calcutta"]
        {
            assert!(zone(name).is_some_and(|zone| zone.iana_name() == Some(name)), "{name}");
        }
        // The host's table has these, or would be read beyond its folder.
        for name in [
            "",
            "localtime",
            "posixrules",
            "Factory",
            "factory",
            "Etc/Unknown",
            "posix/Asia/Seoul",
            "right/Asia/Seoul",
            "leapseconds",
            "tzdata.zi",
            "/etc/localtime",
            "../localtime",
            "KST-9",
            "+09:00",
            "Mars/Base",
            "Asia/Seoul\0",
            " Asia/Seoul",
        ] {
            assert_eq!(zone(name), None, "{name:?}");
        }
    }
}
