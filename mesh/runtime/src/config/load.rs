//! Reading the file and the environment, and saying all that is wrong with them at once.

use std::{fmt, path::Path};

use figment::{
    Figment, Metadata, Profile, Provider,
    error::Kind,
    providers::{Format, Toml},
    util::nest,
    value::{Dict, Map, Value},
};

use super::{Config, Known, check::check, section::Sections};

/// What the names of our environment variables begin with.
const PREFIX: &str = "JUMAK_";

/// Variables of ours that are no configuration: where things are, what a client calls, and what a test wants.
const NO_CONFIGURATION: [&str; 4] = ["config", "data", "kill_point", "target"];

/// A configuration that cannot be used, with everything that is wrong with it.
#[derive(Debug)]
pub struct ConfigError(Vec<Problem>);

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, as in `limits.in_flight`; empty when a file cannot be read at all.
    pub key: String,
    /// What is wrong with its value.
    pub problem: String,
    /// Where the value came from: a file, a variable, or the defaults.
    pub origin: String,
}

impl ConfigError {
    /// Everything that is wrong.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{} ", self.key)?;
        }
        write!(f, "{} ({})", self.problem, self.origin)
    }
}

impl Config {
    /// Reads the file at `path`, if one is given, and the environment over it.
    pub fn load(path: Option<&Path>, known: &Known) -> Result<Self, ConfigError> {
        // A variable that is no Unicode has no name of ours, or a value that no key takes.
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
        Self::from_sources(path, variables, known)
    }

    /// As [`load`](Self::load), with the environment given.
    pub fn from_sources(
        path: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        known: &Known,
    ) -> Result<Self, ConfigError> {
        let mut figment = Figment::new();
        if let Some(path) = path {
            // figment takes a file that is not there for an empty one.
            if let Err(error) = std::fs::File::open(path) {
                let origin = format!("from {}", path.display());
                return Err(ConfigError(vec![Problem { key: String::new(), problem: error.to_string(), origin }]));
            }
            figment = figment.merge(Toml::file_exact(path));
        }
        for (name, value) in environment {
            if let Some(variable) = Variable::of_ours(name, value) {
                figment = figment.merge(variable);
            }
        }
        let (config, mut problems) = parse(&figment, known)?;
        // A key that cannot be read has its default here, so that it cannot be complained about twice.
        problems.extend(check(&config, known).into_iter().map(|(key, problem)| Problem {
            origin: origin(&figment, &key),
            key,
            problem,
        }));
        if problems.is_empty() { Ok(config) } else { Err(ConfigError(problems)) }
    }
}

/// Reads the sections of the contexts and all the rest.
fn parse(figment: &Figment, known: &Known) -> Result<(Config, Vec<Problem>), ConfigError> {
    let unreadable = |error: figment::Error| {
        let origin = error.metadata.as_ref().map_or_else(String::new, describe);
        let problem = error.kind.to_string();
        // What follows on the next lines is the line of the file, and a password may stand in it.
        let place = problem.lines().next().unwrap_or_default().to_owned();
        Problem { key: error.path.join("."), problem: place, origin }
    };
    let mut values: Dict =
        figment.extract().map_err(|error| ConfigError(error.into_iter().map(unreadable).collect()))?;
    let mut problems = Vec::new();
    let mut sections = Sections::default();
    for section in &known.sections {
        sections.insert(section.name, read_all(figment, known, &mut values, &mut problems, section.read)?);
        values.remove(section.name);
    }
    let rest = |values: &Dict| Value::from(values.clone()).deserialize::<Config>().map_err(Box::new);
    let config = Config { sections, ..read_all(figment, known, &mut values, &mut problems, rest)? };
    Ok((config, problems))
}

/// serde stops at the first value that it cannot read. To find them all, each one found is taken out and the rest is read again.
fn read_all<T>(
    figment: &Figment,
    known: &Known,
    values: &mut Dict,
    problems: &mut Vec<Problem>,
    read: impl Fn(&Dict) -> Result<T, Box<figment::Error>>,
) -> Result<T, ConfigError> {
    loop {
        let error = match read(values) {
            Ok(read) => return Ok(read),
            Err(error) => error,
        };
        let mut path = error.path.clone();
        if let Kind::UnknownField(name, _) = &error.kind
            && path.last() != Some(name)
        {
            path.push(name.clone());
        }
        let key = path.join(".");
        problems.push(Problem { origin: origin(figment, &key), problem: problem_of(&error.kind, &path, known), key });
        if !remove(values, &path) {
            return Err(ConfigError(std::mem::take(problems)));
        }
    }
}

/// What is wrong with the value at `path`. Where a database's URL may stand, with its password, only what should stand there is said.
fn problem_of(kind: &Kind, path: &[String], known: &Known) -> String {
    match kind {
        // At the top there are the contexts' sections too, of which the mesh's own do not know.
        Kind::UnknownField(name, expected) if path.len() == 1 => {
            let sections = known.sections.iter().map(|section| &section.name);
            let expected: Vec<String> = expected.iter().chain(sections).map(|name| format!("`{name}`")).collect();
            format!("unknown field: found `{name}`, expected one of {}", expected.join(", "))
        }
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) if may_hold_a_password(path) => {
            format!("is not {expected}")
        }
        kind => kind.to_string(),
    }
}

fn may_hold_a_password(path: &[String]) -> bool {
    path.first().is_some_and(|first| matches!(first.as_str(), "auth" | "bus" | "contexts" | "database"))
}

/// Takes the value at `path` out; tells whether it was there.
fn remove(values: &mut Dict, path: &[String]) -> bool {
    match path {
        [] => false,
        [last] => values.remove(last).is_some(),
        [first, rest @ ..] => match values.get_mut(first) {
            Some(Value::Dict(_, inner)) => remove(inner, rest),
            _ => false,
        },
    }
}

fn origin(figment: &Figment, key: &str) -> String {
    figment.find_metadata(key).map_or_else(|| "the default".to_owned(), describe)
}

fn describe(metadata: &Metadata) -> String {
    match &metadata.source {
        Some(source) => format!("from {source}"),
        None => format!("from {}", metadata.name),
    }
}

/// One environment variable. A provider for each, so that what is wrong with it can be said by its name.
struct Variable {
    name: String,
    key: String,
    value: String,
}

impl Variable {
    /// The variable as a key of the configuration, if it is one.
    fn of_ours(name: String, value: String) -> Option<Self> {
        let key = name.strip_prefix(PREFIX)?.to_ascii_lowercase().replace("__", ".");
        if key.is_empty() || NO_CONFIGURATION.contains(&key.as_str()) || is_service_link(&key) {
            return None;
        }
        Some(Self { name, key, value })
    }
}

/// Kubernetes gives each pod variables for each Service: `JUMAK_PORT`, `JUMAK_ROOM_SERVICE_HOST`, `JUMAK_ROOM_PORT_8088_TCP`. No key
/// of ours has a first level with `port` or `service_host` in it.
fn is_service_link(key: &str) -> bool {
    !key.contains('.') && (key.contains("port") || key.contains("service_host"))
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let Ok(value) = self.value.parse::<Value>();
        match nest(&self.key, value) {
            Value::Dict(_, dict) => Ok(Profile::Default.collect(dict)),
            _ => Err(figment::Error::from(format!("{} names no key", self.name))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn problems_of(text: &str, environment: &[(&str, &str)]) -> Vec<Problem> {
        let file = file(text);
        Config::from_sources(Some(file.path()), variables(environment), &Known::a_few())
            .unwrap_err()
            .problems()
            .to_vec()
    }

    #[test]
    fn the_defaults_are_good() {
        let config = Config::from_sources(None, [], &Known::a_few()).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8088");
        assert_eq!(config.checkout.settle_after().as_millis(), 7_000);
        assert!(config.reflection());
    }

    #[test]
    fn the_environment_goes_over_the_file() {
        let file = file("reflection = false\n[limits]\nin_flight = 8\nopen_streams = 9\n");
        let environment = variables(&[("JUMAK_LIMITS__IN_FLIGHT", "16"), ("JUMAK_LISTEN", "127.0.0.1:0")]);
        let config = Config::from_sources(Some(file.path()), environment, &Known::a_few()).unwrap();
        assert_eq!(config.limits.in_flight, 16);
        assert_eq!(config.limits.open_streams, 9);
        assert_eq!(config.reflection, Some(false));
        assert_eq!(config.listen.port(), 0);
    }

    #[test]
    fn a_context_may_have_a_database_of_its_own() {
        let environment = variables(&[("JUMAK_CONTEXTS__PAYMENT__DATABASE_URL", "mysql://u:p@127.0.0.1/payment")]);
        let config = Config::from_sources(None, environment, &Known::a_few()).unwrap();
        assert_eq!(config.database_url("payment"), Some("mysql://u:p@127.0.0.1/payment"));
        assert_eq!(config.database_url("room"), None);
        assert!(!format!("{config:?}").contains("u:p"), "a password must not be printed");
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_with_its_key_and_origin() {
        let problems = problems_of(
            "listn = 1\n[limits]\nin_flight = 0\nopen_streams = \"many\"\n[log]\nformat = \"xml\"\n",
            &[("JUMAK_DRAIN_DEADLINE_MS", "soon"), ("JUMAK_CLIENT__ATTEMPTS", "99")],
        );
        let mut keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            ["client.attempts", "drain_deadline_ms", "limits.in_flight", "limits.open_streams", "listn", "log.format"]
        );
        for problem in problems {
            let expected = match problem.key.as_str() {
                "client.attempts" => "from JUMAK_CLIENT__ATTEMPTS",
                "drain_deadline_ms" => "from JUMAK_DRAIN_DEADLINE_MS",
                _ => "from /",
            };
            assert!(problem.origin.starts_with(expected), "{problem}");
        }
    }

    #[test]
    fn each_bad_value_is_named_by_its_key() {
        let cases = [
            ("JUMAK_LISTEN", "localhost", "listen"),
            ("JUMAK_LISTEN", "0.0.0.0:8088", "auth.allow_non_loopback_issuer"),
            ("JUMAK_REFLECTION", "perhaps", "reflection"),
            ("JUMAK_DRAIN_DEADLINE_MS", "0", "drain_deadline_ms"),
            ("JUMAK_START_DEADLINE_MS", "99", "start_deadline_ms"),
            ("JUMAK_LOG__FORMAT", "xml", "log.format"),
            ("JUMAK_LOG__FILTER", "info,mesh=loud", "log.filter"),
            ("JUMAK_METRICS__LISTEN", "9464", "metrics.listen"),
            ("JUMAK_METRICS__LISTEN", "127.0.0.1:8088", "metrics.listen"),
            ("JUMAK_AUTH__ISSUER", "contexts/payment", "auth.issuer"),
            ("JUMAK_AUTH__AUDIENCE", "", "auth.audience"),
            ("JUMAK_AUTH__ISSUER", &*"x".repeat(513), "auth.issuer"),
            ("JUMAK_AUTH__AUDIENCE", &*"x".repeat(513), "auth.audience"),
            ("JUMAK_LIMITS__IN_FLIGHT", "0", "limits.in_flight"),
            ("JUMAK_LIMITS__OPEN_STREAMS", "-1", "limits.open_streams"),
            ("JUMAK_LIMITS__IN_FLIGHT_PER_PERSON", "0", "limits.in_flight_per_person"),
            ("JUMAK_LIMITS__OPEN_STREAMS_PER_PERSON", "0", "limits.open_streams_per_person"),
            ("JUMAK_LIMITS__CONNECTIONS", "0", "limits.connections"),
            ("JUMAK_CONTEXTS__PAYMNET__DATABASE_URL", "sqlite:x", "contexts.paymnet"),
            ("JUMAK_LIMITS__MAX_REQUEST_BYTES", "4194305", "limits.max_request_bytes"),
            ("JUMAK_DATABASE__MAX_CONNECTIONS", "0", "database.max_connections"),
            ("JUMAK_CONTEXTS__ROOM__DATABASE_URL", "oracle://x", "contexts.room.database_url"),
            ("JUMAK_CONTEXTS__ROOM__COLOUR", "red", "contexts.room.colour"),
            ("JUMAK_CHECKOUT__HOLD_MS", "1", "checkout.hold_ms"),
            ("JUMAK_CHECKOUT__PAYMENT_TIMEOUT_MS", "30000", "checkout.payment_timeout_ms"),
            ("JUMAK_CHECKOUT__SETTLE_AFTER_MS", "100", "checkout.settle_after_ms"),
            ("JUMAK_CHECKOUT__MAX_OPEN_HOLDS", "0", "checkout.max_open_holds"),
            ("JUMAK_CHECKOUT__MAX_ATTEMPTS", "0", "checkout.max_attempts"),
            // Each attempt has a bit of a signed 64-bit number.
            ("JUMAK_CHECKOUT__MAX_ATTEMPTS", "61", "checkout.max_attempts"),
            ("JUMAK_CHECKOUT__SWEEP_INTERVAL_MS", "1", "checkout.sweep_interval_ms"),
            ("JUMAK_CLIENT__TIMEOUT_MS", "31000", "client.timeout_ms"),
            ("JUMAK_CLIENT__ATTEMPTS", "0", "client.attempts"),
            ("JUMAK_CLIENT__RETRY_BUDGET_PERCENT", "101", "client.retry_budget_percent"),
            ("JUMAK_CLIENT__CONNECT_TIMEOUT_MS", "0", "client.connect_timeout_ms"),
            ("JUMAK_CLIENT__CONNECTIONS", "17", "client.connections"),
            ("JUMAK_CLIENT__RETRIES_PER_SECOND", "1001", "client.retries_per_second"),
            ("JUMAK_CLIENT__IN_FLIGHT", "10001", "client.in_flight"),
            ("JUMAK_CLIENT__BREAKER__IN_FLIGHT", "65", "client.breaker.in_flight"),
            ("JUMAK_CLIENT__BREAKER__CONSECUTIVE_FAILURES", "0", "client.breaker.consecutive_failures"),
            ("JUMAK_CLIENT__BREAKER__OPEN_MS", "1", "client.breaker.open_ms"),
            ("JUMAK_CLIENT__BREAKER__MAX_OPEN_MS", "499", "client.breaker.max_open_ms"),
        ];
        for (name, value, key) in cases {
            let error = Config::from_sources(None, variables(&[(name, value)]), &Known::a_few()).unwrap_err();
            let keys: Vec<_> = error.problems().iter().map(|problem| problem.key.as_str()).collect();
            assert_eq!(keys, [key], "{name}={value}: {error}");
        }
    }

    #[test]
    fn a_number_that_no_clock_holds_is_refused_like_any_other() {
        let numbers = [
            "DRAIN_DEADLINE_MS",
            "START_DEADLINE_MS",
            "LIMITS__IN_FLIGHT",
            "LIMITS__IN_FLIGHT_PER_PERSON",
            "LIMITS__OPEN_STREAMS",
            "LIMITS__OPEN_STREAMS_PER_PERSON",
            "LIMITS__CONNECTIONS",
            "LIMITS__MAX_REQUEST_BYTES",
            "DATABASE__MAX_CONNECTIONS",
            "BUS__REPLICAS",
            "CHECKOUT__HOLD_MS",
            "CHECKOUT__PAYMENT_TIMEOUT_MS",
            "CHECKOUT__SETTLE_AFTER_MS",
            "CHECKOUT__MAX_OPEN_HOLDS",
            "CHECKOUT__MAX_ATTEMPTS",
            "CHECKOUT__SWEEP_INTERVAL_MS",
            "CLIENT__TIMEOUT_MS",
            "CLIENT__CONNECT_TIMEOUT_MS",
            "CLIENT__CONNECTIONS",
            "CLIENT__ATTEMPTS",
            "CLIENT__RETRY_BUDGET_PERCENT",
            "CLIENT__RETRIES_PER_SECOND",
            "CLIENT__IN_FLIGHT",
            "CLIENT__BREAKER__CONSECUTIVE_FAILURES",
            "CLIENT__BREAKER__IN_FLIGHT",
            "CLIENT__BREAKER__OPEN_MS",
            "CLIENT__BREAKER__MAX_OPEN_MS",
            "TLS__RELOAD_MS",
        ];
        for number in numbers {
            for value in ["18446744073709551615", "9223372036854775807", "18446744073709551616", "-1"] {
                let variable = (format!("JUMAK_{number}"), value.to_owned());
                let error = Config::from_sources(None, [variable], &Known::a_few()).unwrap_err();
                let key = number.to_ascii_lowercase().replace("__", ".");
                assert!(error.problems().iter().any(|problem| problem.key == key), "{number}={value}: {error}");
            }
        }
    }

    /// Notepad writes one, and `\r\n`.
    #[test]
    fn a_file_with_a_byte_order_mark_is_read() {
        let file = file("\u{feff}reflection = false\r\n[limits]\r\nin_flight = 8\r\n");
        let config = Config::from_sources(Some(file.path()), [], &Known::a_few()).unwrap();
        assert_eq!((config.reflection, config.limits.in_flight), (Some(false), 8));
    }

    #[test]
    fn a_misspelt_context_is_told_what_was_meant() {
        let problems = problems_of("[contexts.paymnet]\ndatabase_url = \"sqlite:x\"\n", &[]);
        assert!(problems[0].problem.contains("did you mean `payment`?"), "{problems:?}");
    }

    #[test]
    fn no_complaint_repeats_a_password() {
        for (text, variables) in [
            ("[contexts]\npayment = \"mysql://u:s3cret@127.0.0.1/payment\"\n", vec![]),
            ("contexts = \"mysql://u:s3cret@127.0.0.1/payment\"\n", vec![]),
            ("database = \"mysql://u:s3cret@127.0.0.1/payment\"\n", vec![]),
            ("[contexts.payment]\ndatabase_url = [\"mysql://u:s3cret@127.0.0.1/payment\"]\n", vec![]),
            ("[contexts.payment]\ndatabase_url = \"mysql://u:s3cret@127.0.0.1/payment\n", vec![]),
            ("[contexts.payment]\ndatabase_url = \"s3cret@127.0.0.1/payment\"\n", vec![]),
            ("", vec![("JUMAK_CONTEXTS__PAYMENT", "mysql://u:s3cret@127.0.0.1/payment")]),
            ("", vec![("JUMAK_DATABASE", "mysql://u:s3cret@127.0.0.1/payment")]),
        ] {
            let file = file(text);
            let error =
                Config::from_sources(Some(file.path()), self::variables(&variables), &Known::a_few()).unwrap_err();
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_or_no_toml_is_named() {
        let missing = Config::from_sources(Some(Path::new("/nowhere/jumak.toml")), [], &Known::a_few()).unwrap_err();
        assert!(missing.to_string().contains("/nowhere/jumak.toml"), "{missing}");
        let broken = file("listen = ");
        let error = Config::from_sources(Some(broken.path()), [], &Known::a_few()).unwrap_err();
        assert!(error.to_string().contains(&broken.path().display().to_string()), "{error}");
    }

    #[test]
    fn a_variable_of_ours_that_nothing_reads_is_named() {
        for name in ["JUMAK_TOKEN", "JUMAK_URL", "JUMAK_TOOLS"] {
            let error = Config::from_sources(None, variables(&[(name, "x")]), &Known::a_few()).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn variables_that_are_no_configuration_are_passed_over() {
        let environment = variables(&[
            ("JUMAK_CONFIG", "/tmp/jumak.toml"),
            ("JUMAK_DATA", "/tmp"),
            ("JUMAK_KILL_POINT", "after_hold"),
            ("JUMAK_TARGET", "mesh"),
            ("JUMAK_PORT", "tcp://10.0.0.1:8088"),
            ("JUMAK_PAYMENT_SERVICE_HOST", "10.0.0.1"),
            ("JUMAK_PAYMENT_PORT_8088_TCP_ADDR", "10.0.0.1"),
            ("PATH", "/bin"),
        ]);
        Config::from_sources(None, environment, &Known::a_few()).unwrap();
    }
}
