//! Describes an agent.

use std::collections::HashSet;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use serde_json::Value;
use thalweg_abi::host;
use thalweg_abi::module::Module;
use thalweg_agent::approval::Saved;
use thalweg_agent::cost::Price;
use thalweg_agent::machine::{Config, QueueMode, RepeatLimit, Steering, ToolMode};
use thalweg_agent::message::Message;
use thalweg_agent::request::{Cache, CacheMarks, Output, Request, Thinking, ToolChoice, ToolSpec};
use thalweg_log::Options as LogOptions;
use thalweg_wire::limits::Limits as WireLimits;

use super::listen::Listeners;
use super::saved::machine_of;
use super::{Agent, Inner, State, messages_of};
use crate::account::Account;
use crate::adapt::Accepts;
use crate::auth::KeySource;
use crate::backend::{Backend, Endpoint, Shared, describe_provider, find_codec};
use crate::budget::Budget;
use crate::client::Client;
use crate::description::Description;
use crate::drive::{Session, Settings, Setup};
use crate::engine::Engine;
use crate::error::Error;
use crate::hook::{Hook, HookPoint, Hooks};
use crate::http;
use crate::middleware::{self, Middleware};
use crate::plugin::Registry;
use crate::price::Prices;
use crate::provider::{Route, Table, Wish, split_thinking};
use crate::responder::Responder;
use crate::tool::Tool;
use crate::waiting::Waiting;
use thalweg_schema::Validation;

/// A backend, the model's id there, and the level of thinking that its name ended with.
type Chosen = (Backend, String, Option<&'static str>);

/// Stands for a key that is not known yet.
const GIVEN_LATER: &str = "given later";

/// What an agent or a client is made of.
struct Resolved {
    backend: Backend,
    request: Request,
}

/// What an agent is to ask from now on.
pub(super) struct Other {
    pub(super) backend: Backend,
    pub(super) request: Request,
    pub(super) price: Option<Price>,
}

/// Describes an [`Agent`]. A clone describes another one, which shares budgets, middleware and plugins with it.
#[derive(Clone, Default)]
pub struct AgentBuilder {
    model: Option<String>,
    provider: Option<String>,
    base_url: Option<String>,
    dialect: Option<String>,
    key: Option<http::Secret>,
    providers: Option<Table>,
    route: Option<Route>,
    headers: Vec<(String, String)>,
    codecs: Vec<host::Codec>,
    self_driving: Vec<host::Provider>,
    responders: Vec<Arc<dyn Responder>>,
    middleware: Vec<Arc<dyn Middleware>>,
    keys: Option<KeySource>,
    accepts: Accepts,
    tools: Vec<Tool>,
    hooks: Hooks,
    /// The first thing that was wrong with what was given: a plugin that could not be started, a parameter.
    broken: Option<Error>,
    request: Request,
    config: Config,
    validation: Validation,
    tool_timeout: Option<Duration>,
    saved: Option<Saved>,
    http: http::Options,
    client: Option<http::Client>,
    retry: http::Retry,
    account: Account,
    measure_decode: bool,
    check_templates: Option<NonZeroU32>,
    engine: Option<Engine>,
    log: LogOptions,
}

impl AgentBuilder {
    /// The model: `provider/model`, or `provider/model:level` to say how much to think (`openai/gpt-5:low`). Together with
    /// [`AgentBuilder::base_url`] or [`AgentBuilder::provider`] it is the model's id as it stands, slashes, colons and all.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// The provider, by its name in the table. With a base URL it says what is spoken there and with which habits; its
    /// key from the environment still goes to its own hosts only.
    #[must_use]
    pub fn provider(mut self, id: impl Into<String>) -> Self {
        self.provider = Some(id.into());
        self
    }

    /// The table in which providers are looked up. Without it: the built-in rows, those of the codecs' plugins, and those
    /// of the user's own `providers.toml`, which [`Table::of_user`] finds.
    #[must_use]
    pub fn providers(mut self, table: Table) -> Self {
        self.providers = Some(table);
        self
    }

    /// Where requests go, as [`Table::route`] has found it: instead of a model, a provider, a base URL and a key.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.route = Some(route);
        self
    }

    /// Where the model is served, up to the path that the dialect adds (`/chat/completions`, `/v1/messages`).
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// The dialect, where it is not the provider's usual one: `openai-chat` (the default with a base URL), `anthropic` and so
    /// on, or the name of a provider that speaks it.
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

    /// A function that is asked for the key before each request, such as for keys that run out. What it gives goes over
    /// [`AgentBuilder::api_key`]; without the latter, no key is looked for in the environment.
    #[must_use]
    pub fn key_source(mut self, keys: KeySource) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Has the codec read one in `every` of the frames that the engine reads by itself, because the codec has marked one like
    /// them as repeatable, and compares. A run whose codec breaks what it has marked fails and names the plugin. For those
    /// who write a codec, or do not trust one; it costs nothing where it is not set.
    #[must_use]
    pub const fn check_templates(mut self, every: NonZeroU32) -> Self {
        self.check_templates = Some(every);
        self
    }

    /// A further header for every request.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A codec; the one whose dialect the provider speaks is used.
    #[must_use]
    pub fn codec(mut self, codec: impl Into<host::Codec>) -> Self {
        self.codecs.push(codec.into());
        self
    }

    /// A provider that drives itself; it is used if the model's name begins with its id.
    #[must_use]
    pub fn self_driving(mut self, provider: impl Into<host::Provider>) -> Self {
        self.self_driving.push(provider.into());
        self
    }

    /// A provider without a plugin, such as [`from_fn`](crate::responder::from_fn) makes of an async function. It is used
    /// if the model's name begins with its name, or if it is the only one and there is no model.
    #[must_use]
    pub fn responder(mut self, responder: Arc<dyn Responder>) -> Self {
        self.responders.push(responder);
        self
    }

    /// What every request passes through on its way; the first one given is the outermost.
    #[must_use]
    pub fn middleware(mut self, middleware: impl Middleware + 'static) -> Self {
        self.middleware.push(Arc::new(middleware));
        self
    }

    /// A plugin that is linked in: `link(thalweg_openai::module())`. An error is told by [`AgentBuilder::build`].
    #[must_use]
    pub fn link(self, module: Module) -> Self {
        self.plugin(host::Plugin::start(&module, host::Host::silent()))
    }

    /// A plugin that was started; an error is told by [`AgentBuilder::build`].
    #[must_use]
    pub fn plugin(mut self, plugin: Result<host::Plugin, host::Error>) -> Self {
        match plugin {
            Ok(plugin) => {
                self.codecs.extend(plugin.codec());
                self.self_driving.extend(plugin.provider());
                self.tools.extend(plugin.tools().into_iter().map(Tool::from_plugin));
            }
            Err(error) => self.broken = self.broken.or_else(|| Some(Error::codec(error))),
        }
        self
    }

    /// The codecs, providers and tools of loaded plugins.
    #[must_use]
    pub fn plugins(mut self, registry: &Registry) -> Self {
        self.codecs.extend(registry.codecs().cloned());
        self.self_driving.extend(registry.providers().cloned());
        self.tools.extend(registry.tools().cloned().map(Tool::from_plugin));
        self
    }

    /// A tool.
    #[must_use]
    pub fn tool(mut self, tool: impl Into<Tool>) -> Self {
        self.tools.push(tool.into());
        self
    }

    /// Several tools.
    #[must_use]
    pub fn tools<T: Into<Tool>>(mut self, tools: impl IntoIterator<Item = T>) -> Self {
        self.tools.extend(tools.into_iter().map(Into::into));
        self
    }

    /// The system prompt.
    #[must_use]
    pub fn system(mut self, system: impl Into<String>) -> Self {
        self.request.system = Some(system.into());
        self
    }

    /// Whether tools may or must be called; a forced choice holds for the first turn of a run.
    #[must_use]
    pub fn tool_choice(mut self, choice: ToolChoice) -> Self {
        self.request.tool_choice = Some(choice);
        self
    }

    /// Most tokens of one reply.
    #[must_use]
    pub const fn max_tokens(mut self, tokens: u32) -> Self {
        self.request.max_tokens = Some(tokens);
        self
    }

    /// Sampling temperature.
    #[must_use]
    pub const fn temperature(mut self, temperature: f64) -> Self {
        self.request.temperature = Some(temperature);
        self
    }

    /// Nucleus sampling.
    #[must_use]
    pub const fn top_p(mut self, top_p: f64) -> Self {
        self.request.top_p = Some(top_p);
        self
    }

    /// Sampling from so many of the likeliest tokens.
    #[must_use]
    pub const fn top_k(mut self, top_k: u32) -> Self {
        self.request.top_k = Some(top_k);
        self
    }

    /// The same seed gives the same reply, as far as the provider can.
    #[must_use]
    pub const fn seed(mut self, seed: i64) -> Self {
        self.request.seed = Some(seed);
        self
    }

    /// Makes what was said often less likely.
    #[must_use]
    pub const fn frequency_penalty(mut self, penalty: f64) -> Self {
        self.request.frequency_penalty = Some(penalty);
        self
    }

    /// Makes what was said at all less likely.
    #[must_use]
    pub const fn presence_penalty(mut self, penalty: f64) -> Self {
        self.request.presence_penalty = Some(penalty);
        self
    }

    /// Whether the model may call several tools at once.
    #[must_use]
    pub const fn parallel_tools(mut self, may: bool) -> Self {
        self.request.parallel_tools = Some(may);
        self
    }

    /// The form that a reply has to have, such as JSON of a schema.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.request.output = Some(output);
        self
    }

    /// Whether the provider shall keep the prompt in its cache: breakpoints or a retention time, as the dialect has it.
    #[must_use]
    pub const fn cache(mut self, cache: Cache) -> Self {
        self.request.cache = Some(cache);
        self
    }

    /// Which messages are marked as ends of what the provider keeps in its cache, where the dialect has such marks.
    #[must_use]
    pub const fn cache_marks(mut self, marks: CacheMarks) -> Self {
        self.request.cache_marks = Some(marks);
        self
    }

    /// What the model takes of what other models said, and of images; all unless set.
    #[must_use]
    pub const fn accepts(mut self, accepts: Accepts) -> Self {
        self.accepts = accepts;
        self
    }

    /// A name of the conversation, for the provider's cache or for the server that it is routed to.
    #[must_use]
    pub fn session(mut self, name: impl Into<String>) -> Self {
        self.request.session = Some(name.into());
        self
    }

    /// Texts that end the reply.
    #[must_use]
    pub fn stop(mut self, sequences: Vec<String>) -> Self {
        self.request.stop = sequences;
        self
    }

    /// How much to think.
    #[must_use]
    pub fn thinking(mut self, thinking: Thinking) -> Self {
        self.request.thinking = Some(thinking);
        self
    }

    /// A field of the request's body that the engine has no word for.
    #[must_use]
    pub fn extra(mut self, name: impl Into<String>, value: Value) -> Self {
        self.request.extra.insert(name.into(), value);
        self
    }

    /// Any field of the request by its name: `model`, one that the engine has a word for, such as `temperature` or `system`, or
    /// else one of the body, as [`AgentBuilder::extra`] takes it. Null takes back what was set. A value that does not fit is told
    /// by [`AgentBuilder::build`].
    #[must_use]
    pub fn parameter(mut self, name: &str, value: Value) -> Self {
        if let ("model", Value::String(model)) = (name, &value) {
            self.route = None;
            return self.model(model);
        }
        if let Err(error) = self.request.set(name, value) {
            let error = Error::Parameter { name: name.to_owned(), reason: error.to_string() };
            self.broken = self.broken.or(Some(error));
        }
        self
    }

    /// Turns that one run may take; 50 unless set.
    #[must_use]
    pub const fn max_turns(mut self, turns: u32) -> Self {
        self.config.max_turns = if turns == 0 { 1 } else { turns };
        self
    }

    /// Leaves tool calls to whoever prompts.
    pub(crate) const fn hand_on_calls(mut self) -> Self {
        self.config.hands_on_calls = true;
        self
    }

    /// A function that runs ask before they go on; several at a point are asked in their order.
    #[must_use]
    pub fn hook(mut self, hook: Hook) -> Self {
        self.hooks.0.push(hook);
        self
    }

    /// How the tool calls of one reply run; all at once unless set.
    #[must_use]
    pub const fn tool_mode(mut self, mode: ToolMode) -> Self {
        self.config.tool_mode = mode;
        self
    }

    /// How many tool calls of one reply run at once; no limit unless set.
    #[must_use]
    pub const fn tools_at_once(mut self, most: u32) -> Self {
        self.config.tools_at_once = Some(most);
        self
    }

    /// How long a tool may take that has no [limit of its own](Tool::with_timeout); it is stopped then and answered with an
    /// error. No limit unless set. Hooks do not count: a person may think as long as it takes.
    #[must_use]
    pub const fn tool_timeout(mut self, timeout: Duration) -> Self {
        self.tool_timeout = Some(timeout);
        self
    }

    /// What is done with arguments that the schema of their tool does not allow; [`Validation::Check`] unless set.
    #[must_use]
    pub const fn validation(mut self, validation: Validation) -> Self {
        self.validation = validation;
        self
    }

    /// When the same call made again and again is not executed any more, and what becomes of it; never unless set.
    #[must_use]
    pub const fn repeat_limit(mut self, limit: RepeatLimit) -> Self {
        self.config.repeat_limit = Some(limit);
        self
    }

    /// When a message that steers comes in while tools run; behind all of them unless set.
    #[must_use]
    pub const fn steering(mut self, steering: Steering) -> Self {
        self.config.steering = steering;
        self
    }

    /// How many messages that steer come in together; one a turn unless set.
    #[must_use]
    pub const fn steering_mode(mut self, mode: QueueMode) -> Self {
        self.config.steering_mode = mode;
        self
    }

    /// How many messages that follow up come in together; one a turn unless set.
    #[must_use]
    pub const fn follow_up_mode(mut self, mode: QueueMode) -> Self {
        self.config.follow_up_mode = mode;
        self
    }

    /// The conversation to go on with.
    #[must_use]
    pub fn messages(mut self, messages: Vec<Message>) -> Self {
        self.saved = Some(Saved::new(messages));
        self
    }

    /// The conversation to go on with, as [`Agent::save`] gave it: with the tool calls that wait for a person and what was
    /// said and has not come in.
    #[must_use]
    pub fn saved(mut self, saved: Saved) -> Self {
        self.saved = Some(saved);
        self
    }

    /// Timeouts and the like of the HTTP client.
    #[must_use]
    pub fn http(mut self, options: http::Options) -> Self {
        self.http = options;
        self
    }

    /// The HTTP client, to share its connections with other agents; [`AgentBuilder::http`] has no effect then.
    #[must_use]
    pub fn client(mut self, client: http::Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Makes the HTTP client now, if there is none: agents that are built of clones share its connections.
    ///
    /// # Errors
    /// [`Error::Http`].
    pub fn with_connections(mut self) -> Result<Self, Error> {
        if self.client.is_none() {
            let client = http::Client::new(self.http.clone()).map_err(|error| Error::Http(Arc::new(error)))?;
            self.client = Some(client);
        }
        Ok(self)
    }

    /// What it shares with other agents: limits on all their runs, and the memory of their logs.
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// How much the log of a run keeps, and what happens when that is reached. Unless set, 256 MiB for replay, and the run
    /// ends with an error at that; with [`WhenFull::DropOldest`](crate::WhenFull) it is a window, and readers that fall
    /// behind are told how much they missed.
    #[must_use]
    pub const fn log(mut self, options: LogOptions) -> Self {
        self.log = options;
        self
    }

    /// When a request is sent again.
    #[must_use]
    pub fn retry(mut self, retry: http::Retry) -> Self {
        self.retry = retry;
        self
    }

    /// A budget that every request has to keep to; hand the same one to several agents and clients to have them share it. A
    /// further one counts beside it, such as one for all and one for each.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.account.budgets.push(budget);
        self
    }

    /// The table in which prices are looked up; without it, [`Prices::built_in`].
    #[must_use]
    pub fn prices(mut self, prices: Prices) -> Self {
        self.account.prices = Some(Arc::new(prices));
        self
    }

    /// What the model costs, whatever a table or the provider says.
    #[must_use]
    pub fn price(mut self, price: Price) -> Self {
        self.account.price = Some(price);
        self
    }

    /// The prices and budgets of another one.
    pub(crate) fn account(mut self, account: Account) -> Self {
        self.account = account;
        self
    }

    /// Measures the CPU time of decoding, at the price of a few system calls a chunk.
    #[must_use]
    pub const fn measure_decode(mut self, measure: bool) -> Self {
        self.measure_decode = measure;
        self
    }

    /// The agent. Opens no connection.
    ///
    /// # Errors
    /// When the model, its server, its key, its dialect or a tool cannot be made out.
    pub fn build(mut self) -> Result<Agent, Error> {
        let tools = checked_tools(std::mem::take(&mut self.tools), self.validation)?;
        let engine = self.engine.take().unwrap_or_else(Engine::of_one_agent);
        let Resolved { backend, request } = self.resolve_stacked(engine.limits().wire)?;
        let request = Request { tools: specs(&tools), ..request };
        let config = Config { asks_after_turn: self.hooks.has(HookPoint::AfterTurn), ..self.config };
        let settings = Settings {
            request: Arc::new(request),
            tools: tools.into(),
            backend: Arc::new(backend),
            account: Arc::new(self.account),
        };
        let saved = self.saved.unwrap_or_else(|| Saved::new(Vec::new()));
        let (machine, queues) = machine_of(saved, settings.configure(&config))?;
        let setup = Setup {
            settings: RwLock::new(settings),
            hooks: self.hooks,
            retry: self.retry,
            config,
            validation: self.validation,
            tool_timeout: self.tool_timeout,
            measure_decode: self.measure_decode,
            engine,
            log: self.log,
            waiting: Waiting::new(queues),
            mirror: Mutex::new(messages_of(&machine)),
        };
        let session = Session::open(&setup, machine)?;
        let state = Mutex::new(State::Idle(Box::new(session)));
        Ok(Agent { inner: Arc::new(Inner { setup: Arc::new(setup), state, listeners: Listeners::default() }) })
    }

    /// A client of the same model: for replies without an agent. What is said of runs has no effect. Opens no connection.
    ///
    /// # Errors
    /// As [`AgentBuilder::build`].
    pub fn build_client(mut self) -> Result<Client, Error> {
        let engine = self.engine.take().unwrap_or_else(Engine::of_one_agent);
        let Resolved { backend, request } = self.resolve()?;
        let responder = self.stacked(backend, engine.limits().wire);
        Ok(Client::new(responder, request, self.account, engine, self.log))
    }

    /// What an agent that asks `now` is to ask instead.
    pub(super) fn into_other(mut self, now: &Backend, retry: &http::Retry, limits: WireLimits) -> Result<Other, Error> {
        self.retry = retry.clone();
        if let (Backend::Server { client, .. }, None) = (now, &self.client) {
            self.client = Some(client.clone());
        }
        let Resolved { backend, request } = self.resolve_stacked(limits)?;
        Ok(Other { backend, request, price: self.account.price })
    }

    fn resolve_stacked(&mut self, limits: WireLimits) -> Result<Resolved, Error> {
        let Resolved { backend, request } = self.resolve()?;
        let backend = match self.middleware.is_empty() {
            true => backend,
            false => Backend::Responder { responder: Shared(self.stacked(backend, limits)) },
        };
        Ok(Resolved { backend, request })
    }

    /// The backend behind the middleware. A server gets the retries that it has without, unless there are others.
    fn stacked(&mut self, backend: Backend, limits: WireLimits) -> Arc<dyn Responder> {
        let mut middleware = std::mem::take(&mut self.middleware);
        if matches!(backend, Backend::Server { .. }) && !middleware.iter().any(|one| one.retries()) {
            middleware.push(Arc::new(middleware::Retry::new(self.retry.clone())));
        }
        middleware::stack(backend.into_responder(limits), middleware)
    }

    fn resolve(&mut self) -> Result<Resolved, Error> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let chosen = match self.responder_backend() {
            Some(chosen) => Some(chosen),
            None => self.self_driving_backend()?,
        };
        let (backend, model, level) = match chosen {
            Some(chosen) => chosen,
            None => self.server_backend()?,
        };
        let thinking = level.map(|level| Thinking { level: level.to_owned(), budget_tokens: None });
        let thinking = self.request.thinking.take().or(thinking);
        // A client tells its model of tools, and runs none.
        let tools = checked_tools(std::mem::take(&mut self.tools), Validation::Off)?;
        let request = Request { model, tools: specs(&tools), thinking, ..std::mem::take(&mut self.request) };
        Ok(Resolved { backend, request })
    }

    /// The provider without a plugin, if the model or the provider names one.
    fn responder_backend(&self) -> Option<Chosen> {
        if self.route.is_some() || self.base_url.is_some() {
            return None;
        }
        let named = self.model.as_deref().unwrap_or_default().trim();
        let (id, model) = match &self.provider {
            Some(id) => (id.trim(), named),
            None => named.split_once('/').unwrap_or((named, "")),
        };
        let found = match &self.responders[..] {
            [only] if named.is_empty() && id.is_empty() => only,
            all => all.iter().find(|one| one.name() == id)?,
        };
        let (model, level) = split_thinking(model);
        Some((Backend::Responder { responder: Shared(Arc::clone(found)) }, model.to_owned(), level))
    }

    /// The plugin that drives itself, if the model or the provider names one.
    fn self_driving_backend(&self) -> Result<Option<Chosen>, Error> {
        if self.route.is_some() || self.base_url.is_some() {
            return Ok(None);
        }
        let named = self.model.as_deref().unwrap_or_default().trim();
        let (id, model) = match &self.provider {
            Some(id) => (id.trim(), named),
            None => named.split_once('/').unwrap_or((named, "")),
        };
        for provider in &self.self_driving {
            let description = describe_provider(provider).map_err(|message| Error::Describe { message })?;
            if description.id == id {
                let (model, level) = split_thinking(model);
                let first = description.models.into_iter().next().unwrap_or_default();
                let model = if model.is_empty() { first } else { model.to_owned() };
                return Ok(Some((Backend::Provider { id: id.to_owned(), provider: provider.clone() }, model, level)));
            }
        }
        Ok(None)
    }

    /// The server that the table finds, and the codec of its dialect.
    fn server_backend(&mut self) -> Result<Chosen, Error> {
        let variables = |name: &str| std::env::var(name).ok();
        let route = match self.route.take() {
            Some(route) => route,
            None => {
                let wish = Wish {
                    model: self.model.as_deref().ok_or(Error::NoModel)?,
                    provider: self.provider.as_deref(),
                    base_url: self.base_url.as_deref(),
                    dialect: self.dialect.as_deref(),
                    // The rules for where a key may go hold for one that is given later, too.
                    key: self.key.clone().or_else(|| self.keys.as_ref().map(|_| http::Secret::new(GIVEN_LATER))),
                };
                let mut table = self.providers.take().map_or_else(|| Table::of_user(&variables), Ok)?;
                for codec in &self.codecs {
                    let description = Description::of(codec)?;
                    let rows = &description.json["providers"];
                    if !rows.is_null() {
                        table.add_plugin(codec.plugin(), rows)?;
                    }
                }
                let mut route = table.route(&wish, &variables)?;
                if self.key.take().is_none() && self.keys.is_some() {
                    route.key = None;
                }
                route
            }
        };
        let (codec, description) = find_codec(std::mem::take(&mut self.codecs), &route.dialect)?;
        let (model, level) = (route.model.clone(), route.thinking);
        let headers = std::mem::take(&mut self.headers);
        let endpoint = Endpoint::new(route, &description.json["auth"], headers, &variables)?;
        let endpoint = Arc::new(Endpoint {
            check_templates: self.check_templates,
            keys: self.keys.take(),
            accepts: self.accepts,
            ..endpoint
        });
        let client = match self.client.take() {
            Some(client) => client,
            None => http::Client::new(self.http.clone()).map_err(|error| Error::Http(Arc::new(error)))?,
        };
        Ok((Backend::Server { endpoint, codec, client }, model, level))
    }
}

/// Tools that a model can tell apart, with schemas that can be asked.
pub(super) fn checked_tools(tools: Vec<Tool>, validation: Validation) -> Result<Vec<Tool>, Error> {
    let mut names = HashSet::new();
    for tool in &tools {
        if !names.insert(tool.name().to_owned()) {
            return Err(Error::DuplicateTool { name: tool.name().to_owned() });
        }
        if validation != Validation::Off
            && let Err(error) = tool.schema()
        {
            return Err(Error::ToolSchema { tool: tool.name().to_owned(), error });
        }
    }
    Ok(tools)
}

/// What the model is told of the tools.
pub(super) fn specs(tools: &[Tool]) -> Vec<ToolSpec> {
    let specs = tools.iter().map(|tool| ToolSpec {
        name: tool.name().to_owned(),
        description: tool.description().to_owned(),
        parameters: tool.parameters().clone(),
    });
    specs.collect()
}

impl fmt::Debug for AgentBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentBuilder")
            .field("model", &self.model)
            .field("base_url", &self.base_url)
            .field("tools", &self.tools)
            .finish_non_exhaustive()
    }
}
