use std::fs;

use crate::config::{Config, Known};

fn read(variables: &[(&str, &str)]) -> Result<Config, crate::config::ConfigError> {
    let variables = variables.iter().map(|(name, value)| (format!("JUMAK_BUS__{name}"), (*value).to_owned()));
    Config::from_sources(None, variables, &Known::a_few())
}

#[test]
fn several_servers_are_separated_by_commas() {
    let config = read(&[("URL", "nats://a:4222, nats://b.example, nats://[::1]:4222")]).unwrap();
    assert_eq!(config.bus.urls(), ["nats://a:4222", "nats://b.example", "nats://[::1]:4222"]);
    assert!(Config::from_sources(None, [], &Known::a_few()).unwrap().bus.urls().is_empty());
}

#[test]
fn what_is_wrong_is_named_by_its_key() {
    for (variables, key) in [
        (&[("URL", "http://a:4222")][..], "bus.url"),
        (&[("URL", "nats://a:port")], "bus.url"),
        (&[("URL", "")], "bus.url"),
        (&[("URL", "tls://a:4222, nats://b:4222")], "bus.url"),
        (&[("URL", "nats://alice:s3cret@a:4222")], "bus.url"),
        (&[("REPLICAS", "0")], "bus.replicas"),
        (&[("REPLICAS", "6")], "bus.replicas"),
        (&[("PASSWORD", "s3cret")], "bus.user"),
        (&[("USER", "room"), ("PASSWORD", "s3cret"), ("PASSWORD_FILE", "/p")], "bus.password"),
    ] {
        let error = read(variables).unwrap_err();
        let keys: Vec<&str> = error.problems().iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, [key], "{variables:?}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[test]
fn a_password_is_printed_nowhere_and_read_without_the_end_of_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "\u{feff}s3 cret\r\n").unwrap();
    let config = read(&[("USER", "room"), ("PASSWORD_FILE", file.to_str().unwrap())]).unwrap();
    assert_eq!(config.bus.password().unwrap().as_deref(), Some("s3 cret"));
    let printed = format!("{:?}", read(&[("USER", "room"), ("PASSWORD", "s3cret")]).unwrap());
    assert!(!printed.contains("s3cret"), "{printed}");
    // What cannot be read is not repeated.
    let error = read(&[("USER", "room"), ("PASSWORD", "[s3cret]")]).unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}
