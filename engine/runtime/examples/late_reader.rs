//! Two readers of one run: one from the start, one that comes when all is over and still reads everything.

use thalweg::{Agent, Error};
use thalweg_replay::{Options, Server};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let server = Server::start(thalweg_replay::builtin(), Options::default()).expect("a free loopback port");
    let agent = Agent::builder()
        .model("replay")
        .base_url(format!("{}/v1", server.url()))
        .link(thalweg_openai::module())
        .link(thalweg_calculator::module())
        .link(thalweg_weather_c::module())
        .build()?;
    let run = agent.prompt("What is the weather in Paris, and what is 17 * 23?")?;
    let first = read(&run).await;
    let late = read(&run).await;
    assert_eq!(first, late);
    println!("both read {} bytes of text", late.len());
    Ok(())
}

async fn read(run: &thalweg::Run) -> String {
    let mut reader = run.text();
    let mut text = String::new();
    while let Some(piece) = reader.next().await {
        text.push_str(&piece);
    }
    text
}

#[test]
fn it_runs() {
    main().expect("the example ends well");
}
