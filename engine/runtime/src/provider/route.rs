//! From what a user says to where a request goes.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::address;
use super::error::Error;
use super::name::split_thinking;
use super::row::{Provider, Variables};
use super::table::Table;
use crate::http;

/// What is said of a model before the table is asked. Blank counts as not said.
#[derive(Clone, Debug, Default)]
pub struct Wish<'a> {
    /// `provider/model:thinking`; the model as it stands when a provider or a base URL is named beside it.
    pub model: &'a str,
    /// The provider, by id or alias.
    pub provider: Option<&'a str>,
    /// Everything before the path that the codec writes.
    pub base_url: Option<&'a str>,
    /// The dialect, by a name of its own or of a provider that speaks it.
    pub dialect: Option<&'a str>,
    /// The key; without it the provider's variables are read.
    pub key: Option<http::Secret>,
}

impl<'a> Wish<'a> {
    /// A model by its name alone.
    #[must_use]
    pub fn model(model: &'a str) -> Self {
        Self { model, ..Self::default() }
    }
}

/// Where a request goes, in which dialect, with which key.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Route {
    /// The row, if the table has one for it.
    pub provider: Option<Arc<Provider>>,
    /// Everything before the path that the codec writes, without a slash at the end.
    pub base_url: String,
    /// The dialect.
    pub dialect: String,
    /// The model as the server knows it.
    pub model: String,
    /// The level of thinking that the model's name ended with.
    pub thinking: Option<&'static str>,
    /// The key, if there is one.
    pub key: Option<Key>,
    /// Where the key goes, as a codec's description says under `auth`; the codec's own word unless set.
    pub auth: Option<Value>,
    /// Habits of the server, for the codec.
    pub flags: Map<String, Value>,
    /// Sent with every request.
    pub headers: Vec<(String, String)>,
}

/// A key, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The environment variable; none if it was given.
    pub variable: Option<String>,
    /// The key.
    pub secret: http::Secret,
}

impl Route {
    /// The provider's name, or the address.
    #[must_use]
    pub fn name(&self) -> &str {
        self.provider.as_ref().map_or(&self.base_url, |row| &row.id)
    }

    /// The options that a codec is opened with.
    pub(crate) fn codec_options(&self) -> String {
        let provider = self.provider.as_ref().map(|row| &row.id);
        let mut options = serde_json::json!({ "provider": provider, "base_url": self.base_url });
        if !self.flags.is_empty() {
            options["flags"] = Value::Object(self.flags.clone());
        }
        options.to_string()
    }
}

impl Table {
    /// Where `wish` leads, with what `variables` of the environment say. No key leaves the hosts of its own row unless it
    /// was given in the wish.
    ///
    /// # Errors
    /// When no provider is known for it, or its model, address or key is missing.
    pub fn route(&self, wish: &Wish<'_>, variables: Variables<'_>) -> Result<Route, Error> {
        let named = wish.model.trim();
        let base_url = said(wish.base_url).map(|url| url.trim_end_matches('/'));
        if let Some(url) = base_url {
            address::check(url).map_err(|reason| Error::Address { name: "base URL".to_owned(), reason })?;
        }
        let (row, model, thinking) = match (said(wish.provider), base_url) {
            (Some(id), _) => (Some(self.named(id)?), named, None),
            (None, Some(url)) => (self.at(url, variables), named, None),
            (None, None) => {
                let split = named.split_once('/').and_then(|(id, model)| Some((self.find(id)?, model.trim())));
                let (row, model) = split.ok_or_else(|| self.unknown(named))?;
                let (model, thinking) = split_thinking(model);
                (Some(row), model, thinking)
            }
        };
        if let (true, Some(row)) = (model.is_empty(), row) {
            return Err(Error::NoModel { provider: row.id.clone() });
        }
        let base_url = match (base_url, row) {
            (Some(url), _) => url.to_owned(),
            (None, Some(row)) => row.base_url(variables)?,
            (None, None) => return Err(self.unknown(named)),
        };
        let (dialect, speaker) = match (said(wish.dialect), row) {
            (Some(name), _) => self.dialect(name),
            (None, Some(row)) => (row.dialect.clone(), None),
            (None, None) => ("openai-chat".to_owned(), None),
        };
        // Habits belong to a dialect: those of a row are of no use in another.
        let habits =
            row.filter(|row| row.dialect == dialect && (!row.flags.is_empty() || speaker.is_none())).or(speaker);
        let owner = row.filter(|row| row.owns(&base_url, variables));
        let mut route = Route {
            provider: row.cloned(),
            dialect,
            model: model.to_owned(),
            thinking,
            key: wish.key.clone().filter(|key| !key.is_empty()).map(|secret| Key { variable: None, secret }),
            auth: habits.and_then(|row| row.auth.clone()),
            flags: habits.map(|row| row.flags.clone()).unwrap_or_default(),
            headers: owner.map(|row| row.headers.clone()).unwrap_or_default(),
            base_url,
        };
        if route.key.is_none() {
            // A key from the environment goes only to the hosts of its own row.
            let owner = if said(wish.provider).is_some() {
                owner
            } else {
                owner.or_else(|| self.owner(&route.base_url, variables))
            };
            if let Some((name, secret)) = owner.and_then(|row| row.key_from(variables)) {
                route.auth = name.auth.clone().or(route.auth);
                route.headers.extend(name.headers.iter().cloned());
                route.key = Some(Key { variable: Some(name.name.clone()), secret });
            } else if let Some(row) = owner
                && !row.works_without_key()
                // At an address that was given, a server may well want none.
                && (said(wish.base_url).is_none() || said(wish.provider).is_some())
            {
                let variables = row.keys.iter().map(|key| key.name.clone()).collect();
                return Err(Error::NoKey { provider: row.id.clone(), variables });
            }
        }
        let may_be_read = route.base_url.starts_with("http://") && !http::is_loopback_url(&route.base_url);
        if route.key.is_some() && may_be_read && !owner.is_some_and(|row| row.key_without_tls) {
            return Err(Error::Cleartext { host: address::host(&route.base_url).unwrap_or_default() });
        }
        Ok(route)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} · {} · {}", self.model, self.base_url, self.dialect)
    }
}

fn said(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}
