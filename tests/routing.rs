//! Which server a model's name leads to, with which key, in which dialect and with whose habits: the rules as tables, and
//! what arrives at a real server.

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};
use thalweg::provider::{self, Provider, Route, Source, Table, Wish};
use thalweg::{Agent, AgentBuilder, Error};
use thalweg_replay::{Exchange, Options, Origin, Recording, Server};
use thalweg_tests::random::Random;

/// An environment of so many `NAME=value` words.
fn set(words: &'static str) -> impl Fn(&str) -> Option<String> {
    move |name| {
        let pair = words.split(' ').find_map(|word| word.split_once('=').filter(|(known, _)| *known == name));
        pair.map(|(_, value)| value.to_owned())
    }
}

fn route(model: &str, environment: &'static str) -> Result<Route, provider::Error> {
    Table::built_in().route(&Wish::model(model), &set(environment))
}

fn key_of(route: &Route) -> Option<(Option<&str>, String)> {
    // A key shows itself only where it is used: taking it out of a text tells which one it is.
    let key = route.key.as_ref()?;
    let texts = ["secret-one", "secret-two", "secret-three"];
    let found = texts.into_iter().find(|text| key.secret.redact((*text).to_owned()) != *text);
    Some((key.variable.as_deref(), found.unwrap_or("another").to_owned()))
}

// ---------------------------------------------------------------- names

#[test]
fn a_name_leads_to_provider_model_and_level() {
    for (name, provider, model, level) in [
        ("openai/gpt-5", "openai", "gpt-5", None),
        ("openai/gpt-5:high", "openai", "gpt-5", Some("high")),
        (" OpenAI/gpt-5:off ", "openai", "gpt-5", Some("none")),
        ("openrouter/moonshotai/kimi-k2:free:low", "openrouter", "moonshotai/kimi-k2:free", Some("low")),
        ("ollama/llama3:8b", "ollama", "llama3:8b", None),
        ("ollama/qwen3:8b:minimal", "ollama", "qwen3:8b", Some("minimal")),
        ("claude/claude-haiku-4-5", "anthropic", "claude-haiku-4-5", None),
        ("z.ai/glm-4.6:xhigh", "zai", "glm-4.6", Some("xhigh")),
        ("z-ai/glm-4.6", "zai", "glm-4.6", None),
        ("dashscope/qwen-plus", "qwen", "qwen-plus", None),
        ("google/gemini-2.5-pro:medium", "gemini", "gemini-2.5-pro", Some("medium")),
        ("hf/openai/gpt-oss-120b:fireworks-ai", "huggingface", "openai/gpt-oss-120b:fireworks-ai", None),
        ("lm-studio/a/b", "lmstudio", "a/b", None),
    ] {
        let environment = "OPENAI_API_KEY=1 OPENROUTER_API_KEY=1 ANTHROPIC_API_KEY=1 ZAI_API_KEY=1 DASHSCOPE_API_KEY=1 \
                           GEMINI_API_KEY=1 HF_TOKEN=1";
        let route = route(name, environment).expect(name);
        assert_eq!((route.name(), route.model.as_str(), route.thinking), (provider, model, level), "{name}");
    }
}

#[test]
fn a_name_that_leads_nowhere_lists_near_ones() {
    for (name, near) in [
        ("opnai/gpt-5", "did you mean openai?"),
        ("minmax/m2", "did you mean minimax"),
        ("openruter/x/y", "did you mean openrouter?"),
        ("kimmi/k2", "did you mean kimi"),
        ("gpt-5", "write provider/model with one of openai, anthropic"),
        ("something-else/m", "one of openai, anthropic"),
        ("", "one of openai"),
    ] {
        let error = route(name, "").expect_err(name);
        assert!(matches!(error, provider::Error::Unknown { .. }), "{error:?}");
        assert!(error.to_string().contains(near) && error.to_string().contains("base URL"), "{name}: {error}");
    }
    let error = route("openai/", "OPENAI_API_KEY=1").expect_err("no model");
    assert_eq!(error.to_string(), "no model after \"openai\"; name one as openai/model");
}

// ---------------------------------------------------------------- what the systems before this one do

/// Provider, explicit API or none, then dialect and whose habits. Blank counts as not said.
#[test]
fn the_api_is_inferred_and_its_old_names_are_understood() {
    let flags = |id: &str| Table::built_in().find(id).expect("in the table").flags.clone();
    for (provider, api, dialect, habits) in [
        ("openai", None, "openai-chat", "openai"),
        ("openai", Some(""), "openai-chat", "openai"),
        ("openai", Some("  "), "openai-chat", "openai"),
        ("openai", Some("openai"), "openai-chat", "openai"),
        ("openai", Some("OpenAI-Compatible"), "openai-chat", "openai"),
        ("openai", Some("chat-completions"), "openai-chat", "openai"),
        ("openai", Some("openai-responses"), "openai-responses", ""),
        ("openrouter", None, "openai-chat", "openrouter"),
        ("openrouter", Some("openrouter"), "openai-chat", "openrouter"),
        ("openrouter", Some("openai"), "openai-chat", "openrouter"),
        ("openrouter", Some("anthropic-messages"), "anthropic", ""),
        ("minimax", None, "openai-chat", "minimax"),
        ("minimax", Some("minimax"), "openai-chat", "minimax"),
        ("minimax", Some("minimax-completions"), "openai-chat", "minimax"),
        ("minimax-cn", None, "openai-chat", "minimax"),
        ("zai", Some("zai-completions"), "openai-chat", "zai"),
        ("kimi", None, "anthropic", "kimi"),
        ("kimi", Some("anthropic-messages"), "anthropic", "kimi"),
        ("chutes", None, "openai-chat", "chutes"),
        ("anthropic", None, "anthropic", "anthropic"),
    ] {
        let key = Some(thalweg::http::Secret::new("k"));
        let wish = Wish { provider: Some(provider), dialect: api, key, ..Wish::model("m") };
        let route = Table::built_in().route(&wish, &|_| None).expect(provider);
        assert_eq!(route.dialect, dialect, "{provider} {api:?}");
        let expected = if habits.is_empty() { serde_json::Map::new() } else { flags(habits) };
        assert_eq!(route.flags, expected, "{provider} {api:?}");
    }
    // At an address of one's own, the name of an API brings its provider's habits along.
    let at = |api| {
        let wish = Wish { base_url: Some("http://127.0.0.1:9/v1"), dialect: api, ..Wish::model("m") };
        Table::built_in().route(&wish, &|_| None).expect("an address")
    };
    assert_eq!((at(None).dialect, at(None).flags.len()), ("openai-chat".to_owned(), 0));
    assert_eq!((at(Some("minimax")).dialect, at(Some("minimax")).flags), ("openai-chat".to_owned(), flags("minimax")));
    assert_eq!(at(Some("a-plugin-of-mine")).dialect, "a-plugin-of-mine");
}

#[test]
fn each_provider_has_its_address_and_its_key() {
    for (provider, base_url, keys) in [
        ("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
        ("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        ("chutes", "https://llm.chutes.ai/v1", "CHUTES_API_KEY"),
        ("minimax", "https://api.minimax.io/v1", "MINIMAX_API_KEY"),
        ("minimax-cn", "https://api.minimaxi.com/v1", "MINIMAX_CN_API_KEY"),
        ("kimi", "https://api.kimi.com/coding", "KIMI_API_KEY"),
        ("moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
        ("anthropic", "https://api.anthropic.com", "ANTHROPIC_OAUTH_TOKEN ANTHROPIC_API_KEY"),
        (
            "gemini",
            "https://generativelanguage.googleapis.com/v1beta",
            "GEMINI_API_KEY GOOGLE_API_KEY GOOGLE_GENERATIVE_AI_API_KEY",
        ),
        ("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
        ("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        ("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
        ("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
        ("deepseek", "https://api.deepseek.com", "DEEPSEEK_API_KEY"),
        ("together", "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
        ("fireworks", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
        ("perplexity", "https://api.perplexity.ai", "PERPLEXITY_API_KEY PPLX_API_KEY"),
        ("huggingface", "https://router.huggingface.co/v1", "HF_TOKEN HUGGINGFACE_API_KEY"),
        ("qwen", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
        ("zai", "https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
        ("vercel-ai-gateway", "https://ai-gateway.vercel.sh/v1", "AI_GATEWAY_API_KEY VERCEL_OIDC_TOKEN"),
        ("featherless", "https://api.featherless.ai/v1", "FEATHERLESS_API_KEY"),
        ("cohere", "https://api.cohere.com", "COHERE_API_KEY CO_API_KEY"),
        ("nvidia", "https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY"),
        ("sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
        ("hyperbolic", "https://api.hyperbolic.xyz/v1", "HYPERBOLIC_API_KEY"),
        ("deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY DEEPINFRA_TOKEN"),
        ("opencode", "https://opencode.ai/zen/v1", "OPENCODE_API_KEY"),
        ("ollama", "http://127.0.0.1:11434/v1", ""),
        ("llama.cpp", "http://127.0.0.1:8080/v1", "LLAMA_CPP_API_KEY"),
        ("vllm", "http://127.0.0.1:8000/v1", "VLLM_API_KEY"),
        ("lmstudio", "http://127.0.0.1:1234/v1", "LM_API_TOKEN LMSTUDIO_API_KEY"),
    ] {
        let row = Table::built_in().find(provider).expect(provider);
        let names: Vec<&str> = row.keys.iter().map(|key| key.name.as_str()).collect();
        assert_eq!((row.base_url(&|_| None).expect(provider).as_str(), names.join(" ").as_str()), (base_url, keys));
    }
}

/// A key that is given goes before one in the environment; there the first variable that holds something wins.
#[test]
fn the_first_key_that_holds_something_is_taken() {
    for (model, environment, expected) in [
        ("openai/m", "OPENAI_API_KEY=secret-one", Some(("OPENAI_API_KEY", "secret-one"))),
        ("openai/m", "OPENAI_API_KEY=", None),
        ("openai/m", "OPENROUTER_API_KEY=secret-one", None),
        (
            "openrouter/m",
            "OPENROUTER_API_KEY=secret-one OPENAI_API_KEY=secret-two",
            Some(("OPENROUTER_API_KEY", "secret-one")),
        ),
        ("minimax-cn/m", "MINIMAX_API_KEY=secret-one", None),
        (
            "minimax-cn/m",
            "MINIMAX_API_KEY=secret-one MINIMAX_CN_API_KEY=secret-two",
            Some(("MINIMAX_CN_API_KEY", "secret-two")),
        ),
        ("minimax/m", "MINIMAX_CN_API_KEY=secret-one", None),
        ("chutes/m", "CHUTES_API_KEY=secret-one", Some(("CHUTES_API_KEY", "secret-one"))),
        ("kimi/m", "KIMI_API_KEY=secret-one", Some(("KIMI_API_KEY", "secret-one"))),
        ("kimi/m", "MOONSHOT_API_KEY=secret-one", None),
        ("anthropic/m", "ANTHROPIC_API_KEY=secret-one", Some(("ANTHROPIC_API_KEY", "secret-one"))),
        (
            "anthropic/m",
            "ANTHROPIC_API_KEY=secret-one ANTHROPIC_OAUTH_TOKEN=secret-two",
            Some(("ANTHROPIC_OAUTH_TOKEN", "secret-two")),
        ),
        ("gemini/m", "GOOGLE_API_KEY=secret-two GEMINI_API_KEY=secret-one", Some(("GEMINI_API_KEY", "secret-one"))),
        ("gemini/m", "GOOGLE_API_KEY=secret-two GEMINI_API_KEY=", Some(("GOOGLE_API_KEY", "secret-two"))),
    ] {
        match (route(model, environment), expected) {
            (Ok(route), Some((name, key))) => {
                assert_eq!(key_of(&route), Some((Some(name), key.to_owned())), "{model} {environment}");
                assert!(!format!("{route:?} {route}").contains("secret-"), "a key shows");
            }
            (Err(provider::Error::NoKey { provider, variables }), None) => {
                let row = Table::built_in().find(&provider).expect("in the table");
                assert_eq!(variables[0], row.keys[0].name);
            }
            (got, expected) => panic!("{model} {environment}: {got:?} instead of {expected:?}"),
        }
        let key = Some(thalweg::http::Secret::new("secret-three"));
        let given = Table::built_in().route(&Wish { key, ..Wish::model(model) }, &set(environment)).expect("a key");
        assert_eq!(key_of(&given), Some((None, "secret-three".to_owned())), "{model}");
    }
    let error = route("minimax-cn/m", "").expect_err("no key").to_string();
    assert_eq!(error, "no key for minimax-cn; set MINIMAX_CN_API_KEY or pass one");
}

#[test]
fn where_a_key_goes_depends_on_the_provider_and_on_the_key() {
    for (model, environment, auth, header) in [
        ("openai/m", "OPENAI_API_KEY=k", Value::Null, None),
        ("anthropic/m", "ANTHROPIC_API_KEY=k", Value::Null, None),
        ("anthropic/m", "ANTHROPIC_OAUTH_TOKEN=k", json!({"kind": "bearer"}), Some("anthropic-beta")),
        ("azure/m", "AZURE_RESOURCE_NAME=r AZURE_OPENAI_API_KEY=k", json!({"kind": "header", "name": "api-key"}), None),
        ("bedrock/m", "AWS_REGION=eu-west-1", json!({"kind": "sigv4", "service": "bedrock"}), None),
        ("bedrock/m", "AWS_REGION=eu-west-1 AWS_BEARER_TOKEN_BEDROCK=k", json!({"kind": "bearer"}), None),
        ("vertex/m", "GOOGLE_CLOUD_PROJECT=p", json!({"kind": "google"}), None),
    ] {
        let route = route(model, environment).expect(environment);
        assert_eq!(route.auth.clone().unwrap_or_default(), auth, "{environment}");
        assert_eq!(route.headers.first().map(|(name, _)| name.as_str()), header, "{environment}");
    }
}

#[test]
fn an_address_may_depend_on_the_environment() {
    for (model, environment, expected) in [
        ("azure/m", "AZURE_API_KEY=k AZURE_RESOURCE_NAME=mine", Ok("https://mine.openai.azure.com/openai/v1")),
        ("azure/m", "AZURE_API_KEY=k AZURE_OPENAI_ENDPOINT=https://a.example/", Ok("https://a.example/openai/v1")),
        ("azure/m", "AZURE_API_KEY=k", Err("set AZURE_OPENAI_ENDPOINT")),
        ("azure/m", "AZURE_API_KEY=secret-one AZURE_RESOURCE_NAME=evil.example/", Err("AZURE_RESOURCE_NAME")),
        ("bedrock/m", "AWS_DEFAULT_REGION=us-east-1", Ok("https://bedrock-runtime.us-east-1.amazonaws.com")),
        ("bedrock/m", "", Err("set AWS_REGION")),
        (
            "vertex/m",
            "GOOGLE_CLOUD_LOCATION=europe-west4 GOOGLE_CLOUD_PROJECT=p",
            Ok("https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4/publishers/google"),
        ),
        (
            "vertex/m",
            "GOOGLE_CLOUD_LOCATION=global GCLOUD_PROJECT=p",
            Ok("https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google"),
        ),
        ("vertex/m", "GOOGLE_CLOUD_LOCATION=europe-west4", Err("set GOOGLE_CLOUD_PROJECT")),
        ("openai/m", "OPENAI_API_KEY=k OPENAI_BASE_URL=https://proxy.example/v1/", Ok("https://proxy.example/v1")),
        (
            "openai/m",
            "OPENAI_API_KEY=secret-one OPENAI_BASE_URL=http://proxy.example/v1",
            Err("not sent to proxy.example"),
        ),
        ("openai/m", "OPENAI_API_KEY=secret-one OPENAI_BASE_URL=proxy.example", Err("OPENAI_BASE_URL")),
    ] {
        match (route(model, environment), expected) {
            (Ok(route), Ok(url)) => assert_eq!(route.base_url, url, "{environment}"),
            (Err(error), Err(part)) => {
                let message = error.to_string();
                assert!(message.contains(part) && !message.contains("secret-"), "{environment}: {message}");
            }
            (got, expected) => panic!("{environment}: {got:?} instead of {expected:?}"),
        }
    }
}

#[test]
fn a_key_leaves_for_its_own_hosts_only() {
    let environment = "OPENAI_API_KEY=secret-one AZURE_API_KEY=secret-two OPENROUTER_API_KEY=secret-three";
    for (provider, base_url, expected) in [
        (None, "https://api.openai.com/v1", Some("secret-one")),
        (None, "https://api.openai.com/v1/", Some("secret-one")),
        (None, "https://api.openai.com/v2", Some("secret-one")),
        (None, "https://API.openai.com:443/v1", Some("secret-one")),
        (Some("openai"), "https://api.openai.com/v1", Some("secret-one")),
        (None, "https://openrouter.ai/api/v1", Some("secret-three")),
        (None, "https://mine.openai.azure.com/openai/deployments/d?api-version=1", Some("secret-two")),
        (Some("azure"), "https://mine.openai.azure.com/openai/v1", Some("secret-two")),
        (None, "http://api.openai.com/v1", None),
        (None, "https://api.openai.com.evil.example/v1", None),
        (None, "https://api.openai.com:8443/v1", None),
        (None, "https://evil.example/api.openai.com/v1", None),
        (None, "https://openai.azure.com/v1", None),
        (Some("openai"), "https://proxy.example/v1", None),
        (Some("openai"), "http://127.0.0.1:9/v1", None),
        (Some("openai"), "https://openrouter.ai/api/v1", None),
        (None, "http://127.0.0.1:11434/v1", None),
    ] {
        let wish = Wish { provider, base_url: Some(base_url), ..Wish::model("m") };
        let route = Table::built_in().route(&wish, &set(environment)).expect(base_url);
        assert_eq!(key_of(&route).map(|(_, key)| key).as_deref(), expected, "{provider:?} {base_url}");
    }
    let given = |base_url| {
        let key = Some(thalweg::http::Secret::new("secret-one"));
        Table::built_in().route(&Wish { base_url: Some(base_url), key, ..Wish::model("m") }, &|_| None)
    };
    assert!(given("https://anywhere.example/v1").is_ok() && given("http://localhost:9").is_ok());
    let error = given("http://anywhere.example/v1").expect_err("in the clear").to_string();
    assert!(error.contains("anywhere.example") && !error.contains("secret-one"), "{error}");
    for wrong in ["anywhere.example", "https://me:secret-one@anywhere.example/v1", "ftp://anywhere.example", "https://"]
    {
        let error = given(wrong).expect_err(wrong).to_string();
        assert!(!error.contains("secret-one"), "{error}");
    }
}

// ---------------------------------------------------------------- the table

#[test]
fn the_built_in_table_is_sound() {
    let table = Table::built_in();
    let rows: Vec<&Provider> = table.iter().map(|row| &**row).collect();
    assert!(rows.len() >= 55, "{} rows", rows.len());
    let mut names: Vec<&str> =
        rows.iter().flat_map(|row| std::iter::once(&row.id).chain(&row.aliases)).map(String::as_str).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "two rows have one name: {names:?}");
    for row in rows {
        assert!(matches!(row.source, Source::BuiltIn));
        assert!(row.is_local() || !row.keys.is_empty() || row.finds_credentials(), "{} has no key", row.id);
        assert_eq!(row.id, row.id.to_lowercase());
        let dialects = [
            "openai-chat",
            "openai-responses",
            "openai-completions",
            "anthropic",
            "gemini",
            "ollama",
            "cohere-v2",
            "bedrock",
        ];
        assert!(dialects.contains(&row.dialect.as_str()), "{}: {}", row.id, row.dialect);
        if let Ok(url) = row.base_url(&|_| None) {
            assert!(url.starts_with("https://") || row.is_local(), "{}", row.id);
            assert!(row.owns(&url, &|_| None), "{}", row.id);
        }
    }
}

#[test]
fn a_later_row_replaces_an_earlier_one_and_the_others_stay() {
    let mut table = Table::built_in().clone();
    let count = table.iter().count();
    table
        .add_toml(
            "mine",
            r#"
            [dialects]
            house = "deepseek"
            [[provider]]
            id = "OPENAI"
            base_url = "https://proxy.example/openai"
            dialect = "openai-responses"
            keys = "PROXY_KEY"
            headers = { x-team = "a" }
            [[provider]]
            id = "house"
            like = "mistral"
            aliases = ["groq", "haus"]
            base_url = "http://10.0.0.7:8000/v1"
            keys = ["HOUSE_KEY"]
            key_without_tls = true
            "#,
        )
        .expect("two rows");
    assert_eq!(table.iter().count(), count + 1);
    assert_eq!(table.iter().next().map(|row| row.id.as_str()), Some("OPENAI"), "one's own rows come first");
    let go = |model: &str| {
        table.route(&Wish::model(model), &set("PROXY_KEY=secret-one HOUSE_KEY=secret-two OPENAI_API_KEY=no"))
    };
    let openai = go("openai/m").expect("the new row");
    assert_eq!(
        (openai.base_url.as_str(), openai.dialect.as_str()),
        ("https://proxy.example/openai", "openai-responses")
    );
    assert_eq!((openai.headers.len(), openai.flags.len()), (1, 0), "nothing of the old row is left");
    assert_eq!(key_of(&openai), Some((Some("PROXY_KEY"), "secret-one".to_owned())));
    let house = go("groq/m").expect("a later alias goes before an earlier id");
    assert_eq!((house.name(), house.dialect.as_str()), ("house", "openai-chat"));
    assert_eq!(house.flags, Table::built_in().find("mistral").expect("in the table").flags, "like another");
    assert_eq!(key_of(&house), Some((Some("HOUSE_KEY"), "secret-two".to_owned())), "http was allowed by the row");
    assert_eq!(table.dialect("house").0, "openai-chat");
}

#[test]
fn a_wrong_row_is_told_with_its_line_and_what_to_do() {
    let row = "[[provider]]\nid = \"x\"\nbase_url = \"https://h.example\"\ndialect = \"openai-chat\"\n";
    for (text, place, part) in [
        (format!("\n\n{row}base-url = \"y\""), "mine.toml:7", "unknown field `base-url`"),
        (format!("{row}api_key = \"sk-secret\""), "mine.toml:5", "put the key into an environment variable"),
        (format!("{row}keys = \"sk-secret\""), "mine.toml:1", "no name of an environment variable"),
        (format!("{row}flags = \"sk-secret\""), "mine.toml:5", "invalid type"),
        (format!("{row}auth = {{ kind = \"beerer\" }}"), "mine.toml:1", "none, bearer, header, query, sigv4, google"),
        (format!("{row}auth = {{ kind = \"header\" }}"), "mine.toml:1", "needs a name"),
        (format!("{row}hosts = \"https://h\""), "mine.toml:1", "hosts"),
        (format!("{row}hosts = \"*.com\""), "mine.toml:1", "hosts"),
        (format!("{row}like = \"nobody\""), "mine.toml:1", "like names \"nobody\""),
        (format!("{row}\n{row}"), "mine.toml:6", "two rows"),
        (format!("{row}headers = {{ a = 1 }}"), "mine.toml:1", "must be a text"),
        ("[[provider]]\nid = \"x\"\n".to_owned(), "mine.toml:1", "missing field `base_url`"),
        ("[[provider]]\nid = \"x\"\nbase_url = \"https://h\"\n".to_owned(), "mine.toml:1", "has no dialect"),
        (
            "\n[[provider]]\nid = \"a/b\"\nbase_url = \"https://h\"\ndialect = \"d\"".to_owned(),
            "mine.toml:2",
            "id must be",
        ),
        ("[[provider]]\nid = \"x\"\nbase_url = \"h\"\ndialect = \"d\"".to_owned(), "mine.toml:1", "must begin with"),
        ("[[provider]]\nid = \"x\"\nbase_url = []\ndialect = \"d\"".to_owned(), "mine.toml:1", "has no base_url"),
        (
            "[[provider]]\nid = \"x\"\nbase_url = \"http://h\"\ndialect = \"d\"\nkeys = \"K\"".to_owned(),
            "mine.toml:1",
            "key_without_tls",
        ),
        ("[[provider]\nid = sk-secret".to_owned(), "mine.toml:1", ""),
        ("id = \"sk-secret\"".to_owned(), "mine.toml:1", "unknown field"),
    ] {
        let error = Table::empty().add_toml("mine.toml", &text).expect_err(&text).to_string();
        assert!(error.starts_with(&format!("{place}: ")) && error.contains(part), "{error}\n{text}");
        assert!(!error.contains("sk-secret"), "{error}");
    }
}

#[test]
fn the_rows_of_the_documentation_are_read() {
    let text = include_str!("../docs/PROVIDERS.md");
    let rows = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let mut table = Table::built_in().clone();
    table.add_toml("docs/PROVIDERS.md", rows).expect("sound rows");
    let go = |model: &str| {
        let environment =
            set("HOUSE_API_KEY=secret-one DEEPSEEK_EU_KEY=secret-two LAB_KEY=secret-three DEEPSEEK_REGION=fra");
        table.route(&Wish::model(model), &environment).expect(model)
    };
    assert_eq!(key_of(&go("haus/m")), Some((Some("HOUSE_API_KEY"), "secret-one".to_owned())));
    let eu = go("deepseek-eu/m");
    assert_eq!(eu.base_url, "https://fra.deepseek.example/v1");
    assert_eq!(eu.auth, Some(json!({"kind": "header", "name": "x-api-key"})));
    assert_eq!(eu.flags, Table::built_in().find("deepseek").expect("in the table").flags);
    assert_eq!(key_of(&go("lab/m")), Some((Some("LAB_KEY"), "secret-three".to_owned())));
    // Names of models in the commands lead where they say.
    let names = text.split_whitespace().collect::<Vec<_>>();
    let models = names.windows(2).filter(|pair| pair[0] == "--model" && pair[1].contains('/')).map(|pair| pair[1]);
    let any_key = |name: &str| name.ends_with("_KEY").then(|| "k".to_owned());
    let routes = models.map(|name| table.route(&Wish::model(name), &any_key).expect(name).name().to_owned());
    assert_eq!(routes.collect::<Vec<_>>(), ["openai", "openrouter", "ollama", "anthropic", "openai"]);
}

#[test]
fn the_users_file_is_found_by_variable_and_in_the_folder_of_configuration() {
    let folder = std::env::temp_dir().join(format!("thalweg-routing-{}", std::process::id()));
    let nested = folder.join("thalweg");
    fs::create_dir_all(&nested).expect("created");
    let row = |id: &str| {
        format!("[[provider]]\nid = \"{id}\"\nbase_url = \"https://h.example\"\ndialect = \"openai-chat\"\n")
    };
    fs::write(nested.join("providers.toml"), row("in-folder")).expect("written");
    let other = folder.join("other.toml");
    fs::write(&other, row("by-variable")).expect("written");
    let environment = |xdg: &str, file: &str| {
        let (xdg, file) = (xdg.to_owned(), file.to_owned());
        Table::of_user(&move |name| match name {
            "XDG_CONFIG_HOME" => Some(xdg.clone()),
            "THALWEG_PROVIDERS" => Some(file.clone()),
            _ => None,
        })
    };
    let text = |path: &std::path::Path| path.to_str().expect("text").to_owned();
    let found = environment(&text(&folder), "").expect("read");
    assert!(found.find("in-folder").is_some() && found.find("openai").is_some());
    let found = environment(&text(&folder), &text(&other)).expect("read");
    assert!(found.find("by-variable").is_some() && found.find("in-folder").is_none());
    assert!(environment("relative", "").expect("nothing there").find("in-folder").is_none());
    let error = environment("", &text(&folder.join("none.toml"))).expect_err("named and not there").to_string();
    assert!(error.contains("none.toml"), "{error}");
    fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn a_plugin_brings_rows_below_the_users_and_no_foreign_key() {
    let mut table = Table::built_in().clone();
    table
        .add_toml(
            "mine",
            "[[provider]]\nid = \"a\"\nbase_url = \"https://mine.example\"\ndialect = \"d\"\nkeys = \"A_KEY\"",
        )
        .expect("a row");
    let rows = json!([
        {"id": "a", "base_url": "https://plugin.example", "dialect": "d"},
        {"id": "groq", "base_url": "https://plugin.example", "dialect": "d", "keys": ["PLUGIN_KEY"], "flags": {"x": 1}},
        {"id": "b", "base_url": ["https://api.openai.com/v1"], "dialect": "d", "keys": "OPENAI_API_KEY"},
    ]);
    table.add_plugin("acme", &rows).expect("rows");
    assert_eq!(table.find("a").expect("a row").usual_base_url(), "https://mine.example", "the user's row stays");
    let groq = table.find("groq").expect("a row");
    assert_eq!((groq.usual_base_url(), &groq.source), ("https://plugin.example", &Source::Plugin("acme".to_owned())));
    assert!(table.find("b").is_some(), "a key may go where it goes anyway");
    for (rows, part) in [
        (json!([{"id": "c", "base_url": "https://evil.example", "dialect": "d", "keys": "OPENAI_API_KEY"}]), "key of"),
        (json!([{"id": "c", "base_url": "{OPENAI_BASE_URL}", "dialect": "d", "keys": "OPENAI_API_KEY"}]), "key of"),
        (
            json!([{"id": "c", "base_url": "https://evil.example", "dialect": "d", "keys": "GROQ_API_KEY"}]),
            "key of groq",
        ),
        (
            json!([{"id": "c", "base_url": "http://e", "dialect": "d", "keys": "K", "key_without_tls": true}]),
            "user's own",
        ),
        (json!([{"id": "c"}]), "missing field `base_url`"),
        (json!({"id": "c"}), "must be a list"),
    ] {
        let error = table.clone().add_plugin("acme", &rows).expect_err("refused").to_string();
        assert!(error.contains("plugin acme") && error.contains(part), "{error}");
    }
}

#[test]
fn reading_the_table_takes_little_of_a_start() {
    let text = include_str!("../engine/runtime/src/provider/providers.toml");
    let least = (0..20).map(|_| {
        let started = Instant::now();
        Table::empty().add_toml("providers.toml", text).expect("sound");
        started.elapsed()
    });
    let least = least.min().expect("measured");
    println!("reading {} bytes of providers took {least:?} at least", text.len());
    // A start may take 10 ms; a build without optimisation is some ten times as slow as one with it.
    assert!(least.as_millis() < if cfg!(debug_assertions) { 100 } else { 5 }, "{least:?}");
}

// ---------------------------------------------------------------- whatever comes in

/// `text` with a few of its characters dropped, doubled, or replaced by what has a meaning somewhere.
fn mutated(random: &mut Random, text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(3) {
        let at = random.below(letters.len());
        let odd = random
            .pick(&['@', '/', '\\', '?', '#', ':', '.', '%', '{', '}', '"', '\n', '=', '[', ' ', 'e', '0', 'ß', '\0']);
        match random.below(4) {
            0 => drop(letters.remove(at)),
            1 => letters.insert(at, letters[at]),
            2 => letters[at] = odd,
            _ => letters.insert(at, odd),
        }
        if letters.is_empty() {
            letters.push('x');
        }
    }
    letters.into_iter().collect()
}

/// The authority of a URL, found without a parser of URLs.
fn authority(url: &str) -> String {
    let behind = url.split_once("://").map_or(url, |(_, behind)| behind);
    behind.split(['/', '?', '#', '\\']).next().unwrap_or_default().to_lowercase()
}

#[test]
fn no_address_however_odd_gets_a_key_that_is_not_its_own() {
    let mut random = Random::new(7);
    let environment = |name: &str| (name == "OPENAI_API_KEY").then(|| "secret-one".to_owned());
    let mut with_key = 0;
    for _ in 0..4_000 {
        let url = mutated(&mut random, "https://api.openai.com/v1");
        let wish = Wish { base_url: Some(&url), ..Wish::model("m") };
        let Ok(route) = Table::built_in().route(&wish, &environment) else { continue };
        if route.key.is_some() {
            with_key += 1;
            assert!(["api.openai.com", "api.openai.com:443"].contains(&authority(&url).as_str()), "{url:?}");
            assert!(url.trim().to_lowercase().starts_with("https://"), "{url:?}");
        }
    }
    assert!((50..3_900).contains(&with_key), "{with_key}");
    let mut filled = 0;
    for _ in 0..4_000 {
        let name = mutated(&mut random, "mine-01");
        let environment = |variable: &str| match variable {
            "AZURE_RESOURCE_NAME" => Some(name.clone()),
            "AZURE_API_KEY" => Some("secret-one".to_owned()),
            _ => None,
        };
        let Ok(route) = Table::built_in().route(&Wish::model("azure/m"), &environment) else { continue };
        filled += 1;
        let host = authority(&route.base_url);
        let label = host.strip_suffix(".openai.azure.com").unwrap_or_else(|| panic!("{host}"));
        assert!(!label.is_empty() && !label.contains(['.', '@', ':', '%']), "{host}");
    }
    assert!((50..3_900).contains(&filled), "{filled}");
}

#[test]
fn a_file_that_was_mangled_is_read_or_refused_with_its_line() {
    let text = include_str!("../docs/PROVIDERS.md").split("```toml\n").nth(1).expect("an example");
    let text = text.split("```").next().expect("its end");
    let mut random = Random::new(11);
    let mut refused = 0;
    for _ in 0..500 {
        let mangled = mutated(&mut random, text);
        let mut table = Table::built_in().clone();
        if let Err(error) = table.add_toml("mine.toml", &mangled) {
            refused += 1;
            let message = error.to_string();
            let line =
                message.strip_prefix("mine.toml:").and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
            assert!(line.is_some_and(|line| (1..=mangled.matches('\n').count() + 1).contains(&line)), "{message}");
            assert!(!message.contains('\n'), "{message:?}");
        }
    }
    assert!((50..500).contains(&refused), "{refused}");
}

// ---------------------------------------------------------------- what a server gets

/// A server that says "ok" to whoever asks.
fn server() -> Server {
    let chunk = json!({"id": "c1", "object": "chat.completion.chunk", "model": "m",
        "choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": "stop"}]});
    let recording = Recording {
        name: "test".into(),
        prompt: String::new(),
        dialect: "openai-chat".into(),
        model: "m".into(),
        server: "none".into(),
        origin: Origin::WrittenByHand,
        recorded: "2026-11-21".into(),
        note: String::new(),
        exchanges: vec![Exchange::of_chunks([format!("data: {chunk}\n\ndata: [DONE]\n\n")])],
    };
    Server::start(vec![recording], Options::in_order()).expect("a loopback port")
}

fn builder() -> AgentBuilder {
    Agent::builder().link(thalweg_openai::module())
}

/// The body that arrives for `describe` at a server of its own, and a header.
async fn sent(describe: impl FnOnce(AgentBuilder, &str) -> AgentBuilder, header: &str) -> (Value, Option<String>) {
    let server = server();
    let agent = describe(builder(), &format!("{}/v1", server.url())).build().expect("a complete description");
    agent.prompt("go").expect("an idle agent").message().await.expect("a reply");
    let captured = server.requests().remove(0);
    let header = captured.request.header(header).map(str::to_owned);
    (serde_json::from_slice(&captured.request.body).expect("a JSON body"), header)
}

#[tokio::test]
async fn with_a_base_url_the_model_goes_out_as_it_stands() {
    for model in
        ["openai/gpt-oss-20b", "anthropic/x/y", "openrouter/auto", "llama3:8b", "plain:high", "openai/openai/x"]
    {
        let (body, _) = sent(|builder, url| builder.base_url(url).model(model), "").await;
        assert_eq!((&body["model"], body.get("reasoning_effort")), (&json!(model), None));
    }
}

#[tokio::test]
async fn a_provider_beside_a_base_url_lends_its_habits_and_leaves_the_model_alone() {
    let (plain, _) = sent(|builder, url| builder.base_url(url).model("openai/o").max_tokens(9), "").await;
    assert_eq!((&plain["max_tokens"], plain.get("max_completion_tokens")), (&json!(9), None));
    let (openai, authorization) = sent(
        |builder, url| builder.base_url(url).model("openai/o").max_tokens(9).provider("openai").api_key("k"),
        "authorization",
    )
    .await;
    assert_eq!((&openai["max_completion_tokens"], openai.get("max_tokens")), (&json!(9), None));
    assert_eq!(openai["model"], "openai/o");
    assert_eq!(authorization.as_deref(), Some("Bearer k"));
}

/// A table with one row, `house`, at this address.
fn house(url: &str, more: &str) -> Table {
    let mut table = Table::empty();
    let row = format!("[[provider]]\nid = \"house\"\nbase_url = \"{url}\"\ndialect = \"openai-chat\"\n{more}");
    table.add_toml("mine", &row).expect("a row");
    table
}

#[tokio::test]
async fn a_level_behind_the_model_reaches_the_server_and_flags_say_how() {
    for (more, field) in [("", "/reasoning_effort"), ("flags = { thinking = \"reasoning\" }", "/reasoning/effort")] {
        let (body, _) =
            sent(|builder, url| builder.providers(house(url, more)).model("house/family/model:8b:low"), "").await;
        assert_eq!(body["model"], "family/model:8b");
        assert_eq!(body.pointer(field), Some(&json!("low")), "{body}");
    }
    let thinking = thalweg::request::Thinking { level: "high".into(), budget_tokens: None };
    let (body, _) =
        sent(|builder, url| builder.providers(house(url, "")).model("house/m:low").thinking(thinking), "").await;
    assert_eq!(body["reasoning_effort"], "high", "what is said apart goes over the name");
}

#[tokio::test]
async fn a_row_says_in_which_header_the_key_goes_and_what_else_is_sent() {
    let more = "auth = { kind = \"header\", name = \"x-house-key\" }\nheaders = { x-team = \"blue\" }";
    let describe = |builder: AgentBuilder, url: &str| builder.providers(house(url, more)).model("house/m").api_key("k");
    assert_eq!(sent(describe, "x-house-key").await.1.as_deref(), Some("k"));
    assert_eq!(sent(describe, "x-team").await.1.as_deref(), Some("blue"));
    assert_eq!(sent(describe, "authorization").await.1, None);
}

/// A dialect whose description brings a provider along.
mod house {
    use std::sync::OnceLock;

    use thalweg_abi::guest::{Codec, Failure};
    use thalweg_openai::OpenAiChat;

    /// Set before the plugin is started.
    pub(crate) static DESCRIPTION: OnceLock<String> = OnceLock::new();

    #[derive(Default)]
    #[expect(unreachable_pub, reason = "the plugin's package, which is public, names it")]
    pub struct House(OpenAiChat);

    impl Codec for House {
        type Stream = <OpenAiChat as Codec>::Stream;

        fn describe(&self) -> &str {
            DESCRIPTION.get().map_or("{}", String::as_str)
        }

        fn open(&self, options: &str) -> Result<Self::Stream, Failure> {
            self.0.open(options)
        }
    }

    thalweg_abi::plugin! { id: "example.house", version: "1.0.0", codec: House }
}

#[tokio::test]
async fn a_plugin_brings_its_provider_along() {
    let describe = |builder: AgentBuilder, url: &str| {
        house::DESCRIPTION.get_or_init(|| {
            let row =
                json!({"id": "acme", "base_url": url, "dialect": "acme-chat", "flags": {"thinking": "reasoning"}});
            let auth = json!({"kind": "bearer"});
            json!({"dialect": "acme-chat", "framing": "sse", "auth": auth, "providers": [row]}).to_string()
        });
        let module = thalweg_abi::guest::module::<house::Package>();
        builder.providers(Table::built_in().clone()).link(module).model("acme/m:low").api_key("k")
    };
    let (body, authorization) = sent(describe, "authorization").await;
    assert_eq!((&body["model"], &body["reasoning"]), (&json!("m"), &json!({"effort": "low"})));
    assert_eq!(authorization.as_deref(), Some("Bearer k"));
}

#[test]
fn a_description_that_leads_nowhere_is_refused_when_the_agent_is_built() {
    let refused = |builder: AgentBuilder| builder.build().expect_err("refused").to_string();
    let message = refused(builder().providers(Table::built_in().clone()).provider("opnai").model("m"));
    assert!(message.contains("did you mean openai"), "{message}");
    let message = refused(builder().providers(Table::built_in().clone()).model("cohere/m").api_key("k"));
    assert!(message.contains("no codec for dialect \"cohere-v2\"") && message.contains("openai-chat"), "{message}");
    assert!(matches!(builder().build(), Err(Error::NoModel)));
}
