//! The models that a server offers, as it lists them itself.

use serde_json::Value;
use thalweg_agent::failure::{Failure, FailureKind};

use crate::agent::Agent;
use crate::backend::{Backend, Endpoint, describe_provider, open_pipeline};
use crate::conversation::EncodedRequest;
use crate::error::Error;
use crate::http;
use crate::plugin::Model;
use crate::reply::{compressed, failure_of, failure_of_auth, failure_of_status};

impl Agent {
    /// The models that its server offers, as the server lists them now; of a plugin that drives itself, those that it names.
    /// Nothing is asked of a model.
    ///
    /// # Errors
    /// [`Error::NoModelList`] where there is nobody who could be asked; [`Error::Run`] with what the server said, or how the
    /// connection failed.
    pub async fn models(&self) -> Result<Vec<Model>, Error> {
        let (backend, limits) = self.backend();
        match &*backend {
            Backend::Server { endpoint, codec, client } => {
                let form = Form::of(&endpoint.route.dialect).ok_or_else(|| nobody(&backend))?;
                let request = form.request();
                let request = endpoint.request(request, client).await.map_err(failure_of_auth).map_err(run_error)?;
                let response = client.send(request).await.map_err(|error| run_error(failure_of(&error)))?;
                if !response.is_success() {
                    let mut pipeline = open_pipeline(codec, &endpoint.route.codec_options(), limits)?;
                    return Err(run_error(failure_of_status(endpoint, &mut pipeline, response).await));
                }
                read(form, endpoint, response).await.map_err(run_error)
            }
            Backend::Provider { provider, .. } => {
                let description = describe_provider(provider).map_err(|message| Error::Describe { message })?;
                Ok(description.models.into_iter().map(|id| Model { id, ..Model::default() }).collect())
            }
            Backend::Responder { .. } => Err(nobody(&backend)),
        }
    }
}

async fn read(form: &Form, endpoint: &Endpoint, mut response: http::Response) -> Result<Vec<Model>, Failure> {
    if let Some(failure) = compressed(endpoint, &response) {
        return Err(failure);
    }
    let mut body = Vec::new();
    response.body.read_to(&mut body, LIST_BYTES_MAX).await.map_err(|error| failure_of(&error))?;
    form.read(&body).ok_or_else(|| {
        let message = format!("{} gave no list of models for {}", endpoint.name(), form.path);
        Failure::new(FailureKind::Malformed, message)
    })
}

fn nobody(backend: &Backend) -> Error {
    Error::NoModelList { name: backend.name().to_owned() }
}

fn run_error(failure: Failure) -> Error {
    Error::Run { failure: Box::new(failure), partial: None }
}

/// How the servers of a dialect list their models: where, and under which keys.
struct Form {
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    /// The list.
    models: &'static str,
    id: &'static str,
    name: &'static str,
    /// Each server has one of these.
    context_tokens: &'static [&'static str],
    output_tokens_max: &'static [&'static str],
}

impl Form {
    /// That of a dialect. What is not known lists them as OpenAI does.
    fn of(dialect: &str) -> Option<&'static Self> {
        match dialect {
            // AWS lists them at another host than the one that is asked.
            "bedrock" => None,
            "anthropic" => Some(&ANTHROPIC),
            "gemini" => Some(&GEMINI),
            "ollama" => Some(&OLLAMA),
            "cohere-v1" | "cohere-v2" => Some(&COHERE),
            _ => Some(&OPENAI),
        }
    }

    fn request(&self) -> EncodedRequest {
        let headers = self.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        EncodedRequest {
            method: "GET".to_owned(),
            path: self.path.to_owned(),
            headers: headers.collect(),
            body: Vec::new(),
        }
    }

    fn read(&self, body: &[u8]) -> Option<Vec<Model>> {
        let list: Value = serde_json::from_slice(body).ok()?;
        let models = list[self.models].as_array()?.iter().filter_map(|model| {
            let number = |keys: &[&str]| keys.iter().find_map(|key| model[*key].as_u64());
            let id = model[self.id].as_str()?;
            let id = id.strip_prefix("models/").unwrap_or(id).to_owned();
            let name = model[self.name].as_str().filter(|name| *name != id).map(str::to_owned);
            let (context_tokens, output_tokens_max) = (number(self.context_tokens), number(self.output_tokens_max));
            Some(Model { id, name, context_tokens, output_tokens_max, capabilities: Vec::new() })
        });
        Some(models.collect())
    }
}

const OPENAI: Form = Form {
    path: "/models",
    headers: &[],
    models: "data",
    id: "id",
    name: "name",
    context_tokens: &["context_length", "context_window", "max_model_len", "max_context_length"],
    output_tokens_max: &["max_completion_tokens"],
};

const ANTHROPIC: Form = Form {
    path: "/v1/models?limit=1000",
    headers: &[("anthropic-version", "2023-06-01")],
    models: "data",
    id: "id",
    name: "display_name",
    context_tokens: &["max_input_tokens"],
    output_tokens_max: &["max_tokens"],
};

const GEMINI: Form = Form {
    path: "/models?pageSize=1000",
    headers: &[],
    models: "models",
    id: "name",
    name: "displayName",
    context_tokens: &["inputTokenLimit"],
    output_tokens_max: &["outputTokenLimit"],
};

const OLLAMA: Form = Form {
    path: "/api/tags",
    headers: &[],
    models: "models",
    id: "name",
    name: "name",
    context_tokens: &[],
    output_tokens_max: &[],
};

const COHERE: Form = Form {
    path: "/v1/models?page_size=1000",
    headers: &[],
    models: "models",
    id: "name",
    name: "name",
    context_tokens: &["context_length"],
    output_tokens_max: &[],
};

/// No list of models is longer: that of a router with some hundred is half a megabyte.
const LIST_BYTES_MAX: usize = 8 << 20;
