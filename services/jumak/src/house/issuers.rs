//! The hint for a client without a valid token, where tokens are not made here.

use mesh::config::AuthConfig;

/// The hint: get a token from one of the trusted issuers.
pub fn ask_issuers(auth: &AuthConfig) -> String {
    let names: Vec<_> = auth.issuer_names().collect();
    format!("get one from the issuer {} and send it as `authorization: Bearer …`", names.join(" or "))
}
