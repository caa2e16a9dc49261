//! An agent that is ready to be asked, with its plugins, and for a replay the server that plays it.

use std::fmt::Display;
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::path::PathBuf;

use thalweg::http::Secret;
use thalweg::message::Message;
use thalweg::provider::{LEVELS, Table, Wish};
use thalweg::request::{Output, Thinking, ToolChoice};
use thalweg::{Agent, AgentBuilder, Prompt, Run};
use thalweg_replay::{Options, Recording, Server};

use crate::endpoint::{Endpoint, EndpointArguments, HOW_TO_GO_LIVE, Live, Pace};
use crate::failure::Failure;
use crate::plugins::{self, Loaded, Tools, Wanted};
use crate::render::Screen;

/// The flags that shape the agent.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "The agent")]
pub(crate) struct AgentArguments {
    /// Instructions that come before the conversation
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Turns of one question at most; each reply of the model is one
    #[arg(long, value_name = "N")]
    max_turns: Option<u32>,
    /// Tokens of one reply at most
    #[arg(long, value_name = "N")]
    max_tokens: Option<u32>,
    /// Whether the model may, must or must not call a tool: auto, none, required, or the name of the tool to call
    #[arg(long, value_name = "CHOICE")]
    tool_choice: Option<String>,
    /// How much the model thinks; over the level behind its name
    #[arg(long, value_name = "LEVEL", value_parser = LEVELS)]
    thinking: Option<String>,
    /// A file with a JSON Schema that the reply has to keep to
    #[arg(long, value_name = "FILE")]
    json_schema: Option<PathBuf>,
    /// For the authors of codecs: have the codec read one in N of the frames that the engine reads by itself, and fail the
    /// run if it reads one otherwise than it has promised
    #[arg(long, value_name = "N", env = "THALWEG_CHECK_TEMPLATES")]
    check_templates: Option<NonZeroU32>,
    /// Offer no tools
    #[arg(long)]
    no_tools: bool,
}

impl AgentArguments {
    /// The instructions, if there are any.
    pub(crate) fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// Takes these instructions where none were given.
    pub(crate) fn default_system(&mut self, system: Option<&str>) {
        self.system = self.system.take().or_else(|| system.map(str::to_owned));
    }

    const fn tools(&self) -> Tools {
        if self.no_tools { Tools::None } else { Tools::Offered }
    }
}

/// See the module.
pub(crate) struct Session {
    agent: Agent,
    plugins: Loaded,
    /// What is talked to, in words: `model` or `replay`, and which.
    endpoint: (&'static str, String),
    /// Taken out of whatever is shown.
    key: Option<Secret>,
    /// Set for a replay; the server plays as long as it lives.
    replay: Option<Replay>,
}

struct Replay {
    recordings: Vec<Recording>,
    /// The question was known from the start, so the list of prompts need not be shown.
    has_question: bool,
    /// By `--replay`, and not for the lack of anything else.
    is_asked_for: bool,
    _server: Server,
}

impl Session {
    /// Makes everything ready; `question` is looked up first if it is to be replayed.
    pub(crate) async fn open(
        endpoint: Endpoint,
        flags: &EndpointArguments,
        agent: &AgentArguments,
        question: Option<&str>,
    ) -> Result<Self, Failure> {
        match endpoint {
            Endpoint::Live(live) => {
                let Live { route, reason } = *live;
                let level = route.thinking.map(|level| format!(" · thinking {level}")).unwrap_or_default();
                let endpoint = ("model", format!("{}{level} · {} · {reason}", route.model, route.base_url));
                let plugins = plugins::load(Wanted::Dialect(&route.dialect), agent.tools())?;
                let key = route.key.as_ref().map(|key| key.secret.clone());
                let agent = build(Agent::builder().route(route), agent, &plugins)?;
                Ok(Self { agent, plugins, endpoint, key, replay: None })
            }
            Endpoint::SelfDriving(model) => {
                let plugins = plugins::load(Wanted::of_model(&model), agent.tools())?;
                let endpoint = ("model", format!("{model} · a plugin, on this machine"));
                let agent = build(Agent::builder().model(model), agent, &plugins)?;
                Ok(Self { agent, plugins, endpoint, key: None, replay: None })
            }
            Endpoint::Replay => {
                let dialect = flags.dialect.as_deref().unwrap_or("openai-chat");
                let recordings = recordings_of(dialect)?;
                let asked = question.map(|question| recorded(&recordings, question)).transpose()?;
                let plugins = plugins::load(Wanted::Dialect(dialect), agent.tools())?;
                let server = Server::start(recordings.clone(), Options::pace(flags.pace.into()))
                    .map_err(|error| Failure::run(format_args!("cannot start the replay server: {error}")))?;
                let base_url = format!("{}{}", server.url(), base_path(dialect));
                let model = &asked.unwrap_or(&recordings[0]).model;
                let wish = Wish { base_url: Some(&base_url), dialect: Some(dialect), ..Wish::model(model) };
                let route = Table::empty().route(&wish, &|_| None).map_err(Failure::run)?;
                let what = asked.map_or_else(|| "of recorded prompts".to_owned(), origin);
                let endpoint = ("replay", format!("{what} · {base_url}"));
                let agent = build(Agent::builder().route(route), agent, &plugins)?;
                let replay =
                    Replay { has_question: asked.is_some(), recordings, is_asked_for: flags.replay, _server: server };
                Ok(Self { agent, plugins, endpoint, key: None, replay: Some(replay) })
            }
        }
    }

    /// Whether this question can be asked: of a replay only those that it has.
    pub(crate) fn accepts(&self, question: &str) -> Result<(), Failure> {
        self.replay.as_ref().map_or(Ok(()), |replay| recorded(&replay.recordings, question).map(|_| ()))
    }

    /// Goes on with an earlier conversation.
    pub(crate) fn go_on_with(&self, messages: Vec<Message>) -> Result<(), Failure> {
        self.agent.set_messages(messages).map_err(Failure::run)
    }

    /// Whether what is said here is worth keeping: a replay is said over and over.
    pub(crate) const fn is_live(&self) -> bool {
        self.replay.is_none()
    }

    /// Asks.
    pub(crate) fn ask(&self, question: &str) -> Result<Run, Failure> {
        self.ask_with(question, question.into())
    }

    /// Asks the question in the form of `prompt`.
    pub(crate) fn ask_with(&self, question: &str, prompt: Prompt) -> Result<Run, Failure> {
        self.accepts(question)?;
        self.agent.prompt(prompt).map_err(Failure::run)
    }

    /// What is talked to and with which plugins.
    pub(crate) fn introduce<W: Write>(&self, screen: &mut Screen<W>) -> io::Result<()> {
        let (label, endpoint) = &self.endpoint;
        screen.note(label, endpoint)?;
        if self.replay.as_ref().is_some_and(|replay| !replay.is_asked_for) {
            screen.note("", HOW_TO_GO_LIVE)?;
        }
        self.plugins.introduce(screen)?;
        if let Some(replay) = self.replay.as_ref().filter(|replay| !replay.has_question) {
            for (n, recording) in replay.recordings.iter().enumerate() {
                screen.note(if n == 0 { "prompts" } else { "" }, &recording.prompt)?;
            }
        }
        screen.blank_line()?;
        screen.flush()
    }

    /// The text without the key, should a provider repeat it in an error.
    pub(crate) fn without_key(&self, text: String) -> String {
        match &self.key {
            Some(key) => key.redact(text),
            None => text,
        }
    }

    /// What a reply to `question` was, if it was none of a live model.
    pub(crate) fn provenance(&self, question: &str) -> Option<String> {
        let replay = self.replay.as_ref()?;
        let recording = recorded(&replay.recordings, question).ok()?;
        Some(format!("replay of {}", origin(recording)))
    }
}

/// The built-in recordings of a dialect.
fn recordings_of(dialect: &str) -> Result<Vec<Recording>, Failure> {
    let all = thalweg_replay::builtin();
    let mut dialects: Vec<String> = all.iter().map(|recording| recording.dialect.clone()).collect();
    let recordings: Vec<Recording> = all.into_iter().filter(|recording| recording.dialect == dialect).collect();
    if recordings.is_empty() {
        dialects.sort_unstable();
        dialects.dedup();
        let known = dialects.join(", ");
        return Err(Failure::usage(format_args!("no recording speaks `{dialect}`; recorded dialects: {known}")));
    }
    Ok(recordings)
}

/// The recording of a question, or the list of those that there are.
fn recorded<'r>(recordings: &'r [Recording], question: &str) -> Result<&'r Recording, Failure> {
    if let Some(recording) = recordings.iter().find(|recording| recording.prompt.trim() == question.trim()) {
        return Ok(recording);
    }
    let mut message = "only recorded prompts can be replayed, and this is none of them\nrecorded prompts:".to_owned();
    for recording in recordings {
        message.push_str("\n  ");
        message.push_str(&recording.prompt);
    }
    message.push('\n');
    message.push_str(HOW_TO_GO_LIVE);
    Err(Failure::usage(message))
}

/// Where a recording comes from, in the words that the user is owed.
fn origin(recording: &Recording) -> String {
    match recording.origin {
        thalweg_replay::Origin::Recorded => {
            format!("{} on {}, recorded {}", recording.model, recording.server, recording.recorded)
        }
        thalweg_replay::Origin::WrittenByHand => {
            format!("{}, written by hand {}", recording.model, recording.recorded)
        }
    }
}

/// What stands between host and path in the base URLs of a dialect.
pub(crate) fn base_path(dialect: &str) -> &'static str {
    let provider = Table::built_in().iter().find(|provider| provider.dialect == dialect);
    let base_url = provider.map_or("", |provider| provider.usual_base_url());
    let host = base_url.find("://").map_or(0, |at| at + 3);
    base_url[host..].find('/').map_or("", |at| &base_url[host + at..])
}

/// The agent that `described` says where to find.
fn build(described: AgentBuilder, arguments: &AgentArguments, plugins: &Loaded) -> Result<Agent, Failure> {
    let mut builder = described.tools(plugins.tools.iter().cloned()).measure_decode(true);
    // Not the plugin as it is: its tools are offered only where tools are wanted.
    if let Some(codec) = plugins.speaker.codec() {
        builder = builder.codec(codec);
    }
    if let Some(provider) = plugins.speaker.provider() {
        builder = builder.self_driving(provider);
    }
    if let Some(system) = &arguments.system {
        builder = builder.system(system);
    }
    if let Some(turns) = arguments.max_turns {
        builder = builder.max_turns(turns);
    }
    if let Some(tokens) = arguments.max_tokens {
        builder = builder.max_tokens(tokens);
    }
    if let Some(every) = arguments.check_templates {
        builder = builder.check_templates(every);
    }
    if let Some(level) = &arguments.thinking {
        builder = builder.thinking(Thinking { level: level.clone(), budget_tokens: None });
    }
    if let Some(file) = &arguments.json_schema {
        let unusable = |error: &dyn Display| Failure::usage(format_args!("the schema {}: {error}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| unusable(&error))?;
        let schema = serde_json::from_str(&text).map_err(|error| unusable(&error))?;
        builder = builder.output(Output::JsonSchema { schema, name: None, strict: Some(true) });
    }
    if let Some(choice) = &arguments.tool_choice {
        builder = builder.tool_choice(match choice.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            name => ToolChoice::Tool { name: name.to_owned() },
        });
    }
    builder.build().map_err(Failure::run)
}

impl From<Pace> for thalweg_replay::Pace {
    fn from(pace: Pace) -> Self {
        match pace {
            Pace::Recorded => Self::Recorded,
            Pace::Max => Self::Max,
            Pace::Factor(factor) => Self::Factor(factor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_what_the_provider_has_after_its_host() {
        assert_eq!(base_path("openai-chat"), "/v1");
        assert_eq!(base_path("anthropic"), "");
    }

    #[test]
    fn a_question_about_rome_is_not_the_one_about_paris() {
        let recordings = recordings_of("openai-chat").expect("there are some");
        let failure = recorded(&recordings, "What is the weather in Rome?").expect_err("not recorded");
        assert!(failure.message().contains(&recordings[0].prompt));
        assert!(failure.message().contains("export OPENAI_API_KEY"));
        let with_spaces = format!("  {}\n", recordings[0].prompt);
        assert_eq!(recorded(&recordings, &with_spaces).expect("recorded").prompt, recordings[0].prompt);
    }
}
