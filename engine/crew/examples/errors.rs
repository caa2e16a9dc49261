//! The error of an agent surfaces where its reply is read. `cargo run -p thalweg-crew --example errors`

use std::sync::Arc;

use thalweg_crew::{Agent, Crew, Failure, Interaction};

/// Where an example prints to.
pub(crate) type Print = Arc<dyn Fn(&str) + Send + Sync>;

/// The example.
///
/// # Errors
/// What an agent failed with.
pub(crate) async fn run(print: Print) -> Result<(), Failure> {
    let faulty_agent = Agent::new("faulty_agent", async |_: Interaction| {
        // This agent fails.
        Err(Failure::new("Something went wrong in callee agent"))
    });
    let caller_agent = Agent::new("caller_agent", move |interaction: Interaction| {
        let faulty_agent = faulty_agent.clone();
        async move {
            // The error is not seen here.
            let mut replies = interaction.trigger(&faulty_agent, "Hello").reader();
            while let Some(reply) = replies.next().await {
                // It is seen here.
                if let Err(failure) = reply {
                    interaction.reply(format!("Exception while iterating over response: {failure}"));
                }
            }
            Ok(())
        }
    });
    let mut replies = caller_agent.trigger(&Crew::new(), "Start").reader();
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
