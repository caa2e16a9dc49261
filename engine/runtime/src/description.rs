//! What a codec says of itself, read once however many agents are built with it.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use thalweg_abi::host;
use thalweg_wire::pipeline::{Framing, KeyMarks};

use crate::error::Error;

/// The description of a codec.
#[derive(Debug)]
pub(crate) struct Description {
    text: String,
    pub(crate) json: Value,
    pub(crate) marks: KeyMarks,
}

/// Those that were read, by their text: a codec that says something else is read again.
static KNOWN: Mutex<Vec<Arc<Description>>> = Mutex::new(Vec::new());

/// More are not kept: there are a dozen dialects, and a plugin may say something new each time.
const KNOWN_MAX: usize = 64;

impl Description {
    /// What `codec` says of itself.
    pub(crate) fn of(codec: &host::Codec) -> Result<Arc<Self>, Error> {
        let text = codec.describe().map_err(Error::codec)?;
        // A push leaves the list whole.
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().iter().find(|description| description.text == text) {
            return Ok(Arc::clone(found));
        }
        let (json, marks) = (read_description(text.clone())?, KeyMarks::of_description(&text));
        let description = Arc::new(Self { text, json, marks });
        let mut known = known();
        if known.len() < KNOWN_MAX {
            known.push(Arc::clone(&description));
        }
        Ok(description)
    }

    /// How the bodies of its replies are framed.
    pub(crate) fn framing(&self) -> Result<Framing, Error> {
        let framing = self.json["framing"].as_str().and_then(Framing::from_name);
        framing.ok_or_else(|| Error::Framing { framing: self.json["framing"].to_string() })
    }
}

/// The JSON of a description.
pub(crate) fn read_description(text: String) -> Result<Value, Error> {
    let mut bytes = text.into_bytes();
    simd_json::serde::from_slice(&mut bytes).map_err(|error| Error::Describe { message: error.to_string() })
}
