//! An agent that says what it heard. `cargo run -p thalweg-crew --example basic`

use std::sync::Arc;

use thalweg_crew::{Agent, Crew, Failure, Interaction};

/// Where an example prints to.
pub(crate) type Print = Arc<dyn Fn(&str) + Send + Sync>;

/// The example.
///
/// # Errors
/// What an agent failed with.
pub(crate) async fn run(print: Print) -> Result<(), Failure> {
    let my_agent = Agent::new("my_agent", async |mut interaction: Interaction| {
        while let Some(message) = interaction.messages.next().await {
            interaction.reply(format!("You said: {}", message?.value().await?));
        }
        Ok(())
    });
    let mut replies = my_agent.trigger(&Crew::new(), ["Hello", "World"]).reader();
    while let Some(reply) = replies.next().await {
        print(&format!("{}\n", reply?.value().await?));
    }
    Ok(())
}

#[cfg_attr(test, expect(dead_code, reason = "the test that compares what it prints calls `run`"))]
#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Err(failure) = run(Arc::new(|text| print!("{text}"))).await {
        eprintln!("{failure}");
    }
}
