//! A dialog between a person and a model, kept in `CHAT.md`: the next start goes on with it. Each request is a file in
//! `llm_logs/`. `OPENAI_API_KEY=… cargo run -p thalweg-crew --features llm --example chat`

use std::path::Path;

use thalweg::AgentBuilder;
use thalweg::middleware::MarkdownLog;
use thalweg_crew::{Agent, Console, Crew, Failure, Message, Prompt};

/// The example.
///
/// # Errors
/// What an agent failed with.
pub(crate) async fn run(console: Console, server: AgentBuilder, folder: &Path) -> Result<(), Failure> {
    let user_agent = console.user(Agent::markdown_history(folder.join("CHAT.md")));
    let server = server.middleware(MarkdownLog::new(folder.join("llm_logs")));
    let assistant_agent = Agent::llm("openai_agent", server)?.fork("model", "gpt-4o-mini").fork("max_tokens", 1000);
    let prompt = Message::system(
        "Your job is to improve the styling and grammar of the sentences that the user throws at you. Leave the \
         sentences unchanged if they seem fine.",
    );
    let dialog = Agent::dialog(user_agent, assistant_agent, Prompt::Last);
    dialog.trigger(&Crew::new(), prompt).value().await?;
    Ok(())
}

#[cfg_attr(test, expect(dead_code, reason = "the test that compares what it prints calls `run`"))]
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let server = thalweg::Agent::builder().provider("openai").link(thalweg_openai::module());
    if let Err(failure) = run(Console::standard(), server, Path::new(".")).await {
        eprintln!("{failure}");
    }
}
