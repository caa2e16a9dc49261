//! A team of a file: an agent whose model is several, each with its plugin and its address.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;
use thalweg::http::Secret;
use thalweg::provider::{Route, Table, Wish, split_thinking};
use thalweg::{Agent, AgentBuilder, Prompt, Run};
use thalweg_crew::team::{AgentOptions, Description};
use thalweg_replay::{Options, Server};

use crate::endpoint::{self, Endpoint, EndpointArguments};
use crate::failure::Failure;
use crate::plugins::{self, Tools, Wanted};
use crate::session::base_path;

/// A team that is ready to be asked.
pub(crate) struct Team {
    agent: Agent,
    /// Taken out of whatever is shown.
    keys: Vec<Secret>,
    /// Plays as long as it lives.
    _server: Option<Server>,
}

impl Team {
    /// Reads the team of `file` and makes its agents ready. Without a key for any of them, a recorded question is replayed.
    pub(crate) async fn open(file: &Path, flags: &EndpointArguments, question: &str) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::usage(format_args!("cannot read {}: {error}", file.display())))?;
        let is_json = file.extension().is_some_and(|extension| extension == "json");
        let description = if is_json { Description::from_json(&text) } else { Description::from_toml(&text) };
        let description = description.map_err(Failure::usage)?;
        let mut members = HashMap::new();
        for (path, options) in description.agents() {
            let options: AgentOptions = serde_json::from_value(Value::Object(options.clone()))
                .map_err(|error| Failure::usage(format_args!("member `{path}`: {error}")))?;
            members.insert(path, options);
        }
        if !flags.replay {
            match Self::live(&description, &members).await {
                Err(_) if !flags.live && is_recorded(question) => {}
                other => return other,
            }
        }
        Self::replayed(&description, &members, flags, question)
    }

    async fn live(description: &Description, members: &HashMap<String, AgentOptions>) -> Result<Self, Failure> {
        let (mut endpoints, mut keys) = (HashMap::new(), Vec::new());
        for (path, options) in members {
            let arguments = EndpointArguments {
                model: options.model.clone(),
                provider: options.provider.clone(),
                base_url: options.base_url.clone(),
                dialect: options.dialect.clone(),
                live: true,
                ..EndpointArguments::default()
            };
            let endpoint = endpoint::choose(&arguments).await;
            let endpoint = endpoint.map_err(|failure| of_member(path, &failure))?;
            if let Endpoint::Live(live) = &endpoint {
                keys.extend(live.route.key.as_ref().map(|key| key.secret.clone()));
            }
            endpoints.insert(path.as_str(), endpoint);
        }
        let agent = build(description, |path| match endpoints.get(path) {
            Some(Endpoint::Live(live)) => of_route(live.route.clone(), members.get(path)),
            Some(Endpoint::SelfDriving(model)) => of_plugin(model, members.get(path)),
            Some(Endpoint::Replay) | None => Err(Failure::usage("there is nothing to talk to")),
        })?;
        Ok(Self { agent, keys, _server: None })
    }

    fn replayed(
        description: &Description,
        members: &HashMap<String, AgentOptions>,
        flags: &EndpointArguments,
        question: &str,
    ) -> Result<Self, Failure> {
        if !is_recorded(question) {
            return Err(Failure::usage(format_args!(
                "only recorded questions can be replayed by a team; there is one:\n  {}",
                thalweg_replay::team()[0].prompt
            )));
        }
        let server = Server::start(thalweg_replay::team(), Options::pace(flags.pace.into()))
            .map_err(|error| Failure::run(format_args!("cannot start the replay server: {error}")))?;
        let table = endpoint::table()?;
        let agent = build(description, |path| {
            let options = members.get(path);
            let named = options.and_then(|options| options.model.as_deref()).unwrap_or_default();
            let (provider, model) = named.split_once('/').unwrap_or(("", named));
            let dialect = options.and_then(|options| options.dialect.clone());
            let dialect = dialect.or_else(|| table.find(provider).map(|row| row.dialect.clone()));
            let dialect = dialect.ok_or_else(|| Failure::usage(format_args!("no provider is called `{provider}`")))?;
            let base_url = format!("{}{}", server.url(), base_path(&dialect));
            let wish =
                Wish { base_url: Some(&base_url), dialect: Some(&dialect), ..Wish::model(split_thinking(model).0) };
            of_route(Table::empty().route(&wish, &|_| None).map_err(Failure::run)?, options)
        })?;
        Ok(Self { agent, keys: Vec::new(), _server: Some(server) })
    }

    /// Asks.
    pub(crate) fn ask(&self, prompt: Prompt) -> Result<Run, Failure> {
        self.agent.prompt(prompt).map_err(Failure::run)
    }

    /// The text without the keys, should a provider repeat one in an error.
    pub(crate) fn without_key(&self, text: String) -> String {
        self.keys.iter().fold(text, |text, key| key.redact(text))
    }
}

/// The agent of the team, with the agents that `describe` describes by their paths.
fn build(
    description: &Description,
    describe: impl Fn(&str) -> Result<AgentBuilder, Failure>,
) -> Result<Agent, Failure> {
    let team = description.build(|leaf| {
        let builder = describe(&leaf.path).map_err(|failure| failure.message().to_owned())?;
        let builder = leaf.budgets.into_iter().fold(builder, AgentBuilder::budget);
        builder.build().map_err(|error| error.to_string())
    });
    team.map_err(Failure::usage)?.agent().map_err(Failure::run)
}

/// An agent at the end of a route, with the tools that it names.
fn of_route(route: Route, options: Option<&AgentOptions>) -> Result<AgentBuilder, Failure> {
    let wanted = Wanted::Dialect(&route.dialect);
    equip(wanted, options, |options| options.apply(Agent::builder()).route(route.clone()))
}

/// An agent of a plugin that drives itself.
fn of_plugin(model: &str, options: Option<&AgentOptions>) -> Result<AgentBuilder, Failure> {
    equip(Wanted::of_model(model), options, |options| options.apply(Agent::builder()).model(model))
}

fn equip(
    wanted: Wanted<'_>,
    options: Option<&AgentOptions>,
    describe: impl FnOnce(AgentOptions) -> AgentBuilder,
) -> Result<AgentBuilder, Failure> {
    // What says where the model is stands in the route already.
    let options = AgentOptions {
        model: None,
        provider: None,
        base_url: None,
        dialect: None,
        ..options.cloned().unwrap_or_default()
    };
    let names = options.tools.clone();
    let plugins = plugins::load(wanted, if names.is_empty() { Tools::None } else { Tools::Offered })?;
    let mut builder = describe(options);
    for name in names {
        let tool = plugins.tools.iter().find(|tool| tool.name() == name);
        builder =
            builder.tool(tool.ok_or_else(|| Failure::usage(format_args!("no plugin has the tool `{name}`")))?.clone());
    }
    if let Some(codec) = plugins.speaker.codec() {
        builder = builder.codec(codec);
    }
    if let Some(provider) = plugins.speaker.provider() {
        builder = builder.self_driving(provider);
    }
    Ok(builder)
}

fn is_recorded(question: &str) -> bool {
    thalweg_replay::team().iter().any(|recording| recording.prompt.trim() == question.trim())
}

fn of_member(path: &str, failure: &Failure) -> Failure {
    Failure::usage(format_args!("member `{path}`: {}", failure.message()))
}
