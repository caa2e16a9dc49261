//! An agent: a model, its tools, and the conversation with it.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use thalweg::http::Retry;
use thalweg::machine::{QueueMode, RepeatLimit, Steering, ToolMode};
use thalweg::message::Message;
use thalweg::proxy::Proxy;
use thalweg::request::{Cache, CacheMarks, Output, Thinking, ToolChoice};
use thalweg::{Agent as Inner, AgentBuilder, Approval, LogOptions, Prices, Prompt, Saved, Tool, Validation, WhenFull};
use thalweg_abi::failure::Failure;
use thalweg_abi::types::{Error, OK, Status};

use crate::engine::{Engine, EngineObject, Shared};
use crate::fault::Fault;
use crate::handle::{self, Class};
use crate::keep::Kept;
use crate::middle::{Functions, Middle, Rate};
use crate::price::Price;
use crate::program::{self, Callbacks, Given};
use crate::run::{self, Run, RunOptions};
use crate::{budget, guard, json, text};

/// A model, its tools, and the conversation with it.
#[repr(C)]
pub struct Agent {
    _opaque: [u8; 0],
}

/// What lies behind a `thw_agent`.
pub(crate) struct AgentObject {
    pub(crate) engine: Arc<Shared>,
    pub(crate) agent: Inner,
    pub(crate) kept: Mutex<Option<Arc<Kept>>>,
}

impl Class for AgentObject {
    type Handle = Agent;
    const NAME: &'static str = "agent";
    const TAG: &'static [u8; 8] = b"thwagent";
}

/// The keys of the options.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    model: Option<String>,
    provider: Option<String>,
    base_url: Option<String>,
    dialect: Option<String>,
    api_key: Option<String>,
    headers: BTreeMap<String, String>,
    system: Option<String>,
    tools: Option<Vec<String>>,
    tool_choice: Option<ToolChoice>,
    tool_mode: Option<ToolMode>,
    tools_at_once: Option<u32>,
    tool_timeout_ms: Option<u64>,
    validation: Option<Validation>,
    repeat_limit: Option<RepeatLimit>,
    steering: Option<Steering>,
    steering_mode: Option<QueueMode>,
    follow_up_mode: Option<QueueMode>,
    max_turns: Option<u32>,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u32>,
    seed: Option<i64>,
    frequency_penalty: Option<f64>,
    presence_penalty: Option<f64>,
    parallel_tools: Option<bool>,
    output: Option<Output>,
    cache: Option<Cache>,
    cache_marks: Option<CacheMarks>,
    session: Option<String>,
    stop: Vec<String>,
    middleware: Vec<Middle>,
    rate_limit: Option<Rate>,
    fallback: Vec<Self>,
    team: Option<Value>,
    reply_cache: Option<String>,
    stream_proxy: Option<StreamProxy>,
    log: Option<Log>,
    budgets: Vec<budget::Wanted>,
    price: Option<Price>,
    prices: Option<PathBuf>,
    thinking: Option<Thinking>,
    extra: Map<String, Value>,
    retries: Option<u32>,
    messages: Vec<Message>,
}

impl Options {
    fn builder(self) -> AgentBuilder {
        let mut builder = Inner::builder().messages(self.messages);
        macro_rules! set {
            ($($key:ident),*) => {$(if let Some(value) = self.$key {
                builder = builder.$key(value);
            })*};
        }
        set!(model, provider, base_url, dialect, api_key, system, tool_choice, max_turns, max_tokens, temperature);
        set!(top_p, top_k, seed, frequency_penalty, presence_penalty, parallel_tools, output, cache, session, thinking);
        set!(cache_marks, tool_mode, tools_at_once, validation, repeat_limit, steering, steering_mode, follow_up_mode);
        for (name, value) in self.headers {
            builder = builder.header(name, value);
        }
        for (name, value) in self.extra {
            builder = builder.extra(name, value);
        }
        if !self.stop.is_empty() {
            builder = builder.stop(self.stop);
        }
        if let Some(timeout) = self.tool_timeout_ms {
            builder = builder.tool_timeout(Duration::from_millis(timeout));
        }
        if let Some(retries) = self.retries {
            builder = builder.retry(Retry { retries, ..Retry::default() });
        }
        builder
    }

    /// What requests pass through, the outermost first; behind those of `middleware` those that have keys of their own.
    fn take_middleware(&mut self) -> Vec<Middle> {
        let mut all = std::mem::take(&mut self.middleware);
        all.extend(self.reply_cache.take().map(Middle::ReplyCache));
        let others = std::mem::take(&mut self.fallback);
        all.extend((!others.is_empty()).then_some(Middle::Fallback(others)));
        all.extend(self.rate_limit.take().map(Middle::RateLimit));
        all
    }
}

/// The proxy of TinyAgent and pi.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamProxy {
    url: String,
    #[serde(default)]
    token: String,
    #[serde(default)]
    api: String,
}

/// How much the log of a run keeps.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Log {
    bytes_max: Option<usize>,
    entries_max: Option<u64>,
    ahead_bytes_max: Option<usize>,
    when_full: Option<Full>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Full {
    Refuse,
    DropOldest,
}

impl Log {
    fn options(&self) -> LogOptions {
        let mut options = LogOptions::default();
        options.bytes_max = self.bytes_max.unwrap_or(options.bytes_max);
        options.entries_max = self.entries_max.unwrap_or(options.entries_max);
        options.ahead_bytes_max = self.ahead_bytes_max.unwrap_or(options.ahead_bytes_max);
        if let Some(Full::DropOldest) = self.when_full {
            options.when_full = WhenFull::DropOldest;
        }
        options
    }
}

/// Another provider for an agent, of those options that speak of one, and of what the program gave.
pub(crate) fn describe_provider(engine: &Shared, options: &str, given: Given) -> Result<AgentBuilder, Fault> {
    let keys: Map<String, Value> = json::read(options, "options")?;
    if let Some(key) = keys.keys().find(|key| !OF_PROVIDER.contains(&key.as_str())) {
        let message =
            format!("`options` has the key {key:?}; of another provider are known: {}", OF_PROVIDER.join(", "));
        return Err(Failure::invalid(message).into());
    }
    if !(given.tools.is_empty() && given.hooks.is_empty()) {
        return Err(Failure::invalid("tools and hooks around them stay those of the agent; give none here").into());
    }
    describe(engine, json::read(options, "options")?, given)
}

/// An agent or a client of the options, and of what the program gave.
pub(crate) fn describe(engine: &Shared, mut options: Options, given: Given) -> Result<AgentBuilder, Fault> {
    let team = options.team.take().map(|team| crate::team::responder(engine, team, &given)).transpose()?;
    let Given { mut tools, hooks, keys, compacting, observers, providers } = given;
    let mut functions = Functions { compacting, observers: observers.into() };
    if team.is_some() {
        // They are its members' to call.
        (options.tools, tools) = (Some(Vec::new()), Vec::new());
    }
    let wanted = options.tools.take();
    let registry = engine.registry();
    match wanted {
        Some(names) => {
            for name in names {
                let unknown =
                    || Failure::invalid(format!("no plugin was loaded that has the tool {name:?} of `tools`"));
                tools.push(Tool::from_plugin(registry.tool(&name).ok_or_else(unknown)?.clone()));
            }
        }
        None => tools.extend(registry.tools().cloned().map(Tool::from_plugin)),
    }
    let codecs: Vec<_> = registry.codecs().cloned().collect();
    drop(registry);
    let (log, budgets, price) = (options.log.take(), std::mem::take(&mut options.budgets), options.price.take());
    let (proxy, middleware, prices) = (options.stream_proxy.take(), options.take_middleware(), options.prices.take());
    if proxy.is_some() && options.base_url.is_some() {
        return Err(Failure::invalid("`stream_proxy` and `base_url` both say where to ask; give one of them").into());
    }
    let mut builder = options.builder().client(engine.client.clone()).engine(engine.limits.clone()).tools(tools);
    // The members of a team tell of their requests themselves.
    let tells = team.is_none();
    if let Some(team) = team {
        builder = builder.responder(team);
    }
    if let Some(proxy) = proxy {
        let made = Proxy::new(&proxy.url, &proxy.token)?.api(proxy.api).client(engine.client.clone());
        builder = builder.provider(PROXY).responder(made.name(PROXY).responder());
    }
    if let Some(log) = log {
        builder = builder.log(log.options());
    }
    for wanted in budgets {
        builder = builder.budget(engine.budgets.find(&wanted)?);
    }
    if let Some(price) = price {
        builder = builder.price(price.read()?);
    }
    if let Some(path) = prices {
        let own = Prices::from_file(path).map_err(|error| Failure::invalid(format!("`prices`: {error}")))?;
        builder = builder.prices(Prices::with_built_in(own));
    }
    let observed = middleware.iter().filter(|one| matches!(one, Middle::Observe(_))).count();
    if tells && observed < functions.observers.len() {
        for observer in functions.observers.split_off(observed) {
            builder = builder.middleware(observer.middleware(engine)?);
        }
    }
    if !middleware.iter().any(|one| matches!(one, Middle::Compact(_)))
        && let Some(compacting) = functions.compacting.take()
    {
        builder = builder.middleware(compacting.middleware(None));
    }
    for one in middleware {
        builder = one.add(builder, engine, &mut functions)?;
    }
    if let Some(keys) = keys {
        builder = builder.key_source(keys);
    }
    for provider in providers {
        builder = builder.self_driving(provider);
    }
    for hook in hooks {
        builder = builder.hook(hook);
    }
    for codec in codecs {
        builder = builder.codec(codec);
    }
    Ok(builder)
}

/// The name of the proxy of `stream_proxy` as a provider.
const PROXY: &str = "proxy";

/// The options that speak of the provider.
const OF_PROVIDER: [&str; 14] = [
    "model",
    "provider",
    "base_url",
    "dialect",
    "api_key",
    "headers",
    "thinking",
    "extra",
    "price",
    "middleware",
    "reply_cache",
    "fallback",
    "rate_limit",
    "stream_proxy",
];

/// Makes an agent; NULL on an error. Opens no connection. `options` is JSON, borrowed for the call; an unknown key is an
/// error that names it. Its keys, all optional but for `model`:
///
/// - `model`: "provider/model", such as "openai/gpt-4o-mini". With `base_url` or `provider`: the model as it stands.
/// - `provider`, `base_url`, `dialect`: who serves it, where, and what is spoken there ("openai-chat" if nothing says).
/// - `api_key`: if absent, the environment variable of the provider is read, such as `OPENAI_API_KEY`.
/// - `headers`: further headers of each request, an object of strings.
/// - `system`, `max_tokens`, `temperature`, `top_p`, `stop` (array), `thinking` ({"level": "low" | "medium" | "high",
///   "budget_tokens": n}), `tool_choice` ("auto" | "none" | "required" | {"name": s}): as the words say.
/// - `top_k`, `seed`, `frequency_penalty`, `presence_penalty`, `parallel_tools` (false: one call at a time).
/// - `output`: {"type": "json"} or {"type": "json_schema", "schema": {...}, "name": s, "strict": b}.
/// - `cache`: "none" | "short" | "long", whether the provider keeps the prompt; `cache_marks`: "all_user" | "last_user" |
///   "last_text", which messages are marked for it. `session`: a name of the conversation, for that cache.
/// - `middleware`: what requests pass through, the outermost first; an array of objects with one key each:
///   {"markdown_log": folder}, a file for people for each request; {"reply_cache": "memory" | folder}, the same request gets
///   the same reply again, for tests; {"compact": {"above_tokens": n}}, asks the `THW_HOOK_COMPACT`; {"observe": {}}, tells a
///   `THW_HOOK_OBSERVE` of each request; {"fallback": [options of this sort]}, others that are asked where this one fails before
///   it has said anything; {"rate_limit":
///   {"requests_per_minute": n, "burst": n, "tokens_per_minute": n, "wait_ms_max": n}}, all but the first optional, a request
///   waits for its turn; {"retry": {"retries": n, "first_delay_ms": n, "delay_ms_max": n, "asked_ms_max": n}}, all optional,
///   in the place of `retries`.
/// - `reply_cache`, `fallback`, `rate_limit`: the same as keys; they stand behind `middleware`, in this order.
/// - `stream_proxy`: {"url": s, "token": s, "api": s}, the last two optional: a server that speaks the proxy protocol of
///   TinyAgent and pi, and knows the keys. `model` is then "provider/model" as the proxy knows it.
/// - `budgets`: [{"name": s, "tokens": n, "dollars": x}], the last two optional: what the runs of all agents and the
///   replies to all clients that name the same one may use together, see `thw_engine_budgets`. Without a limit it only counts.
/// - `price`: {"input": x, "output": x, "cache_read": x, "cache_write": x, "cache_write_long": x, "reasoning": x,
///   "context_tokens": n, "output_tokens_max": n}, dollars per million tokens, all but the first two optional; by the
///   table if absent. `prices`: the path of a table of your own, which goes over the built-in one: {"models": {vendor: {model:
///   {"input": x, "output": x, "context": n, "max_output": n, ...}}}} as JSON in a file whose name ends with `.json`, else as TOML.
/// - `log`: {"bytes_max": n, "entries_max": n, "when_full": "refuse" | "drop_oldest", "ahead_bytes_max": n}, all optional:
///   how much is kept of a run for its readers, 256 MiB if absent; whether the run then ends with an error or forgets its
///   oldest events, see `THW_EVENT_LAGGED`; and how far it may be ahead of a reader that holds it back.
/// - `team`: in the place of `model`, a team as docs/TEAMS.md describes it, whose members are options of this sort with a `name`. Tools of
///   `callbacks` are its members'. Events with `THW_FLAG_SPEAKER` carry in `aux` the path of the
///   member that speaks.
/// - `extra`: an object whose fields go into the body of each request as they are.
/// - `tools`: names of tools of loaded plugins; all of them if absent. Tools of `callbacks` come on top.
/// - `tool_mode`: "parallel" if absent, or "sequential". `tools_at_once`: most calls of a reply that run at once.
///   `tool_timeout_ms`: how long a tool may take before it is stopped and answered with an error.
/// - `validation`: "check" if absent: arguments that the tool's schema does not allow are told to the model and not run;
///   "coerce" makes "17" a 17 first where an integer is asked for; or "off".
/// - `repeat_limit`: {"calls": n, "then": "error" | "stop"}: the n-th same call in a row is not run, or ends the run.
/// - `steering`: when `thw_agent_steer` comes in while tools run: "after_batch" if absent, "between_tools" (those that have
///   not begun are skipped), "skip_remaining" (those that run are cancelled as well). `steering_mode`, `follow_up_mode`:
///   "one_at_a_time" if absent, or "all".
/// - `max_turns`: turns that one run may take; 50 if absent. `retries`: of a request that found no answer; 3 if absent.
/// - `messages`: the conversation to go on with, an array as `thw_agent_conversation` writes it.
///
/// `callbacks` are what it calls in your program, or NULL; see there. The agent is the caller's, to be freed with
/// `thw_agent_free`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_new(
    engine: *mut Engine,
    options: *const c_char,
    options_len: usize,
    callbacks: *const Callbacks,
    error: *mut Error,
) -> *mut Agent {
    let body = || {
        // First, since the contexts are taken over whatever happens.
        // SAFETY: by contract.
        let given = unsafe { program::read(callbacks) }?;
        // SAFETY: by contract.
        let EngineObject(engine) = unsafe { handle::get::<EngineObject>(engine) }?;
        engine.process.check()?;
        // SAFETY: by contract.
        let options = json::read(unsafe { text::text(options, options_len, "options") }?, "options")?;
        let agent = describe(engine, options, given)?.build()?;
        Ok(handle::new(AgentObject { engine: Arc::clone(engine), agent, kept: Mutex::default() }))
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// Frees an agent. A run that goes on goes on; abort it first if it shall not. NULL is accepted. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_free(agent: *mut Agent) {
    guard::quiet(|| {
        // SAFETY: by contract.
        if let Some(agent) = unsafe { handle::take::<AgentObject>(agent) }
            && agent.engine.process.is_other()
        {
            std::mem::forget(agent);
        }
    });
}

/// Starts a run that answers `prompt`, a text that is borrowed for the call; NULL on an error. `options` may be NULL.
/// `THW_E_STATE` while another run of the agent goes on. The run goes on by itself, and is the caller's, to be freed with
/// `thw_run_free`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_prompt(
    agent: *mut Agent,
    prompt: *const c_char,
    prompt_len: usize,
    options: *const RunOptions,
    error: *mut Error,
) -> *mut Run {
    let body = || {
        // SAFETY: by contract.
        let prompt = unsafe { text::text(prompt, prompt_len, "prompt") }?;
        // SAFETY: by contract.
        unsafe { start(agent, Prompt::from(prompt), options) }
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// As `thw_agent_prompt`, with a JSON array of user messages, such as
/// `[{"role": "user", "content": [{"type": "text", "text": "hi"}]}]`. An empty array answers what the conversation ends
/// with. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_prompt_json(
    agent: *mut Agent,
    messages: *const c_char,
    messages_len: usize,
    options: *const RunOptions,
    error: *mut Error,
) -> *mut Run {
    let body = || {
        // SAFETY: by contract.
        let messages = json::messages(unsafe { text::text(messages, messages_len, "messages") }?, "messages")?;
        // SAFETY: by contract.
        unsafe { start(agent, Prompt::from(messages), options) }
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// # Safety
/// Both are NULL or as the header says.
unsafe fn start(agent: *mut Agent, prompt: Prompt, options: *const RunOptions) -> Result<*mut Run, Fault> {
    // SAFETY: promised by the caller.
    unsafe { begin(agent, options, |agent| agent.prompt(prompt)) }
}

/// # Safety
/// Both are NULL or as the header says.
unsafe fn begin(
    agent: *mut Agent,
    options: *const RunOptions,
    begin: impl FnOnce(&Inner) -> Result<thalweg::Run, thalweg::Error>,
) -> Result<*mut Run, Fault> {
    // SAFETY: promised by the caller.
    let object = unsafe { handle::get::<AgentObject>(agent) }?;
    let engine = &object.engine;
    engine.process.check()?;
    // SAFETY: promised by the caller.
    let options = unsafe { run::read_options(options) }?;
    let runtime = engine.handle()?;
    let run = {
        let _inside = runtime.enter();
        begin(&object.agent)?
    };
    let kept = object.kept();
    if let Some(kept) = &kept {
        kept.follow(&run, runtime);
    }
    Ok(run::new(engine, run, &options, kept.and_then(|kept| kept.written())))
}

/// Says something while a run goes on: `text`, borrowed for the call, comes in as a user's message before the next request,
/// behind the tools that run now; a run that would end goes on with it. One message a turn, in their order. Without a run,
/// and when a run fails or is stopped before, it goes into the next one. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_steer(
    agent: *mut Agent,
    text: *const c_char,
    text_len: usize,
    error: *mut Error,
) -> Status {
    // SAFETY: by contract.
    unsafe { say(agent, (text, text_len), error, |agent, text| agent.steer(text)) }
}

/// As `thw_agent_steer`, but it comes in only once the run would end otherwise. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_follow_up(
    agent: *mut Agent,
    text: *const c_char,
    text_len: usize,
    error: *mut Error,
) -> Status {
    // SAFETY: by contract.
    unsafe { say(agent, (text, text_len), error, |agent, text| agent.follow_up(text)) }
}

/// # Safety
/// All pointers are NULL or as the header says.
unsafe fn say(
    agent: *mut Agent,
    (text, text_len): (*const c_char, usize),
    error: *mut Error,
    say: impl FnOnce(&Inner, &str) -> Result<(), thalweg::Error>,
) -> Status {
    let body = || {
        // SAFETY: promised by the caller.
        let AgentObject { engine, agent, .. } = unsafe { handle::get::<AgentObject>(agent) }?;
        engine.process.check()?;
        // SAFETY: promised by the caller.
        say(agent, unsafe { text::text(text, text_len, "text") }?)?;
        Ok(OK)
    };
    // SAFETY: promised by the caller.
    unsafe { guard::status(error, body) }
}

/// The conversation so far as JSON, `{"schema": 1, "messages": [...]}`; during a run, with those of its messages that are
/// complete. Between runs it also holds what waits: `pending`, the tool calls that a person has to approve, and what was said
/// by `thw_agent_steer` and `thw_agent_follow_up` and has not come in. NULL on an error. NUL-terminated and the caller's, to
/// be freed with `thw_free`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_conversation(agent: *mut Agent, error: *mut Error) -> *mut c_char {
    let body = || {
        // SAFETY: by contract.
        let AgentObject { engine, agent, .. } = unsafe { handle::get::<AgentObject>(agent) }?;
        engine.process.check()?;
        let saved = agent.save().unwrap_or_else(|_| Saved::new(agent.messages()));
        // JSON escapes every NUL.
        Ok(CString::new(json::write_conversation(&saved)).unwrap_or_default().into_raw())
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// Sets the conversation to one that `thw_agent_conversation` wrote; the JSON is borrowed for the call. `THW_E_VERSION`
/// for a schema that this library does not read, `THW_E_STATE` during a run. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_set_conversation(
    agent: *mut Agent,
    conversation: *const c_char,
    conversation_len: usize,
    error: *mut Error,
) -> Status {
    let body = || {
        // SAFETY: by contract.
        let object = unsafe { handle::get::<AgentObject>(agent) }?;
        object.engine.process.check()?;
        // SAFETY: by contract.
        let text = unsafe { text::text(conversation, conversation_len, "conversation") }?;
        object.agent.restore(json::read_conversation(text)?)?;
        object.rebase()?;
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// Goes on with a run that ended since tool calls wait for a person (the `reason` of its end is `waiting_for_approval`; a hook
/// at `THW_HOOK_BEFORE_TOOL_CALL` had answered `{"wait": true}`). `decisions` is a JSON object from the ids of calls to what
/// was decided: `{"decision": "approve"}`, perhaps with `args`, an object to run it with instead; `{"decision": "deny",
/// "reason": s}`; or `{"decision": "answer", "content": [...], "is_error": b}` in its place. A call that nothing is said about
/// goes on waiting. It is borrowed for the call, and `options` may be NULL; NULL on an error. The run is the caller's, to be
/// freed with `thw_run_free`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_answer(
    agent: *mut Agent,
    decisions: *const c_char,
    decisions_len: usize,
    options: *const RunOptions,
    error: *mut Error,
) -> *mut Run {
    let body = || {
        // SAFETY: by contract.
        let decisions = unsafe { text::text(decisions, decisions_len, "decisions") }?;
        let decisions: BTreeMap<String, Approval> = json::read(decisions, "decisions")?;
        // SAFETY: by contract.
        unsafe { begin(agent, options, |agent| agent.answer(decisions)) }
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// Frees a text that the library gave away. NULL is accepted. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_free(text: *mut c_char) {
    guard::quiet(|| {
        if !text.is_null() {
            // SAFETY: by contract it is one that `CString::into_raw` gave.
            drop(unsafe { CString::from_raw(text) });
        }
    });
}
