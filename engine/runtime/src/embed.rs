//! Vectors of texts, from a server whose dialect has them.

use std::sync::Arc;

use serde_json::json;
use thalweg_abi::host;
use thalweg_abi::module::Module;
use thalweg_abi::types::{E_REMOTE, FRAME_ERROR_BODY, FRAME_WHOLE_BODY, FrameRef};
use thalweg_agent::failure::{Failure, FailureKind};

use crate::backend::Endpoint;
use crate::conversation::EncodedRequest;
use crate::description::read_description;
use crate::error::Error;
use crate::http;
use crate::plugin::Registry;
use crate::provider::{Table, Wish};
use crate::reply::failure_of;

/// Makes vectors of texts.
///
/// ```no_run
/// # async fn example(openai: thalweg::Module) -> Result<(), thalweg::Error> {
/// let embedder = thalweg::Embedder::builder().model("openai/text-embedding-3-small").link(openai).build()?;
/// let vectors = embedder.embed(&["a river", "its lowest line"]).await?;
/// for vector in vectors.iter() {
///     println!("{} numbers", vector.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Embedder {
    client: http::Client,
    endpoint: Arc<Endpoint>,
    embed: host::Embed,
    dimensions: Option<u32>,
    texts_max: usize,
    retry: http::Retry,
}

/// The vectors of some texts, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vectors {
    /// One vector after the other.
    pub values: Vec<f32>,
    /// Numbers of one vector; 0 where there is none.
    pub dimensions: usize,
    /// Tokens that were read, where the provider says.
    pub input_tokens: Option<u64>,
    /// The model that the provider names; may be empty.
    pub model: String,
}

impl Vectors {
    /// The vectors.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.dimensions.max(1))
    }
}

impl Embedder {
    /// Describes an embedder.
    #[must_use]
    pub fn builder() -> EmbedderBuilder {
        EmbedderBuilder::default()
    }

    /// A vector for each text. More than the provider takes at once are sent one request after the other. Dropping the
    /// future ends the request.
    ///
    /// # Errors
    /// [`Error::Run`] with what the provider said, or how the connection failed; [`Error::Codec`] when the plugin cannot say it.
    pub async fn embed<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vectors, Error> {
        let mut stream = self.embed.open(&self.endpoint.route.codec_options()).map_err(Error::codec)?;
        let mut all = Vectors { input_tokens: Some(0), ..Vectors::default() };
        for texts in texts.chunks(self.texts_max) {
            let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
            let mut request = json!({"model": self.endpoint.route.model, "texts": texts});
            if let Some(dimensions) = self.dimensions {
                request["dimensions"] = dimensions.into();
            }
            let encoded = EncodedRequest::of(&stream.encode(&request.to_string()).map_err(Error::codec)?);
            let (status, body) = self.exchange(encoded).await?;
            // What is no UTF-8 is no JSON either; the codec says so.
            let body = String::from_utf8_lossy(&body);
            let is_success = (200..300).contains(&status);
            let kind = if is_success { FRAME_WHOLE_BODY } else { FRAME_ERROR_BODY };
            let reply = FrameRef::new(kind, body.as_bytes()).with_status(if is_success { 0 } else { status.into() });
            let vectors = stream.decode(&reply, texts.len()).map_err(|error| self.failed(error))?;
            if all.dimensions != 0 && all.dimensions != vectors.dimensions {
                let (one, other) = (all.dimensions, vectors.dimensions);
                let message = format!("{} gave vectors of {one} and of {other} numbers", self.endpoint.name());
                return Err(run_error(Failure::new(FailureKind::Malformed, message)));
            }
            all.dimensions = vectors.dimensions;
            all.values.extend_from_slice(vectors.values);
            all.input_tokens = all.input_tokens.zip(vectors.input_tokens).map(|(one, other)| one.saturating_add(other));
            all.model.clear();
            all.model.push_str(vectors.model);
        }
        Ok(all)
    }

    /// Status and body of the reply.
    async fn exchange(&self, encoded: EncodedRequest) -> Result<(u16, Vec<u8>), Error> {
        let request = self.endpoint.request(encoded, &self.client).await;
        let request = request.map_err(|error| run_error(Failure::new(FailureKind::Auth, error.to_string())))?;
        let sent = self.client.send_with_retries(request, &self.retry, &mut |_| ()).await;
        let mut response = sent.map_err(|error| run_error(failure_of(&error)))?;
        let mut body = Vec::new();
        response.body.read_to(&mut body, BODY_BYTES_MAX).await.map_err(|error| run_error(failure_of(&error)))?;
        Ok((response.status, body))
    }

    /// What the provider said, if it was the provider that failed.
    fn failed(&self, error: host::Error) -> Error {
        let host::Error::Failed { failure, .. } = &error else { return Error::codec(error) };
        if failure.code != E_REMOTE {
            return run_error(Failure::new(FailureKind::Malformed, error.to_string()));
        }
        let kind = match failure.http_status {
            401 | 403 => FailureKind::Auth,
            429 => FailureKind::RateLimit,
            500..=599 => FailureKind::Server,
            400..=499 => FailureKind::InvalidRequest,
            _ => FailureKind::Other,
        };
        let status = u16::try_from(failure.http_status).ok().filter(|status| *status != 0);
        let said = match status {
            Some(status) => format!("HTTP {status} from {}: {}", self.endpoint.name(), failure.message),
            None => format!("{}: {}", self.endpoint.name(), failure.message),
        };
        let mut told = Failure::new(kind, said);
        told.http_status = status;
        told.retry_after_ms = failure.retry_after_ms;
        run_error(told)
    }
}

fn run_error(failure: Failure) -> Error {
    Error::Run { failure: Box::new(failure), partial: None }
}

/// Describes an [`Embedder`].
#[derive(Debug, Default)]
pub struct EmbedderBuilder {
    model: Option<String>,
    provider: Option<String>,
    base_url: Option<String>,
    dialect: Option<String>,
    key: Option<http::Secret>,
    providers: Option<Table>,
    embeds: Vec<host::Embed>,
    /// The first plugin that could not be started.
    broken: Option<host::Error>,
    dimensions: Option<u32>,
    client: Option<http::Client>,
    retry: http::Retry,
}

impl EmbedderBuilder {
    /// The model, as [`AgentBuilder::model`](crate::AgentBuilder::model) takes it.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// The provider, by its name in the table.
    #[must_use]
    pub fn provider(mut self, id: impl Into<String>) -> Self {
        self.provider = Some(id.into());
        self
    }

    /// Where the model is served, up to the path that the dialect adds (`/embeddings`).
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// The dialect, where it is not the provider's usual one.
    #[must_use]
    pub fn dialect(mut self, dialect: impl Into<String>) -> Self {
        self.dialect = Some(dialect.into());
        self
    }

    /// The key; without it, the provider's environment variables are read.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(http::Secret::new(&key.into()));
        self
    }

    /// The table in which providers are looked up. Without it: the built-in rows, and those of the user's own
    /// `providers.toml`.
    #[must_use]
    pub fn providers(mut self, table: Table) -> Self {
        self.providers = Some(table);
        self
    }

    /// How many numbers a vector shall have, where the model can choose.
    #[must_use]
    pub const fn dimensions(mut self, dimensions: u32) -> Self {
        self.dimensions = Some(dimensions);
        self
    }

    /// A plugin that is linked in: `link(thalweg_openai::module())`. An error is told by [`EmbedderBuilder::build`].
    #[must_use]
    pub fn link(self, module: Module) -> Self {
        self.plugin(host::Plugin::start(&module, host::Host::silent()))
    }

    /// A plugin that was started; an error is told by [`EmbedderBuilder::build`].
    #[must_use]
    pub fn plugin(mut self, plugin: Result<host::Plugin, host::Error>) -> Self {
        match plugin {
            Ok(plugin) => self.embeds.extend(plugin.embed()),
            Err(error) => self.broken = self.broken.or(Some(error)),
        }
        self
    }

    /// What makes vectors among loaded plugins.
    #[must_use]
    pub fn plugins(mut self, registry: &Registry) -> Self {
        self.embeds.extend(registry.embeds().cloned());
        self
    }

    /// The HTTP client, to share its connections.
    #[must_use]
    pub fn client(mut self, client: http::Client) -> Self {
        self.client = Some(client);
        self
    }

    /// When a request is sent again.
    #[must_use]
    pub fn retry(mut self, retry: http::Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The embedder. Opens no connection.
    ///
    /// # Errors
    /// When the model, its server, its key or a plugin for its dialect cannot be made out.
    pub fn build(mut self) -> Result<Embedder, Error> {
        if let Some(error) = self.broken.take() {
            return Err(Error::codec(error));
        }
        let variables = |name: &str| std::env::var(name).ok();
        let table = self.providers.take().map_or_else(|| Table::of_user(&variables), Ok)?;
        let wish = Wish {
            model: self.model.as_deref().ok_or(Error::NoModel)?,
            provider: self.provider.as_deref(),
            base_url: self.base_url.as_deref(),
            dialect: self.dialect.as_deref(),
            key: self.key.take(),
        };
        let route = table.route(&wish, &variables)?;
        let mut known = Vec::new();
        for embed in self.embeds {
            let description = read_description(embed.describe().map_err(Error::codec)?)?;
            if description["dialect"] != route.dialect.as_str() {
                known.extend(description["dialect"].as_str().map(str::to_owned));
                continue;
            }
            let client = match self.client {
                Some(client) => client,
                None => http::Client::new(http::Options::default()).map_err(|error| Error::Http(Arc::new(error)))?,
            };
            let texts_max = description["texts_max"].as_u64().and_then(|max| usize::try_from(max).ok());
            let texts_max = texts_max.unwrap_or(usize::MAX).max(1);
            let endpoint = Arc::new(Endpoint::new(route, &description["auth"], Vec::new(), &variables)?);
            let (dimensions, retry) = (self.dimensions, self.retry);
            return Ok(Embedder { client, endpoint, embed, dimensions, texts_max, retry });
        }
        Err(Error::NoEmbed { dialect: route.dialect, known })
    }
}

/// No list of vectors is longer: 2,048 of 3,072 numbers are 130 MB in the longest form.
const BODY_BYTES_MAX: usize = 256 << 20;
