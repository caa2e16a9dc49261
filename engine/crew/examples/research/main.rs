//! Research: a question is broken down, all parts are searched for at once through a tool, and the answer streams while it
//! is written. Without arguments replies are played, which needs no key and no network; with a model the same is live:
//!
//! `cargo run -p thalweg-crew --features llm --example research -- openai/gpt-4o-mini "Why do borders follow rivers?"`

pub(crate) mod played;
mod search;

use std::sync::Arc;

use thalweg::AgentBuilder;
use thalweg_crew::{Agent, Crew, Failure, Interaction, Item, Message};

/// Where an example prints to.
pub(crate) type Print = Arc<dyn Fn(&str) + Send + Sync>;

pub(crate) const QUESTION: &str = "Why does a border in a river follow the thalweg?";
pub(crate) const ANSWER_NOW: &str = "Answer the question from these findings, in two sentences.";

/// The agent that researches: it replies with the answer.
fn researcher(model: &Agent, print: Print) -> Agent {
    let planner = model
        .named("planner")
        .fork("system", "Break the question down into three things to look up. One a line, nothing else.");
    let finder = model
        .named("finder")
        .fork("system", "Look it up with the tool `search`, and say in one sentence what you found.");
    let writer = model.named("writer").fork("system", "You write short and clear answers.");
    Agent::new("researcher", move |interaction: Interaction| {
        let (planner, finder, writer, print) = (planner.clone(), finder.clone(), writer.clone(), print.clone());
        async move {
            let plan = interaction.trigger(&planner, interaction.sent()).as_single_text("\n").await?.to_string();
            // Each call returns at once, so that all of them run together; what they find comes in this order.
            let mut talk: Vec<Item> = vec![interaction.sent().into()];
            for part in plan.lines().map(str::trim).filter(|part| !part.is_empty()) {
                print(&format!("looking up: {part}\n"));
                talk.push(interaction.trigger(&finder, Message::user(part)).into());
            }
            talk.push(Message::user(ANSWER_NOW).into());
            interaction.reply(interaction.trigger(&writer, talk));
            Ok(())
        }
    })
}

/// The example.
///
/// # Errors
/// What an agent failed with.
pub(crate) async fn run(print: Print, server: AgentBuilder, model: &str, question: &str) -> Result<(), Failure> {
    let model = Agent::llm("model", server.link(search::module()))?.fork("model", model);
    let mut answer = researcher(&model, print.clone()).trigger(&Crew::new(), Message::user(question)).reader();
    print("\n");
    while let Some(message) = answer.next().await {
        let mut tokens = message?.tokens();
        let mut is_first = true;
        while let Some(token) = tokens.next().await {
            if std::mem::take(&mut is_first) {
                print("\n");
            }
            print(&token?.0);
        }
        print("\n");
    }
    Ok(())
}

#[cfg_attr(test, expect(dead_code, reason = "the test that compares what it prints calls `run`"))]
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let print: Print = Arc::new(|text| {
        print!("{text}");
        // A terminal that is gone needs no answer.
        let _ = std::io::Write::flush(&mut std::io::stdout());
    });
    let mut arguments = std::env::args().skip(1);
    let outcome = match arguments.next() {
        Some(model) => {
            let question = arguments.next().unwrap_or_else(|| QUESTION.to_owned());
            let server = thalweg::Agent::builder()
                .link(thalweg_openai::module())
                .link(thalweg_anthropic::module())
                .link(thalweg_gemini::module());
            run(print, server, &model, &question).await
        }
        None => {
            let server = played::server();
            run(print, played::builder(&server), "played", QUESTION).await
        }
    };
    if let Err(failure) = outcome {
        eprintln!("{failure}");
    }
}
