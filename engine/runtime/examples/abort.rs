//! Stops a reply in the middle: the socket is closed, what came is kept, and the conversation goes on.

use thalweg::{Agent, Error};
use thalweg_replay::{Options, Pace, Server};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let server = Server::start(thalweg_replay::builtin(), Options::pace(Pace::Recorded)).expect("a free loopback port");
    let agent = Agent::builder()
        .model("replay")
        .base_url(format!("{}/v1", server.url()))
        .link(thalweg_openai::module())
        .build()?;
    let run = agent.prompt("What is the weather in Paris, and what is 17 * 23?")?;
    let piece = run.text().next().await.unwrap_or_default();
    run.abort();
    let outcome = run.finished().await;
    let kept = outcome.message.map(|message| message.text()).unwrap_or_default();
    assert!(kept.starts_with(&piece));
    println!("kept {kept:?}; ended with: {}", outcome.error.expect("an aborted run says so"));
    println!("{} messages in the conversation", agent.messages().len());
    Ok(())
}

#[test]
fn it_runs() {
    main().expect("the example ends well");
}
