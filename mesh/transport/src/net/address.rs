//! Where something listens.

use std::{fmt, net::IpAddr};

use http::{
    Uri,
    uri::{Authority, Scheme},
};

/// The scheme, host and port of an `http` or `https` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    authority: Authority,
    port: u16,
    tls: bool,
}

/// A URL as it may be printed: without its query, and only its scheme if it may hold a user or a password. In a malformed URL their end
/// cannot be found.
pub fn printable(url: &str) -> String {
    if url.contains('@') {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme).filter(|scheme| !scheme.contains('@'));
        return scheme.map_or_else(|| "…".to_owned(), |scheme| format!("{scheme}://…"));
    }
    match url.find(['?', '#']) {
        Some(end) => format!("{}?…", &url[..end]),
        None => url.to_owned(),
    }
}

/// Why a text is not an address. The texts in it are [`printable`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is not a URL.
    #[error("`{0}` is not a URL")]
    Unreadable(String),
    /// Its scheme is not supported.
    #[error("`{0}` has to begin with http:// or https://")]
    Scheme(String),
    /// A URL with a password would be printed with every complaint about it.
    #[error("an address must hold no user or password")]
    Secret,
    /// Only an address was wanted.
    #[error("`{0}` must end after its port")]
    Path(String),
}

impl Address {
    /// The address that `url` begins with, whatever path follows.
    pub fn of(url: &Uri) -> Result<Self, AddressError> {
        // First, so that no other error prints the password.
        if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(AddressError::Secret);
        }
        let shown = || printable(&url.to_string());
        let tls = match url.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(AddressError::Scheme(shown())),
        };
        let authority = url.authority().ok_or_else(|| AddressError::Unreadable(shown()))?;
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { authority: authority.clone(), port, tls })
    }

    /// Reads an address: `http://payment:8088`, `https://10.0.0.7:8088`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.contains('@') {
            return Err(AddressError::Secret);
        }
        let url: Uri = text.parse().map_err(|_| AddressError::Unreadable(printable(text)))?;
        let address = Self::of(&url)?;
        if url.path_and_query().is_some_and(|rest| rest.as_str() != "/") {
            return Err(AddressError::Path(printable(text)));
        }
        Ok(address)
    }

    /// The host, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether its scheme is `https`.
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// Whether it is on this machine, so that nobody on the way can listen or answer.
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// The host and the port as they stand in a request.
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> Scheme {
        if self.tls { Scheme::HTTPS } else { Scheme::HTTP }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_scheme_a_host_and_a_port() {
        for (text, host, port, tls) in [
            ("http://payment:8088", "payment", 8088, false),
            ("https://10.0.0.7/", "10.0.0.7", 443, true),
            ("http://[::1]:80", "::1", 80, false),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.host(), address.port(), address.is_tls()), (host, port, tls));
        }
    }

    #[test]
    fn a_malformed_address_is_refused_without_repeating_a_password() {
        for text in ["payment:8088", "payment", "ftp://payment", "", "http://", "http://a:1/v1", "http://a:1?x"] {
            Address::parse(text).unwrap_err();
        }
        for text in [
            "http://u:s3cret@payment:8088",
            "ftp://u:s3cret@payment",
            "u:s3cret@payment",
            "http://u:s3 cret@payment",
            "http://u:s3cret@payment:port",
            "http://u:s3/cret@payment",
            "http://u:s3cret@payment/v1",
            "http://payment:1?token=s3cret",
            "http://pay ment?token=s3cret",
            "ftp://payment?token=s3cret",
        ] {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(!error.contains("s3") && !error.contains("cret"), "{error}");
            let Ok(url) = text.parse() else { continue };
            let error = Address::of(&url).map_or_else(|error| error.to_string(), |address| address.to_string());
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_url_is_printed_without_what_may_be_secret() {
        for (url, shown) in [
            ("https://id.example/keys", "https://id.example/keys"),
            ("https://id.example/keys?token=s3cret", "https://id.example/keys?…"),
            ("https://u:s3cret@id.example/keys", "https://…"),
            ("https://id.example?user=u://s3cret@x", "https://…"),
            ("u:s3cret@id://x", "…"),
        ] {
            assert_eq!(printable(url), shown);
        }
    }

    #[test]
    fn loopback_is_this_machine_and_nothing_that_merely_looks_like_it() {
        for (text, loopback) in [
            ("http://127.0.0.1:1", true),
            ("http://localhost:1", true),
            ("http://[::1]:1", true),
            ("http://localhost.example:1", false),
            ("http://127.0.0.1.example:1", false),
            ("http://10.0.0.1:1", false),
        ] {
            assert_eq!(Address::parse(text).unwrap().is_loopback(), loopback, "{text}");
        }
    }
}
