//! Messages found by what they mean.

use std::time::{Duration, Instant};

use thalweg_agent::message::Message;
use thalweg_session::{About, Error, SessionId, Store};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A store with two sessions, whose messages are the given texts.
fn store(one: &[&str], other: &[&str]) -> Result<(Store, [SessionId; 2]), Error> {
    let mut store = Store::in_memory()?;
    let sessions = [store.create(&About::default())?, store.create(&About::default())?];
    for (session, texts) in sessions.iter().zip([one, other]) {
        let mut parent = None;
        for text in texts {
            parent = Some(store.append(session, parent, &Message::user(*text))?);
        }
    }
    Ok((store, sessions))
}

#[test]
fn the_nearest_come_first_of_one_session_or_of_all() -> Outcome {
    let (mut store, [one, other]) = store(&["east", "north", "north-east"], &["west", "east again"])?;
    let vectors: [(&SessionId, u64, &[f32]); 5] = [
        (&one, 1, &[2.0, 0.0]),
        (&one, 2, &[0.0, 0.1]),
        (&one, 3, &[1.0, 1.0]),
        (&other, 1, &[-3.0, 0.0]),
        (&other, 2, &[9.0, 0.0]),
    ];
    store.put_vectors("m", vectors)?;
    let texts = |store: &mut Store, query: &[f32], session, limit| {
        let near = store.nearest("m", query, session, limit).expect("readable");
        assert!(near.is_sorted_by(|one, other| one.similarity >= other.similarity));
        near.into_iter().map(|near| near.text).collect::<Vec<_>>()
    };
    type Case<'a> = (&'a [f32], Option<&'a SessionId>, usize, &'a [&'a str]);
    let cases: [Case<'_>; 6] = [
        (&[1.0, 0.0], None, 9, &["east", "east again", "north-east", "north", "west"]),
        (&[1.0, 0.0], None, 2, &["east", "east again"]),
        (&[1.0, 0.0], Some(&other), 9, &["east again", "west"]),
        (&[0.0, 5.0], Some(&one), 2, &["north", "north-east"]),
        (&[-0.1, 0.0], None, 1, &["west"]),
        (&[1.0, 0.0], None, 0, &[]),
    ];
    for (query, session, limit, expected) in cases {
        assert_eq!(texts(&mut store, query, session, limit), expected, "{query:?} {limit}");
    }
    let near = store.nearest("m", &[7.0, 7.0], None, 1)?;
    assert!((near[0].similarity - 1.0).abs() < 1e-6 && near[0].session == one && near[0].role == "user", "{near:?}");
    assert!(store.nearest("another model", &[1.0], None, 9)?.is_empty());
    Ok(())
}

#[test]
fn what_has_no_vector_yet_is_told_by_model() -> Outcome {
    let (mut store, [one, other]) = store(&["a", "b"], &["c", ""])?;
    let missing = |store: &mut Store, model, session, limit| {
        let missing = store.without_vectors(model, session, limit).expect("readable");
        missing.into_iter().map(|without| without.text).collect::<Vec<_>>()
    };
    assert_eq!(missing(&mut store, "m", None, 9), ["a", "b", "c"], "an empty text needs none");
    store.put_vectors("m", [(&one, 1, &[1.0_f32][..])])?;
    assert_eq!(missing(&mut store, "m", None, 9), ["b", "c"]);
    assert_eq!(missing(&mut store, "m", None, 1), ["b"]);
    assert_eq!(missing(&mut store, "m", Some(&other), 9), ["c"]);
    assert_eq!(missing(&mut store, "n", Some(&one), 9), ["a", "b"]);
    Ok(())
}

#[test]
fn wrong_vectors_are_refused_as_a_whole_and_a_later_one_replaces() -> Outcome {
    let (mut store, [one, _]) = store(&["a", "b"], &[])?;
    let cases: [(&[f32], &str); 5] = [
        (&[], "0 numbers"),
        (&[0.0, 0.0], "no direction"),
        (&[f32::NAN, 1.0], "no direction"),
        (&[f32::INFINITY, 1.0], "no direction"),
        (&[1.0, 2.0, 3.0], "3 numbers, and it takes 2"),
    ];
    for (vector, expected) in cases {
        let refused = store.put_vectors("m", [(&one, 1, &[1.0, 0.0][..]), (&one, 2, vector)]);
        assert!(refused.expect_err(expected).to_string().contains(expected));
        assert!(store.nearest("m", &[1.0, 0.0], None, 9)?.is_empty(), "all or none: {expected}");
    }
    assert!(matches!(store.put_vectors("m", [(&one, 7, &[1.0_f32][..])]), Err(Error::NoMessage { message: 7, .. })));
    store.put_vectors("m", [(&one, 1, &[1.0, 0.0][..])])?;
    assert!(matches!(store.put_vectors("m", [(&one, 2, &[1.0][..])]), Err(Error::Vector { numbers: 1, expected: 2 })));
    assert!(matches!(store.nearest("m", &[1.0], None, 9), Err(Error::Vector { numbers: 1, expected: 2 })));
    store.put_vectors("m", [(&one, 1, &[0.0, 1.0][..])])?;
    let near = store.nearest("m", &[0.0, 1.0], None, 9)?;
    assert_eq!((near.len(), near[0].similarity), (1, 1.0));
    Ok(())
}

#[test]
fn vectors_go_with_their_session() -> Outcome {
    let (mut store, [one, other]) = store(&["a"], &["b"])?;
    store.put_vectors("m", [(&one, 1, &[1.0_f32][..]), (&other, 1, &[1.0][..])])?;
    store.delete(&one)?;
    let near = store.nearest("m", &[1.0], None, 9)?;
    assert_eq!(near.iter().map(|near| near.text.as_str()).collect::<Vec<_>>(), ["b"]);
    Ok(())
}

#[test]
fn words_are_found_within_one_session() -> Outcome {
    let (store, [one, other]) = store(&["blue sky", "red"], &["blue sea"])?;
    let found = |session, words| store.search_within(session, words, 9).map(|hits| hits.len());
    assert_eq!((found(None, "blue")?, found(Some(&one), "blue")?, found(Some(&other), "red")?), (2, 1, 0));
    Ok(())
}

/// How long a search takes: `cargo test --release -p thalweg-session --test vectors -- --ignored --nocapture`.
#[test]
#[ignore = "measures, which takes a while"]
fn a_search_among_a_hundred_thousand_is_measured() -> Outcome {
    let folder = std::env::temp_dir().join(format!("thalweg-vectors-{}", std::process::id()));
    let mut lines = r#"{"type":"session","version":1,"id":"00000001","created_us":1}"#.to_owned();
    for id in 1..=MANY {
        let content = r#"[{"type":"text","text":"said"}]"#;
        lines += &format!(
            "\n{{\"type\":\"message\",\"id\":{id},\"time_us\":1,\"message\":{{\"role\":\"user\",\"content\":{content}}}}}"
        );
    }
    for numbers in [384, 1536] {
        let mut store = Store::open(&folder.join(format!("{numbers}.db")))?;
        let session = store.import_lines(&lines)?.remove(0);
        let mut state = 1_u32;
        let mut vector = || -> Vec<f32> {
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            };
            (0..numbers).map(|_| next()).collect()
        };
        let vectors: Vec<Vec<f32>> = (0..MANY).map(|_| vector()).collect();
        store.put_vectors("m", (1..).zip(&vectors).map(|(message, vector)| (&session, message, &vector[..])))?;
        let mut best = Duration::MAX;
        for at in [0, 50_000, 99_999] {
            let started = Instant::now();
            let near = store.nearest("m", &vectors[at], None, 10)?;
            best = best.min(started.elapsed());
            assert_eq!((near.len(), near[0].message), (10, at as u64 + 1));
        }
        println!("{MANY} vectors of {numbers} numbers: {best:?} a search");
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

const MANY: u64 = 100_000;
