//! Writes the configuration files of a mesh: the operator's, and one for each context.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use jumak::{
    cli::target::OPERATORS,
    house::{DataFolder, Member},
};
use toml::{Table, Value};

use crate::{bus::Users, databases::is_in_a_file, identities::Identities, ports::Addresses};

/// The values for the configurations.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub addresses: &'a Addresses,
    pub databases: &'a BTreeMap<Member, String>,
    pub identities: &'a Identities,
    pub users: &'a Users,
    /// Settings that override those of every context.
    pub over: &'a Table,
}

impl Facts<'_> {
    /// Writes the operator's configuration to `folder`. With it a command finds every context.
    pub fn write_operators(&self, folder: &DataFolder) -> anyhow::Result<PathBuf> {
        let mut contexts = Table::new();
        for member in Member::ALL {
            let mut context = self.called(member);
            context.insert("database_url".to_owned(), self.database(member)?);
            context.insert("public_keys".to_owned(), key_of(&self.identities.public, member)?);
            contexts.insert(member.name().to_owned(), Value::Table(context));
        }
        let mut auth = self.auth();
        auth.insert("issuer_key_file".to_owned(), path(&self.identities.issuer));
        let mut config = Table::new();
        config.insert("auth".to_owned(), Value::Table(auth));
        config.insert("bus".to_owned(), Value::Table(self.users.operator()));
        config.insert("contexts".to_owned(), Value::Table(contexts));
        merge(&mut config, self.over);
        put(&folder.path().join(OPERATORS), &config)
    }

    /// Writes the configuration of one context to `folder`. It contains only that context's secrets.
    pub fn write_context(&self, folder: &DataFolder, member: Member) -> anyhow::Result<PathBuf> {
        let mut own = Table::new();
        own.insert("key_file".to_owned(), key_of(&self.identities.private, member)?);
        // An outside context has a file in its data folder instead, which one replica locks.
        if !is_in_a_file(member) {
            own.insert("database_url".to_owned(), self.database(member)?);
        }
        let mut contexts = Table::new();
        contexts.insert(member.name().to_owned(), Value::Table(own));
        for callee in member.callees() {
            contexts.insert(callee.name().to_owned(), Value::Table(self.called(callee)));
        }
        for caller in member.callers() {
            let public_keys = key_of(&self.identities.public, caller)?;
            contexts.insert(
                caller.name().to_owned(),
                Value::Table(Table::from_iter([("public_keys".to_owned(), public_keys)])),
            );
        }
        let mut config = Table::new();
        config.insert("auth".to_owned(), Value::Table(self.auth()));
        if let Some(bus) = self.users.context(member) {
            config.insert("bus".to_owned(), Value::Table(bus));
        }
        config.insert("contexts".to_owned(), Value::Table(contexts));
        merge(&mut config, self.over);
        put(&folder.path().join(format!("{member}.toml")), &config)
    }

    fn called(&self, member: Member) -> Table {
        let addresses =
            self.addresses.get(&member).into_iter().flatten().map(|address| Value::String(format!("http://{address}")));
        Table::from_iter([("addresses".to_owned(), list(addresses))])
    }

    fn auth(&self) -> Table {
        Table::from_iter([("issuer_public_keys".to_owned(), list([path(&self.identities.issuer_public)]))])
    }

    fn database(&self, member: Member) -> anyhow::Result<Value> {
        let url = self.databases.get(&member).with_context(|| format!("{member} has no database"))?;
        Ok(Value::String(url.clone()))
    }
}

fn path(path: &Path) -> Value {
    Value::String(path.to_string_lossy().into_owned())
}

/// The path of a context's key. The configuration accepts a single value for a list.
fn key_of(keys: &BTreeMap<Member, PathBuf>, member: Member) -> anyhow::Result<Value> {
    Ok(path(keys.get(&member).with_context(|| format!("{member} has no key"))?))
}

fn list(values: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(values.into_iter().collect())
}

/// Overrides `config` with `over`, key by key.
fn merge(config: &mut Table, over: &Table) {
    for (key, value) in over {
        match (config.get_mut(key), value) {
            (Some(Value::Table(config)), Value::Table(over)) => merge(config, over),
            _ => {
                config.insert(key.clone(), value.clone());
            }
        }
    }
}

fn put(path: &Path, config: &Table) -> anyhow::Result<PathBuf> {
    write(path, &config.to_string())?;
    Ok(path.to_owned())
}

/// Writes a file that only its owner may read.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let failed = || format!("failed to write the file {}", path.display());
    // An existing file is removed first, because it would keep its permissions.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).with_context(failed),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overriding_a_setting_keeps_the_other_settings() {
        let mut config: Table =
            [("a".to_owned(), Value::Table(Table::from_iter([("b".to_owned(), 1.into())])))].into_iter().collect();
        let over = Table::from_iter([("a".to_owned(), Value::Table(Table::from_iter([("c".to_owned(), 2.into())])))]);
        merge(&mut config, &over);
        assert_eq!(config.to_string().trim(), "[a]\nb = 1\nc = 2");
    }
}
