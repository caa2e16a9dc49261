//! Which endpoint a command talks to. The first of these that is there: what the command line names, the replay if it is
//! forced, a provider with a key in the environment, a model server on this machine, the replay.
//!
//! The table of providers and the way through it are the library's; here is only the choice.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thalweg::http::Secret;
use thalweg::local::{self, LocalServer};
use thalweg::provider::{Route, Table, Wish, split_thinking};

use crate::failure::Failure;
use crate::plugins;

/// The flags that decide it.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "What to talk to")]
pub(crate) struct EndpointArguments {
    /// The model: `provider/model`, or a bare id of whatever provider is found, both with `:low`, `:high` and so on behind
    /// for the level of thinking; with --base-url, the id as it stands
    #[arg(long, short, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Everything before the path of the dialect, for example `http://127.0.0.1:8080/v1`
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// The provider, by its name in the table: at --base-url it says what is spoken there; see `thalweg providers`
    #[arg(long, value_name = "NAME", conflicts_with = "replay", requires = "model")]
    pub(crate) provider: Option<String>,
    /// The dialect, where it is not the provider's usual one: openai-chat (the default at --base-url), anthropic, …
    #[arg(long, value_name = "DIALECT")]
    pub(crate) dialect: Option<String>,
    /// The environment variable that holds the key for --base-url
    #[arg(long, value_name = "NAME", requires = "base_url")]
    pub(crate) key_env: Option<String>,
    /// Never fall back to the replay: exit code 2 if there is nothing to talk to
    #[arg(long, conflicts_with = "replay")]
    pub(crate) live: bool,
    /// Play the built-in recordings, whatever keys and servers there are
    #[arg(long, conflicts_with_all = ["base_url", "model"])]
    pub(crate) replay: bool,
    /// Pace of a replay: `recorded`, `max`, or a factor such as `2` for twice as fast
    #[arg(long, value_name = "PACE", default_value = "recorded")]
    pub(crate) pace: Pace,
}

impl EndpointArguments {
    /// Takes the model of an earlier conversation where nothing else was named.
    pub(crate) fn default_model(&mut self, model: Option<&str>) {
        if self.model.is_none() && self.base_url.is_none() && !self.replay {
            self.model = model.map(str::to_owned);
        }
    }
}

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Pace {
    /// With the gaps as they were.
    #[default]
    Recorded,
    /// Without gaps.
    Max,
    /// So many times as fast.
    Factor(f64),
}

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "recorded" => Ok(Self::Recorded),
            "max" => Ok(Self::Max),
            _ => match text.trim_end_matches('x').parse::<f64>() {
                Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(Self::Factor(factor)),
                _ => Err("give `recorded`, `max`, or a factor above 0 such as `2` or `0.5`".to_owned()),
            },
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recorded => f.write_str("recorded"),
            Self::Max => f.write_str("max"),
            Self::Factor(factor) => write!(f, "{factor}x"),
        }
    }
}

/// What was chosen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Endpoint {
    /// A real endpoint.
    Live(Box<Live>),
    /// A plugin that drives itself, by the name of its model: `eliza/doctor`.
    SelfDriving(String),
    /// The built-in recordings.
    Replay,
}

impl Endpoint {
    /// The model, as it can be asked for again; none for one at an address.
    pub(crate) fn model_name(&self) -> Option<String> {
        match self {
            Self::Live(live) => {
                let provider = live.route.provider.as_ref()?;
                Some(format!("{}/{}", provider.id, live.route.model))
            }
            Self::SelfDriving(model) => Some(model.clone()),
            Self::Replay => None,
        }
    }
}

/// A real endpoint.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Live {
    /// Where it is, what it speaks, with which key.
    pub(crate) route: Route,
    /// Why this one, for the person who looks.
    pub(crate) reason: String,
}

/// Reads an environment variable; blank counts as unset.
type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The table of providers, with the user's own rows.
pub(crate) fn table() -> Result<Table, Failure> {
    Table::of_user(&variable).map_err(Failure::usage)
}

/// The environment of this process.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Chooses, looking at the environment and, if need be, at the usual ports of this machine.
pub(crate) async fn choose(arguments: &EndpointArguments) -> Result<Endpoint, Failure> {
    if let (Some(model), None, None) = (&arguments.model, &arguments.base_url, &arguments.provider)
        && plugins::is_self_driving(model)?
    {
        return Ok(Endpoint::SelfDriving(model.clone()));
    }
    let table = table()?;
    let mut arguments = arguments.clone();
    arguments.base_url.as_deref().map_or(Ok(()), check_base_url)?;
    if let (Some(base_url), None) = (&arguments.base_url, &arguments.model) {
        let listed = tokio::time::timeout(LIST_PATIENCE, local::models(base_url)).await;
        arguments.model = Some(only_model(base_url, listed.ok().flatten())?);
    }
    if let Some(live) = named(&table, &arguments, &variable)? {
        return Ok(Endpoint::Live(Box::new(live)));
    }
    if arguments.replay {
        return Ok(Endpoint::Replay);
    }
    if let Some(live) = keyed(&table, &arguments, &variable)? {
        return Ok(Endpoint::Live(Box::new(live)));
    }
    match on_this_machine(&table, &arguments, local::find(&table).await)? {
        Some(live) => Ok(Endpoint::Live(Box::new(live))),
        None => Ok(Endpoint::Replay),
    }
}

/// The line that ends the lack of an endpoint.
pub(crate) const HOW_TO_GO_LIVE: &str =
    "for a live model: export OPENAI_API_KEY=… (or ANTHROPIC_API_KEY, OPENROUTER_API_KEY), or run `ollama serve`";

/// A URL with a password is refused, since URLs are shown.
pub(crate) fn check_base_url(url: &str) -> Result<(), Failure> {
    let Some((_, rest)) = url.split_once("://").filter(|(scheme, _)| ["http", "https"].contains(scheme)) else {
        return Err(Failure::usage("--base-url must begin with http:// or https://"));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(Failure::usage("--base-url holds a user name; name the variable of a key with --key-env instead"));
    }
    if rest.contains(['?', '#']) {
        return Err(Failure::usage("--base-url ends before any `?` or `#`"));
    }
    Ok(())
}

/// How long a server may take to list its models when none is named.
const LIST_PATIENCE: Duration = Duration::from_secs(5);

/// The model of a server that has one, so that it need not be named.
fn only_model(base_url: &str, listed: Option<Vec<String>>) -> Result<String, Failure> {
    match listed.as_deref() {
        Some([model]) => Ok(model.clone()),
        Some(models @ [_, ..]) => {
            Err(Failure::usage(format_args!("--base-url needs --model, one of: {}", models.join(", "))))
        }
        _ => Err(Failure::usage(format_args!(
            "--base-url needs --model: {base_url}/models gave no list of models to choose from"
        ))),
    }
}

/// What the command line names by --base-url, --provider or `provider/model`.
fn named(table: &Table, arguments: &EndpointArguments, variable: Variable<'_>) -> Result<Option<Live>, Failure> {
    let model = arguments.model.as_deref().unwrap_or_default();
    let has_provider = model.split_once('/').is_some_and(|(id, _)| table.find(id).is_some());
    if arguments.base_url.is_none() && arguments.provider.is_none() && !has_provider {
        return Ok(None);
    }
    let key = arguments.key_env.as_deref().map(|name| key_in(name, variable)).transpose()?;
    let live = route(table, arguments, Wish { key, ..Wish::model(model) }, variable)?;
    let named_by = if arguments.base_url.is_some() { "--base-url" } else { "--model" };
    Ok(Some(Live { reason: format!("named by {named_by}"), ..live }))
}

/// The key in a variable that the command line names.
pub(crate) fn key_in(name: &str, variable: Variable<'_>) -> Result<Secret, Failure> {
    let key = variable(name).map(|key| Secret::new(&key)).filter(|key| !key.is_empty());
    key.ok_or_else(|| Failure::usage(format_args!("--key-env names {name}, which is not set")))
}

/// The first provider with a key, in the order of the table, that has a model to use when none is named.
fn keyed(table: &Table, arguments: &EndpointArguments, variable: Variable<'_>) -> Result<Option<Live>, Failure> {
    let (model, level) = arguments.model.as_deref().map_or((None, None), |model| {
        let (model, level) = split_thinking(model);
        (Some(model), level)
    });
    // `name/model` with a name that nobody knows is a model of a router, or a slip.
    let fits = |has_slash: bool| model.is_none_or(|model| !model.contains('/') || has_slash);
    let rows = table.iter().filter(|row| row.key_from(variable).is_some() && plugins::speaks(&row.dialect));
    for row in rows.filter(|row| fits(row.models_with_slash)) {
        let Some(model) = model.or(row.default_model.as_deref()).filter(|_| row.default_model.is_some()) else {
            continue;
        };
        let mut live = route(table, arguments, Wish { provider: Some(&row.id), ..Wish::model(model) }, variable)?;
        live.route.thinking = level;
        return Ok(Some(live));
    }
    Ok(None)
}

fn route<'a>(
    table: &Table,
    arguments: &'a EndpointArguments,
    wish: Wish<'a>,
    variable: Variable<'_>,
) -> Result<Live, Failure> {
    let wish = Wish {
        provider: wish.provider.or(arguments.provider.as_deref()),
        base_url: wish.base_url.or(arguments.base_url.as_deref()),
        dialect: wish.dialect.or(arguments.dialect.as_deref()),
        ..wish
    };
    let route = table.route(&wish, variable).map_err(Failure::usage)?;
    let variable = route.key.as_ref().and_then(|key| key.variable.as_ref());
    let reason = variable.map(|name| format!("key from {name}")).unwrap_or_default();
    Ok(Live { route, reason })
}

/// A server that answered on its usual port; with --model, one that serves it.
fn on_this_machine(
    table: &Table,
    arguments: &EndpointArguments,
    servers: Vec<LocalServer>,
) -> Result<Option<Live>, Failure> {
    // The id as it stands goes before the id with a level of thinking behind it.
    let wanted = arguments.model.as_deref().map(|model| [(model, None), split_thinking(model)]);
    let found = servers.iter().find_map(|server| {
        let has = |wanted: &str| server.models.iter().find(|model| *model == wanted);
        let (model, level) = match wanted {
            Some(ways) => ways.into_iter().find_map(|(wanted, level)| Some((has(wanted)?, level)))?,
            None => (server.models.first()?, None),
        };
        Some((server, model, level))
    });
    if let Some((server, model, level)) = found {
        let wish = Wish { provider: Some(&server.provider.id), ..Wish::model(model) };
        let mut live = route(table, arguments, wish, &variable)?;
        live.route.thinking = level;
        return Ok(Some(Live { reason: format!("found on this machine, {}", server.provider.id), ..live }));
    }
    match (&arguments.model, servers.first()) {
        (Some(wanted), _) if wanted.contains('/') => match table.route(&Wish::model(wanted), &variable) {
            Err(unknown) => Err(Failure::usage(unknown)),
            Ok(_) => Ok(None),
        },
        (Some(wanted), Some(server)) => Err(Failure::usage(format_args!(
            "no server on this machine has the model `{wanted}`; {} has {}",
            server.provider.id,
            if server.models.is_empty() { "none".to_owned() } else { server.models.join(", ") }
        ))),
        (Some(wanted), None) => Err(Failure::usage(format_args!(
            "nothing to ask for the model `{wanted}`: no key and no model server on this machine\n{HOW_TO_GO_LIVE}"
        ))),
        (None, _) if arguments.live => {
            Err(Failure::usage(format_args!("--live: no key and no model server on this machine\n{HOW_TO_GO_LIVE}")))
        }
        (None, _) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_openai_key(name: &str) -> Option<String> {
        (name == "OPENAI_API_KEY").then(|| "sk-secret".to_owned())
    }

    fn without_keys(_: &str) -> Option<String> {
        None
    }

    fn arguments(base_url: Option<&str>, model: Option<&str>) -> EndpointArguments {
        EndpointArguments {
            base_url: base_url.map(str::to_owned),
            model: model.map(str::to_owned),
            ..EndpointArguments::default()
        }
    }

    fn of(arguments: &EndpointArguments, variable: Variable<'_>) -> Live {
        named(Table::built_in(), arguments, variable).expect("chosen").expect("named")
    }

    #[test]
    fn a_key_is_not_sent_to_an_address_it_does_not_belong_to() {
        let key = Some(Secret::new("sk-secret"));
        let elsewhere = arguments(Some("http://127.0.0.1:9/v1"), Some("m"));
        assert_eq!(of(&elsewhere, &with_openai_key).route.key, None);
        let at_home = arguments(Some("https://api.openai.com/v1/"), Some("m"));
        assert_eq!(of(&at_home, &with_openai_key).route.key.map(|key| key.secret), key);
        let told = EndpointArguments { key_env: Some("OPENAI_API_KEY".to_owned()), ..elsewhere };
        assert_eq!(of(&told, &with_openai_key).route.key.map(|key| key.secret), key);
    }

    #[test]
    fn a_key_does_not_show_in_debug_output() {
        let live = keyed(Table::built_in(), &arguments(None, None), &with_openai_key).expect("chosen").expect("a key");
        assert!(!format!("{live:?}").contains("sk-secret"));
        assert_eq!(live.reason, "key from OPENAI_API_KEY");
    }

    #[test]
    fn a_base_url_takes_the_model_as_it_stands() {
        let live = of(&arguments(Some("http://127.0.0.1:9/v1"), Some("openai/gpt-oss-20b:low")), &without_keys);
        assert_eq!((live.route.model.as_str(), live.route.dialect.as_str()), ("openai/gpt-oss-20b:low", "openai-chat"));
        assert_eq!(live.route.thinking, None);
    }

    #[test]
    fn a_level_behind_the_model_is_how_much_it_thinks() {
        let keyed = |model| keyed(Table::built_in(), &arguments(None, Some(model)), &with_openai_key);
        let live = keyed("gpt-5:low").expect("chosen").expect("a key is set");
        assert_eq!((live.route.model.as_str(), live.route.thinking), ("gpt-5", Some("low")));
        let live = of(&arguments(None, Some("openai/gpt-5:high")), &with_openai_key);
        assert_eq!((live.route.model.as_str(), live.route.thinking), ("gpt-5", Some("high")));
    }

    #[test]
    fn a_provider_that_nobody_knows_gets_no_key_and_near_names() {
        let slip = arguments(None, Some("opnai/gpt-5"));
        assert_eq!(keyed(Table::built_in(), &slip, &with_openai_key).expect("no error"), None);
        let failure = on_this_machine(Table::built_in(), &slip, Vec::new()).expect_err("unknown");
        assert!(failure.message().contains("did you mean openai"), "{}", failure.message());
    }

    #[test]
    fn the_model_of_a_server_with_one_need_not_be_named() {
        let list = |models: &[&str]| Some(models.iter().map(ToString::to_string).collect());
        assert_eq!(only_model("http://h/v1", list(&["a"])).expect("one"), "a");
        assert!(only_model("http://h/v1", list(&["a", "b"])).expect_err("two").message().contains("a, b"));
        assert!(only_model("http://h/v1", None).expect_err("no list").message().contains("http://h/v1/models"));
    }

    #[test]
    fn a_named_provider_without_a_key_says_which_variable_to_set() {
        let failure = named(Table::built_in(), &arguments(None, Some("anthropic/claude-haiku-4-5")), &without_keys);
        let failure = failure.expect_err("no key");
        assert_eq!(failure.code(), crate::failure::USAGE);
        assert!(failure.message().contains("ANTHROPIC_API_KEY"), "{}", failure.message());
    }

    #[test]
    fn a_bare_model_goes_to_the_provider_with_a_key() {
        let bare = arguments(None, Some("gpt-x"));
        assert_eq!(named(Table::built_in(), &bare, &with_openai_key).expect("chosen"), None);
        let live = keyed(Table::built_in(), &bare, &with_openai_key).expect("chosen").expect("a key is set");
        assert_eq!((live.route.base_url.as_str(), live.route.model.as_str()), ("https://api.openai.com/v1", "gpt-x"));
    }

    #[test]
    fn a_server_on_this_machine_is_used_if_it_has_the_model() {
        let table = Table::built_in();
        let ollama = std::sync::Arc::clone(table.find("ollama").expect("in the table"));
        let servers =
            || vec![LocalServer { provider: ollama.clone(), models: vec!["a".to_owned(), "b:8b".to_owned()] }];
        for (wanted, model, level) in
            [("b:8b", "b:8b", None), ("a:high", "a", Some("high")), ("b:8b:low", "b:8b", Some("low"))]
        {
            let live =
                on_this_machine(table, &arguments(None, Some(wanted)), servers()).expect("chosen").expect("found");
            assert_eq!((live.route.model.as_str(), live.route.thinking), (model, level), "{wanted}");
            assert!(live.reason.contains("ollama"));
        }
        let failure = on_this_machine(table, &arguments(None, Some("c")), servers()).expect_err("not there");
        assert!(failure.message().contains("a, b"), "{}", failure.message());
        assert_eq!(on_this_machine(table, &arguments(None, None), Vec::new()).expect("chosen"), None);
    }

    #[test]
    fn live_without_anything_to_talk_to_is_refused() {
        let live = EndpointArguments { live: true, ..EndpointArguments::default() };
        let failure = on_this_machine(Table::built_in(), &live, Vec::new()).expect_err("nothing there");
        assert_eq!(failure.code(), crate::failure::USAGE);
        assert!(failure.message().contains("OPENAI_API_KEY"));
    }

    #[test]
    fn a_base_url_holds_no_password() {
        assert!(check_base_url("http://127.0.0.1:8080/v1").is_ok());
        for wrong in ["127.0.0.1:8080", "ftp://h", "https://me:secret@h/v1", "https://h/v1?key=secret"] {
            let failure = check_base_url(wrong).expect_err(wrong);
            assert!(!failure.message().contains("secret"), "{}", failure.message());
        }
    }

    #[test]
    fn a_pace_is_a_word_or_a_factor() {
        assert_eq!("max".parse(), Ok(Pace::Max));
        assert_eq!("recorded".parse(), Ok(Pace::Recorded));
        assert_eq!("0.5".parse(), Ok(Pace::Factor(0.5)));
        assert_eq!("2x".parse(), Ok(Pace::Factor(2.0)));
        for wrong in ["", "0", "-1", "inf", "nan", "fast"] {
            assert!(wrong.parse::<Pace>().is_err(), "{wrong}");
        }
    }
}
