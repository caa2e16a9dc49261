//! Many processes at one file, and processes that are killed while they write. The test program is its own child.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use thalweg_agent::message::Message;
use thalweg_session::{About, SessionId, Store};

const CHILD: &str = "THALWEG_SESSION_TEST_CHILD";

fn file(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("thalweg-processes-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder.join("sessions.db")
}

/// Starts this program again as one that stores messages: `count` of them, or until it is killed.
fn writer(path: &Path, session: &str, name: &str, count: u64) -> Child {
    Command::new(std::env::current_exe().expect("a test has a path"))
        .args(["--exact", "child_that_writes", "--nocapture"])
        .env(CHILD, format!("{}\n{session}\n{name}\n{count}", path.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("a test can start itself")
}

/// Not a test of its own: the child of the others.
#[test]
fn child_that_writes() {
    let Ok(order) = std::env::var(CHILD) else { return };
    let order: Vec<&str> = order.lines().collect();
    let (path, session, name, count) = (Path::new(order[0]), order[1], order[2], order[3].parse::<u64>().unwrap());
    let mut store = Store::open(path).unwrap();
    let session = match session {
        "" => store.create(&About { title: Some(name.to_owned()), ..About::default() }).unwrap(),
        id => store.find(id).unwrap(),
    };
    let mut parent = None;
    for number in 0..count {
        let text = format!("{name}-{number} {}", "x".repeat(2000));
        parent = Some(store.append(&session, parent, &Message::user(text)).unwrap());
        // What is said here was stored: the reader counts on it.
        println!("stored {name}-{number}");
        std::io::stdout().flush().unwrap();
    }
}

fn stored(store: &Store, session: &SessionId) -> BTreeSet<String> {
    let name = |message: &Message| match message {
        Message::User(message) => message.content[0].as_text().unwrap().split(' ').next().unwrap().to_owned(),
        other => panic!("{other:?}"),
    };
    store.all(session).unwrap().iter().map(|stored| name(&stored.message)).collect()
}

#[test]
fn a_process_that_is_killed_loses_no_message_that_it_has_stored() {
    let path = file("killed");
    let mut store = Store::open(&path).unwrap();
    for round in 0..8_u64 {
        let session = store.create(&About::default()).unwrap();
        let mut child = writer(&path, session.as_str(), "w", u64::MAX);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = BTreeSet::new();
        let wanted = 3 + round * 5;
        while (said.len() as u64) < wanted {
            let line = lines.next().expect("the child writes on").unwrap();
            // The harness of the child may have begun the line.
            if let Some((_, name)) = line.split_once("stored ") {
                said.insert(name.to_owned());
            }
        }
        // Somewhere within the next write.
        std::thread::sleep(Duration::from_micros(round * 311));
        child.kill().unwrap();
        child.wait().unwrap();
        said.extend(lines.map_while(Result::ok).filter_map(|line| Some(line.split_once("stored ")?.1.to_owned())));
        let found = stored(&store, &session);
        assert!(said.is_subset(&found), "{} said, {} found", said.len(), found.len());
        assert!(found.len() <= said.len() + 1, "at most the one that was being said");
        assert_eq!(store.head(&session).unwrap(), Some(found.len() as u64));
    }
    let check = rusqlite::Connection::open(&path).unwrap();
    let verdict: String = check.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    check
        .execute("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)", [])
        .expect("the index fits the messages");
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn processes_write_to_one_file_and_to_one_session_at_once() {
    const EACH: u64 = 25;
    let path = file("many");
    let shared = {
        // Half of the children find no file yet.
        let own: Vec<Child> = (0..3).map(|n| writer(&path, "", &format!("own{n}"), EACH)).collect();
        let mut store = Store::open(&path).unwrap();
        let shared = store.create(&About { title: Some("shared".to_owned()), ..About::default() }).unwrap();
        let together: Vec<Child> = (0..3).map(|n| writer(&path, shared.as_str(), &format!("s{n}"), EACH)).collect();
        for mut child in own.into_iter().chain(together) {
            let mut out = BufReader::new(child.stdout.take().unwrap());
            std::io::copy(&mut out, &mut std::io::sink()).unwrap();
            assert!(child.wait().unwrap().success());
        }
        shared
    };
    let store = Store::open(&path).unwrap();
    let sessions = store.sessions(10).unwrap();
    assert_eq!(sessions.len(), 4);
    assert_eq!(sessions.iter().map(|session| session.messages).sum::<u64>(), 6 * EACH);
    assert_eq!(stored(&store, &shared).len() as u64, 3 * EACH);
    // Each process has gone on from its own last message: nobody's words are between those of another.
    let leaves = store.leaves(&shared).unwrap();
    assert_eq!(leaves.len(), 3);
    for leaf in leaves {
        assert_eq!(store.path(&shared, leaf).unwrap().len() as u64, EACH);
    }
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}
