//! Four dialects in one team: three models answer at once, a fourth makes one answer of theirs. Who is in it stands in
//! `team_mixed_providers.toml`. Plays replies, so it needs no key; with the argument `live` it asks the providers.

use std::collections::BTreeSet;

use thalweg::event::{BlockKind, EventView, UpdateView};
use thalweg::provider::Table;
use thalweg::{Agent, AgentBuilder, Run};
use thalweg_crew::team::{AgentOptions, Description};
use thalweg_replay::{Options, Server};

const TEAM: &str = include_str!("team_mixed_providers.toml");
const QUESTION: &str = "Why is the lowest line of a valley called a thalweg?";

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let is_live = std::env::args().nth(1).is_some_and(|argument| argument == "live");
    let server = Server::start(thalweg_replay::team(), Options::default())?;
    let run = ask(if is_live { None } else { Some(&server) })?;
    let mut events = run.events();
    let mut speaker = String::new();
    while let Some(event) = events.next().await {
        let EventView::MessageUpdate(UpdateView::Delta { block, delta, member, .. }) = event.view else { continue };
        if speaker != member {
            member.clone_into(&mut speaker);
            print!("\n{}{member}: ", if block == BlockKind::Text { "=> " } else { "" });
        }
        print!("{delta}");
    }
    let reply = run.message().await?;
    println!("\n\n{:?} tokens by {} members", reply.usage.total_tokens, members(&reply.usage.raw));
    Ok(())
}

/// Makes the team, with each member at its provider or at the server that plays, and asks it.
fn ask(server: Option<&Server>) -> Result<Run, Failure> {
    let team = Description::from_toml(TEAM)?.build(|leaf| {
        let options: AgentOptions = serde_json::from_value(leaf.options.into())?;
        let mut builder = Agent::builder()
            .link(thalweg_openai::module())
            .link(thalweg_anthropic::module())
            .link(thalweg_gemini::module())
            .link(thalweg_ollama::module());
        let model = options.model.clone().unwrap_or_default();
        builder = options.apply(builder);
        if let Some((server, (provider, id))) = server.zip(model.split_once('/')) {
            let row = Table::built_in().find(provider).ok_or("no such provider")?;
            // What stands between host and path in the provider's address.
            let path = row.usual_base_url().splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default();
            builder = builder.model(id).dialect(&row.dialect).base_url(format!("{}{path}", server.url()));
        }
        leaf.budgets.into_iter().fold(builder, AgentBuilder::budget).build().map_err(Failure::from)
    })?;
    Ok(team.agent()?.prompt(QUESTION)?)
}

fn members(usage: &Option<serde_json::Value>) -> usize {
    let members = usage.as_ref().and_then(|usage| usage["members"].as_object());
    members.map_or(0, |members| members.keys().collect::<BTreeSet<_>>().len())
}

#[tokio::test]
async fn four_dialects_answer_as_one() -> Result<(), Failure> {
    let server = Server::start(thalweg_replay::team(), Options::default())?;
    let run = ask(Some(&server))?;
    let mut said = std::collections::BTreeMap::<String, String>::new();
    let mut events = run.events();
    while let Some(event) = events.next().await {
        if let EventView::MessageUpdate(UpdateView::Delta { delta, member, .. }) = event.view {
            said.entry(member.to_owned()).or_default().push_str(delta);
        }
    }
    let reply = run.message().await?;
    let names: Vec<&str> = said.keys().map(String::as_str).collect();
    assert_eq!(names, ["editor", "geographer", "lawyer", "linguist"]);
    assert_eq!(reply.text(), said["editor"]);
    assert!(reply.text().starts_with("Because it is the way of the valley"), "{}", reply.text());
    let paths: BTreeSet<String> = server.requests().iter().map(|request| request.request.target.clone()).collect();
    assert_eq!(paths.len(), 4, "{paths:?}");
    // Each provider counts in its own words, one of them behind its last choice: 285 tokens of prompts, 175 of replies.
    assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens), (Some(285), Some(175)));
    assert_eq!(members(&reply.usage.raw), 4);
    Ok(())
}
