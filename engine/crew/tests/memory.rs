//! A memory in the file of sessions: what it keeps, and what it finds by words and by meaning.

use serde_json::{Value, json};
use thalweg::Embedder;
use thalweg::message::{AssistantMessage, ContentBlock, Message};
use thalweg_crew::actor::{Kept, Memory};
use thalweg_replay::{Exchange, Options, Recording, Server};
use thalweg_session::{About, Store};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn reply(text: &str) -> Message {
    let content = vec![ContentBlock::Text { text: text.to_owned() }];
    Message::Assistant(AssistantMessage { content, ..AssistantMessage::default() })
}

fn texts(found: Vec<thalweg_crew::actor::Recalled>) -> Vec<String> {
    let text = |message: Message| match message {
        Message::User(user) => user.content.iter().filter_map(|part| part.as_text()).collect(),
        Message::Assistant(reply) => reply.text(),
        _ => String::new(),
    };
    found.into_iter().map(|found| text(found.message)).collect()
}

#[tokio::test]
async fn a_conversation_is_there_again_in_another_memory_of_the_same_file() -> Outcome {
    let folder = std::env::temp_dir().join(format!("thalweg-memory-{}", std::process::id()));
    let file = folder.join("sessions.db");
    let mut store = Store::open(&file)?;
    let session = store.create(&About::default())?;
    let mut memory = Kept::new(store, session.clone());
    assert!(memory.recent(None).await?.is_empty());
    let said = [Message::user("one"), reply("1"), Message::user("two"), reply("2")];
    memory.append(&said[..2]).await?;
    memory.append(&said[2..]).await?;
    drop(memory);
    let mut memory = Kept::new(Store::open(&file)?, session);
    assert_eq!(memory.recent(None).await?, said);
    assert_eq!(memory.recent(Some(3)).await?, said[2..]);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

#[tokio::test]
async fn words_are_found_all_of_them_or_else_any_and_only_of_its_own_conversation() -> Outcome {
    let mut store = Store::in_memory()?;
    let other = store.create(&About::default())?;
    store.append(&other, None, &Message::user("the Loire is mine"))?;
    let session = store.create(&About::default())?;
    let mut memory = Kept::new(store, session);
    memory.append(&[Message::user("The river Loire"), reply("flows west"), Message::user("and the Seine?")]).await?;
    let cases: [(&str, usize, &[&str]); 6] = [
        ("loire", 9, &["The river Loire"]),
        ("loire river", 9, &["The river Loire"]),
        ("seine west", 9, &["flows west", "and the Seine?"]),
        ("seine west", 1, &["flows west"]),
        ("mountain", 9, &[]),
        (" ", 9, &[]),
    ];
    for (query, most, expected) in cases {
        assert_eq!(texts(memory.search(query, most).await?), expected, "{query:?}");
    }
    Ok(())
}

/// A reply with vectors.
fn vectors(of: &[[f32; 2]]) -> Exchange {
    let data: Vec<Value> =
        of.iter().enumerate().map(|(index, vector)| json!({"index": index, "embedding": vector})).collect();
    let mut exchange = Exchange::of_chunks([json!({"data": data, "model": "m"}).to_string()]);
    exchange.response.headers = vec![("content-type".into(), "application/json".into())];
    exchange
}

#[tokio::test]
async fn what_means_the_same_is_found_and_vectors_are_made_once() -> Outcome {
    let first = vectors(&[[1.0, 0.0], [0.0, 1.0]]);
    let query = vectors(&[[0.1, 1.0]]);
    let added = vectors(&[[0.1, 0.9]]);
    let exchanges = vec![first, query.clone(), query.clone(), added, query];
    let server = Server::start(vec![Recording::by_hand("openai-chat", exchanges)], Options::in_order())?;
    let embedder = Embedder::builder().model("m").base_url(server.url()).link(thalweg_openai::module()).build()?;
    let mut store = Store::in_memory()?;
    let session = store.create(&About::default())?;
    let mut memory = Kept::new(store, session).embedded(embedder, "m");
    memory.append(&[Message::user("a hill"), reply("a stream")]).await?;
    assert_eq!(texts(memory.search("brook", 1).await?), ["a stream"]);
    assert_eq!(texts(memory.search("brook", 9).await?), ["a stream", "a hill"]);
    memory.append(&[Message::user("a creek")]).await?;
    // Its name stands in one, and both mean much the same.
    assert_eq!(texts(memory.search("creek", 9).await?)[0], "a creek");
    let asked = |at: usize| -> Value {
        serde_json::from_slice::<Value>(&server.requests()[at].request.body).expect("JSON")["input"].take()
    };
    let inputs: Vec<Value> = (0..5).map(asked).collect();
    assert_eq!(json!(inputs), json!([["a hill", "a stream"], ["brook"], ["brook"], ["a creek"], ["creek"]]));
    Ok(())
}
