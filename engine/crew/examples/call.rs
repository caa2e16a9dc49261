//! A call that is made message by message. `cargo run -p thalweg-crew --example call`

use std::sync::Arc;

use thalweg_crew::{Agent, Crew, Failure, Interaction};

/// Where an example prints to.
pub(crate) type Print = Arc<dyn Fn(&str) + Send + Sync>;

/// The example.
///
/// # Errors
/// What an agent failed with.
pub(crate) async fn run(print: Print) -> Result<(), Failure> {
    let output_agent = Agent::new("output_agent", async |mut interaction: Interaction| {
        while let Some(message) = interaction.messages.next().await {
            interaction.reply(format!("Echo: {}", message?.value().await?));
        }
        Ok(())
    });
    let call = output_agent.initiate_call(&Crew::new());
    call.send("Hello")?;
    call.send("World")?;
    let mut replies = call.into_replies().reader();
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
