//! One program, several servers that speak OpenAI's chat dialect. Plays replies, so it needs no key.

use thalweg::{Agent, Error};

mod support;

/// The model as the server calls it, the server, and the provider whose habits it has.
const ENDPOINTS: [(&str, &str, Option<&str>); 4] = [
    ("gpt-4o-mini", "https://api.openai.com/v1", Some("openai")),
    ("moonshotai/kimi-k2.5", "https://openrouter.ai/api/v1", Some("openrouter")),
    ("Qwen/Qwen3-32B", "https://llm.chutes.ai/v1", Some("chutes")),
    ("local", "http://127.0.0.1:8080/v1", None),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let server = support::server([support::text("I am a recording.")]);
    for (model, base_url, provider) in ENDPOINTS {
        // The recording stands in for all of them: their own address would be `base_url`.
        let here = format!("{}/v1", server.url());
        let mut agent = Agent::builder().model(model).base_url(here).api_key("anything").header("x-title", "endpoints");
        if let Some(provider) = provider {
            agent = agent.provider(provider);
        }
        let agent = agent.link(thalweg_openai::module()).build()?;
        let reply = agent.prompt("What are you called?")?.message().await?;
        println!("{model} at {base_url}: {}", reply.text());
    }

    let requests = server.requests();
    assert!(requests.iter().all(|captured| captured.request.header("x-title") == Some("endpoints")));
    assert_eq!(requests.len(), ENDPOINTS.len());
    Ok(())
}

#[test]
fn it_runs() {
    main().expect("the example ends well");
}
