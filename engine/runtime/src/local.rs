//! Finds model servers on this machine by asking their usual ports for the list of models.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;

use crate::http;
use crate::provider::{Provider, Table};

/// A server that answered.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalServer {
    /// Its row in the provider table.
    pub provider: Arc<Provider>,
    /// Ids of the models it serves, in its order; at least one.
    pub models: Vec<String>,
}

/// Asks all usual ports at once and gives the servers that answered with a list of models, in the order of the table.
/// Takes a few milliseconds when nothing listens, and [`PATIENCE`] at most.
pub async fn find(table: &Table) -> Vec<LocalServer> {
    let mut asked = JoinSet::new();
    // The list is asked for as the OpenAI API has it, so of one server only the row that speaks that is asked.
    let is_asked = |row: &&Arc<Provider>| row.is_local() && row.dialect == "openai-chat";
    for (place, provider) in table.iter().filter(is_asked).enumerate() {
        let provider = Arc::clone(provider);
        asked.spawn(async move {
            let url = provider.usual_base_url().to_owned();
            let models = tokio::time::timeout(PATIENCE, models(&url)).await.ok().flatten()?;
            Some((place, LocalServer { provider, models }))
        });
    }
    let mut found: Vec<_> = asked.join_all().await.into_iter().flatten().collect();
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, server)| server).collect()
}

/// The models that the server at `base_url` lists, if it answers as a model server does.
pub async fn models(base_url: &str) -> Option<Vec<String>> {
    let client = http::Client::new(http::Options::default()).ok()?;
    let request = http::Request::get(&http::join_url(base_url, "/models")).ok()?;
    let mut response = client.send(request).await.ok()?;
    if response.status != 200 {
        return None;
    }
    let mut body = Vec::new();
    response.body.read_to(&mut body, LIST_BYTES_MAX).await.ok()?;
    let list: Value = simd_json::serde::from_slice(&mut body).ok()?;
    // Other programs listen on these ports too: only a list of models as the OpenAI API has it counts.
    let models: Vec<String> =
        list["data"].as_array()?.iter().filter_map(|model| model["id"].as_str().map(str::to_owned)).collect();
    (!models.is_empty()).then_some(models)
}

/// How long a server on this machine may take to list its models.
pub const PATIENCE: Duration = Duration::from_millis(400);

/// No list of models is longer.
const LIST_BYTES_MAX: usize = 1 << 20;
