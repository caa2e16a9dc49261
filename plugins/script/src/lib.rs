//! A provider that plays a script: an agent can be tested, or shown, without a model and without a network.
//!
//! The script is the field `script` of the request's `extra`, or a file whose path is the model (`script//home/me/s.json`):
//! `{"replies": [reply, …]}`, one reply for each request of a conversation, in order; [`Reply`] says what each may hold.

mod fetch;
mod reply;

use std::borrow::Cow;
use std::fs;

use serde::Deserialize;
use serde_json::value::RawValue;
use thalweg_abi::guest::{self, Failure, Model, Models, Provider};
use thalweg_abi::types::E_INVALID;

pub use fetch::Fetch;
pub use reply::Reply;

/// The provider.
#[derive(Debug, Default)]
pub struct Script;

/// What is read of a request.
#[derive(Deserialize)]
struct Request<'a> {
    #[serde(default)]
    model: Cow<'a, str>,
    #[serde(borrow, default)]
    extra: Extra<'a>,
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
}

#[derive(Default, Deserialize)]
struct Extra<'a> {
    #[serde(borrow)]
    script: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
}

/// The script.
#[derive(Deserialize)]
struct Replies {
    replies: Vec<Reply>,
}

impl Provider for Script {
    fn describe(&self) -> &str {
        r#"{"provider":"script","models":[{"id":"inline"}]}"#
    }

    fn reply(&self, request: &str, sink: &mut guest::Reply) -> Result<(), Failure> {
        let request: Request<'_> = serde_json::from_str(request).map_err(|error| invalid("the request", &error))?;
        let script: Replies = match request.extra.script {
            Some(script) => serde_json::from_str(script.get()).map_err(|error| invalid("the script", &error))?,
            None => read(&request.model)?,
        };
        // Empty replies are not sent back, so it is the messages behind which a reply stands that count.
        let number = request.messages.iter().filter(|message| message.role == "assistant").count();
        let reply = script.replies.get(number).ok_or_else(|| {
            Failure::new(
                E_INVALID,
                format!("the script has {} replies, this is request {}", script.replies.len(), number + 1),
            )
        })?;
        reply.play(&request.model, number, sink)
    }
}

impl Models for Script {
    fn list(&self) -> Result<Vec<Model>, Failure> {
        // Any file is a model, too; those cannot be listed.
        Ok(vec![Model::new("inline").named("The script in the request").with(&["tools", "thinking"])])
    }
}

fn read(path: &str) -> Result<Replies, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        let hint = "name a script as the model (script/FILE), or put it into the field `script` of the request's extra";
        Failure::new(E_INVALID, format!("cannot read the script `{path}`: {error}; {hint}"))
    })?;
    serde_json::from_str(&text).map_err(|error| invalid(&format!("the script `{path}`"), &error))
}

fn invalid(what: &str, error: &serde_json::Error) -> Failure {
    Failure::new(E_INVALID, format!("{what} is not what it should be: {error}"))
}

thalweg_abi::plugin! { id: "thalweg.script", version: env!("CARGO_PKG_VERSION"), provider: Script, models: Script }
