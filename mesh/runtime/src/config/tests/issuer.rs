use std::time::Duration;

use mesh_transport::config::IssuerConfig;

use crate::config::{Config, Known};

fn load(issuers: &str) -> Result<Config, String> {
    let variables = [("JUMAK_AUTH__ISSUERS".to_owned(), issuers.to_owned())];
    Config::from_sources(None, variables, &Known::a_few()).map_err(|error| error.to_string())
}

#[test]
fn an_issuer_needs_a_name_and_an_audience_and_the_rest_has_defaults() {
    let config = load(r#"[{issuer="https://id.example/realms/jumak", audience="jumak"}]"#).unwrap();
    let issuer = &config.auth.issuers[0];
    assert_eq!((issuer.roles_claim.as_str(), issuer.algorithms.len()), ("roles", 3));
    assert_eq!(issuer.refresh(), Duration::from_secs(300));
}

#[test]
fn what_would_let_strangers_in_is_refused() {
    for (issuer, problem) in [
        (r#"{audience="jumak"}"#, "not a URL"),
        (r#"{issuer="http://id.example", audience="jumak"}"#, "begin with https://"),
        (r#"{issuer="https://u:s3cret@id.example", audience="jumak"}"#, "no user or password"),
        (r#"{issuer="https://id.example"}"#, "`audience` must be set"),
        (r#"{issuer="https://id.example", audience="contexts/payment"}"#, "`audience` must be set"),
        (r#"{issuer="https://id.example", audience="a", jwks_url="http://id.example/k"}"#, "`jwks_url` is"),
        (r#"{issuer="https://id.example", audience="a", jwks_url="https://x/k", key_files=["k"]}"#, "both"),
        (r#"{issuer="https://id.example", audience="a", algorithms=["HS256"]}"#, "HS256"),
        (r#"{issuer="https://id.example", audience="a", algorithms=[]}"#, "no algorithm"),
        (r#"{issuer="https://id.example", audience="a", refresh_ms=1}"#, "1000 to 86400000"),
        (r#"{issuer="https://a", audience="a"}, {issuer="https://a", audience="a"}"#, "twice"),
    ] {
        let error = load(&format!("[{issuer}]")).unwrap_err();
        assert!(error.contains(problem), "{issuer}: {error}");
    }
}

#[test]
fn what_is_secret_in_a_url_is_not_repeated() {
    for issuers in [
        r#"[{issuer="https://u:s3cret@id.example", audience="jumak"}]"#,
        r#"[{issuer="https://u:s3cret@id example"}]"#,
        r#"[{issuer="ftp://u:s3cret@id.example", audience="jumak"}]"#,
        r#"[{issuer="https://id.example", audience="a", jwks_url="https://u:s3cret@id.example/k"}]"#,
        r#"[{issuer="https://id.example", audience="a", jwks_url="http://id.example/k?token=s3cret"}]"#,
        "https://u:s3cret@id.example",
    ] {
        let error = load(issuers).unwrap_err();
        assert!(error.contains("auth.issuers") && !error.contains("s3cret"), "{error}");
    }
}

#[test]
fn a_configuration_that_is_printed_shows_where_keys_are_and_not_what_opens_the_door() {
    let issuers = r#"[{issuer="https://id.example", audience="jumak", jwks_url="https://id.example/k?token=s3cret"}]"#;
    let printed = format!("{:?}", load(issuers).unwrap());
    assert!(printed.contains("https://id.example/k") && !printed.contains("s3cret"), "{printed}");
    let hidden = IssuerConfig { jwks_url: Some("https://u:s3cret@id.example/k".to_owned()), ..IssuerConfig::default() };
    assert!(!format!("{hidden:?}").contains("s3cret"), "{hidden:?}");
}

#[test]
fn somebody_has_to_speak_for_people() {
    let variables = [("JUMAK_AUTH__BUILT_IN".to_owned(), "false".to_owned())];
    let error = Config::from_sources(None, variables, &Known::a_few()).unwrap_err();
    assert!(error.to_string().contains("auth.built_in"), "{error}");
}
