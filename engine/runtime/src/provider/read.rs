//! Reads rows, from TOML and from the JSON of a plugin's description. What is wrong is told with its place and what to do,
//! and without the text around it, which may hold a key.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::address::{self, Address};
use super::error::Error;
use super::row::{KeyName, Provider, Source};
use crate::auth;

/// A file of providers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Further names of dialects.
    #[serde(default)]
    dialects: BTreeMap<String, String>,
    #[serde(default)]
    provider: Vec<toml::Spanned<Row>>,
}

/// A row as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    /// The provider whose dialect, auth and flags hold where this row has none.
    like: Option<String>,
    aliases: Option<List<String>>,
    base_url: List<String>,
    dialect: Option<String>,
    keys: Option<List<Key>>,
    auth: Option<Value>,
    flags: Option<Map<String, Value>>,
    default_model: Option<String>,
    headers: Option<Map<String, Value>>,
    hosts: Option<List<String>>,
    #[serde(default)]
    models_with_slash: bool,
    #[serde(default)]
    key_without_tls: bool,
}

/// One, or a list.
#[derive(Deserialize)]
#[serde(untagged, expecting = "one, or a list of them")]
enum List<T> {
    One(T),
    Many(Vec<T>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "the name of an environment variable, or a table with `name`, `auth` and `headers`")]
enum Key {
    Name(String),
    Table(KeyTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    name: String,
    auth: Option<Value>,
    headers: Option<Map<String, Value>>,
}

/// What a file holds: names of dialects, and rows.
pub(super) struct Rows {
    pub(super) dialects: BTreeMap<String, String>,
    pub(super) providers: Vec<Provider>,
}

/// Reads a file. `place` names it in errors; `known` are the rows that `like` may name.
pub(super) fn from_toml(
    place: &str,
    text: &str,
    source: &Source,
    known: &dyn Fn(&str) -> Option<Provider>,
) -> Result<Rows, Error> {
    // Counted only when there is something to tell: doing so for each row took longer than parsing.
    let at = |span: Option<Range<usize>>| {
        let line = text.as_bytes()[..span.map_or(0, |span| span.start.min(text.len()))].iter();
        format!("{place}:{}", 1 + line.filter(|byte| **byte == b'\n').count())
    };
    let file: File = toml::from_str(text)
        .map_err(|error| Error::Row { place: at(error.span()), reason: explained(error.message()) })?;
    let mut providers: Vec<Provider> = Vec::new();
    for row in file.provider {
        let span = row.span();
        let provider = provider(row.into_inner(), source, &|id| {
            providers.iter().find(|row| row.is_named(id)).cloned().or_else(|| known(id))
        })
        .and_then(|provider| distinct(&providers, provider))
        .map_err(|reason| Error::Row { place: at(Some(span)), reason })?;
        providers.push(provider);
    }
    Ok(Rows { dialects: file.dialects, providers })
}

/// Reads the `providers` of a plugin's description.
pub(super) fn from_json(
    plugin: &str,
    rows: &Value,
    known: &dyn Fn(&str) -> Option<Provider>,
) -> Result<Vec<Provider>, Error> {
    let fail = |n: Option<usize>, reason| Error::Row {
        place: n.map_or_else(|| format!("plugin {plugin}, providers"), |n| format!("plugin {plugin}, providers[{n}]")),
        reason,
    };
    let Value::Array(rows) = rows else { return Err(fail(None, "must be a list of rows".to_owned())) };
    let source = Source::Plugin(plugin.to_owned());
    let mut providers: Vec<Provider> = Vec::new();
    for (n, row) in rows.iter().enumerate() {
        let provider = serde_json::from_value(row.clone())
            .map_err(|error| explained(&error.to_string()))
            .and_then(|row| provider(row, &source, known))
            .and_then(|provider| distinct(&providers, provider))
            .map_err(|reason| fail(Some(n), reason))?;
        providers.push(provider);
    }
    Ok(providers)
}

fn distinct(others: &[Provider], provider: Provider) -> Result<Provider, String> {
    let mut names = std::iter::once(&provider.id).chain(&provider.aliases);
    match names.find(|name| others.iter().any(|other| other.is_named(name))) {
        Some(name) => Err(format!("two rows of this file are named {name:?}; keep one")),
        None => Ok(provider),
    }
}

fn provider(row: Row, source: &Source, known: &dyn Fn(&str) -> Option<Provider>) -> Result<Provider, String> {
    let id = row.id.trim().to_owned();
    if id.is_empty() || id.contains(['/', ':']) || id.contains(char::is_whitespace) {
        return Err("id must be a word without slash, colon and space".to_owned());
    }
    let like = match &row.like {
        Some(like) => {
            Some(known(like).ok_or_else(|| format!("like names {like:?}, which is no provider before this row"))?)
        }
        None => None,
    };
    let dialect = row.dialect.or_else(|| Some(like.as_ref()?.dialect.clone()));
    let dialect = dialect.filter(|dialect| !dialect.trim().is_empty());
    let dialect =
        dialect.ok_or_else(|| format!("{id} has no dialect; add dialect = \"openai-chat\" or like = \"…\""))?;
    let addresses = list(row.base_url).iter().map(|url| Address::parse(url)).collect::<Result<Vec<_>, _>>()?;
    if addresses.is_empty() {
        return Err(format!("{id} has no base_url"));
    }
    let keys = list_of(row.keys).into_iter().map(key).collect::<Result<Vec<_>, _>>()?;
    if !keys.is_empty() && !row.key_without_tls && addresses.iter().any(Address::is_cleartext) {
        return Err(format!(
            "{id} has a key and a base_url of http, where others could read it; use https, or add key_without_tls = true"
        ));
    }
    if row.key_without_tls && matches!(source, Source::Plugin(_)) {
        return Err("key_without_tls is for the user's own file only".to_owned());
    }
    // Habits belong to a dialect: a row that is like another but speaks something else takes none.
    let like = like.filter(|like| like.dialect == dialect);
    if let Some(auth) = &row.auth {
        check_auth(auth)?;
    }
    Ok(Provider {
        id,
        aliases: list_of(row.aliases),
        dialect,
        keys,
        auth: row.auth.or_else(|| like.as_ref()?.auth.clone()),
        flags: row.flags.or_else(|| Some(like.as_ref()?.flags.clone())).unwrap_or_default(),
        default_model: row.default_model.filter(|model| !model.trim().is_empty()),
        headers: headers(row.headers)?,
        hosts: list_of(row.hosts).into_iter().map(host).collect::<Result<_, _>>()?,
        models_with_slash: row.models_with_slash,
        key_without_tls: row.key_without_tls,
        source: source.clone(),
        addresses,
    })
}

fn key(key: Key) -> Result<KeyName, String> {
    let (name, auth, given) = match key {
        Key::Name(name) => (name, None, None),
        Key::Table(key) => (key.name, key.auth, key.headers),
    };
    if !address::is_variable_name(&name) {
        return Err(
            "keys holds something that is no name of an environment variable; write the variable's name here and put the \
             key itself into the variable"
                .to_owned(),
        );
    }
    if let Some(auth) = &auth {
        check_auth(auth)?;
    }
    Ok(KeyName { name, auth, headers: headers(given)? })
}

fn check_auth(auth: &Value) -> Result<(), String> {
    let kind = serde_json::from_value::<auth::Kind>(auth.clone());
    kind.map(drop).map_err(|error| format!("auth: {}", explained(&error.to_string())))
}

fn headers(headers: Option<Map<String, Value>>) -> Result<Vec<(String, String)>, String> {
    let pair = |(name, value): (String, Value)| match value {
        Value::String(value) => Ok((name, value)),
        _ => Err(format!("header {name:?} must be a text")),
    };
    headers.unwrap_or_default().into_iter().map(pair).collect()
}

fn host(host: String) -> Result<String, String> {
    let name = host.strip_prefix("*.").unwrap_or(&host);
    // A pattern for a whole top-level domain would be no pattern.
    let is_host = name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-'));
    if name.is_empty() || !is_host || name.starts_with('.') || (host.starts_with("*.") && !name.contains('.')) {
        return Err("hosts holds something that is no host, such as api.example.com or *.example.com".to_owned());
    }
    Ok(host.to_ascii_lowercase())
}

fn list<T>(list: List<T>) -> Vec<T> {
    match list {
        List::One(one) => vec![one],
        List::Many(many) => many,
    }
}

fn list_of<T>(given: Option<List<T>>) -> Vec<T> {
    given.map(list).unwrap_or_default()
}

/// The parser's message, with what to do where that is known, and without texts of the file.
fn explained(message: &str) -> String {
    let mut told = String::new();
    let mut rest = message;
    // "invalid type: string "sk-…", expected …": a value in quotes may be a key.
    while let Some((before, behind)) = rest.split_once('"') {
        told.push_str(before);
        told.push('…');
        rest = behind.split_once('"').map_or("", |(_, behind)| behind);
    }
    told.push_str(rest);
    let told = told.lines().collect::<Vec<_>>().join(" ");
    if ["`api_key`", "`key`", "`apiKey`", "`token`"]
        .iter()
        .any(|field| told.contains(&format!("unknown field {field}")))
    {
        return "keys do not belong in this file; put the key into an environment variable and name that: keys = \"MY_KEY\""
            .to_owned();
    }
    told
}
