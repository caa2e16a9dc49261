//! Listening to all that happens, beside the program that prompts. Plays a reply, so it needs no key.

use thalweg::event::{EventView, UpdateView};
use thalweg::{Agent, Error, Events};

mod support;

async fn on_events(mut events: Events) -> usize {
    let mut texts = 0;
    while let Some(event) = events.next().await {
        println!("Event {}: {:?}", event.seq, event.view);
        texts += usize::from(matches!(event.view, EventView::MessageUpdate(UpdateView::Delta { .. })));
    }
    texts
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let server = support::server([support::text("Hello there, you")]);
    let agent = Agent::builder()
        .model("openai/gpt-4o-mini")
        .base_url(format!("{}/v1", server.url()))
        .link(thalweg_openai::module())
        .build()?;
    let run = agent.prompt("Say hello.")?;
    // A reader is at nobody's pace but its own; let it go to stop listening.
    let listener = tokio::spawn(on_events(run.events()));
    println!("{}", run.message().await?.text());
    assert_eq!(listener.await.expect("the listener ends well"), 3);
    Ok(())
}

#[test]
fn it_runs() {
    main().expect("the example ends well");
}
