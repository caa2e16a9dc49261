//! HTTP that plugins ask the engine for: only allowed hosts, keys that they never see, back-pressure, cancellation, misuse.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thalweg::plugin::{HttpGrant, Loader, Registry};
use thalweg::{Agent, AgentBuilder, Error, Outcome};
use thalweg_abi::host::{CancelToken, Host, Invocation, Plugin, ToolEvent};
use thalweg_tests::c;

/// A server whose `answer` writes the reply to a socket; tells the head and body of each request.
fn serve(answer: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (told, seen) = mpsc::channel();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for socket in listener.incoming() {
            let (told, answer) = (told.clone(), Arc::clone(&answer));
            thread::spawn(move || {
                let mut socket = BufReader::new(socket.unwrap());
                let (mut request, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    if socket.read_line(&mut line).unwrap_or(0) == 0 {
                        return;
                    }
                    if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    request.push_str(&line);
                    if line.trim().is_empty() {
                        break;
                    }
                }
                let mut body = vec![0; length];
                socket.read_exact(&mut body).unwrap();
                request.push_str(&String::from_utf8(body).unwrap());
                let _ = told.send(request);
                answer(socket.get_mut());
            });
        }
    });
    (origin, seen)
}

fn text(socket: &mut TcpStream, status: &str, body: &str) {
    let length = body.len();
    let _ = write!(
        socket,
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nx-mark: yes\r\nconnection: close\r\n\r\n{body}"
    );
}

fn fetching(fetch: Value) -> AgentBuilder {
    let script = json!({"replies": [{"fetch": fetch}]});
    Agent::builder().model("script/inline").link(thalweg_script::module()).extra("script", script)
}

fn allow(plugin: &str, origin: &str) {
    HttpGrant::new(plugin, origin).unwrap().give();
}

async fn outcome(agent: &Agent) -> Outcome {
    let run = agent.prompt("go").unwrap();
    tokio::time::timeout(Duration::from_secs(20), run.finished()).await.expect("every run ends")
}

fn said(outcome: Outcome) -> Result<String, String> {
    match outcome.error {
        None => Ok(outcome.message.unwrap().text()),
        Some(Error::Run { failure, .. }) => Err(failure.message),
        Some(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_plugin_says_what_a_server_gives_and_sends_what_it_is_told() {
    let (origin, seen) = serve(|socket| text(socket, "200 OK", "naïve words"));
    allow("thalweg.script", &origin);
    let url = format!("{origin}/some/path?q=1");
    let fetch = json!({"url": url, "body": "a body", "headers": {"x-own": "1"}});
    assert_eq!(said(outcome(&fetching(fetch).build().unwrap()).await), Ok("naïve words".into()));
    let request = seen.recv().unwrap();
    assert!(
        request.starts_with("POST /some/path?q=1 HTTP/1.1\r\n") && request.ends_with("\r\n\r\na body"),
        "{request}"
    );
    assert!(request.contains("x-own: 1\r\n") && !request.to_lowercase().contains("authorization"), "{request}");
    // The same from its file.
    let mut registry = Registry::new();
    registry.add(Loader::new().load_named("script").unwrap()).unwrap();
    let script = json!({"replies": [{"fetch": {"url": origin}}]});
    let agent = Agent::builder().model("script/inline").plugins(&registry).extra("script", script).build().unwrap();
    assert_eq!(said(outcome(&agent).await), Ok("naïve words".into()));
    assert!(seen.recv().unwrap().starts_with("GET / HTTP/1.1\r\n"));
}

#[tokio::test]
async fn what_the_user_did_not_allow_is_not_asked() {
    let (origin, seen) = serve(|socket| text(socket, "200 OK", "secret"));
    allow("another.plugin", &origin);
    let (other, _) = serve(|_| ());
    allow("thalweg.script", &other);
    let message = said(outcome(&fetching(json!({"url": format!("{origin}/x")})).build().unwrap()).await).unwrap_err();
    let expected = format!("it may not ask {origin}; allow it with --allow-http thalweg.script={origin}");
    assert!(message.ends_with(&expected), "{message}");
    assert!(seen.try_recv().is_err(), "nothing was sent");
    for (origin, word) in [("http://api.example.com", "not https"), ("ftp://x", ""), ("example.com", "")] {
        let error = HttpGrant::new("x", origin).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[tokio::test]
async fn a_key_goes_only_where_the_user_names_it_and_the_plugin_never_holds_it() {
    // Any variable that is set will do: this one is, whenever cargo runs a test.
    let (variable, value) = ("CARGO_MANIFEST_DIR", std::env::var("CARGO_MANIFEST_DIR").unwrap());
    let (origin, seen) = serve(|socket| text(socket, "200 OK", "ok"));
    allow("thalweg.script", &origin);
    let asked = |fetch: Value| async move { said(outcome(&fetching(fetch).build().unwrap()).await) };
    let refused = asked(json!({"url": origin, "key": variable})).await.unwrap_err();
    let expected = "neither the table of providers nor the user lets CARGO_MANIFEST_DIR go to 127.0.0.1";
    assert!(refused.ends_with(expected), "{refused}");
    assert!(!refused.contains(&value) && seen.try_recv().is_err());
    // A key of the table goes to its own hosts, and this is none of them.
    let refused = asked(json!({"url": origin, "key": "OPENAI_API_KEY"})).await.unwrap_err();
    assert!(refused.contains("lets OPENAI_API_KEY go to 127.0.0.1"), "{refused}");

    HttpGrant::new("thalweg.script", &origin).unwrap().with_key(variable).with_key("THALWEG_NO_SUCH_KEY").give();
    assert_eq!(asked(json!({"url": origin, "key": variable})).await, Ok("ok".into()));
    assert!(seen.recv().unwrap().contains(&format!("authorization: Bearer {value}\r\n")));
    assert_eq!(asked(json!({"url": origin, "key": variable, "key_header": "x-api-key"})).await, Ok("ok".into()));
    assert!(seen.recv().unwrap().contains(&format!("x-api-key: {value}\r\n")));
    let unset = asked(json!({"url": origin, "key": "THALWEG_NO_SUCH_KEY"})).await.unwrap_err();
    assert!(unset.ends_with("THALWEG_NO_SUCH_KEY is not set"), "{unset}");
    for header in ["Host", "content-length", "Transfer-Encoding"] {
        let own = asked(json!({"url": origin, "headers": {header: "x"}})).await.unwrap_err();
        assert!(own.ends_with(&format!("the header `{header}` is the engine's own")), "{own}");
    }
}

#[tokio::test]
async fn errors_of_servers_and_connections_are_told() {
    let (origin, _seen) = serve(|socket| text(socket, "503 Busy", "later"));
    let (cut, _seen_cut) = serve(|socket| {
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nso far");
    });
    let closed = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    for origin in [&origin, &cut, &closed] {
        allow("thalweg.script", origin);
    }
    for (origin, word) in [(&origin, "HTTP 503 from "), (&cut, "before the reply was complete"), (&closed, "connect")] {
        let message = said(outcome(&fetching(json!({"url": origin})).build().unwrap()).await).unwrap_err();
        assert!(message.contains(word), "{word}: {message}");
    }
}

#[tokio::test]
async fn a_slow_reader_slows_the_server_down_and_nothing_is_lost() {
    const TOTAL: usize = 24 << 20;
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let (origin, _seen) = serve(move |socket| {
        let _ = write!(socket, "HTTP/1.1 200 OK\r\ncontent-length: {TOTAL}\r\n\r\n");
        let chunk = [b'x'; 1 << 16];
        for _ in 0..TOTAL / chunk.len() {
            if socket.write_all(&chunk).is_err() {
                return;
            }
            counter.fetch_add(chunk.len(), Ordering::Relaxed);
        }
    });
    allow("thalweg.script", &origin);
    let plugin = Plugin::start(&thalweg_script::module(), Host::silent()).unwrap();
    let (mut reply, start) = plugin.provider().unwrap().reply(&CancelToken::new());
    let script = json!({"replies": [{"fetch": {"url": origin}}]});
    let request = json!({"model": "inline", "extra": {"script": script}, "messages": []}).to_string();
    thread::spawn(move || start.run(&request));
    // Nobody reads: what is under way fits in a few buffers.
    let mut ahead = (usize::MAX, 0);
    while ahead.0 != ahead.1 || ahead.1 == 0 {
        thread::sleep(Duration::from_millis(200));
        ahead = (ahead.1, sent.load(Ordering::Relaxed));
    }
    assert!(ahead.1 < TOTAL * 2 / 3, "{} bytes were sent to nobody", ahead.1);
    let mut got = 0;
    while let Some(batch) = reply.next().await.unwrap() {
        got += batch
            .iter()
            .filter(|event| event.kind() == thalweg_abi::types::EVENT_TEXT)
            .map(|event| event.text().len())
            .sum::<usize>();
    }
    assert_eq!(got, TOTAL);
}

#[tokio::test]
async fn a_cancelled_run_closes_the_connection() {
    let (closed, told) = mpsc::channel();
    let closed = Mutex::new(closed);
    let (origin, seen) = serve(move |socket| {
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
        // The next read ends when the other side closes.
        let _ = socket.read(&mut [0; 16]);
        let _ = closed.lock().unwrap().send(());
    });
    allow("thalweg.script", &origin);
    let agent = fetching(json!({"url": origin})).build().unwrap();
    let run = agent.prompt("go").unwrap();
    let mut words = run.text();
    assert_eq!(tokio::time::timeout(Duration::from_secs(20), words.next()).await.unwrap().as_deref(), Some("abc"));
    run.abort();
    seen.recv().unwrap();
    tokio::task::spawn_blocking(move || told.recv_timeout(Duration::from_secs(20)).expect("it is closed"))
        .await
        .unwrap();
}

fn call(plugin: &Plugin, arguments: &str) -> (Invocation, Receiver<ToolEvent>) {
    let (sender, told) = mpsc::channel();
    let receiver = Box::new(move |event| drop(sender.send(event)));
    let tool = plugin.tools().into_iter().find(|tool| tool.name() == "fetch").unwrap();
    (tool.invoke("call_1", arguments, receiver, &CancelToken::new()), told)
}

fn finished(told: &Receiver<ToolEvent>) -> String {
    match told.recv_timeout(Duration::from_secs(20)).expect("every call ends") {
        ToolEvent::Finished(Ok(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_plugin_in_c_reads_a_reply_and_every_misuse_is_refused() {
    let (origin, _seen) = serve(|socket| text(socket, "200 OK", &"0123456789".repeat(100_000)));
    allow("test.fetch", &origin);
    let loaded = Loader::new().load(&c::shared_object("fetch.c", "fetch", &[])).unwrap();
    let plugin = loaded.plugin();
    let ask = |mode: &str| finished(&call(plugin, &format!("{mode} {origin}")).1);
    assert_eq!(ask("good"), "head 200 yes;body 1000000;end 0;");
    // With a wait behind each piece, resumed by another thread or by the piece itself.
    assert_eq!(ask("slow"), "head 200 yes;body 1000000;end 0;");
    assert_eq!(ask("eager"), "head 200 yes;body 1000000;end 0;");
    assert_eq!(ask("no_head"), "body 1000000;end 0;");
    assert_eq!(ask("stop_in_head"), "head 200 yes;end -5;");
    assert_eq!(ask("stop_in_body"), "head 200 yes;end -5;");
    assert_eq!(ask("abort"), "head 200 yes;end -5;");
    assert_eq!(ask("abort_twice"), "head 200 yes;end -5;late -12 -12;");
    for mode in [
        "null_request",
        "small_request",
        "null_receiver",
        "small_receiver",
        "no_body",
        "no_end",
        "null_exchange",
        "null_url",
        "huge_url",
        "not_utf8",
        "null_headers",
        "many_headers",
        "bad_method",
        "bad_header",
        "bad_url",
    ] {
        assert!(["refused -1;", "refused -8;"].contains(&&*ask(mode)), "{mode}: {}", ask(mode));
    }
    assert_eq!(ask("wrong_call"), "refused -12;");
    let other = finished(&call(plugin, "good https://api.example.com/").1);
    assert_eq!(other, "refused -8;");
}

#[test]
fn an_exchange_ends_with_its_call() {
    let (origin, _seen) = serve(|socket| {
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
        thread::sleep(Duration::from_secs(30));
    });
    allow("test.fetch", &origin);
    let loaded = Loader::new().load(&c::shared_object("fetch.c", "fetch_end", &[])).unwrap();
    let (_running, told) = call(loaded.plugin(), &format!("finish_early {origin}"));
    assert_eq!(finished(&told), "left");
    let since = Instant::now();
    loop {
        let (_running, told) = call(loaded.plugin(), "report");
        let report = finished(&told);
        if report.contains("end -5;") {
            break;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "{report}");
        thread::sleep(Duration::from_millis(5));
    }
}
