//! The text that `up` prints when it is ready: the address, and what to type next.

use std::{
    env,
    fmt::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use jiff::{ToSpan, Zoned};
use mesh::config::TlsConfig;

use crate::{
    call::DEFAULT_TARGET,
    cli::shell,
    embedded::{System, config_option, data_option},
};

/// Days from today to the first night of the example: far enough to be in the future in every time zone.
const DAYS_AHEAD: i64 = 30;

/// The text. Its commands can be pasted as they are.
pub fn banner(
    system: &System,
    config_file: Option<&Path>,
    metrics: Option<SocketAddr>,
    took: Duration,
) -> anyhow::Result<String> {
    // The program's name as the user typed it.
    let program = env::args().next().unwrap_or_else(|| "jumak".to_owned());
    let jumak = shell::word(&program);
    let is_relative = program.contains('/') && !program.starts_with('/');
    let terminal = if is_relative { "another terminal, in this same folder" } else { "another terminal" };
    let options = data_option(system.folder())? + &config_option(config_file)?;
    let calls = Calls::to(system);
    let target = calls.options()?;
    let check_in = Zoned::now().date().checked_add(DAYS_AHEAD.days())?;
    let check_out = check_in.checked_add(2.days())?;
    let dates = format!(r#""check_in_date": "{check_in}", "check_out_date": "{check_out}""#);

    let mut text = String::new();
    writeln!(text, "jumak {} is ready after {:.1} s", env!("CARGO_PKG_VERSION"), took.as_secs_f64())?;
    writeln!(text, "  address      {} (gRPC, {})", system.address(), calls.security())?;
    writeln!(text, "  data folder  {}", system.folder().path().display())?;
    if let Some(metrics) = metrics {
        writeln!(text, "  metrics      http://{metrics}/metrics")?;
    }
    writeln!(text)?;
    writeln!(text, "A first booking, from {terminal}:")?;
    writeln!(text)?;
    let auth = &system.config().auth;
    if auth.built_in {
        writeln!(text, "  export TOKEN=$({jumak} token --user alice --roles guest,host --ttl 12h{options})")?;
    } else {
        let issuers: Vec<_> = auth.issuer_names().collect();
        writeln!(text, "  export TOKEN=…  # from {}, with the roles guest and host", issuers.join(" or "))?;
    }
    writeln!(
        text,
        r#"  ROOM=$({jumak} call{target} CreateRoom '{{"room": {{"display_name": "Sea view", "nightly_rate": {{"currency_code": "KRW", "units": 80000}}}}}}' --only name)"#
    )?;
    writeln!(text, "  {jumak} call{target} SearchRooms '{{{dates}}}'")?;
    writeln!(
        text,
        r#"  {jumak} call{target} CreateReservation '{{"reservation": {{"room": "'$ROOM'", {dates}}}, "payment_method": {{"token": "tok_approve"}}}}'"#
    )?;
    if system.config().reflection() {
        let grpcurl = calls.grpcurl()?;
        writeln!(text)?;
        writeln!(text, "The same search with grpcurl, which reads the contracts from the server:")?;
        writeln!(text)?;
        writeln!(
            text,
            r#"  grpcurl {grpcurl} -H "authorization: Bearer $TOKEN" -d '{{{dates}}}' {} jumak.room.v1.RoomService/SearchRooms"#,
            calls.authority
        )?;
    }
    writeln!(text)?;
    if let Some(advice) = calls.advice() {
        writeln!(text, "{advice}")?;
    }
    writeln!(text, "`{jumak} call --list` lists all RPCs, `{jumak} call CreateReservation --describe` explains one,")?;
    write!(text, "`{jumak} help` shows the other commands. Ctrl-C stops.")?;
    Ok(text)
}

/// How a client on this machine calls the system.
struct Calls<'a> {
    /// The host and the port. With TLS, a host for which the certificate is valid, if there is one.
    authority: String,
    /// Whether the certificate is valid for that host; true without TLS.
    is_believed: bool,
    /// With TLS, its settings.
    tls: Option<&'a TlsConfig>,
}

impl<'a> Calls<'a> {
    fn to(system: &'a System) -> Self {
        let address = system.address();
        let ip = reachable(address.ip());
        let shown = system.tls();
        if !shown.serves() {
            return Self { authority: SocketAddr::new(ip, address.port()).to_string(), is_believed: true, tls: None };
        }
        let local = ip.is_loopback().then(|| "localhost".to_owned());
        let good = [Some(ip.to_string()), local]
            .into_iter()
            .flatten()
            .find(|host| shown.is_for(host))
            .or_else(|| shown.host());
        let is_believed = good.is_some();
        let authority = match good {
            Some(host) if host != ip.to_string() => format!("{host}:{}", address.port()),
            _ => SocketAddr::new(ip, address.port()).to_string(),
        };
        Self { authority, is_believed, tls: Some(&system.config().tls) }
    }

    fn security(&self) -> &'static str {
        match self.tls {
            None => "without TLS",
            Some(tls) if tls.client_ca_file.is_some() => "with TLS and client certificates",
            Some(_) => "with TLS",
        }
    }

    /// The options of `jumak call`, each after a blank; empty if it reaches this system without options.
    fn options(&self) -> anyhow::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let target = format!("{scheme}://{}", self.authority);
        if target == DEFAULT_TARGET {
            return Ok(String::new());
        }
        Ok(format!(" --target {target}") + &self.files([" --ca-file ", " --cert-file ", " --key-file "])?)
    }

    /// The options of grpcurl.
    fn grpcurl(&self) -> anyhow::Result<String> {
        if self.tls.is_none() {
            return Ok("-plaintext".to_owned());
        }
        Ok(self.files([" -cacert ", " -cert ", " -key "])?.trim_start().to_owned())
    }

    /// The files that a client needs, each after its option: the CA, and its certificate and key if the server demands one.
    fn files(&self, [ca, cert, key]: [&str; 3]) -> anyhow::Result<String> {
        let Some(tls) = self.tls else { return Ok(String::new()) };
        let demanded = tls.client_ca_file.is_some();
        let files = [
            (ca, tls.ca_file.as_deref()),
            (cert, tls.cert_file.as_deref().filter(|_| demanded)),
            (key, tls.key_file.as_deref().filter(|_| demanded)),
        ];
        let mut options = String::new();
        for (option, file) in files {
            if let Some(file) = file {
                write!(options, "{option}{}", shell::word(&std::path::absolute(file)?.to_string_lossy()))?;
            }
        }
        Ok(options)
    }

    /// Advice for a client that the printed commands alone cannot connect.
    fn advice(&self) -> Option<&'static str> {
        let tls = self.tls?;
        if !self.is_believed {
            return Some(
                "The certificate is not valid for this address: replace the address by a name that the certificate contains.\n",
            );
        }
        tls.ca_file.is_none().then_some(
            "Clients trust the certificate if this machine trusts its CA; name another CA with --ca-file (grpcurl: -cacert), or set\n\
             tls.ca_file.\n",
        )
    }
}

/// The address at which a client on this machine reaches a server that listens at `ip`.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
