//! The text that `make mesh` prints when the mesh is ready: addresses, and what to type next.

use std::{fmt::Write, time::Duration};

use jumak::house::Member;

use crate::LocalMesh;

/// The text. Its commands can be pasted as they are, in the project's folder.
pub(super) fn banner(mesh: &LocalMesh, took: Duration) -> anyhow::Result<String> {
    let mut text = String::new();
    writeln!(text, "the mesh is ready after {:.1} s", took.as_secs_f64())?;
    for member in Member::ALL {
        let of_member = mesh.replicas().filter(|replica| replica.member() == member);
        let addresses: Vec<_> = of_member.map(|replica| replica.address().to_string()).collect();
        writeln!(text, "  {:<12} {:<34} {}", member.name(), addresses.join(", "), database_of(mesh, member))?;
    }
    writeln!(text, "  {:<12} {}", "bus", mesh.config().bus.url.as_deref().unwrap_or_default())?;
    writeln!(text, "  {:<12} {}", "folder", mesh.folder().path().display())?;
    writeln!(
        text,
        r#"
A first booking, from this folder:

  export PATH="$PWD/target/release:$PATH" JUMAK_TARGET=mesh
  export TOKEN=$(jumak token --user alice --roles guest,host --ttl 12h)
  ROOM=$(jumak call CreateRoom '{{"room": {{"display_name": "Sea view", "nightly_rate": {{"currency_code": "KRW", "units": 80000}}}}}}' --only name)
  STAY=$(jumak call CreateReservation '{{"reservation": {{"room": "'$ROOM'", "check_in_date": "2030-05-01", "check_out_date": "2030-05-03"}}, "payment_method": {{"token": "tok_approve"}}}}' --only name)
  jumak call GetBooking '{{"name": "users/me/bookings/'${{STAY#reservations/}}'", "min_version": 2}}'
  jumak audit

`jumak demo hotel --target mesh` tells a story on it. `make mesh-down` stops it; what its servers hold is gone then."#
    )?;
    Ok(text.trim_end().to_owned())
}

fn database_of(mesh: &LocalMesh, member: Member) -> &'static str {
    let scheme = mesh.database_url(member).and_then(|url| url.split_once(':')).map(|(scheme, _)| scheme);
    match scheme {
        Some("postgres") => "PostgreSQL",
        Some("mysql") => "MariaDB",
        Some("sqlite") => "SQLite",
        _ => "",
    }
}
