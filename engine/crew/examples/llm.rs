//! A model that is asked, token by token. `OPENAI_API_KEY=… cargo run -p thalweg-crew --features llm --example llm`

use std::sync::Arc;

use thalweg::AgentBuilder;
use thalweg_crew::{Agent, Crew, Failure};

/// Where an example prints to.
pub(crate) type Print = Arc<dyn Fn(&str) + Send + Sync>;

/// The example.
///
/// # Errors
/// What an agent failed with.
pub(crate) async fn run(print: Print, server: AgentBuilder) -> Result<(), Failure> {
    // A fork is the same agent with other values in its configuration.
    let gpt_4o_agent = Agent::llm("openai_agent", server)?.fork("model", "gpt-4o-mini");
    let helpful =
        gpt_4o_agent.fork("system", "You are a helpful assistant.").fork("max_tokens", 50).fork("temperature", 0.7);
    let mut replies = helpful.trigger(&Crew::new(), "Hello, how are you?").reader();
    while let Some(reply) = replies.next().await {
        let mut tokens = reply?.tokens();
        while let Some(token) = tokens.next().await {
            print(&token?.0);
        }
        print("\n\n");
    }
    Ok(())
}

#[cfg_attr(test, expect(dead_code, reason = "the test that compares what it prints calls `run`"))]
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let server = thalweg::Agent::builder().provider("openai").link(thalweg_openai::module());
    if let Err(failure) = run(Arc::new(|text| print!("{text}")), server).await {
        eprintln!("{failure}");
    }
}
