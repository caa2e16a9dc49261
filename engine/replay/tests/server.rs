//! The server as a client sees it, byte by byte.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thalweg_replay::{Chunk, Exchange, Fault, Options, Pace, Recording, Server, builtin};

const PROMPT: &str = "What is the weather in Paris, and what is 17 * 23?";
const WEATHER_CALL: &str = "call_Kq7PariWeather0Zt3nVb8Lc";
const PRODUCT_CALL: &str = "call_Jm2Product1Xy6rTe9HdQsWu";

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    stream
}

fn ask(stream: &mut TcpStream, path: &str, body: &str) {
    let request = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).expect("sent");
}

/// Status, and the HTTP chunks of a reply that ends well.
fn reply(stream: &mut TcpStream) -> (u16, Vec<Vec<u8>>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while !bytes.ends_with(b"0\r\n\r\n") {
        let read = stream.read(&mut buffer).expect("more of the reply");
        assert_ne!(read, 0, "ended early: {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&buffer[..read]);
    }
    let head = find(&bytes, b"\r\n\r\n") + 4;
    let status = std::str::from_utf8(&bytes[9..12]).expect("a status").parse().expect("a number");
    let mut rest = &bytes[head..];
    let mut chunks = Vec::new();
    loop {
        let line = find(rest, b"\r\n");
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).expect("a size"), 16).expect("a size");
        if size == 0 {
            return (status, chunks);
        }
        chunks.push(rest[line + 2..line + 2 + size].to_vec());
        rest = &rest[line + 2 + size + 2..];
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).position(|window| window == needle).expect("found")
}

fn post(server: &Server, path: &str, body: &Value) -> (u16, String) {
    let mut stream = connect(server);
    ask(&mut stream, path, &body.to_string());
    let (status, chunks) = reply(&mut stream);
    (status, String::from_utf8(chunks.concat()).expect("UTF-8"))
}

fn chat(server: &Server, body: &Value) -> (u16, String) {
    post(server, "/v1/chat/completions", body)
}

fn message_of(body: &str) -> String {
    let body: Value = serde_json::from_str(body).expect("an error is JSON");
    body["error"]["message"].as_str().expect("a message").to_owned()
}

fn tools() -> Value {
    json!([{"type": "function", "function": {"name": "get_weather"}}, {"type": "function", "function": {"name": "calculate"}}])
}

fn second_request(weather: &str, product: &str) -> Value {
    json!({"model": "m", "tools": tools(), "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": PROMPT},
        {"role": "assistant", "content": "Let me look.", "tool_calls": [
            {"id": WEATHER_CALL, "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\":\"Paris\"}"}},
            {"id": PRODUCT_CALL, "type": "function", "function": {"name": "calculate", "arguments": "{ \"expression\": \"17 * 23\" }"}}]},
        {"role": "tool", "tool_call_id": WEATHER_CALL, "content": weather},
        {"role": "tool", "tool_call_id": PRODUCT_CALL, "content": product}]})
}

const WEATHER: &str =
    r#"{"city":"Paris","temperature":18,"unit":"C","conditions":"partly cloudy","source":"sample data"}"#;

#[test]
fn both_turns_are_played_chunk_by_chunk_and_byte_by_byte() {
    let server = Server::start(builtin(), Options::default()).expect("a server");
    let first =
        json!({"tools": tools(), "messages": [{"role": "user", "content": [{"type": "text", "text": PROMPT}]}]});
    let recording = &builtin()[0];
    let mut stream = connect(&server);
    for (exchange, body) in recording.exchanges.iter().zip([first, second_request(WEATHER, "391")]) {
        ask(&mut stream, "/v1/chat/completions", &body.to_string());
        let (status, chunks) = reply(&mut stream);
        assert_eq!(status, 200);
        let recorded: Vec<Vec<u8>> = exchange.chunks.iter().map(|chunk| chunk.bytes.clone()).collect();
        assert_eq!(chunks, recorded);
    }
    assert_eq!(server.connections().len(), 1, "both on one connection");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn the_anthropic_twin_wants_results_and_the_signature_of_the_thinking() {
    let server = Server::start(builtin(), Options::default()).expect("a server");
    let expect = builtin()[1].exchanges[1].request.expect.clone().expect("expectations");
    let request = |signature: &str| {
        json!({"tools": [{"name": "get_weather"}, {"name": "calculate"}], "messages": [
            {"role": "user", "content": PROMPT},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "…", "signature": signature},
                {"type": "tool_use", "id": expect.results[0].call_id, "name": "get_weather", "input": {"city": "Paris"}},
                {"type": "tool_use", "id": expect.results[1].call_id, "name": "calculate", "input": {"expression": "17 * 23"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": expect.results[0].call_id, "content": WEATHER},
                {"type": "tool_result", "tool_use_id": expect.results[1].call_id, "content": [{"type": "text", "text": "391"}]}]}]})
    };
    let (status, body) = post(&server, "/v1/messages", &request(&expect.signatures[0]));
    assert_eq!((status, body.contains("391")), (200, true), "{body}");
    let (status, body) = post(&server, "/v1/messages", &request("another"));
    assert_eq!(status, 400);
    assert!(message_of(&body).contains("thinking signatures sent back: expected"), "{body}");
}

#[test]
fn a_wrong_tool_result_is_answered_with_a_diff_by_call_id() {
    let server = Server::start(builtin(), Options::default()).expect("a server");
    let wrong = WEATHER.replace("18", "21");
    let (status, body) = chat(&server, &second_request(&wrong, "392"));
    assert_eq!(status, 400);
    let message = message_of(&body);
    assert!(message.starts_with("the request differs from exchange 2 of the recording weather-and-arithmetic:"));
    assert!(message.contains(&format!("result of {PRODUCT_CALL} (calculate): expected 391, got 392")), "{message}");
    assert!(
        message.contains(&format!("result of {WEATHER_CALL} (get_weather): expected {{\"at least\":")),
        "{message}"
    );
    let diff: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(diff["error"]["diff"][1]["got"], 392);
}

#[test]
fn a_missing_result_and_a_result_of_no_call_are_both_named() {
    let server = Server::start(builtin(), Options::default()).expect("a server");
    let mut request = second_request(WEATHER, "391");
    request["messages"][4]["tool_call_id"] = "call_invented".into();
    let (status, body) = chat(&server, &request);
    let message = message_of(&body);
    assert_eq!(status, 400);
    assert!(message.contains(&format!("call {PRODUCT_CALL} (calculate): expected \"one result\", got nothing")));
    assert!(message.contains("result of call_invented: expected"), "{message}");
}

#[test]
fn changed_arguments_and_tools_that_are_not_offered_are_named() {
    let server = Server::start(builtin(), Options::default()).expect("a server");
    let mut request = second_request(WEATHER, "391");
    request["messages"][2]["tool_calls"][0]["function"]["arguments"] = "{\"city\":\"Par\"}".into();
    request["tools"][1]["function"]["name"] = "other".into();
    let message = message_of(&chat(&server, &request).1);
    assert!(
        message.contains("tools offered: expected \"calculate among them\", got \"get_weather, other\""),
        "{message}"
    );
    assert!(message.contains(r#"expected {"city":"Paris"}, got {"city":"Par"}"#), "{message}");
}

#[test]
fn an_unknown_prompt_is_told_which_prompts_there_are() {
    let server = Server::start(builtin(), Options::default()).expect("a server");
    let (status, body) = chat(&server, &json!({"messages": [{"role": "user", "content": "What of Rome?"}]}));
    assert_eq!(status, 404);
    assert!(message_of(&body).contains(PROMPT), "{body}");
    assert!(!body.contains("\u{b0}C"), "never an answer about Paris");
    let (status, body) = post(&server, "/v2/x", &json!({}));
    assert_eq!(status, 404);
    assert!(message_of(&body).ends_with("recorded paths: /v1/chat/completions, /v1/messages"), "{body}");
}

#[test]
fn an_earlier_conversation_before_the_prompt_does_not_count_as_turns() {
    let server = Server::start(builtin(), Options::default()).expect("a server");
    let request = json!({"tools": tools(), "messages": [
        {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": PROMPT}]});
    assert_eq!(chat(&server, &request).0, 200);
}

#[test]
fn a_request_beyond_the_recording_and_one_that_is_not_json_are_refused() {
    let server = Server::start(builtin(), Options::default()).expect("a server");
    let mut request = second_request(WEATHER, "391");
    let messages = request["messages"].as_array_mut().expect("messages");
    messages.push(json!({"role": "assistant", "content": "It is 18 °C."}));
    let (status, body) = chat(&server, &request);
    assert_eq!(status, 400);
    assert!(message_of(&body).contains("has 2 exchanges and this is request 3"), "{body}");
    let mut stream = connect(&server);
    ask(&mut stream, "/v1/chat/completions", "not JSON");
    assert_eq!(reply(&mut stream).0, 400);
}

#[test]
fn a_request_body_in_chunks_is_read_too() {
    let server = Server::start(vec![one_reply(["fine"])], Options::in_order()).expect("a server");
    let mut stream = connect(&server);
    stream
        .write_all(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
        .expect("sent");
    assert_eq!(reply(&mut stream), (200, vec![b"fine".to_vec()]));
    assert_eq!(server.requests()[0].request.body, b"abcde");
}

#[test]
fn what_is_not_http_is_refused_and_the_server_goes_on() {
    let server = Server::start(vec![one_reply(["fine"])], Options::in_order()).expect("a server");
    let mut stream = connect(&server);
    stream.write_all(b"\x16\x03\x01 hello\r\n\r\n").expect("sent");
    assert_eq!(reply(&mut stream).0, 400);
    let mut stream = connect(&server);
    ask(&mut stream, "/", "");
    assert_eq!(reply(&mut stream).0, 200);
}

#[test]
fn chunks_come_at_the_recorded_pace_or_a_multiple_of_it() {
    let mut recording = one_reply(["a", "b"]);
    let exchange = &mut recording.exchanges[0];
    exchange.response.at_us = 20_000;
    exchange.chunks =
        vec![Chunk { at_us: 40_000, bytes: b"a".to_vec() }, Chunk { at_us: 400_000, bytes: b"b".to_vec() }];
    let took = |pace| {
        let server = Server::start(vec![recording.clone()], Options { pace, ..Options::in_order() }).expect("a server");
        let mut stream = connect(&server);
        let asked = Instant::now();
        ask(&mut stream, "/", "");
        assert_eq!(reply(&mut stream).1.len(), 2);
        asked.elapsed().as_millis()
    };
    assert!(took(Pace::Recorded) >= 400);
    let fast = took(Pace::Factor(4.0));
    assert!((100..400).contains(&fast), "{fast} ms");
    assert!(took(Pace::Max) < 400);
}

#[test]
fn a_cut_and_a_reset_both_hand_over_what_was_played_before() {
    for (fault, reset) in [(Fault::CutAfter(5), false), (Fault::ResetAfter(5), true)] {
        let server = Server::start(vec![one_reply(["abc", "def"])], Options::in_order().fault(0..1, fault));
        let server = server.expect("a server");
        let mut stream = connect(&server);
        ask(&mut stream, "/", "");
        let mut got = Vec::new();
        let end = stream.read_to_end(&mut got);
        assert_eq!(end.map_err(|error| error.kind()).err(), reset.then_some(ErrorKind::ConnectionReset));
        assert!(got.ends_with(b"3\r\nabc\r\n2\r\nde\r\n"), "{:?}", String::from_utf8_lossy(&got));
    }
}

#[test]
fn a_hang_stays_open_until_the_client_goes_and_its_end_is_seen() {
    let server = Server::start(vec![one_reply(["abc", "def"])], Options::in_order().fault(0..1, Fault::HangAfter(3)));
    let server = server.expect("a server");
    let mut stream = connect(&server);
    ask(&mut stream, "/", "");
    stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
    let mut got = Vec::new();
    assert_eq!(stream.read_to_end(&mut got).expect_err("no end").kind(), ErrorKind::WouldBlock);
    assert!(got.ends_with(b"3\r\nabc\r\n"));
    assert!(server.connections()[0].closed.is_none());
    drop(stream);
    let until = Instant::now() + Duration::from_secs(5);
    while server.connections()[0].closed.is_none() {
        assert!(Instant::now() < until, "the end was not seen");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_dropped_server_closes_its_connections_and_its_port() {
    let server =
        Server::start(vec![one_reply(["abc"])], Options::in_order().fault(0..1, Fault::NoAnswer)).expect("one");
    let mut stream = connect(&server);
    ask(&mut stream, "/", "");
    while server.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let address = server.address();
    drop(server);
    let mut got = Vec::new();
    // Closed or reset, but neither still open nor answered.
    if let Err(error) = stream.read_to_end(&mut got) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    assert!(got.is_empty());
    assert_eq!(TcpStream::connect(address).expect_err("closed").kind(), ErrorKind::ConnectionRefused);
}

fn one_reply<const N: usize>(pieces: [&str; N]) -> Recording {
    let mut recording = builtin().remove(0);
    recording.exchanges = vec![Exchange::of_chunks(pieces)];
    recording
}
