//! Names, taken apart.

use thalweg::provider;

use crate::route;

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
