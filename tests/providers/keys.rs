//! Keys that a function gives, request by request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use thalweg::KeySource;
use thalweg::failure::FailureKind;
use thalweg_replay::{Fault, Options};

use crate::support::{builder, call_reply, failure, header, server, text_reply};

#[tokio::test]
async fn each_request_asks_for_its_key_and_sends_it() {
    let server = server(vec![call_reply("c1", "nosuch", "{}"), text_reply(&["done"])], Options::in_order());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let keys = KeySource::new(move |provider| {
        let (count, provider) = (Arc::clone(&count), provider.to_owned());
        async move {
            tokio::task::yield_now().await;
            assert!(provider.starts_with("http://127.0.0.1"), "{provider}");
            Ok(Some(format!("sk-number-{}", count.fetch_add(1, Ordering::SeqCst))))
        }
    });
    let agent = builder(&server).key_source(keys).build().unwrap();
    let outcome = agent.prompt("go").unwrap().finished().await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(header(&server, 0, "authorization").as_deref(), Some("Bearer sk-number-0"));
    assert_eq!(header(&server, 1, "authorization").as_deref(), Some("Bearer sk-number-1"));
    assert!(!format!("{agent:?}").contains("sk-number"));
}

#[tokio::test]
async fn a_function_that_gives_no_key_leaves_the_one_that_there_is() {
    let server = server(vec![text_reply(&["done"])], Options::in_order());
    let agent = builder(&server).api_key("sk-fixed").key_source(KeySource::sync(|_| Ok(None))).build().unwrap();
    agent.prompt("go").unwrap().message().await.unwrap();
    assert_eq!(header(&server, 0, "authorization").as_deref(), Some("Bearer sk-fixed"));
}

#[tokio::test]
async fn without_any_key_or_with_an_error_nothing_is_sent_and_the_failure_says_why() {
    for (keys, says) in [
        (KeySource::sync(|_| Ok(None)), "gave none"),
        (KeySource::sync(|_| Ok(Some("  ".to_owned()))), "gave none"),
        (KeySource::sync(|_| Err("the vault is locked".to_owned())), "the vault is locked"),
    ] {
        let server = server(vec![text_reply(&["never"])], Options::in_order());
        let outcome = builder(&server).key_source(keys).build().unwrap().prompt("go").unwrap().finished().await;
        let (kind, message) = failure(outcome.error.as_ref().unwrap());
        assert!(kind == FailureKind::Auth && message.contains(says), "{kind:?} {message}");
        assert!(server.requests().is_empty());
    }
}

#[tokio::test]
async fn a_key_that_is_asked_for_does_not_go_in_the_clear_to_other_machines_either() {
    let keys = KeySource::sync(|_| Ok(Some("sk-1".to_owned())));
    let builder = thalweg::Agent::builder().model("m").base_url("http://api.example.com/v1");
    let error = builder.link(thalweg_openai::module()).key_source(keys).build().unwrap_err().to_string();
    assert!(error.contains("api.example.com"), "{error}");
}

#[tokio::test]
async fn a_key_is_not_in_the_failure_of_a_server_that_refuses_it() {
    let refused = Fault::status(401, r#"{"error":{"message":"no such key","type":"authentication_error"}}"#);
    let server = server(vec![text_reply(&["never"])], Options::in_order().fault(0..9, refused));
    let keys = KeySource::sync(|_| Ok(Some("sk-secret-number".to_owned())));
    let outcome = builder(&server).key_source(keys).build().unwrap().prompt("go").unwrap().finished().await;
    assert!(!format!("{outcome:?}").contains("sk-secret-number"));
    assert_eq!(failure(outcome.error.as_ref().unwrap()).0, FailureKind::Auth);
}
