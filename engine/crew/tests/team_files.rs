//! Teams as files: what they may say, and what is said of a slip.
#![cfg(feature = "llm")]

#[path = "support/models.rs"]
#[expect(dead_code, reason = "not every test has use for every model")]
mod models;

use models::reply;
use thalweg::{Agent, AgentBuilder};
use thalweg_crew::team::{AgentOptions, Description, Error, Leaf};

/// An agent that answers with its path around what it is asked.
fn echo(leaf: Leaf) -> Result<Agent, thalweg::Error> {
    let model = reply("m", move |asked| format!("{}({asked})", leaf.path));
    leaf.budgets.into_iter().fold(Agent::builder().responder(model).max_tokens(50), AgentBuilder::budget).build()
}

#[tokio::test]
async fn a_file_is_a_team_in_toml_and_in_json() -> Result<(), Box<dyn std::error::Error>> {
    let cases = [
        (
            "kind = 'pipeline'\n[[members]]\n[[members]]\nname = 'b'",
            r#"{"kind": "pipeline", "members": [{}, {"name": "b"}]}"#,
            "b(1(Q))",
        ),
        (
            "name = 'all'\nkind = 'broadcast'\nmembers = [{name = 'a'}, {name = 'b'}]",
            r#"{"name": "all", "kind": "broadcast", "members": [{"name": "a"}, {"name": "b"}]}"#,
            "a(Q)\n---\nb(Q)",
        ),
        (
            "kind = 'router'\nkey = 'session'\nmembers = [{name = 'a'}, {name = 'b'}]",
            r#"{"kind": "router", "key": "session", "members": [{"name": "a"}, {"name": "b"}]}"#,
            "a(Q)",
        ),
        (
            "kind = 'pipeline'\n[[members]]\nkind = 'broadcast'\nname = 'in'\nmembers = [{}, {}]\n[[members]]",
            r#"{"kind": "pipeline", "members": [{"kind": "broadcast", "name": "in", "members": [{}, {}]}, {}]}"#,
            "2(in/1(Q)\n---\nin/2(Q))",
        ),
        (
            "kind = 'hierarchy'\nmembers = [{}]\n[lead]",
            r#"{"kind": "hierarchy", "members": [{}], "lead": {}}"#,
            "lead(Original question: Q\n\nWorker 1 said:\n1(Q)\n\nSynthesize a single coherent answer combining the \
             workers' perspectives.)",
        ),
        (
            "kind = 'debate'\nmembers = [{}, {}]\n[arbiter]\nname = 'judge'",
            r#"{"kind": "debate", "members": [{}, {}], "arbiter": {"name": "judge"}}"#,
            "judge(Topic: Q\n\nDebater 1 (turn 1): 1(Topic: Q)\n\nDebater 2 (turn 1): 2(Topic: Q\n\nDebater 1 (turn 1): \
             1(Topic: Q))\n\nAs the arbiter, analyze the debate and declare a verdict.)",
        ),
    ];
    for (toml, json, expected) in cases {
        for description in [Description::from_toml(toml)?, Description::from_json(json)?] {
            assert_eq!(description.build(echo)?.agent()?.prompt_text("Q").await?, expected, "{toml}");
        }
    }
    Ok(())
}

#[test]
fn a_slip_is_told_by_its_name() {
    let cases = [
        ("{", "EOF"),
        ("[]", "expected struct Description"),
        (r#"{"members": [{}]}"#, "missing field `kind`"),
        (r#"{"kind": "circus", "members": [{}]}"#, "unknown variant `circus`"),
        (r#"{"kind": "pipeline", "stages": [{}]}"#, "unknown field `stages`"),
        (r#"{"kind": "pipeline"}"#, "the team has 0 members; it takes 1 to 256"),
        (r#"{"kind": "pipeline", "members": [3]}"#, "a member is an object"),
        (r#"{"kind": "pipeline", "members": [{"name": 3}]}"#, "the name of a member is a text, not 3"),
        (r#"{"kind": "pipeline", "members": [{"name": "a/b"}]}"#, "`a/b` is no name"),
        (r#"{"kind": "broadcast", "members": [{"name": "a"}, {"name": "a"}]}"#, "two members have the name `a`"),
        (
            r#"{"kind": "broadcast", "members": [{}], "rounds": 2}"#,
            "the key `rounds` is of a debate, and this is a broadcast",
        ),
        (r#"{"kind": "hierarchy", "members": [{}]}"#, "a hierarchy has a key `lead`"),
        (
            r#"{"kind": "debate", "members": [{}, {}], "arbiter": {}, "rounds": 0}"#,
            "a debate of 0 rounds; it takes 1 to 100",
        ),
        (
            r#"{"kind": "pipeline", "members": [{"kind": "router", "key": "luck", "members": [{}]}]}"#,
            "unknown variant `luck`",
        ),
        (r#"{"kind": "pipeline", "members": [{}], "budget": {"euros": 1}}"#, "unknown field `euros`"),
        (r#"{"kind": "pipeline", "members": [{"name": "x"}], "name": ""}"#, "`` is no name"),
    ];
    for (text, expected) in cases {
        let built = Description::from_json(text).and_then(|description| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let _inside = runtime.enter();
            description.build(echo)
        });
        let message = built.err().unwrap_or_else(|| panic!("{text} is no team")).to_string();
        assert!(message.contains(expected), "{text}: {message}");
    }
    let deep = "{\"kind\":\"pipeline\",\"members\":[".repeat(10_000);
    assert!(matches!(Description::from_json(&deep), Err(Error::Description { .. })), "depth is bounded");
}

#[test]
fn budgets_of_all_teams_around_it_are_given_to_an_agent() -> Result<(), Error> {
    let text = r#"{"kind": "pipeline", "budget": {"tokens": 10}, "members": [{"name": "a"},
        {"name": "in", "kind": "broadcast", "budget": {"tokens": 5, "dollars": 1}, "members": [{"name": "b"}]}]}"#;
    let mut budgets = Vec::new();
    Description::from_json(text)?.build(|leaf| {
        budgets.push((leaf.path.clone(), leaf.budgets.clone()));
        echo(leaf)
    })?;
    let of = |at: usize| budgets[at].1.iter().map(|budget| budget.left().tokens).collect::<Vec<_>>();
    assert_eq!((budgets[0].0.as_str(), of(0)), ("a", vec![Some(10)]));
    assert_eq!((budgets[1].0.as_str(), of(1)), ("in/b", vec![Some(10), Some(5)]));
    assert!(budgets[1].1[1].limits_money());
    drop(budgets[0].1[0].reserve(4, None));
    let held = budgets[0].1[0].reserve(4, None).expect("there is room");
    assert_eq!(of(1)[0], Some(6), "it is the same one");
    drop(held);
    Ok(())
}

#[test]
fn the_guide_and_the_example_are_sound_files() -> Result<(), Box<dyn std::error::Error>> {
    let guide = include_str!("../../../docs/TEAMS.md");
    let guide = guide.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a file");
    let paths = ["linguist", "panel/pro", "panel/con", "panel/arbiter", "lead"];
    let example = ["linguist", "geographer", "lawyer", "editor"];
    let files: [(&str, &[&str]); 2] =
        [(guide, &paths), (include_str!("../examples/team_mixed_providers.toml"), &example)];
    for (text, expected) in files {
        let description = Description::from_toml(text)?;
        let agents = description.agents();
        assert_eq!(agents.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), expected);
        for (path, options) in agents {
            let options: AgentOptions = serde_json::from_value(options.clone().into())?;
            assert!(options.model.is_some() && options.max_tokens.is_some(), "{path} has a model and a limit");
        }
    }
    let slip: Result<AgentOptions, _> = serde_json::from_str(r#"{"modle": "m"}"#);
    assert!(slip.expect_err("no such option").to_string().contains("modle"));
    Ok(())
}

#[test]
fn an_agent_that_cannot_be_made_is_named() -> Result<(), Error> {
    let description = Description::from_json(
        r#"{"kind": "pipeline", "members": [{"name": "in", "kind": "broadcast", "members": [{"name": "b"}]}]}"#,
    )?;
    let built = description.build(|_| Err::<Agent, _>("no key".to_owned()));
    assert_eq!(built.err(), Some(Error::Member { member: "in/b".into(), message: "no key".into() }));
    Ok(())
}
