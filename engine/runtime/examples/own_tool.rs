//! A tool of one's own, written in Rust, beside one of a plugin. Plays a recording, so it needs no key.

use serde_json::json;
use thalweg::event::EventView;
use thalweg::{Agent, Error, Tool};
use thalweg_replay::{Options, Server};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let server = Server::start(thalweg_replay::builtin(), Options::default()).expect("a free loopback port");
    let weather = Tool::new(
        "get_weather",
        "Current weather of a city.",
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}),
        |arguments, context| async move {
            let city = arguments["city"].as_str().ok_or("city is missing")?.to_owned();
            context.progress(format!("looking out of a window in {city}"), None);
            Ok(json!({"city": city, "temperature": 18, "unit": "C", "conditions": "partly cloudy",
                "source": "sample data"})
            .to_string())
        },
    );
    let agent = Agent::builder()
        .model("replay")
        .base_url(format!("{}/v1", server.url()))
        .link(thalweg_openai::module())
        .link(thalweg_calculator::module())
        .tool(weather)
        .build()?;
    let run = agent.prompt("What is the weather in Paris, and what is 17 * 23?")?;
    let mut events = run.events();
    while let Some(event) = events.next().await {
        match event.view {
            EventView::ToolExecutionUpdate { payload, .. } => println!("progress {payload}"),
            EventView::ToolExecutionEnd { payload, .. } => println!("result   {payload}"),
            _ => {}
        }
    }
    println!("{}", run.message().await?.text());
    Ok(())
}

#[test]
fn it_runs() {
    main().expect("the example ends well");
}
