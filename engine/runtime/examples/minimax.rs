//! `MiniMax`, whose servers are two: one for China, one for everyone else. Plays replies, so it needs no key; without
//! `base_url` and `api_key` the keys are those of `MINIMAX_API_KEY` and `MINIMAX_CN_API_KEY`.

use thalweg::{Agent, Error};

mod support;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let server = support::server([support::text("<think>Where am I?</think>Hello!")]);
    for provider in ["minimax", "minimax-cn"] {
        let agent = Agent::builder()
            .provider(provider)
            .model("MiniMax-M2.5")
            .base_url(format!("{}/v1", server.url()))
            .api_key("anything")
            .link(thalweg_openai::module())
            .build()?;
        let reply = agent.prompt("Hello from where?")?.message().await?;
        println!("{provider}: {}", reply.text());
        // What the model thinks comes in the text there, and is told apart.
        assert_eq!(reply.text(), "Hello!");
    }
    Ok(())
}

#[test]
fn it_runs() {
    main().expect("the example ends well");
}
