//! Plugins that were built from the header as an earlier version had it keep loading and working, and nobody changes those
//! headers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use thalweg::Agent;
use thalweg::plugin::{HttpGrant, LoadedPlugin, Loader, Registry, list_models};
use thalweg_abi::decode::{Decode, Events};
use thalweg_abi::host::{CancelToken, Error, Request, ToolEvent};
use thalweg_abi::types::{
    E_CANCELLED, EVENT_ERROR, EVENT_STOP, EVENT_TEXT, FAILURE_MALFORMED, FRAME_ERROR_BODY, FRAME_EVENT,
    FRAME_WHOLE_BODY, FrameRef, STOP_END, StreamEvent,
};
use thalweg_tests::c;

fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(version)
}

/// The plugin of version 1.0; each test compiles its own, which has its own state.
fn load(name: &str) -> LoadedPlugin {
    load_version("v1.0", name)
}

fn load_version(version: &str, name: &str) -> LoadedPlugin {
    let source = folder(version).join("plugin.c");
    // The header beside the source goes before that of the include path.
    let path = c::shared_object(source.to_str().unwrap(), &format!("golden_{name}"), &["-std=c99", "-pedantic"]);
    Loader::new().load(&path).unwrap()
}

#[test]
fn the_frozen_files_are_what_they_were() {
    for (version, file, expected) in [
        ("v1.0", "thalweg_plugin.h", "ae23a30896f839b5d12358b2464c7aeb1d9fa08bd48c29ee2ef5c3149d99b4ec"),
        ("v1.0", "plugin.c", "6cb74dfcaa8805978a00f098e522c0542f1a9d5500e2a87c20e7d9ee3975367a"),
        ("v1.1", "thalweg_plugin.h", "26b08e875f15e22b87d9621f9e4540859c59599a7b4362636a30fc2c0117380c"),
        ("v1.1", "plugin.c", "51922c738ab0577b2d07792b376cf413133afa8e97bbd8be3e3ba66b89f50b9c"),
    ] {
        let bytes = std::fs::read(folder(version).join(file)).unwrap();
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            digest, expected,
            "golden/{version}/{file} is frozen: a new version of the header has a folder of its own"
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

#[test]
fn models_of_a_golden_plugin_are_listed() {
    let loaded = load_version("v1.1", "models");
    assert_eq!((loaded.manifest().id(), loaded.manifest().abi_minor), ("test.golden11", 1));
    let models = list_models(&loaded.plugin().models().unwrap()).unwrap();
    let ids: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!((ids, models[0].context_tokens), (vec!["fetch", "other"], Some(9)));
}

#[test]
fn vectors_of_a_golden_plugin_are_asked_for_and_read() {
    let embed = load_version("v1.1", "embed").plugin().embed().unwrap();
    assert!(embed.describe().unwrap().contains(r#""dialect":"golden""#));
    let mut stream = embed.open("{}").unwrap();
    let request = stream.encode(r#"{"model":"m","texts":["a","b \"c\""]}"#).unwrap();
    assert_eq!((request.path, request.body_head), ("/vectors", r#"["a","b \"c\""]"#));
    let read = stream.decode(&FrameRef::new(FRAME_WHOLE_BODY, b"1 -2.5 3e1 4"), 2).unwrap();
    assert_eq!((read.values, read.dimensions, read.model), (&[1.0, -2.5, 30.0, 4.0][..], 2, "golden-1"));
    let error = stream.decode(&FrameRef::new(FRAME_ERROR_BODY, b"no").with_status(500), 2).unwrap_err();
    assert_eq!(error.to_string(), "plugin `test.golden11`: the server failed");
}

#[test]
fn a_golden_plugin_serves_its_dialect() {
    let serve = load_version("v1.1", "serve").plugin().serve().unwrap();
    let mut stream = serve.open("{}").unwrap();
    let request = Request { method: "POST", path: "/", headers: Vec::new(), body_head: "say \"hi\"", body_tail: "" };
    let canonical = stream.parse(&request).unwrap().to_owned();
    assert!(canonical.ends_with(r#""text":"say \"hi\""}]}]}"#), "{canonical}");
    let text = |text: &'static str| StreamEvent::new(EVENT_TEXT).with_text(text.as_bytes());
    assert_eq!(stream.encode(&[text("naïve"), StreamEvent::new(EVENT_STOP), text("x")]).unwrap(), "[naïve][x]");
    assert_eq!(stream.finish().unwrap(), "[]");
    let error = stream.parse(&Request { body_head: "", ..request }).unwrap_err();
    assert_eq!(error.to_string(), "plugin `test.golden11`: no body");
}

#[tokio::test]
async fn a_golden_provider_asks_a_server_by_the_engine() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = [0; 2048];
        let length = socket.read(&mut request).unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nfrom a place").unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let mut registry = Registry::new();
    registry.add(load_version("v1.1", "http")).unwrap();
    let agent = Agent::builder().model("golden11/fetch").plugins(&registry).build().unwrap();
    let run = agent.prompt(format!("{origin}/x")).unwrap();
    let refused = tokio::time::timeout(Duration::from_secs(20), run.finished()).await.unwrap();
    assert!(refused.error.unwrap().to_string().contains("may not ask"));
    HttpGrant::new("test.golden11", &origin).unwrap().give();
    let run = agent.prompt(format!("{origin}/x")).unwrap();
    let outcome = tokio::time::timeout(Duration::from_secs(20), run.finished()).await.unwrap();
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.message.unwrap().text(), "from a place");
    assert!(serving.join().unwrap().starts_with("GET /x HTTP/1.1\r\n"));
}
