//! What is exported can be imported, and is the same.

use serde_json::{Value, json};
use thalweg_agent::message::Message;
use thalweg_session::{About, SessionId, Store, Stored};

/// A session with two branches and everything that a message can hold.
fn filled(store: &mut Store) -> SessionId {
    let about = About {
        title: Some("Odd --> things".to_owned()),
        model: Some("openai/gpt-4o".to_owned()),
        system: Some("Be brief.\n<!-- thalweg:block {} -->".to_owned()),
    };
    let id = store.create(&about).unwrap();
    let messages = [
        json!({"role":"user","content":[{"type":"text","text":"# user\r\n\n  code:\n```\nx --> y\n```\n\n\n"},
            {"type":"image","media_type":"image/png","data":"AA=="},{"type":"document","url":"https://x/y.pdf","name":"--> y"}],"time_us":5}),
        json!({"role":"assistant","content":[{"type":"thinking","text":"<!-- thalweg:message {} -->\n\\<!-- thalweg:x","signature":"s-->"},
            {"type":"redacted_thinking","data":"d"},{"type":"text","text":""},
            {"type":"tool_call","id":"c1","name":"add","arguments":"{\"a\":\n1}"}],
            "provider":"openai","model":"gpt-4o","stop_reason":{"mapped":"tool_use","raw":"tool_calls"},
            "usage":{"input_tokens":3,"raw":{"prompt_tokens":3}}}),
        json!({"role":"tool","content":[
            {"type":"tool_result","tool_call_id":"c1","tool_name":"add","content":[{"type":"text","text":"4\n"}],"is_error":false},
            {"type":"tool_result","tool_call_id":"c2","tool_name":"see","content":[{"type":"image","media_type":"image/png","data":"AA=="}],"is_error":false},
            {"type":"tool_result","tool_call_id":"c3","tool_name":"two","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"is_error":true}]}),
        json!({"role":"assistant","content":[{"type":"text","text":"ünï\u{1f600}\n\nend"},{"type":"refusal","text":"no"}],
            "error":{"kind":"truncated","message":"cut"}}),
    ];
    let mut parent = None;
    for message in messages {
        let message: Message = serde_json::from_value(message).unwrap();
        parent = Some(store.append(&id, parent, &message).unwrap());
    }
    store.append(&id, Some(1), &Message::user("another way")).unwrap();
    store.branch(&id, Some(4)).unwrap();
    id
}

fn whole(store: &Store, id: &SessionId) -> (Vec<Stored>, Option<u64>, (About, u64), Vec<u64>) {
    (store.all(id).unwrap(), store.head(id).unwrap(), store.about(id).unwrap(), store.leaves(id).unwrap())
}

#[test]
fn json_lines_come_back_as_they_went() {
    let mut store = Store::in_memory().unwrap();
    let id = filled(&mut store);
    let lines = store.export_lines(&id).unwrap();
    let mut other = Store::in_memory().unwrap();
    let imported = other.import_lines(&lines).unwrap();
    assert_eq!(imported, std::slice::from_ref(&id));
    assert_eq!(whole(&other, &id), whole(&store, &id));
    assert_eq!(other.export_lines(&id).unwrap(), lines);
    // Once more: the name is taken.
    let again = other.import_lines(&lines).unwrap();
    assert_ne!(again, imported);
    assert_eq!(whole(&other, &again[0]), whole(&store, &id));
    assert_eq!(other.sessions(9).unwrap().len(), 2);
}

#[test]
fn markdown_comes_back_as_it_went() {
    let mut store = Store::in_memory().unwrap();
    let id = filled(&mut store);
    let text = store.export_markdown(&id).unwrap();
    assert!(text.contains("## Assistant") && text.contains("*calls add*"), "{text}");
    let mut other = Store::in_memory().unwrap();
    let imported = other.import_markdown(&text).unwrap();
    assert_eq!(imported, id);
    assert_eq!(whole(&other, &id), whole(&store, &id));
    assert_eq!(other.export_markdown(&id).unwrap(), text);
}

#[test]
fn any_text_comes_back_from_markdown() {
    let pieces = [
        "\n",
        "\\",
        "<!-- thalweg:",
        "block {} -->",
        "-->",
        "# user",
        "\r",
        "===",
        " ",
        "é",
        "x",
        "```",
        "<!-- thalweg:note {} -->",
    ];
    let mut state = 7_u64;
    let mut store = Store::in_memory().unwrap();
    for _ in 0..300 {
        let mut text = String::new();
        for _ in 0..(state >> 40) % 12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
        let id = store.create(&About::default()).unwrap();
        let said = store.append(&id, None, &Message::user(&text)).unwrap();
        store.append(&id, Some(said), &Message::user(text.clone() + "\n")).unwrap();
        let markdown = store.export_markdown(&id).unwrap();
        let again = store.import_markdown(&markdown).unwrap();
        assert_eq!(store.all(&again).unwrap(), store.all(&id).unwrap(), "{text:?}\n{markdown}");
    }
}

#[test]
fn markdown_of_others_is_taken_by_its_headings() {
    let mut store = Store::in_memory().unwrap();
    let text = "system\n========\nBe brief.\n\nuser\n====\nWhat is\n## not a speaker\n2+2?\n\nassistant / gpt-4o\n========================================\n\n4\n\n# User\nThanks\n";
    let id = store.import_markdown(text).unwrap();
    let messages: Vec<Value> =
        store.all(&id).unwrap().iter().map(|stored| serde_json::to_value(&stored.message).unwrap()).collect();
    let texts: Vec<_> = messages
        .iter()
        .map(|message| (message["role"].as_str().unwrap(), message["content"][0]["text"].as_str().unwrap()))
        .collect();
    assert_eq!(texts, [("user", "What is\n## not a speaker\n2+2?"), ("assistant", "4"), ("user", "Thanks")]);
    assert_eq!(store.about(&id).unwrap().0.system.as_deref(), Some("Be brief."));
    assert_eq!(store.path(&id, 3).unwrap().len(), 3);
}

#[test]
fn what_is_no_export_is_refused_with_its_line_and_leaves_nothing() {
    let mut store = Store::in_memory().unwrap();
    let head = r#"{"type":"session","version":1,"id":"a","created_us":1}"#;
    let message = |id: u64, parent: &str| {
        format!(
            r#"{{"type":"message","id":{id},"parent":{parent},"time_us":1,"message":{{"role":"user","content":[]}}}}"#
        )
    };
    for (text, expected) in [
        ("nonsense".to_owned(), "line 1 cannot be imported"),
        (message(1, "null"), "line 1 cannot be imported: the first line is not that of a session"),
        (head.replace("\"version\":1", "\"version\":7"), "line 1 cannot be imported: it has version 7"),
        (format!("{head}\n{}", message(1, "9")), "line 2 cannot be imported: there is no message 9 before it"),
        (format!("{head}\n{}\n\n{}", message(2, "null"), message(2, "null")), "line 4 cannot be imported: message 2"),
        (format!("{head}\n{{\"type\":\"head\",\"id\":3}}"), "line 2 cannot be imported: there is no message 3"),
    ] {
        let error = store.import_lines(&text).expect_err(&text).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    for text in [
        "",
        "no headings",
        "<!-- thalweg:block {} -->\n",
        "<!-- thalweg:message {} -->\n",
        "<!-- thalweg:session nonsense -->",
    ] {
        store.import_markdown(text).expect_err(text);
    }
    assert!(store.sessions(9).unwrap().is_empty());
}
