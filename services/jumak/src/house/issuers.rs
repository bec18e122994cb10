//! Where people's tokens come from, when they are not made here.

use mesh::config::AuthConfig;

/// What whoever has no token that holds is to do: ask one of the issuers that are believed.
pub fn ask_issuers(auth: &AuthConfig) -> String {
    let names: Vec<_> = auth.issuer_names().collect();
    format!("get one of the issuer {} and send it as `authorization: Bearer …`", names.join(" or "))
}
