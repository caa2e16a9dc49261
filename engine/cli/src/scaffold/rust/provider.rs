//! @NAME@: a provider that says again what was said last, word by word.

use thalweg_abi::guest::{Failure, Provider, Reply};
use thalweg_abi::types::{E_INVALID, STOP_END};

/// The provider.
#[derive(Debug, Default)]
pub struct Echo;

impl Provider for Echo {
    fn describe(&self) -> &str {
        r#"{"provider":"@NAME@","models":[{"id":"echo"}]}"#
    }

    // It runs on a thread where it may block. Each push waits where the engine has no room, and fails once nobody listens.
    fn reply(&self, request: &str, reply: &mut Reply) -> Result<(), Failure> {
        let request: serde_json::Value =
            serde_json::from_str(request).map_err(|error| Failure::new(E_INVALID, error.to_string()))?;
        let content = request["messages"].as_array().and_then(|messages| messages.last()?["content"].as_array());
        let said = content.and_then(|parts| parts.last()?["text"].as_str());
        let said = said.ok_or_else(|| Failure::new(E_INVALID, "the conversation does not end with a text"))?;
        reply.begin("echo")?;
        for word in said.split_inclusive(' ') {
            reply.text(0, word)?;
        }
        reply.stop(STOP_END)?;
        Ok(())
    }
}

thalweg_abi::export_plugin! { id: "@NAME@", version: env!("CARGO_PKG_VERSION"), provider: Echo }
