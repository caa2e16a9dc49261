//! The rules by which earlier systems infer dialects, find keys and addresses, as tables.

use serde_json::{Value, json};
use thalweg::provider::{self, Table, Wish};

use crate::{key_of, route, set};

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
