//! One row of the table: a provider.

use serde_json::{Map, Value};

use super::address::{self, Address};
use super::error::Error;
use super::table::Table;
use crate::http;

/// Reads an environment variable.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The value of a variable, without white space around it; blank counts as not set.
pub(super) fn set(variables: Variables<'_>, name: &str) -> Option<String> {
    let value = variables(name)?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Provider {
    /// Name before the slash of `provider/model`.
    pub id: String,
    /// Other names for it.
    pub aliases: Vec<String>,
    /// The dialect it speaks.
    pub dialect: String,
    /// Environment variables that may hold its key, in order; the first one set wins.
    pub keys: Vec<KeyName>,
    /// Where the key goes, as a codec's description says under `auth`; the codec's own word unless set.
    pub auth: Option<Value>,
    /// Habits of its servers, handed to the codec as they are.
    pub flags: Map<String, Value>,
    /// The model used when none is named; only providers that have one are chosen by their key alone.
    pub default_model: Option<String>,
    /// Sent with every request to its hosts.
    pub headers: Vec<(String, String)>,
    /// Further hosts that may get its key; `*.` at the front stands for any name.
    pub hosts: Vec<String>,
    /// Whether the ids of its models hold slashes, as those of routers do.
    pub models_with_slash: bool,
    /// Whether its key may go over http to another machine.
    pub key_without_tls: bool,
    /// Where the row comes from.
    pub source: Source,
    pub(super) addresses: Vec<Address>,
}

/// An environment variable that may hold a key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyName {
    /// The variable.
    pub name: String,
    /// Where this key goes, if elsewhere than the provider's others.
    pub auth: Option<Value>,
    /// Sent along with this key.
    pub headers: Vec<(String, String)>,
}

/// Where a row comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The table that comes with the library.
    BuiltIn,
    /// A plugin's description.
    Plugin(String),
    /// A file of the user, or what a program calls its own.
    File(String),
}

impl Provider {
    /// Everything before the path that the codec writes, with what `variables` say.
    ///
    /// # Errors
    /// [`Error::NoAddress`] when a variable is missing, [`Error::Address`] when one holds no part of a URL.
    pub fn base_url(&self, variables: Variables<'_>) -> Result<String, Error> {
        let failed = |reason| Error::Address { name: self.id.clone(), reason };
        for address in &self.addresses {
            if let Some(url) = address.fill(variables).map_err(failed)? {
                return Ok(url);
            }
        }
        let least = self.addresses.iter().min_by_key(|address| address.variables().count());
        let missing = least.into_iter().flat_map(Address::variables).map(str::to_owned).collect();
        Err(Error::NoAddress { provider: self.id.clone(), variables: missing })
    }

    /// The base URL as the row has it, with the names of variables in `{…}`.
    #[must_use]
    pub fn usual_base_url(&self) -> &str {
        let fixed = self.addresses.iter().find(|address| address.is_fixed());
        fixed.or_else(|| self.addresses.last()).map_or("", Address::written)
    }

    /// Whether it is a server on this machine, which need not have a key.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.addresses.iter().any(Address::is_loopback)
    }

    /// Whether a request can go without a key from the table: the server is on this machine, none is known, or what
    /// signs requests finds the means by itself.
    #[must_use]
    pub fn works_without_key(&self) -> bool {
        self.is_local() || self.keys.is_empty() || self.finds_credentials()
    }

    /// Whether requests are signed with what is found on the machine rather than with a key of the table.
    #[must_use]
    pub fn finds_credentials(&self) -> bool {
        self.auth.as_ref().is_some_and(|auth| ["sigv4", "google"].iter().any(|kind| auth["kind"] == *kind))
    }

    /// The first of its environment variables that holds something, with the key.
    #[must_use]
    pub fn key_from(&self, variables: Variables<'_>) -> Option<(&KeyName, http::Secret)> {
        self.keys.iter().find_map(|key| Some((key, http::Secret::new(&set(variables, &key.name)?))))
    }

    /// Whether its key may go to `url`: the address of the row, or one of its further hosts by https.
    #[must_use]
    pub fn owns(&self, url: &str, variables: Variables<'_>) -> bool {
        let at_home = self.addresses.iter().any(|address| {
            address.fill(variables).ok().flatten().is_some_and(|home| address::is_same_origin(&home, url))
        });
        at_home
            || (url.starts_with("https://")
                && address::host(url).is_some_and(|host| self.hosts.iter().any(|pattern| fits(pattern, &host))))
    }

    /// Whether credentials that are found on the machine may sign requests to `url`: it is the row's own. Loading a plugin
    /// is no word on where one's accounts go, so a row of a plugin may lead only where the built-in ones do.
    #[must_use]
    pub fn may_use_credentials(&self, url: &str, variables: Variables<'_>) -> bool {
        let is_known = || Table::built_in().iter().any(|row| row.finds_credentials() && row.owns(url, variables));
        self.owns(url, variables) && (!matches!(self.source, Source::Plugin(_)) || is_known())
    }

    /// Whether `name` is its id or an alias, in any case.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.id.eq_ignore_ascii_case(name) || self.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    }

    /// Whether `url` is the very address of the row.
    pub(super) fn is_at(&self, url: &str, variables: Variables<'_>) -> bool {
        let url = url.trim_end_matches('/');
        self.addresses.iter().any(|address| address.leads_to(url, variables))
    }
}

fn fits(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(domain) => host.strip_suffix(domain).is_some_and(|name| name.len() > 1 && name.ends_with('.')),
        None => host.eq_ignore_ascii_case(pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_whole_names_only() {
        assert!(fits("*.openai.azure.com", "mine.openai.azure.com"));
        assert!(fits("api.x.ai", "api.x.ai"));
        for host in ["openai.azure.com", ".openai.azure.com", "evilopenai.azure.com", "a.openai.azure.com.evil"] {
            assert!(!fits("*.openai.azure.com", host), "{host}");
        }
        assert!(!fits("api.x.ai", "xapi.x.ai"));
    }
}
