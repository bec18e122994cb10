//! Floods: one cause that writes line after line until the disk is full.
//!
//! Of each kind of line a bounded number a minute is written, and then, at its end, how many were left out. Lines are of one kind if
//! one place in the code writes them about the same thing: the same code, context, consumer. What is below INFO was asked for, and is
//! written whole.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt::{self, Write},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{task::AbortHandle, time::interval};
use tracing::{
    Event, Level, Metadata, Subscriber,
    callsite::Identifier,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Filter};

/// How many lines of one kind are written in a [`WINDOW`].
const LINES: u64 = 20;
/// How long the lines of one kind are counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// How often it is looked whether a window is over.
const LOOK: Duration = Duration::from_secs(5);
/// How many kinds are told apart. Beyond them, what one place in the code writes is of one kind, and places are bounded by the code.
const MAX_KINDS: usize = 1_024;
/// The fields that tell kinds apart. Each has few values, none of which a caller makes up.
const TELLING: [&str; 8] = ["background", "callee", "code", "consumer", "context", "issuer", "signal", "state"];
/// How much of the first line is repeated with the number of those that were left out.
const MAX_MESSAGE: usize = 160;
/// Under which the numbers are written, which are never left out.
const TARGET: &str = "jumak::log";

/// Holds floods back. Cheap to clone; clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Flood(Arc<Mutex<HashMap<(Identifier, u64), Window>>>);

/// The lines of one kind.
#[derive(Debug)]
struct Window {
    begun: Instant,
    written: u64,
    left_out: u64,
    message: String,
}

/// Lines that were left out.
#[derive(Debug, PartialEq, Eq)]
struct LeftOut {
    lines: u64,
    message: String,
}

impl Flood {
    /// Starts to tell what was left out. It ends with the handle's abortion, or the runtime.
    pub(super) fn start(&self) -> AbortHandle {
        let flood = self.clone();
        tokio::spawn(async move {
            let mut looks = interval(LOOK);
            loop {
                looks.tick().await;
                flood.tell(Instant::now());
            }
        })
        .abort_handle()
    }

    /// Tells of all that was left out until `now`, whose time is over, or which must be told because the process ends.
    pub(super) fn tell(&self, now: Instant) {
        for LeftOut { lines, message } in self.ended(now) {
            tracing::warn!(target: TARGET, lines, like = message, "lines were left out, because too many were alike");
        }
    }

    /// Tells what was left out and has not been told.
    pub(super) fn stop(&self) {
        self.tell(Instant::now() + WINDOW);
    }

    fn admits(&self, kind: (Identifier, u64), message: impl FnOnce() -> String, now: Instant) -> bool {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = if windows.len() < MAX_KINDS || windows.contains_key(&kind) { kind } else { (kind.0, 0) };
        let window = match windows.entry(kind) {
            Entry::Occupied(window) => window.into_mut(),
            Entry::Vacant(place) => place.insert(Window { begun: now, written: 0, left_out: 0, message: message() }),
        };
        // Those that were left out are told first.
        if window.left_out == 0 && now.duration_since(window.begun) >= WINDOW {
            (window.begun, window.written) = (now, 0);
        }
        let admitted = window.written < LINES;
        *(if admitted { &mut window.written } else { &mut window.left_out }) += 1;
        admitted
    }

    /// Forgets the windows that are over, and returns what was left out in them.
    fn ended(&self, now: Instant) -> Vec<LeftOut> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = windows.extract_if(|_, window| now.duration_since(window.begun) >= WINDOW);
        let left_out = ended.map(|(_, window)| LeftOut { lines: window.left_out, message: window.message });
        left_out.filter(|left_out| left_out.lines > 0).collect()
    }
}

impl<S: Subscriber> Filter<S> for Flood {
    fn enabled(&self, _metadata: &Metadata<'_>, _cx: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _cx: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || metadata.target() == TARGET {
            return true;
        }
        let mut kind = Kind::default();
        event.record(&mut kind);
        self.admits((metadata.callsite(), kind.0.finish()), || Message::of(event), Instant::now())
    }
}

/// What tells the lines of one place apart.
#[derive(Default)]
struct Kind(DefaultHasher);

impl Visit for Kind {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if TELLING.contains(&field.name()) {
            (field.name(), format!("{value:?}")).hash(&mut self.0);
        }
    }
}

/// The text of a line.
#[derive(Default)]
struct Message(String);

impl Message {
    fn of(event: &Event<'_>) -> String {
        let mut message = Self::default();
        event.record(&mut message);
        let end = message.0.char_indices().nth(MAX_MESSAGE).map_or(message.0.len(), |(end, _)| end);
        message.0.truncate(end);
        message.0
    }
}

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _never_fails = write!(self.0, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tracing_subscriber::{fmt::layer, layer::SubscriberExt, prelude::*};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written while `work` logs.
    fn written(flood: &Flood, work: impl FnOnce()) -> String {
        let log = Written::default();
        let writer = log.clone();
        // As in the layers' tests: with one subscriber only, another test's thread may switch a line off for good.
        let _second = tracing::Dispatch::new(tracing_subscriber::registry());
        let layer = layer().with_writer(move || writer.clone()).with_ansi(false).with_filter(flood.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_flood_of_one_cause_is_written_in_part_and_counted_in_full() {
        let flood = Flood::default();
        let log = written(&flood, || {
            for number in 0..10_000 {
                tracing::error!(number, code = "Internal", "the database failed");
                tracing::debug!(number, "asked for");
            }
            flood.stop();
        });
        assert_eq!(log.matches("ERROR").count(), 20);
        assert_eq!(log.matches("DEBUG").count(), 10_000);
        assert!(log.contains("too many were alike lines=9980 like=\"the database failed\""), "{log:.2000}");
    }

    #[test]
    fn a_flood_hides_no_other_cause() {
        let flood = Flood::default();
        let log = written(&flood, || {
            for code in ["Internal", "Unavailable"] {
                for _ in 0..100 {
                    tracing::warn!(code, "not answered");
                }
            }
            tracing::warn!("something else");
        });
        assert_eq!(log.matches("Internal").count(), 20);
        assert_eq!(log.matches("Unavailable").count(), 20);
        assert!(log.contains("something else"));
    }

    #[test]
    fn a_minute_later_it_is_written_again() {
        let flood = Flood::default();
        let (begin, kind) = (Instant::now(), (tracing::callsite::Identifier(&PLACE), 0));
        let written = |second| {
            let now = begin + Duration::from_secs(second);
            (0..30).filter(|_| flood.admits(kind.clone(), || "full".to_owned(), now)).count()
        };
        assert_eq!((written(0), written(30)), (20, 0));
        let told = flood.ended(begin + WINDOW);
        assert_eq!(told, [LeftOut { lines: 40, message: "full".to_owned() }]);
        assert_eq!(written(61), 20);
        assert!(flood.ended(begin + WINDOW).is_empty(), "told once");
    }

    /// A place in the code, as good as any.
    struct Place;
    static PLACE: Place = Place;
    impl tracing::Callsite for Place {
        fn set_interest(&self, _interest: tracing::subscriber::Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            static METADATA: Metadata<'static> = tracing::metadata! {
                name: "place",
                target: "test",
                level: Level::INFO,
                fields: &[],
                callsite: &PLACE,
                kind: tracing::metadata::Kind::EVENT,
            };
            &METADATA
        }
    }
}
