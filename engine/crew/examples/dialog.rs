//! A dialog between a user and an agent, from the ground up. `cargo run -p thalweg-crew --example dialog`

use std::io::Write;
use std::sync::Arc;

use thalweg_crew::{Agent, Crew, Failure, Interaction, Interrupted, Step};

/// Where an example prints to.
pub(crate) type Print = Arc<dyn Fn(&str) + Send + Sync>;

/// Where an example reads lines from, until there are no more.
pub(crate) type Input = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// The example.
///
/// # Errors
/// What an agent failed with.
pub(crate) async fn run(print: Print, input: Input) -> Result<(), Failure> {
    let user_agent = Agent::new("user_agent", move |mut interaction: Interaction| {
        let (print, input) = (print.clone(), input.clone());
        async move {
            while let Some(message) = interaction.messages.next().await {
                print("ASSISTANT: ");
                let mut tokens = message?.tokens();
                while let Some(token) = tokens.next().await {
                    print(&token?.0);
                }
                print("\n");
            }
            print("USER: ");
            interaction.reply(input().ok_or(Interrupted)?);
            Ok(())
        }
    });
    let assistant_agent = Agent::new("assistant_agent", async |interaction: Interaction| {
        // All messages as one; a blank line would stand between several.
        let all = interaction.sent().as_single_text("\n\n").await?;
        interaction.reply(format!("You said \"{all}\""));
        Ok(())
    });
    let turns = Agent::repeat([Step::Agent(user_agent), Step::Await, Step::Agent(assistant_agent)])?;
    turns.trigger(&Crew::new(), ()).value().await?;
    Ok(())
}

#[cfg_attr(test, expect(dead_code, reason = "the test that compares what it prints calls `run`"))]
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let print: Print = Arc::new(|text| {
        print!("{text}");
        // A terminal that is gone needs no prompt.
        let _ = std::io::stdout().flush();
    });
    let input: Input = Arc::new(|| std::io::stdin().lines().next().and_then(Result::ok));
    if let Err(failure) = run(print, input).await {
        eprintln!("{failure}");
    }
}
