//! `thalweg providers`: the table, with the user's own rows, and whose key is set. No key is shown.

use std::io::{self, Write};
use std::path::PathBuf;
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
    /// With the providers that this plugin brings along; naming the file is the permission to run its code
    #[arg(long, value_name = "FILE")]
    plugin: Vec<PathBuf>,
}

impl Providers {
    pub(crate) fn execute(self) -> Result<(), Failure> {
        let mut table = table()?;
        let mut dialects = Vec::new();
        let mut loaded: Vec<_> = plugins::own()?.iter().map(|(plugin, _)| plugin.clone()).collect();
        for file in &self.plugin {
            loaded.push(plugins::load_file(file)?.plugin().clone());
        }
        for plugin in &loaded {
            let Some(codec) = plugin.codec() else { continue };
            let description = codec.describe().map_err(Failure::run)?;
            let description: Value = serde_json::from_str(&description).map_err(Failure::run)?;
            dialects.extend(description["dialect"].as_str().map(str::to_owned));
            if !description["providers"].is_null() {
                table.add_plugin(codec.plugin(), &description["providers"]).map_err(Failure::run)?;
            }
        }
        let speaks = |dialect: &str| plugins::speaks(dialect) || dialects.iter().any(|known| known == dialect);
        let rows: Vec<&Arc<Provider>> = if self.names.is_empty() {
            table.iter().collect()
        } else {
            let found = self.names.iter().map(|name| table.named(name).map_err(Failure::usage));
            found.collect::<Result<_, _>>()?
        };
        let mut out = io::stdout().lock();
        if self.json {
            for row in rows {
                writeln!(out, "{}", as_json(row, &speaks))?;
            }
        } else {
            list(&rows, &speaks, &mut out)?;
        }
        Ok(out.flush()?)
    }
}

/// Whether there is a codec for a dialect.
type Speaks<'a> = &'a dyn Fn(&str) -> bool;

fn as_json(row: &Provider, speaks: Speaks<'_>) -> Value {
    let base_url = row.base_url(&variable);
    json!({
        "id": row.id,
        "aliases": row.aliases,
        "dialect": row.dialect,
        "has_codec": speaks(&row.dialect),
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

fn list(rows: &[&Arc<Provider>], speaks: Speaks<'_>, out: &mut impl Write) -> io::Result<()> {
    let lines: Vec<[String; 4]> = rows.iter().map(|row| line(row, speaks)).collect();
    let head = ["PROVIDER", "DIALECT", "BASE URL", "KEY"].map(str::to_owned);
    let width = |column: usize| {
        std::iter::once(&head).chain(&lines).map(|line| line[column].chars().count()).max().unwrap_or_default()
    };
    let [id, dialect, url] = [width(0), width(1), width(2).min(URL_CHARS_MAX)];
    for line in std::iter::once(&head).chain(&lines) {
        let [name, spoken, address, key] = line;
        writeln!(out, "{name:id$}  {spoken:dialect$}  {address:url$}  {key}")?;
    }
    let mut counts: Vec<(String, usize)> = Vec::new();
    for source in rows.iter().map(|row| &row.source).filter(|source| !matches!(source, Source::BuiltIn)) {
        let name = self::source(source);
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    for (name, count) in counts {
        writeln!(out, "\n{count} of them from {name}")?;
    }
    if rows.iter().any(|row| !speaks(&row.dialect)) {
        writeln!(out, "\n* no plugin here speaks this dialect")?;
    }
    Ok(())
}

fn line(row: &Provider, speaks: Speaks<'_>) -> [String; 4] {
    let star = if speaks(&row.dialect) { "" } else { " *" };
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
