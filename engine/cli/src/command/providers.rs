//! `thalweg providers`: the table, with the user's own rows, and whose key is set. No key is shown.

use std::io::{self, Write};
use std::sync::Arc;

use serde_json::{Value, json};
use thalweg::provider::{Error, Provider, Source};

use crate::endpoint::{table, variable};
use crate::failure::Failure;
use crate::plugins;

/// List the providers: name, dialect, address, and the variable that holds the key
#[derive(clap::Args)]
pub(crate) struct Providers {
    /// Only these, by name or alias
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Providers {
    pub(crate) fn execute(self) -> Result<(), Failure> {
        let table = table()?;
        let rows: Vec<&Arc<Provider>> = if self.names.is_empty() {
            table.iter().collect()
        } else {
            let found = self.names.iter().map(|name| table.named(name).map_err(Failure::usage));
            found.collect::<Result<_, _>>()?
        };
        let mut out = io::stdout().lock();
        if self.json {
            for row in rows {
                writeln!(out, "{}", as_json(row))?;
            }
        } else {
            list(&rows, &mut out)?;
        }
        Ok(out.flush()?)
    }
}

fn as_json(row: &Provider) -> Value {
    let base_url = row.base_url(&variable);
    json!({
        "id": row.id,
        "aliases": row.aliases,
        "dialect": row.dialect,
        "has_codec": plugins::speaks(&row.dialect),
        "base_url": base_url.as_ref().ok(),
        "missing": missing(&base_url),
        "keys": row.keys.iter().map(|key| &key.name).collect::<Vec<_>>(),
        "key_set": row.key_from(&variable).map(|(key, _)| &key.name),
        "auth": row.auth,
        "flags": row.flags,
        "default_model": row.default_model,
        "hosts": row.hosts,
        "source": source(&row.source),
    })
}

/// The variables that an address lacks.
fn missing(base_url: &Result<String, Error>) -> &[String] {
    match base_url {
        Err(Error::NoAddress { variables, .. }) => variables,
        _ => &[],
    }
}

fn source(source: &Source) -> String {
    match source {
        Source::Plugin(id) => format!("plugin {id}"),
        Source::File(path) => path.clone(),
        _ => "built in".to_owned(),
    }
}

fn list(rows: &[&Arc<Provider>], out: &mut impl Write) -> io::Result<()> {
    let lines: Vec<[String; 4]> = rows.iter().map(|row| line(row)).collect();
    let head = ["PROVIDER", "DIALECT", "BASE URL", "KEY"].map(str::to_owned);
    let width = |column: usize| {
        std::iter::once(&head).chain(&lines).map(|line| line[column].chars().count()).max().unwrap_or_default()
    };
    let [id, dialect, url] = [width(0), width(1), width(2).min(URL_CHARS_MAX)];
    for line in std::iter::once(&head).chain(&lines) {
        let [name, spoken, address, key] = line;
        writeln!(out, "{name:id$}  {spoken:dialect$}  {address:url$}  {key}")?;
    }
    let files: Vec<&str> =
        rows.iter().filter_map(|row| if let Source::File(path) = &row.source { Some(&**path) } else { None }).collect();
    if let Some(path) = files.first() {
        writeln!(out, "\n{} of them from {path}", files.len())?;
    }
    if rows.iter().any(|row| !plugins::speaks(&row.dialect)) {
        writeln!(out, "\n* no plugin here speaks this dialect")?;
    }
    Ok(())
}

fn line(row: &Provider) -> [String; 4] {
    let star = if plugins::speaks(&row.dialect) { "" } else { " *" };
    let address = match row.base_url(&variable) {
        Ok(url) => url,
        Err(Error::NoAddress { variables, .. }) => format!("(set {})", variables.join(" and ")),
        Err(error) => format!("({error})"),
    };
    let names: Vec<&str> = row.keys.iter().map(|key| key.name.as_str()).collect();
    let key = match row.key_from(&variable) {
        Some((key, _)) => format!("{} (set)", key.name),
        None if row.finds_credentials() => [&names[..], &["credentials of this machine"]].concat().join(" or "),
        None if names.is_empty() => "none".to_owned(),
        None if row.works_without_key() => format!("{} (not needed)", names.join(" or ")),
        None => names.join(" or "),
    };
    [row.id.clone(), format!("{}{star}", row.dialect), address, key]
}

/// Longer addresses push their line's key to the right, and not everybody's.
const URL_CHARS_MAX: usize = 56;
