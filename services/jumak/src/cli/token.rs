//! `jumak token`: makes a token of the built-in issuer. The user must be able to read the issuer's key.

use std::time::Duration;

use mesh::Role;

use super::{duration, options::DataOption, output, target::TargetOption};
use crate::{embedded::Keyring, house::ask_issuers};

/// A token with a longer lifetime would be like a password that cannot be changed.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Print a token for a user, and nothing else.
///
/// Keep it in a variable: `export TOKEN=$(jumak token --user alice --roles guest,host)`. There are no accounts and no passwords: the
/// token alone says who the user is, and a person who can read the data folder's keys can make a token for any user. The keys are made
/// if `jumak up` has not made them yet.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The user of the token: any name; use the same name for the same person
    #[arg(long, value_name = "NAME", value_parser = user)]
    user: String,
    /// The user's roles: guest, host, courier, agent, admin; separate several with commas
    #[arg(long, value_name = "ROLES", value_delimiter = ',', value_parser = role, default_value = "guest")]
    roles: Vec<Role>,
    /// How long the token is valid, such as 30m, 12h or 7d; at most 30d
    #[arg(long, value_name = "TIME", value_parser = duration::between(Duration::from_secs(1), MAX_LIFETIME), default_value = "12h")]
    ttl: Duration,
    #[command(flatten)]
    data: DataOption,
    #[command(flatten)]
    targeted: TargetOption,
}

/// Prints the token.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let config = args.targeted.load()?;
    anyhow::ensure!(
        config.auth.built_in,
        "auth.built_in is false, so a token of the built-in issuer would be refused; {}",
        ask_issuers(&config.auth)
    );
    let folder = args.data.folder()?;
    if config.auth.issuer_key_file.is_none() {
        folder.version()?;
        folder.create()?;
    }
    let keys = Keyring::of_issuer(&folder, &config.auth)?;
    let mut roles = args.roles.clone();
    roles.sort_unstable();
    roles.dedup();
    output::line(keys.mint(&args.user, &roles, args.ttl)?)?;
    Ok(())
}

fn user(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("the user's name is empty".to_owned()) } else { Ok(text.to_owned()) }
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text.trim()).ok_or_else(|| {
        let known = Role::ALL.map(Role::name).join(", ");
        format!("there is no role `{text}`; the roles are {known}")
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn a_token_lives_a_second_to_thirty_days() {
        let lifetime =
            |text| Line::try_parse_from(["token", "--user", "alice", "--ttl", text]).map(|line| line.args.ttl);
        assert_eq!(lifetime("30d").unwrap(), MAX_LIFETIME);
        assert_eq!(lifetime("1s").unwrap(), Duration::from_secs(1));
        for text in ["31d", "0m", "4166667d"] {
            assert!(lifetime(text).map(drop).unwrap_err().to_string().contains("use 1s to 30d"), "{text}");
        }
    }

    #[test]
    fn no_token_is_made_without_the_built_in_issuer() {
        let parent = tempfile::tempdir().unwrap();
        let (config, data) = (parent.path().join("jumak.toml"), parent.path().join("data"));
        let issuer = "[[auth.issuers]]\nissuer = \"https://id.example\"\naudience = \"jumak\"";
        fs::write(&config, format!("[auth]\nbuilt_in = false\n{issuer}")).unwrap();
        let (config, data_option) = (config.to_string_lossy(), data.to_string_lossy());
        let line = Line::parse_from(["token", "--user", "alice", "--config", &config, "--data", &data_option]);
        let error = run(&line.args).unwrap_err().to_string();
        assert!(error.contains("auth.built_in") && error.contains("https://id.example"), "{error}");
        assert!(!data.exists(), "no key is made either");
    }

    #[test]
    fn an_unknown_role_is_refused_with_the_list_of_roles() {
        assert_eq!(role(" host"), Ok(Role::Host));
        assert_eq!(
            role("king").unwrap_err(),
            "there is no role `king`; the roles are guest, host, courier, agent, admin"
        );
    }
}
