//! Which endpoint a command talks to. The first of these that is there: what the command line names, the replay if it is
//! forced, a provider with a key in the environment, a model server on this machine, the replay.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thalweg::local::{self, LocalServer};
use thalweg::provider::{PROVIDERS, Provider, split_model};

use crate::failure::Failure;

/// The flags that decide it.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "What to talk to")]
pub(crate) struct EndpointArguments {
    /// The model: `provider/model`, or a bare id of whatever provider is found; with --base-url, the id as it stands
    #[arg(long, short, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Everything before the path of the dialect, for example `http://127.0.0.1:8080/v1`
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// The dialect spoken at --base-url or played by --replay: openai-chat (the default) or anthropic
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A real endpoint.
    Live(Live),
    /// The built-in recordings.
    Replay,
}

/// A real endpoint. Its key is never shown, so `Debug` is not derived for it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Live {
    /// Whose habits the endpoint has, if it is in the table.
    pub(crate) provider: Option<&'static str>,
    /// Everything before the path.
    pub(crate) base_url: String,
    /// The dialect it speaks.
    pub(crate) dialect: String,
    /// The model as the endpoint knows it.
    pub(crate) model: String,
    /// The key, if it takes one.
    pub(crate) key: Option<String>,
    /// Why this one, for the person who looks.
    pub(crate) reason: String,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("provider", &self.provider)
            .field("base_url", &self.base_url)
            .field("dialect", &self.dialect)
            .field("model", &self.model)
            .field("key", &self.key.as_ref().map(|_| "…"))
            .field("reason", &self.reason)
            .finish()
    }
}

/// Reads an environment variable; blank counts as unset.
type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Chooses, looking at the environment and, if need be, at the usual ports of this machine.
pub(crate) async fn choose(arguments: &EndpointArguments) -> Result<Endpoint, Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    let mut arguments = arguments.clone();
    arguments.base_url.as_deref().map_or(Ok(()), check_base_url)?;
    if let (Some(base_url), None) = (&arguments.base_url, &arguments.model) {
        let listed = tokio::time::timeout(LIST_PATIENCE, local::models(base_url)).await;
        arguments.model = Some(only_model(base_url, listed.ok().flatten())?);
    }
    if let Some(live) = named(&arguments, &variable)? {
        return Ok(Endpoint::Live(live));
    }
    if arguments.replay {
        return Ok(Endpoint::Replay);
    }
    if let Some(live) = keyed(arguments.model.as_deref(), &variable) {
        return Ok(Endpoint::Live(live));
    }
    match on_this_machine(&arguments, local::find().await)? {
        Some(live) => Ok(Endpoint::Live(live)),
        None => Ok(Endpoint::Replay),
    }
}

/// The line that ends the lack of an endpoint.
pub(crate) const HOW_TO_GO_LIVE: &str =
    "for a live model: export OPENAI_API_KEY=… (or ANTHROPIC_API_KEY, OPENROUTER_API_KEY), or run `ollama serve`";

/// A URL with a password is refused, since URLs are shown.
fn check_base_url(url: &str) -> Result<(), Failure> {
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

/// What the command line names by --base-url or by `provider/model`.
fn named(arguments: &EndpointArguments, variable: Variable<'_>) -> Result<Option<Live>, Failure> {
    if let Some(base_url) = &arguments.base_url {
        return at_base_url(arguments, base_url.trim_end_matches('/'), variable).map(Some);
    }
    let Some((Some(provider), model)) = arguments.model.as_deref().map(split_model) else { return Ok(None) };
    let key = provider.key_from(variable);
    if key.is_none() && !provider.is_local() {
        return Err(Failure::usage(format_args!(
            "no key for {}: export {}=…",
            provider.id,
            provider.key_names.first().unwrap_or(&"its key")
        )));
    }
    if model.is_empty() {
        return Err(Failure::usage(format_args!("no model after `{}/`", provider.id)));
    }
    Ok(Some(of_provider(provider, model, key)))
}

fn at_base_url(arguments: &EndpointArguments, base_url: &str, variable: Variable<'_>) -> Result<Live, Failure> {
    let model = arguments.model.as_deref().unwrap_or_default();
    let provider = PROVIDERS.iter().find(|provider| provider.base_url == base_url);
    let key = match &arguments.key_env {
        Some(name) => {
            let key = variable(name).map(|key| key.trim().to_owned()).filter(|key| !key.is_empty());
            Some(key.ok_or_else(|| Failure::usage(format_args!("--key-env names {name}, which is not set")))?)
        }
        // A key goes to the address that it belongs to, and nowhere else unasked.
        None => provider.and_then(|provider| provider.key_from(variable)).map(|(_, key)| key),
    };
    let dialect = arguments.dialect.as_deref().or_else(|| Some(provider?.dialect)).unwrap_or("openai-chat");
    Ok(Live {
        provider: provider.map(|provider| provider.id),
        base_url: base_url.to_owned(),
        dialect: dialect.to_owned(),
        model: model.to_owned(),
        key,
        reason: "named by --base-url".to_owned(),
    })
}

/// The first provider with a key, in the order of the table.
fn keyed(model: Option<&str>, variable: Variable<'_>) -> Option<Live> {
    PROVIDERS.iter().find_map(|provider| {
        let key = provider.key_from(variable)?;
        Some(of_provider(provider, model.unwrap_or(provider.default_model), Some(key)))
    })
}

fn of_provider(provider: &Provider, model: &str, key: Option<(&'static str, String)>) -> Live {
    let (reason, key) = match key {
        Some((name, key)) => (format!("key from {name}"), Some(key)),
        None => ("named by --model".to_owned(), None),
    };
    Live {
        provider: Some(provider.id),
        base_url: provider.base_url.to_owned(),
        dialect: provider.dialect.to_owned(),
        model: model.to_owned(),
        key,
        reason,
    }
}

/// A server that answered on its usual port; with --model, one that serves it.
fn on_this_machine(arguments: &EndpointArguments, servers: Vec<LocalServer>) -> Result<Option<Live>, Failure> {
    let found = servers.iter().find_map(|server| {
        let model = match &arguments.model {
            Some(wanted) => server.models.iter().find(|model| *model == wanted),
            None => server.models.first(),
        };
        Some((server, model?))
    });
    if let Some((server, model)) = found {
        let reason = format!("found on this machine, {}", server.provider.id);
        return Ok(Some(Live { reason, ..of_provider(server.provider, model, None) }));
    }
    match (&arguments.model, servers.first()) {
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

    #[test]
    fn a_key_is_not_sent_to_an_address_it_does_not_belong_to() {
        let elsewhere = arguments(Some("http://127.0.0.1:9/v1"), Some("m"));
        assert_eq!(named(&elsewhere, &with_openai_key).expect("chosen").expect("named").key, None);
        let at_home = arguments(Some("https://api.openai.com/v1/"), Some("m"));
        assert_eq!(
            named(&at_home, &with_openai_key).expect("chosen").expect("named").key.as_deref(),
            Some("sk-secret")
        );
        let told = EndpointArguments { key_env: Some("OPENAI_API_KEY".to_owned()), ..elsewhere };
        assert_eq!(named(&told, &with_openai_key).expect("chosen").expect("named").key.as_deref(), Some("sk-secret"));
    }

    #[test]
    fn a_key_does_not_show_in_debug_output() {
        let live = keyed(None, &with_openai_key).expect("a key is set");
        assert!(!format!("{live:?}").contains("sk-secret"));
        assert_eq!(live.reason, "key from OPENAI_API_KEY");
    }

    #[test]
    fn a_base_url_takes_the_model_as_it_stands() {
        let live = named(&arguments(Some("http://h/v1"), Some("openai/gpt-oss-20b")), &without_keys);
        let live = live.expect("chosen").expect("named");
        assert_eq!((live.model.as_str(), live.dialect.as_str()), ("openai/gpt-oss-20b", "openai-chat"));
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
        let failure = named(&arguments(None, Some("anthropic/claude-haiku-4-5")), &without_keys).expect_err("no key");
        assert_eq!(failure.code(), crate::failure::USAGE);
        assert!(failure.message().contains("ANTHROPIC_API_KEY"), "{}", failure.message());
    }

    #[test]
    fn a_bare_model_goes_to_the_provider_with_a_key() {
        assert_eq!(named(&arguments(None, Some("gpt-x")), &with_openai_key).expect("chosen"), None);
        let live = keyed(Some("gpt-x"), &with_openai_key).expect("a key is set");
        assert_eq!((live.base_url.as_str(), live.model.as_str()), ("https://api.openai.com/v1", "gpt-x"));
    }

    #[test]
    fn a_server_on_this_machine_is_used_if_it_has_the_model() {
        let ollama = Provider::by_id("ollama").expect("in the table");
        let servers = || vec![LocalServer { provider: ollama, models: vec!["a".to_owned(), "b".to_owned()] }];
        let live = on_this_machine(&arguments(None, Some("b")), servers()).expect("chosen").expect("found");
        assert_eq!(live.model, "b");
        assert!(live.reason.contains("ollama"));
        let failure = on_this_machine(&arguments(None, Some("c")), servers()).expect_err("not there");
        assert!(failure.message().contains("a, b"), "{}", failure.message());
        assert_eq!(on_this_machine(&arguments(None, None), Vec::new()).expect("chosen"), None);
    }

    #[test]
    fn live_without_anything_to_talk_to_is_refused() {
        let live = EndpointArguments { live: true, ..EndpointArguments::default() };
        let failure = on_this_machine(&live, Vec::new()).expect_err("nothing there");
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
