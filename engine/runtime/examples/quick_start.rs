//! A question and its answer. Plays a reply, so it needs no key; without `base_url` and `api_key` the same program asks
//! OpenRouter with the key of `OPENROUTER_API_KEY`.

use thalweg::{Agent, Error};

mod support;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let server = support::server([support::text("The capital of France is Paris.")]);
    let agent = Agent::builder()
        .provider("openrouter")
        .model("anthropic/claude-3.5-sonnet")
        .base_url(format!("{}/v1", server.url()))
        .api_key("anything")
        .link(thalweg_openai::module())
        .system("You are a helpful assistant.")
        .session("my-session")
        .build()?;
    let reply = agent.prompt("What is the capital of France?")?.message().await?;
    println!("{}", reply.text());

    assert_eq!(reply.text(), "The capital of France is Paris.");
    let sent: serde_json::Value = serde_json::from_slice(&server.requests()[0].request.body).expect("a body of JSON");
    assert_eq!(sent["messages"][0]["content"], "You are a helpful assistant.");
    assert_eq!(sent["session_id"], "my-session");
    Ok(())
}

#[test]
fn it_runs() {
    main().expect("the example ends well");
}
