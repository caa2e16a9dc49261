//! Messages in the file of sessions.

use thalweg_crew::{Agent, Archive, Crew, Interaction, Item, Message};

#[tokio::test]
async fn the_graph_is_there_in_the_next_process() {
    let path = std::env::temp_dir().join(format!("thalweg-archive-{}", std::process::id())).join("sessions.db");
    let _ = std::fs::remove_file(&path);
    let archive = Archive::open(&path).unwrap();
    let crew = archive.of(Crew::new());
    let inner = Agent::new("inner", async |interaction: Interaction| {
        let all = interaction.sent().as_single_text(" ").await?;
        interaction.reply(Message::assistant(all.to_string()).with("of", all));
        Ok(())
    });
    let outer = Agent::new("outer", move |interaction: Interaction| {
        let replies = interaction.trigger(&inner, interaction.sent());
        async move {
            interaction.reply(vec![Item::from(replies), "and more".into()]);
            Ok(())
        }
    });
    let said = outer.trigger(&crew, ["one", "two"]).value().await.unwrap();
    crew.finish().await;
    assert!(crew.take_failures().is_empty());
    drop((crew, archive));

    let archive = Archive::open(&path).unwrap();
    let nodes = archive.of_class("AgentReplyNode", 9).unwrap();
    let aliases: Vec<_> = nodes.iter().map(|node| node.to_json()["agent"]["alias"].clone()).collect();
    assert_eq!(aliases, ["outer", "inner"], "the last one first");
    let within = nodes[0].sub_messages();
    for message in &said {
        assert!(within.contains(message), "{message:?}");
        assert_eq!(archive.find(message.hash_key()).unwrap().as_ref(), Some(message));
    }
    assert_eq!(archive.keep(&said).unwrap(), 0, "all of it is there");
    assert_eq!(archive.find("none").unwrap(), None);
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}
