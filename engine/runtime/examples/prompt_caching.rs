//! Two turns of a conversation whose beginning the provider keeps in its cache. Plays replies, so it needs no key.

use serde_json::{Value, json};
use thalweg::request::Cache;
use thalweg::{Agent, Error};

mod support;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let server = support::server([support::text("The captain."), support::text("A sailor.")]);
    let agent = Agent::builder()
        .provider("openrouter")
        .model("anthropic/claude-3.5-sonnet")
        .base_url(format!("{}/v1", server.url()))
        .api_key("anything")
        .link(thalweg_openai::module())
        .system("You know this book by heart: …")
        .cache(Cache::Short)
        .session("my-session")
        .build()?;
    for question in ["Who is the hero?", "And who tells the story?"] {
        let reply = agent.prompt(question)?.message().await?;
        println!("{} ({} tokens from the cache)", reply.text(), reply.usage.cache_read_tokens.unwrap_or(0));
    }

    for captured in server.requests() {
        let sent: Value = serde_json::from_slice(&captured.request.body).expect("a body of JSON");
        assert_eq!(sent["messages"][0]["content"][0]["cache_control"], json!({"type": "ephemeral"}));
    }
    Ok(())
}

#[test]
fn it_runs() {
    main().expect("the example ends well");
}
