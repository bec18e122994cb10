//! What `up` says when it is ready: where it is, and what to type next.

use std::{env, fmt::Write, net::SocketAddr, path::Path, time::Duration};

use jiff::{ToSpan, Zoned};

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
    // As it was called: what worked here works there.
    let program = env::args().next().unwrap_or_else(|| "jumak".to_owned());
    let jumak = shell::word(&program);
    let is_relative = program.contains('/') && !program.starts_with('/');
    let terminal = if is_relative { "another terminal, in this same folder" } else { "another terminal" };
    let options = data_option(system.folder())? + &config_option(config_file)?;
    let target = target_option(system.address());
    let check_in = Zoned::now().date().checked_add(DAYS_AHEAD.days())?;
    let check_out = check_in.checked_add(2.days())?;
    let dates = format!(r#""check_in_date": "{check_in}", "check_out_date": "{check_out}""#);

    let mut text = String::new();
    writeln!(text, "jumak {} is ready after {:.1} s", env!("CARGO_PKG_VERSION"), took.as_secs_f64())?;
    writeln!(text, "  address      {} (gRPC, without TLS)", system.address())?;
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
        writeln!(text, "  export TOKEN=…  # of {}, with the roles guest and host", issuers.join(" or "))?;
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
    writeln!(text)?;
    writeln!(text, "`{jumak} call --list` lists all RPCs, `{jumak} call CreateReservation --describe` explains one,")?;
    write!(text, "`{jumak} help` shows the other commands. Ctrl-C stops.")?;
    Ok(text)
}

/// ` --target …` for a command line, unless the address is the one that is called without it.
fn target_option(address: SocketAddr) -> String {
    let target = format!("http://{address}");
    if target == DEFAULT_TARGET { String::new() } else { format!(" --target {target}") }
}
