//! Which server a model's name leads to, with which key, in which dialect and with whose habits.
#![forbid(unsafe_code)]

mod habits;
mod names;
mod odd;
mod rules;
mod server;
mod table;

use thalweg::provider::{self, Route, Table, Wish};

/// An environment of so many `NAME=value` words.
pub(crate) fn set(words: &'static str) -> impl Fn(&str) -> Option<String> {
    move |name| {
        let pair = words.split(' ').find_map(|word| word.split_once('=').filter(|(known, _)| *known == name));
        pair.map(|(_, value)| value.to_owned())
    }
}

pub(crate) fn route(model: &str, environment: &'static str) -> Result<Route, provider::Error> {
    Table::built_in().route(&Wish::model(model), &set(environment))
}

pub(crate) fn key_of(route: &Route) -> Option<(Option<&str>, String)> {
    // A key shows itself only where it is used: taking it out of a text tells which one it is.
    let key = route.key.as_ref()?;
    let texts = ["secret-one", "secret-two", "secret-three"];
    let found = texts.into_iter().find(|text| key.secret.redact((*text).to_owned()) != *text);
    Some((key.variable.as_deref(), found.unwrap_or("another").to_owned()))
}
