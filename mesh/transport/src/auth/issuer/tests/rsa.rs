//! A key as most issuers have. Making one takes a test longer than all the others; nobody trusts this one.

use super::*;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The private key.
const PRIVATE: &str = "\
-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEAmfn4Jzhe77yP5P6LRWPnyGiiwmdjJk8C/oXoy0c2zlfmUKLY
xsXmzzeDmqenxFeHBx31QR+Gb5YVuLkzMU7/6tQkDbC1U1+pep7Hy4Qv5GWQd4TX
P6LZ6cxBM+oJNqaJ4IcVIY8c3VnuHPf4PxkDIbBt9kePFDjlLXFjDNYaMpGHsBHe
mUp0wZ1bmxlzFHBKCI1WtqiX7829HOB6BWU2mmuZLjS5MMDkmhGrPx9i11E6ZUAN
+6M/x2J7T8uHDzDn8lzxrcdeXwwqqHDCN5zN3uyCMN9msTqJt4hRi3GhkKF4sPT2
fp1HMHECZ0X+vVekR8KyEJipg8p6HGGalk/8nQIDAQABAoIBAAfNTXhpSBA0OQNU
rYhm00oJmUOp+vFoPAHbFaxlL579f7dSxRKvWO5jhPjbaWoOuFIRP8nct9JkI7Yg
NjqXouqKdMg3zbxLgtoqfPuwN0AGsG8J7WE1Vn7dAWnIwE5DWoWkupqgdok1wxW3
L948nXbBypSZ1CNlbaFjly4BlEK/HmXR6ComAGCr2+tLYpCbQtTNjATQAjjtAgBB
uhitQY1ch7Kvuv2NMcBtoGewa+jWbTnk49aaLShS7Pz/3Fq0NzkWow6hh0fReOKH
xY94o0s6Gl08C20eWGad20+0JpVALrQ24j+9zIPJZr83c3OvQCHeA4pUXDz6A/N5
Uduxl0ECgYEAyrvmz+RZZbFNLNkNQmtfi/tkutOChGdTgQMwCok5+PXH01HwSdDj
5yEukwrLhIMmEEU3aYcCYK51fRWfpLlOfYmAJ2ljN9B1Be009/8ra9KABI4knWeO
Om6waAWalnifcGgFVpQGHiRIodsjErP3u5l25USADHgnn+STA+/R1kECgYEAwm6V
oxBvlRyXSsm7t8hICmylLrfNXHJuVHDSscpte52AolL0V9cIHlKj2q5Cq2jShjR0
NHtB0Udd3mnnA7rtFEGYax2+JFVK07VhwBB0t01mc4ycjeBnVL3d8ztLwZ1HIPFV
qE9EhK7OlTEE0wKYJENcDdXp5B3eLfV84ouhZ10CgYBRTS1w7ZhUSdgzRhAlNL4q
evSYX74VrwIz2L1pXELdbmNmgZOlZpoe1JXC7i9Twux+1eM09KmlcBE5ynQtMQsj
GQNFyuO5PGXRrKDzW2dkZBRmv0I7xY2qLT2dWbH26gS2pWCOqeoSKGbgUess0vNk
TlT5+JCJb54kZxv2FjTGgQKBgQCtTwcg17iucFLHPjSOZ/8XE6rVjs6F1hZUPFEC
W07lvgn4JvtYBPtelAksFuKkiYYGTGE8mpWbZwLcCwf5gjhrMuEaseNX3ZMaTPZ5
zfFLprloy/CMYneYyLk7YyJuzbOmQJg6s5V+s5a+03faYticklJOntuiE6GE0+pi
wVW4nQKBgAnTSWIxsUwG6SUlOrdfHYDYoP1OyZywiWSKyVmLSBcO0/Fe59tr4ufg
sWzRfpdT6q8IGS7mLnyW6hd9DHqLhJDAmu6E2UChWeSZ1yswgZZtYpUt0zcUHw+V
rFfTP5x+mn3TvrlZ2hjYYMDtUV1JYnufevLNSPW3rrNuNPrXlR0j
-----END RSA PRIVATE KEY-----
";

/// What stands in the PEM.
fn der() -> Vec<u8> {
    let lines = PRIVATE.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    base64::engine::general_purpose::STANDARD.decode(lines).unwrap()
}

/// The modulus of its public half.
const MODULUS: &str = "mfn4Jzhe77yP5P6LRWPnyGiiwmdjJk8C_oXoy0c2zlfmUKLYxsXmzzeDmqenxFeHBx31QR-Gb5YVuLkzMU7_6tQkDbC1U1-pep7Hy4Qv5GWQd4TXP6LZ6cxBM-oJNqaJ4IcVIY8c3VnuHPf4PxkDIbBt9kePFDjlLXFjDNYaMpGHsBHemUp0wZ1bmxlzFHBKCI1WtqiX7829HOB6BWU2mmuZLjS5MMDkmhGrPx9i11E6ZUAN-6M_x2J7T8uHDzDn8lzxrcdeXwwqqHDCN5zN3uyCMN9msTqJt4hRi3GhkKF4sPT2fp1HMHECZ0X-vVekR8KyEJipg8p6HGGalk_8nQ";

/// The exponent of its public half.
const EXPONENT: &str = "AQAB";

#[tokio::test]
async fn a_token_that_is_signed_with_rsa_is_believed_and_one_that_was_changed_is_not() {
    let jwk = json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "rsa", "n": MODULUS, "e": EXPONENT });
    let server = Server::with(&[jwk]).await;
    let world = world(server.config()).await;
    let key = EncodingKey::from_rsa_der(&der());
    let header = Header { kid: Some("rsa".to_owned()), ..Header::new(Algorithm::RS256) };
    let token = encode(&header, &claims(&server.name()), &key).unwrap();
    let principal = world.whose(&token).await.unwrap();
    assert_eq!(principal.name(), crate::auth::verify::user_name(&server.name(), "alice"));

    let others = encode(&header, &json!({ "sub": "admin" }), &key).unwrap();
    let [_, _, signature] = others.split('.').collect::<Vec<_>>().try_into().unwrap();
    let forged = format!("{}.{signature}", token.rsplit_once('.').unwrap().0);
    world.refuses(&forged, Reason::TOKEN_INVALID, "the token's signature is not valid");
}

#[tokio::test]
async fn an_rsa_key_whose_integers_begin_with_a_zero_octet_verifies_as_the_same_key_without_it() {
    let padded = URL_SAFE_NO_PAD.encode([&[0][..], &URL_SAFE_NO_PAD.decode(MODULUS).unwrap()].concat());
    let jwk = json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "rsa", "n": padded, "e": "AAEAAQ" });
    let server = Server::with(&[jwk]).await;
    let world = world(server.config()).await;
    let header = Header { kid: Some("rsa".to_owned()), ..Header::new(Algorithm::RS256) };
    let token = encode(&header, &claims(&server.name()), &EncodingKey::from_rsa_der(&der())).unwrap();
    world.whose(&token).await.unwrap();
}
