//! A plugin that was built from the header as version 1.0 had it keeps loading and working, and nobody changes that header.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use thalweg::Agent;
use thalweg::plugin::{LoadedPlugin, Loader, Registry};
use thalweg_abi::decode::{Decode, Events};
use thalweg_abi::host::{CancelToken, Error, ToolEvent};
use thalweg_abi::types::{
    E_CANCELLED, EVENT_ERROR, EVENT_STOP, EVENT_TEXT, FAILURE_MALFORMED, FRAME_EVENT, FrameRef, STOP_END,
};
use thalweg_tests::c;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/v1.0")
}

/// The plugin; each test compiles its own, which has its own state.
fn load(name: &str) -> LoadedPlugin {
    thalweg_extensions::offer();
    let source = folder().join("plugin.c");
    // The header beside the source goes before that of the include path.
    let path = c::shared_object(source.to_str().unwrap(), &format!("golden_{name}"), &["-std=c99", "-pedantic"]);
    Loader::new().load(&path).unwrap()
}

#[test]
fn the_frozen_files_are_what_they_were() {
    for (file, expected) in [
        ("thalweg_plugin.h", "ae23a30896f839b5d12358b2464c7aeb1d9fa08bd48c29ee2ef5c3149d99b4ec"),
        ("plugin.c", "6cb74dfcaa8805978a00f098e522c0542f1a9d5500e2a87c20e7d9ee3975367a"),
    ] {
        let bytes = std::fs::read(folder().join(file)).unwrap();
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            digest, expected,
            "golden/v1.0/{file} is frozen: a new version of the header has a folder of its own"
        );
    }
}

#[test]
fn manifest_of_a_golden_plugin_is_read_and_its_parts_are_found() {
    let loaded = load("manifest");
    let manifest = loaded.manifest();
    assert_eq!((manifest.id(), manifest.abi_major, manifest.abi_minor), ("test.golden", 1, 0));
    let plugin = loaded.plugin();
    assert!(plugin.codec().is_some() && plugin.provider().is_some() && plugin.tools().len() == 1);
}

#[test]
fn codec_of_a_golden_plugin_writes_requests_and_reads_replies() {
    let mut stream = load("codec").plugin().codec().unwrap().open("{}").unwrap();
    let message = r#"{"role":"user","content":[{"type":"text","text":"naïve \"words\""}]}"#;
    assert_eq!(stream.encode_message(message).unwrap(), r#""naïve \"words\"""#);
    let request = stream.encode_request("{}").unwrap();
    assert_eq!((request.method, request.path, &*request.headers), ("POST", "/golden", &[("x-golden", "1")][..]));
    assert_eq!([request.body_head, request.body_tail].concat(), r#"{"words":[]}"#);
    assert_eq!(stream.encode_message("{}").unwrap_err().to_string(), "plugin `test.golden`: no text");

    let texts: [&[u8]; 4] = [b"one", b"two", b"!", "drei ü".as_bytes()];
    let frames = texts.map(|text| FrameRef::new(FRAME_EVENT, text));
    for _ in 0..2 {
        let (mut next, mut told) = (0, Vec::new());
        while next < frames.len() {
            let mut events = Vec::new();
            stream.decode(&frames, &mut next, &mut Events::new(&mut events, 3)).unwrap();
            told.extend(events.iter().map(|event| (event.kind(), event.num(), event.text().to_vec())));
        }
        let mut events = Vec::new();
        stream.finish(&mut Events::new(&mut events, 3)).unwrap();
        told.extend(events.iter().map(|event| (event.kind(), event.num(), event.text().to_vec())));
        let text = |text: &str| (EVENT_TEXT, 0, text.as_bytes().to_vec());
        let wrong = (EVENT_ERROR, FAILURE_MALFORMED, b"a bad word".to_vec());
        let stop = (EVENT_STOP, STOP_END, b"end".to_vec());
        assert_eq!(told, [text("one"), text("two"), wrong, text("drei ü"), stop]);
        stream.reset();
    }
}

#[tokio::test]
async fn provider_of_a_golden_plugin_gives_the_replies_of_an_agent() {
    let mut registry = Registry::new();
    registry.add(load("provider")).unwrap();
    let agent = Agent::builder().model("golden/echo").plugins(&registry).build().unwrap();
    // More than may wait for its reader.
    let said = "echo ".repeat(20_000);
    let run = agent.prompt(said.as_str()).unwrap();
    let outcome = tokio::time::timeout(Duration::from_secs(20), run.finished()).await.unwrap();
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.message.unwrap().text(), said);
}

#[test]
fn tool_of_a_golden_plugin_answers_tells_its_progress_and_hears_a_cancel() {
    let loaded = load("tool");
    let tool = &loaded.plugin().tools()[0];
    assert_eq!((tool.name(), tool.is_blocking()), ("add", false));
    let call = |arguments: &str, cancel: &CancelToken| {
        let (sender, told) = mpsc::channel();
        let receiver = Box::new(move |event| sender.send(event).unwrap());
        let _running = tool.invoke("call_1", arguments, receiver, cancel);
        told
    };
    let told: Vec<_> = call(r#"{"a":391,"b":-1}"#, &CancelToken::new()).iter().collect();
    let progress = ToolEvent::Progress { text: "adding".into(), permille: Some(500) };
    assert_eq!(told, [progress, ToolEvent::Finished(Ok("390".into()))]);
    let told: Vec<_> = call("{}", &CancelToken::new()).iter().collect();
    let [ToolEvent::Finished(Err(error))] = &told[..] else { panic!("{told:?}") };
    assert_eq!(error.to_string(), "plugin `test.golden`: pass a and b");

    let cancel = CancelToken::new();
    let told = call(r#"{"wait":true}"#, &cancel);
    assert!(told.recv_timeout(Duration::from_millis(20)).is_err(), "it waits");
    cancel.cancel();
    match told.recv_timeout(Duration::from_secs(20)).unwrap() {
        ToolEvent::Finished(Err(Error::Failed { failure, .. })) => assert_eq!(failure.code, E_CANCELLED),
        other => panic!("{other:?}"),
    }
}
