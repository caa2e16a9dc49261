//! `name=value`, as given to a program.

use std::collections::HashMap;
use std::path::PathBuf;
use std::str::FromStr;

/// What a client program is told to do.
#[derive(Clone, Debug, Default)]
pub struct Arguments(HashMap<String, String>);

impl Arguments {
    /// Those among the arguments that have the form `name=value`.
    pub fn new(arguments: impl IntoIterator<Item = String>) -> Self {
        let pairs = arguments.into_iter().filter_map(|argument| {
            let (name, value) = argument.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        Self(pairs.collect())
    }

    /// The text of that name.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("give {name}=…"))
    }

    /// The number of that name.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn number<T: FromStr>(&self, name: &str) -> T {
        self.text(name).parse().unwrap_or_else(|_| panic!("{name} is not a number: {}", self.text(name)))
    }

    /// The server, up to and with `/v1`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.text("url")
    }

    /// The certificate that the server shows, where it speaks TLS.
    #[must_use]
    pub fn certificate(&self) -> Option<PathBuf> {
        self.0.get("certificate").map(PathBuf::from)
    }
}
