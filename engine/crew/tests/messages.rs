//! Messages: their hash keys are those of MiniAgents 0.0.35, as observed; what is kept, and in which order.

use serde_json::json;
use thalweg_crew::{Field, Frozen, Library, Message};

fn plain(fields: serde_json::Value) -> Message {
    match Field::from(fields) {
        Field::Frozen(fields) => Message::new("Message", fields),
        other => panic!("{other:?}"),
    }
}

#[test]
fn hash_keys_are_those_of_miniagents() {
    let text = Message::text;
    #[rustfmt::skip]
    let cases = [
        ("text", text("hi").with("role", "user"), "7c164adddbf7d5ac1d391a2e9ec52e55dc07df12"),
        ("text alone", text("x"), "51e3ed3874e02ee9785fd2a67270c95b645db56d"),
        ("no text", plain(json!({"b": 1})), "81dcb6107f6456df9691286cc89f772153e5cb2d"),
        ("not ASCII", text("Grüße, мир, 世界 \u{1f600} \u{7f} \u{2028}"), "87fc90a2bfe4cd60cabfc13fc7cf4c2d6ff1b218"),
        ("escapes", text("a\"b\\c\n\r\t\u{8}\u{c}\u{1}\u{1f}/"), "33136e77444b7d9d8fcf2d64aee54959d2937e31"),
        ("lists", plain(json!({"x": [1, [2, "three"], []], "y": {}})), "57a5b54fd4b30608a4bd326ad2e413a87f7e5b66"),
        ("within", plain(json!({"x": {"b": 2, "a": {"c": [{"d": 1}]}}})), "90fd2ca5c1fdd3c5a8405fb957738cdd78d8c909"),
        ("a message within", plain(json!({"n": 1})).with("m", text("in")), "22ab55e7645c99d0829cf457dd21dcf67607ed3c"),
        ("messages within", plain(json!({"z": []})).with("ms", vec![text("one"), text("two").with("k", 1)]), "b030015b0c30945b60ce2251526719d06a5988f8"),
        ("deep in a list", Message::new("Message", Frozen::new()
            .with("a", vec![Field::from(1), Frozen::new().with("b", plain(json!({"c": 1}))).into()])
            .with("m", text("in"))), "6144ab894af82155afefcf6287be4a0844057364"),
        ("deep", Message::new("Message", Frozen::new().with("d", Frozen::new().with("e", Frozen::new()
            .with("f", plain(json!({"g": 1})))
            .with("h", vec![plain(json!({"i": 1})), plain(json!({"j": 2}))])))), "d3071eed92addf0cda4c9e71f4fd00c4ce398dd7"),
        ("names", plain(json!({"b": 1, "a": 2, "Z": 3, "é": 4, "_": 5})), "58a568ea40fc4292960eeb3f624e8a196dd44b00"),
        ("an error", Message::error("ValueError: x"), "3a5aea8f365c1d9c3fd81adb1ce011ce19b38bd7"),
    ];
    for (name, message, expected) in cases {
        assert_eq!(message.hash_key(), expected, "{name}: {}", message.serialized());
    }
    let longer = "7c164adddbf7d5ac1d391a2e9ec52e55dc07df12ccce85da49588b0bd21b8119";
    assert_eq!(text("hi").with("role", "user").longer_hash_key(), longer);
}

#[test]
fn the_roles_of_messages_are_those_of_miniagents() {
    for (message, class, role, hash_key) in [
        (Message::user("Hello!"), "UserMessage", "user", "6ba0634c7c926ad23a91d5066def68892881344f"),
        (Message::system("System message"), "SystemMessage", "system", "8b03ddab7858e949b102d0c8da1e3be1832ef4fc"),
        (
            Message::assistant("Assistant message"),
            "AssistantMessage",
            "assistant",
            "86126c8b006dd097c239df15bc8715e34645223a",
        ),
        (
            Message::assistant("x").with("model", "gpt-4o-mini").with("agent_alias", "OPENAI_AGENT"),
            "AssistantMessage",
            "assistant",
            "cf31ec96de5174e590664989f8a8e77dba90c52f",
        ),
    ] {
        assert_eq!((message.class(), message.get("role")), (class, Some(&role.into())));
        assert_eq!(message.hash_key(), hash_key, "{}", message.serialized());
    }
}

#[test]
fn a_message_has_a_type_of_the_callers_own() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Finding {
        custom_field: String,
        places: Vec<(String, u32)>,
    }
    #[derive(serde::Serialize)]
    struct CustomMessage {
        custom_field: &'static str,
    }
    let custom = Message::of("CustomMessage", &CustomMessage { custom_field: "Custom Value" }).unwrap();
    assert_eq!(custom.hash_key(), "d4adf6c9a8ccb8718413ba487644d96d042edde5", "{}", custom.serialized());
    let finding = Finding { custom_field: "x".into(), places: vec![("a".into(), 1)] };
    let message = Message::of("Finding", &finding).unwrap();
    assert_eq!(message.class(), "Finding");
    assert_eq!(message.to::<Finding>().unwrap(), finding);
    assert!(custom.to::<Finding>().is_err(), "a field is missing");
    assert!(Message::of("Finding", &[1, 2]).is_err(), "a list has no names");
}

#[test]
fn numbers_are_written_as_python_writes_them() {
    let numbers = json!({"a": 1, "b": 1.0, "c": -0.0, "d": 1e16, "e": 1e15, "f": 1e-5, "g": 0.0001,
        "i": 1.5e300, "j": 5e-324, "k": true, "l": null, "m": 0.1, "n": 123_456_789.123});
    let expected = r#"{"a": 1, "b": 1.0, "c": -0.0, "class_": "Message", "d": 1e+16, "e": 1000000000000000.0, "f": 1e-05, "g": 0.0001, "i": 1.5e+300, "j": 5e-324, "k": true, "l": null, "m": 0.1, "n": 123456789.123}"#;
    assert_eq!(plain(numbers).serialized(), expected);
}

#[test]
fn a_message_is_its_content_or_its_json() {
    for (message, expected) in [
        (Message::text("hi").with("role", "user"), "hi"),
        (Message::error("ValueError: x"), "ValueError: x"),
        (plain(json!({"content": "d", "k": 1})), "```json\n{\"class_\":\"Message\",\"content\":\"d\",\"k\":1}\n```"),
    ] {
        assert_eq!(message.to_string(), expected);
    }
}

#[test]
fn a_template_is_filled_in() {
    for (template, expected) in [
        ("Hi {name}!", "Hi Ann!"),
        ("{n} {x} {yes} {none}", "1 1.5 True None"),
        ("{{name}} {name}{name}", "{name} AnnAnn"),
        ("{other} {", "{other} {"),
        ("}} } ä{name}", "} } äAnn"),
        ("", ""),
    ] {
        let message = plain(json!({"content": null, "content_template": template, "name": "Ann", "n": 1, "x": 1.5,
            "yes": true, "none": null}));
        assert_eq!(Message::new("TextMessage", message.fields().clone()).to_string(), expected);
    }
}

#[test]
fn a_message_never_changes() {
    let one = Message::text("x");
    let other = one.clone().with("k", 1);
    assert_eq!(one, Message::text("x"));
    assert_ne!(one, other);
    assert_ne!(one.hash_key(), other.hash_key());
    assert_eq!(other.clone().with("k", 2).with("k", 1), other);
    let (ab, ba) = (plain(json!({"a": 1, "b": 2})), plain(json!({"b": 2, "a": 1})));
    assert_eq!((ab.hash_key(), &ab), (ba.hash_key(), &ba), "the order of names does not matter");
}

#[test]
fn each_message_is_kept_once_and_children_before_parents() {
    let shared = Message::text("shared");
    let inner = Message::text("inner").with("of", shared.clone());
    let outer = plain(json!({"n": 1}))
        .with("list", vec![inner.clone(), shared.clone()])
        .with("d", Frozen::new().with("m", shared.clone()));
    let library = Library::default();
    let texts = |messages: Vec<Message>| {
        messages
            .iter()
            .map(|message| {
                message.class().to_owned() + " " + message.get("content").and_then(Field::as_str).unwrap_or("-")
            })
            .collect::<Vec<_>>()
    };
    assert!(library.is_empty());
    assert_eq!(texts(library.keep(&outer)), ["TextMessage shared", "TextMessage inner", "Message -"]);
    assert!(library.keep(&outer).is_empty());
    assert_eq!(texts(library.keep(&Message::text("shared"))), Vec::<String>::new(), "an equal one is the same one");
    assert_eq!(library.len(), 3);
    assert_eq!(library.find(inner.hash_key()), Some(inner));
    assert_eq!(library.find("none"), None);
}
