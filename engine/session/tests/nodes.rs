//! Messages by their hash keys.

use thalweg_session::{Node, Store};

fn node(hash_key: &str, class: &str) -> Node {
    Node { hash_key: hash_key.into(), class: class.into(), json: format!("{{\"class_\": \"{class}\"}}") }
}

#[test]
fn a_message_is_stored_once() {
    let mut store = Store::in_memory().unwrap();
    assert_eq!((store.node("a").unwrap(), store.nodes_of_class("A", 9).unwrap()), (None, vec![]), "no table yet");
    assert_eq!(store.keep_nodes(&[node("a", "A"), node("b", "B")]).unwrap(), 2);
    assert_eq!(store.keep_nodes(&[node("a", "A"), node("c", "A"), node("c", "A")]).unwrap(), 1);
    assert_eq!(store.node("b").unwrap(), Some(node("b", "B")));
    assert_eq!(store.nodes_of_class("A", 9).unwrap(), [node("c", "A"), node("a", "A")], "the last one first");
    assert_eq!(store.nodes_of_class("A", 1).unwrap().len(), 1);
}

#[test]
fn a_file_of_before_goes_on_as_it_was() {
    let path = std::env::temp_dir().join(format!("thalweg-nodes-{}", std::process::id())).join("sessions.db");
    let _ = std::fs::remove_file(&path);
    let mut store = Store::open(&path).unwrap();
    let id = store.create(&thalweg_session::About::default()).unwrap();
    drop(store);
    let mut store = Store::open(&path).unwrap();
    store.keep_nodes(&[node("a", "A")]).unwrap();
    drop(store);
    let store = Store::open(&path).unwrap();
    assert_eq!(store.node("a").unwrap(), Some(node("a", "A")));
    assert_eq!(store.last().unwrap(), id);
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}
