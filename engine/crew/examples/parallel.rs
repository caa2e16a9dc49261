//! Agents run at once, and their messages come in the order of the source.
//! `cargo run -p thalweg-crew --example parallel`

use std::sync::Arc;
use std::time::Duration;

use thalweg_crew::{Agent, Crew, Failure, Interaction, Item};

/// Where an example prints to.
pub(crate) type Print = Arc<dyn Fn(&str) + Send + Sync>;

/// An agent that replies with messages, and says how far it is before, between and behind them.
fn dummy(name: &'static str, messages: &'static [&'static str], print: &Print) -> Agent {
    let print = print.clone();
    Agent::new(name, move |interaction: Interaction| {
        let print = print.clone();
        async move {
            print(&format!("{name} started\n"));
            for (place, message) in messages.iter().enumerate() {
                if place > 0 {
                    print(&format!("{name} still working\n"));
                }
                interaction.reply(*message);
            }
            print(&format!("{name} finished\n"));
            Ok(())
        }
    })
}

/// The example.
///
/// # Errors
/// What an agent failed with.
pub(crate) async fn run(print: Print) -> Result<(), Failure> {
    let agent1 = dummy("Agent 1", &["*** MESSAGE #1 from Agent 1 ***", "*** MESSAGE #2 from Agent 1 ***"], &print);
    let agent2 = dummy("Agent 2", &["*** MESSAGE from Agent 2 ***"], &print);
    let printer = print.clone();
    let aggregator_agent = Agent::new("aggregator_agent", move |interaction: Interaction| {
        let (agent1, agent2, print) = (agent1.clone(), agent2.clone(), printer.clone());
        async move {
            print("Aggregator started\n");
            let replies: Vec<Item> = vec![
                "*** AGGREGATOR MESSAGE #1 ***".into(),
                interaction.trigger(&agent1, ()).into(),
                interaction.trigger(&agent2, ()).into(),
            ];
            interaction.reply(replies);
            print("Aggregator still working\n");
            interaction.reply("*** AGGREGATOR MESSAGE #2 ***");
            print("Aggregator finished\n");
            Ok(())
        }
    });

    print("TRIGGERING AGGREGATOR\n");
    let messages = aggregator_agent.trigger(&Crew::new(), ());
    print("TRIGGERING AGGREGATOR DONE\n\n");

    print("SLEEPING FOR ONE SECOND\n");
    // Here the agents run; at any other place that waits they would as well.
    tokio::time::sleep(Duration::from_secs(1)).await;
    print("SLEEPING DONE\n\n");

    print("PREPARING TO GET MESSAGES FROM AGGREGATOR\n");
    let mut reader = messages.reader();
    while let Some(message) = reader.next().await {
        print(&format!("{}\n", message?.value().await?));
    }
    // What was read can be read again.
    print(&format!("TOTAL NUMBER OF MESSAGES FROM AGGREGATOR: {}\n", messages.value().await?.len()));
    Ok(())
}

#[cfg_attr(test, expect(dead_code, reason = "the test that compares what it prints calls `run`"))]
#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Err(failure) = run(Arc::new(|text| print!("{text}"))).await {
        eprintln!("{failure}");
    }
}
