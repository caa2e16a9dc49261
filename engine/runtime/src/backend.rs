//! What gives the replies of an agent: a server spoken to through a codec, or a provider that drives itself.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;
use thalweg_abi::host;
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::Pipeline;

use crate::adapt::{Accepts, Target};
use crate::auth::{self, KeySource, Signer};
use crate::conversation::{Conversation, EncodedRequest};
use crate::description::Description;
use crate::error::Error;
use crate::http;
use crate::provider::{Route, Variables};
use crate::responder::{PluginResponder, Responder, ServerResponder};

/// What gives the replies.
#[derive(Clone, Debug)]
pub(crate) enum Backend {
    /// A server.
    Server { endpoint: Arc<Endpoint>, codec: host::Codec, client: http::Client },
    /// A plugin.
    Provider { id: String, provider: host::Provider },
    /// A function of the program, or anything with middleware around.
    Responder { responder: Shared },
}

/// A responder that agents and clients share.
#[derive(Clone)]
pub(crate) struct Shared(pub(crate) Arc<dyn Responder>);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Responder").field(&self.0.name()).finish()
    }
}

/// What a conversation keeps open with its backend.
pub(crate) enum Source {
    Server(Box<Wire>),
    Provider(host::Provider),
    Responder(Arc<dyn Responder>),
}

/// The state of a conversation with a server.
pub(crate) struct Wire {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) client: http::Client,
    pub(crate) conversation: Conversation,
    pub(crate) pipeline: Pipeline<host::CodecStream>,
}

impl Backend {
    /// The provider's name, or the address.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Server { endpoint, .. } => endpoint.name(),
            Self::Provider { id, .. } => id,
            Self::Responder { responder } => responder.0.name(),
        }
    }

    /// Id of the provider, where it is known.
    pub(crate) fn provider_id(&self) -> Option<&str> {
        match self {
            Self::Server { endpoint, .. } => endpoint.route.provider.as_ref().map(|row| row.id.as_str()),
            Self::Provider { id, .. } => Some(id),
            Self::Responder { responder } => responder.0.provider(),
        }
    }

    pub(crate) fn open(&self, limits: Limits) -> Result<Source, Error> {
        match self {
            Self::Server { endpoint, codec, client } => {
                Ok(Source::Server(Box::new(open_wire(endpoint, codec, client, limits)?)))
            }
            Self::Provider { provider, .. } => Ok(Source::Provider(provider.clone())),
            Self::Responder { responder } => Ok(Source::Responder(Arc::clone(&responder.0))),
        }
    }

    /// The same as a responder, to be asked without an agent or through middleware.
    pub(crate) fn into_responder(self, limits: Limits) -> Arc<dyn Responder> {
        match self {
            Self::Server { endpoint, codec, client } => Arc::new(ServerResponder::new(endpoint, codec, client, limits)),
            Self::Provider { id, provider } => Arc::new(PluginResponder { id, provider }),
            Self::Responder { responder } => responder.0,
        }
    }
}

/// Opens a conversation with a server.
pub(crate) fn open_wire(
    endpoint: &Arc<Endpoint>,
    codec: &host::Codec,
    client: &http::Client,
    limits: Limits,
) -> Result<Wire, Error> {
    let options = endpoint.route.codec_options();
    let mut pipeline = open_pipeline(codec, &options, limits)?;
    if let Some(every) = endpoint.check_templates {
        pipeline = pipeline.with_template_check(every);
    }
    let provider = endpoint.route.provider.as_ref().map(|row| row.id.clone());
    let conversation = Conversation::with(Target { provider, accepts: endpoint.accepts }, codec.clone(), options);
    Ok(Wire { endpoint: Arc::clone(endpoint), client: client.clone(), conversation, pipeline })
}

/// Where requests go, and how they are signed.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) route: Route,
    pub(crate) signer: Signer,
    pub(crate) headers: Vec<(String, String)>,
    /// Gives the key of each request, where it is not one and the same.
    pub(crate) keys: Option<KeySource>,
    /// What the model takes.
    pub(crate) accepts: Accepts,
    /// Of so many frames that a template reads, one is read by the codec, too, and compared.
    pub(crate) check_templates: Option<NonZeroU32>,
}

impl Endpoint {
    /// The provider's name, or the address.
    pub(crate) fn name(&self) -> &str {
        self.route.name()
    }

    /// Where `route` leads, signed as it says or else as its dialect usually is.
    pub(crate) fn new(
        route: Route,
        usual_auth: &Value,
        headers: Vec<(String, String)>,
        variables: Variables<'_>,
    ) -> Result<Self, Error> {
        let auth = route.auth.as_ref().unwrap_or(usual_auth);
        let kind = serde_json::from_value(auth.clone())
            .map_err(|_| Error::Auth { auth: auth.to_string(), provider: route.name().to_owned() })?;
        let is_own = route.provider.as_ref().is_some_and(|row| row.may_use_credentials(&route.base_url, variables));
        let found = if is_own { auth::Use::Allowed } else { auth::Use::Forbidden };
        let key = route.key.as_ref().map(|key| key.secret.clone());
        let signer = Signer::new(kind, key, found, variables);
        Ok(Self { route, signer, headers, keys: None, accepts: Accepts::default(), check_templates: None })
    }

    /// `text` without the key.
    pub(crate) fn redact(&self, text: String) -> String {
        match &self.route.key {
            Some(key) => key.secret.redact(text),
            None => text,
        }
    }

    /// JSON without the key.
    pub(crate) fn redact_json(&self, json: Value) -> Value {
        let text = json.to_string();
        let redacted = self.redact(text.clone());
        // A key has no character that JSON escapes, so that what is left is JSON still.
        if redacted == text { json } else { serde_json::from_str(&redacted).unwrap_or(Value::Null) }
    }

    pub(crate) fn is_loopback(&self) -> bool {
        http::is_loopback_url(&self.route.base_url)
    }

    /// The request, signed; `client` asks for a token where one is needed for that.
    pub(crate) async fn request(
        &self,
        encoded: EncodedRequest,
        client: &http::Client,
    ) -> Result<http::Request, auth::Error> {
        let mut request = http::Request::new(&encoded.method, &http::join_url(&self.route.base_url, &encoded.path))?
            .header("content-type", "application/json")?
            .header("accept", ACCEPTED)?;
        for (name, value) in encoded.headers.iter().chain(&self.route.headers).chain(&self.headers) {
            request = request.header(name, value)?;
        }
        let request = request.body(encoded.body);
        let now = SystemTime::now();
        match &self.keys {
            None => self.signer.sign(request, client, now).await,
            Some(keys) => match keys.key(self.name()).await? {
                Some(key) => self.signer.with_key(key).sign(request, client, now).await,
                None if self.route.key.is_some() => self.signer.sign(request, client, now).await,
                None => Err(auth::Error::NoKeyGiven { provider: self.name().to_owned() }),
            },
        }
    }
}

/// The forms of replies that are read.
const ACCEPTED: &str = "text/event-stream, application/x-ndjson, application/vnd.amazon.eventstream, application/json";

/// The route from chunk to events with a stream of `codec`, framed as it asks for. `options` are those of the codec, as
/// JSON.
///
/// # Errors
/// When the codec does not describe itself well, or refuses the options.
pub fn open_pipeline(codec: &host::Codec, options: &str, limits: Limits) -> Result<Pipeline<host::CodecStream>, Error> {
    let description = Description::of(codec)?;
    let framing = description.framing()?;
    let stream = codec.open(options).map_err(Error::codec)?;
    Ok(Pipeline::new(stream, framing, limits).with_key_marks(description.marks.clone()))
}

/// Whether the codec of `pipeline` was found to break what it marks as repeatable, in words that name its plugin. Only a
/// pipeline finds out that has its templates checked.
///
/// # Errors
/// When it was.
pub fn check_marks(pipeline: &Pipeline<host::CodecStream>) -> Result<(), Error> {
    match pipeline.counters().template_lies {
        0 => Ok(()),
        _ => Err(Error::Marks { plugin: pipeline.decoder().plugin().to_owned() }),
    }
}

/// The codec of that dialect, and what it says of itself.
pub(crate) fn find_codec(codecs: Vec<host::Codec>, dialect: &str) -> Result<(host::Codec, Arc<Description>), Error> {
    let mut known = Vec::new();
    for codec in codecs {
        let description = Description::of(&codec)?;
        if description.json["dialect"] == dialect {
            return Ok((codec, description));
        }
        known.extend(description.json["dialect"].as_str().map(str::to_owned));
    }
    Err(Error::NoCodec { dialect: dialect.to_owned(), known })
}

/// What a provider that drives itself says of itself.
#[derive(Clone, Debug)]
pub(crate) struct ProviderDescription {
    pub(crate) id: String,
    pub(crate) models: Vec<String>,
}

/// Reads the description of a provider: `{"provider": id, "models"?: [{"id": model}, …]}`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn describe_provider(provider: &host::Provider) -> Result<ProviderDescription, String> {
    let description: Value = serde_json::from_str(provider.description()).map_err(|error| error.to_string())?;
    let id = description["provider"].as_str().filter(|id| !id.is_empty() && !id.contains('/'));
    let id = id.ok_or("the key `provider` is missing, or has a slash")?;
    let models = description["models"].as_array().map(Vec::as_slice).unwrap_or_default();
    let models = models.iter().filter_map(|model| model["id"].as_str().map(str::to_owned)).collect();
    Ok(ProviderDescription { id: id.to_owned(), models })
}
