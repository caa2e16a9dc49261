//! The tree of a session, what is found in it, and files that are something else.

use std::fs;
use std::path::PathBuf;

use thalweg_agent::message::Message;
use thalweg_session::{About, Error, SessionId, Store};

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("thalweg-session-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn say(store: &mut Store, id: &SessionId, parent: Option<u64>, text: &str) -> u64 {
    store.append(id, parent, &Message::user(text)).unwrap()
}

#[test]
fn a_session_goes_on_from_where_it_was_or_from_any_message_before() {
    let folder = folder("tree");
    let path = folder.join("below/sessions.db");
    let mut store = Store::open(&path).unwrap();
    let id = store.create(&About::default()).unwrap();
    assert_eq!(store.head(&id).unwrap(), None);
    let first = say(&mut store, &id, None, "one");
    let second = say(&mut store, &id, Some(first), "two");
    store.branch(&id, Some(first)).unwrap();
    drop(store);

    let mut store = Store::open(&path).unwrap();
    assert_eq!(store.head(&id).unwrap(), Some(first));
    let third = say(&mut store, &id, Some(first), "three");
    assert_eq!(store.head(&id).unwrap(), Some(third));
    let path_of = |store: &Store, at| store.path(&id, at).unwrap().iter().map(|stored| stored.id).collect::<Vec<_>>();
    assert_eq!(path_of(&store, second), [first, second]);
    assert_eq!(path_of(&store, third), [first, third]);
    assert_eq!(store.leaves(&id).unwrap(), [second, third]);
    let summary = &store.sessions(5).unwrap()[0];
    assert_eq!((summary.title.as_str(), summary.messages, summary.branches), ("one", 3, 2));
    assert!(matches!(store.append(&id, Some(9), &Message::user("x")), Err(Error::NoMessage { message: 9, .. })));
    assert!(matches!(store.branch(&id, Some(9)), Err(Error::NoMessage { .. })));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_name_may_be_cut_short_as_long_as_it_says_which() {
    let mut store = Store::in_memory().unwrap();
    let lines =
        ["aa11", "aa22", "aa"].map(|id| format!(r#"{{"type":"session","version":1,"id":"{id}","created_us":1}}"#));
    store.import_lines(&lines[..2].join("\n")).unwrap();
    assert_eq!(store.find("aa1").unwrap().as_str(), "aa11");
    assert!(matches!(store.find("aa"), Err(Error::Ambiguous { count: 2, .. })));
    assert!(matches!(store.find("b"), Err(Error::NoSession { .. })));
    assert!(matches!(store.find("%"), Err(Error::NoSession { .. })));
    store.import_lines(&lines[2]).unwrap();
    assert_eq!(store.find("aa").unwrap().as_str(), "aa");
}

#[test]
fn words_are_found_wherever_they_were_said_and_gone_with_their_session() {
    let mut store = Store::in_memory().unwrap();
    let id = store.create(&About::default()).unwrap();
    let asked = say(&mut store, &id, None, "Wo liegt die Größte Straße?");
    let reply = r#"{"role":"assistant","content":[{"type":"tool_call","id":"c","name":"route_finder","arguments":"{\"to\":\"Paris\"}"}]}"#;
    let called = store.append(&id, Some(asked), &serde_json::from_str(reply).unwrap()).unwrap();
    let other = store.create(&About::default()).unwrap();
    say(&mut store, &other, None, "Paris in spring, and springs in Paris");
    let found = |store: &Store, words: &str| {
        store.search(words, 10).unwrap().into_iter().map(|hit| (hit.session, hit.message)).collect::<Vec<_>>()
    };
    assert_eq!(found(&store, "grosste"), []);
    assert_eq!(found(&store, "GROßTE"), [(id.clone(), asked)]);
    assert_eq!(found(&store, "route_finder paris"), [(id.clone(), called)]);
    assert_eq!(found(&store, "paris").len(), 2);
    assert_eq!(found(&store, "\"in spring\""), [(other.clone(), 1)]);
    assert_eq!(found(&store, "\"spring in\""), []);
    assert_eq!(found(&store, "spr*"), [(other.clone(), 1)]);
    assert_eq!(store.search("liegt", 1).unwrap()[0].snippet, "Wo [liegt] die Größte Straße?");
    store.delete(&other).unwrap();
    assert_eq!(found(&store, "spring"), []);
    assert!(matches!(store.delete(&other), Err(Error::NoSession { .. })));
    assert_eq!(found(&store, "paris"), [(id, called)]);
}

#[test]
fn the_text_of_a_deleted_session_is_not_in_its_files_any_more() {
    let folder = folder("deleted");
    let path = folder.join("sessions.db");
    let mut store = Store::open(&path).unwrap();
    let id = store.create(&About::default()).unwrap();
    say(&mut store, &id, None, "xylophonequartz is a word that stands nowhere else");
    let holds = || {
        fs::read_dir(&folder).unwrap().any(|file| {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            bytes.windows(15).any(|window| window == b"xylophonequartz")
        })
    };
    assert!(holds());
    store.delete(&id).unwrap();
    assert!(!holds());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
#[cfg(unix)]
fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder("mode");
    let mut store = Store::open(&folder.join("sessions.db")).unwrap();
    let id = store.create(&About::default()).unwrap();
    say(&mut store, &id, None, "secret");
    for file in fs::read_dir(&folder).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_file_of_another_program_is_left_alone() {
    let folder = folder("foreign");
    fs::create_dir_all(&folder).unwrap();
    let text = folder.join("notes.txt");
    fs::write(&text, "not a database, and longer than the head of one would have to be to be looked at, surely so")
        .unwrap();
    let error = Store::open(&text).expect_err("no database");
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    assert!(fs::read(&text).unwrap().starts_with(b"not a database"));
    let taken = folder.join("other.db");
    rusqlite::Connection::open(&taken).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let error = Store::open(&taken).expect_err("tables of others");
    assert!(error.to_string().contains("another program"), "{error}");
    let later = folder.join("later.db");
    drop(Store::open(&later).unwrap());
    rusqlite::Connection::open(&later).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Store::open(&later).expect_err("a later version");
    assert!(error.to_string().contains("version 99"), "{error}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_was_stored_cannot_be_changed() {
    let folder = folder("frozen");
    let path = folder.join("sessions.db");
    let mut store = Store::open(&path).unwrap();
    let id = store.create(&About::default()).unwrap();
    say(&mut store, &id, None, "said");
    let other = rusqlite::Connection::open(&path).unwrap();
    let error = other.execute("UPDATE messages SET json = '{}'", []).expect_err("append-only");
    assert!(error.to_string().contains("never changed"), "{error}");
    fs::remove_dir_all(folder).unwrap();
}
