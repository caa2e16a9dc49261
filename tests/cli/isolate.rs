//! Plugins in processes of their own: what crashes, hangs or takes all memory ends its own run, and the engine lives on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use thalweg::open_pipeline;
use thalweg::plugin::{Isolation, LoadedPlugin, Loader};
use thalweg_abi::host::{CancelToken, Plugin, Reply, ToolEvent};
use thalweg_abi::types::{EVENT_TEXT, FRAME_WHOLE_BODY, FrameRef, StreamEvent};
use thalweg_wire::limits::Limits;

use crate::harness::{Place, binary, compile_c, create_folder, plugin_path, repository, serve_once, stderr, stdout};

/// The plugin that obeys, in a folder of its own.
struct Trap {
    place: Place,
}

impl Trap {
    fn new() -> Self {
        let place = Place::new();
        compile_c(&repository().join("tests/cli/trap.c"), &place.file("trap.so"));
        Self { place }
    }

    fn file(&self) -> PathBuf {
        self.place.file("trap.so")
    }

    /// The plugin with short limits.
    fn start(&self) -> LoadedPlugin {
        self.start_with(Duration::from_secs(2))
    }

    /// As [`Trap::start`], with another limit on silence.
    fn start_with(&self, silence: Duration) -> LoadedPlugin {
        let limits = isolation()
            .with_silence(silence)
            .with_cancel(Duration::from_secs(1))
            .with_codec(Duration::from_secs(2))
            .with_memory(128 << 20);
        load(&self.file(), &limits)
    }
}

fn isolation() -> Isolation {
    Isolation::new(binary(), ["plugin-host"])
}

fn load(file: &Path, isolation: &Isolation) -> LoadedPlugin {
    Loader::new().allow(file).load_isolated(file, isolation).expect("it starts")
}

/// What the tool answers, or why it does not.
fn obey(plugin: &Plugin, what: &str, cancel: &CancelToken) -> Result<String, String> {
    let tools = plugin.tools();
    let tool = tools.iter().find(|tool| tool.name() == "obey").expect("it is there");
    let (told, events) = mpsc::channel();
    tool.invoke(
        "id",
        &format!("{{\"what\":\"{what}\"}}"),
        Box::new(move |event| told.send(event).expect("heard")),
        cancel,
    );
    match events.iter().find_map(|event| if let ToolEvent::Finished(result) = event { Some(result) } else { None }) {
        Some(result) => result.map_err(|error| error.to_string()),
        None => panic!("no end"),
    }
}

fn tell(plugin: &Plugin, what: &str) -> Result<String, String> {
    obey(plugin, what, &CancelToken::new())
}

#[test]
fn a_tool_in_a_process_of_its_own_answers_and_ends_with_its_plugin() {
    let trap = Trap::new();
    let loaded = trap.start();
    let plugin = loaded.plugin();
    assert_eq!((plugin.id(), plugin.manifest().version()), ("example.trap", "1.0.0"));
    let process: u32 = tell(plugin, "").expect("answered").parse().expect("a number");
    assert_ne!(process, std::process::id());
    assert_eq!(tell(plugin, "").expect("answered"), process.to_string(), "the process stays");
    let failed = tell(plugin, "do fail").expect_err("it fails");
    assert!(failed.contains("example.trap"), "{failed}");
    drop(loaded);
    let gone = Instant::now() + Duration::from_secs(5);
    while Path::new(&format!("/proc/{process}")).exists() {
        assert!(Instant::now() < gone, "the process outlives the plugin");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_crashes_ends_its_own_call_and_is_started_again_three_times_at_most() {
    let trap = Trap::new();
    let loaded = trap.start();
    let plugin = loaded.plugin();
    let first = tell(plugin, "").expect("answered");
    for (what, word) in
        [("do crash", "signal 11 (segmentation fault)"), ("do exit", "exit code 3"), ("do abort", "signal 6 (abort)")]
    {
        let failed = tell(plugin, what).expect_err("it crashes");
        assert!(failed.contains("example.trap") && failed.contains(word), "{what}: {failed}");
        if what != "do abort" {
            let next = tell(plugin, "").expect("it is there again");
            assert_ne!(next, first, "in another process");
        }
    }
    let refused = tell(plugin, "").expect_err("it fell three times");
    assert!(refused.contains("quarantine") && refused.contains("example.trap"), "{refused}");
}

#[test]
fn what_hangs_or_ignores_a_cancel_is_ended() {
    let trap = Trap::new();
    let loaded = trap.start();
    let started = Instant::now();
    let failed = tell(loaded.plugin(), "do hang").expect_err("it hangs");
    assert!(failed.contains("said nothing for 2000 ms and was ended"), "{failed}");
    let cancel = CancelToken::new();
    let token = cancel.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        token.cancel();
    });
    let failed = obey(loaded.plugin(), "do hang", &cancel).expect_err("it hangs");
    assert!(failed.contains("within 1000 ms of a cancel"), "{failed}");
    assert!(tell(loaded.plugin(), "").is_ok(), "it is there again");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn what_takes_all_memory_takes_none_of_the_engines() {
    let trap = Trap::new();
    // On a busy machine it takes its time to take so much.
    let loaded = trap.start_with(Duration::from_secs(60));
    let failed = tell(loaded.plugin(), "do leak").expect_err("its memory is limited");
    assert!(failed.contains("crashed with signal"), "{failed}");
    assert!(tell(loaded.plugin(), "").is_ok(), "it is there again");
}

/// All texts of a reply, and why it ended otherwise than it should.
fn read(mut reply: Reply) -> (String, Result<(), String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let mut text = String::new();
        loop {
            match reply.next().await {
                Ok(Some(batch)) => {
                    for event in batch.iter().filter(|event| event.kind() == EVENT_TEXT) {
                        text.push_str(std::str::from_utf8(event.text()).expect("checked"));
                    }
                }
                Ok(None) => return (text, Ok(())),
                Err(error) => return (text, Err(error.to_string())),
            }
        }
    })
}

fn reply(plugin: &Plugin, what: &str) -> (String, Result<(), String>) {
    let request = format!(
        r#"{{"model":"obedient","messages":[{{"role":"user","content":[{{"type":"text","text":"{what}"}}]}}]}}"#
    );
    let (reply, start) = plugin.provider().expect("it has one").reply(&CancelToken::new());
    let starting = std::thread::spawn(move || start.run(&request));
    let read = read(reply);
    starting.join().expect("no panic");
    read
}

#[test]
fn a_provider_in_a_process_of_its_own_says_all_in_order_and_ends_where_it_crashes() {
    let trap = Trap::new();
    let loaded = trap.start();
    let (text, ended) = reply(loaded.plugin(), "do many");
    let expected: String = (0..20_000).map(|number| format!("{number} ")).collect();
    assert_eq!((text, ended), (format!("first {expected}"), Ok(())));
    let (text, ended) = reply(loaded.plugin(), "do crash");
    let error = ended.expect_err("it crashes");
    assert!(error.contains("signal 11") && error.contains("example.trap"), "{error}");
    assert!(text.is_empty() || text == "first ", "{text}");
    let (_, ended) = reply(loaded.plugin(), "do hang");
    assert!(ended.expect_err("it hangs").contains("said nothing for 2000 ms"));
    assert_eq!(reply(loaded.plugin(), "hi"), ("first ".to_owned(), Ok(())));
}

#[test]
fn a_codec_in_a_process_of_its_own_reads_what_it_reads_in_this_one() {
    let recordings = thalweg_replay::builtin();
    let mut count = 0;
    for (name, dialect) in [("openai", "openai-chat"), ("anthropic", "anthropic")] {
        let file = plugin_path(name);
        let near = Loader::new().allow(&file).load(&file).expect("it loads");
        let far = load(&file, &isolation());
        for recording in recordings.iter().filter(|recording| recording.dialect == dialect) {
            for exchange in &recording.exchanges {
                let body = exchange.body();
                for size in [1, 7, 1_000, body.len()] {
                    let events = |plugin: &Plugin| {
                        let codec = plugin.codec().expect("it has one");
                        let mut pipeline = open_pipeline(&codec, "{}", Limits::default()).expect("opened");
                        let mut events = Vec::new();
                        let mut sink = |batch: &[StreamEvent<'_>]| {
                            events.extend(batch.iter().map(|event| format!("{event:?}")));
                        };
                        for chunk in body.chunks(size.max(1)) {
                            pipeline.feed(chunk, &mut sink).expect("read");
                        }
                        pipeline.finish(&mut sink).expect("read");
                        (events, pipeline.counters().template_hits)
                    };
                    let (expected, hits) = events(near.plugin());
                    assert_eq!(events(far.plugin()), (expected.clone(), hits), "{dialect}, chunks of {size}");
                    count += expected.len();
                }
            }
        }
    }
    assert!(count > 100, "{count} events");
}

#[test]
fn models_and_vectors_of_a_process_of_its_own_are_those_of_this_one() {
    let (mut lists, mut vectors) = (0, 0);
    for name in ["openai", "eliza_c", "script"] {
        let file = plugin_path(name);
        let near = Loader::new().allow(&file).load(&file).expect("it loads");
        let far = load(&file, &isolation());
        let plugins = [near.plugin(), far.plugin()];
        let [here, there] = plugins.map(|plugin| plugin.models().map(|models| models.list()));
        assert_eq!(here, there, "{name}");
        lists += usize::from(here.is_some());
        let [here, there] = plugins.map(|plugin| {
            plugin.embed().map(|embed| {
                let mut stream = embed.open("{}").expect("opened");
                let request = stream.encode(r#"{"model":"m","texts":["a","b"]}"#).map(|request| format!("{request:?}"));
                let body = br#"{"model":"m","data":[{"index":0,"embedding":[0.5,1]},{"index":1,"embedding":[2,-3]}]}"#;
                let read = stream.decode(&FrameRef::new(FRAME_WHOLE_BODY, body), 2).map(|read| format!("{read:?}"));
                let short = stream.decode(&FrameRef::new(FRAME_WHOLE_BODY, b"{"), 2).map(|read| format!("{read:?}"));
                (embed.describe(), request, read, short)
            })
        });
        assert_eq!(here, there, "{name}");
        if let Some((_, request, read, short)) = here {
            assert!(request.is_ok() && read.is_ok() && short.is_err(), "{name}: {request:?} {read:?} {short:?}");
            vectors += 1;
        }
    }
    assert!(lists > 0 && vectors > 0, "{lists} lists, {vectors} vectors");
}

#[test]
fn a_codec_that_crashes_ends_its_reply_and_the_conversation_goes_on_in_another_process() {
    let trap = Trap::new();
    let loaded = trap.start();
    let codec = loaded.plugin().codec().expect("it has one");
    let mut pipeline = open_pipeline(&codec, "{}", Limits::default()).expect("opened");
    let remembered = |pipeline: &mut thalweg_wire::pipeline::Pipeline<thalweg_abi::host::CodecStream>| {
        pipeline.decoder_mut().encode_request("{}").map(|request| request.body_head.to_owned())
    };
    pipeline.decoder_mut().encode_message("{\"role\":\"user\"}").expect("encoded");
    for (line, word) in [("do crash", "signal 11"), ("do hang", "said nothing for 2000 ms")] {
        let mut text = String::new();
        let mut sink = |batch: &[StreamEvent<'_>]| {
            batch.iter().for_each(|event| text.push_str(std::str::from_utf8(event.text()).expect("checked")));
        };
        let fed = pipeline.feed(b"{\"text\":\"so \"}\n{\"text\":\"far\"}\n", &mut sink);
        fed.expect("read");
        let failed = pipeline.feed(format!("{{\"text\":\"{line}\"}}\n").as_bytes(), &mut sink).expect_err("it is gone");
        assert!(failed.to_string().contains(word) && failed.to_string().contains("example.trap"), "{failed}");
        assert_eq!(text, "so far");
        pipeline.reset();
        let head = remembered(&mut pipeline).expect("it is there again");
        assert_eq!(head, "{\"remembered\":1,\"messages\":[", "what was encoded is known to the new process");
    }
    let refused = codec.open("{\"do crash\":1}").expect_err("it crashes at once").to_string();
    assert!(refused.contains("signal 11"), "{refused}");
}

#[test]
fn the_command_isolates_what_it_is_told_to_and_says_so() {
    let trap = Trap::new();
    let library = trap.place.file("data/thalweg/plugins/trap.so");
    create_folder(library.parent().expect("a folder"));
    fs::copy(trap.file(), &library).expect("copied");
    let run = |arguments: &[&str]| {
        let mut command = trap.place.thalweg();
        command.env("XDG_DATA_HOME", trap.place.file("data")).env("XDG_CONFIG_HOME", trap.place.file("config"));
        command.env("TRAP_KEY", "secret").args(arguments).output().expect("started")
    };
    assert!(run(&["plugin", "install", library.to_str().expect("text")]).status.success());
    let said = |output: &std::process::Output| stdout(output) + &stderr(output);

    let lives = run(&["chat", "--isolate", "example.trap", "--model", "trap/obedient", "hi"]);
    assert!(lives.status.success() && said(&lives).contains("in a process of its own"), "{}", said(&lives));
    let crashed = run(&["chat", "--isolate", "trap.so", "--model", "trap/obedient", "do crash"]);
    assert_eq!(crashed.status.code(), Some(1), "{}", said(&crashed));
    assert!(said(&crashed).contains("signal 11 (segmentation fault)"), "{}", said(&crashed));

    // A tool that crashes is an error for the model, which goes on.
    let script = trap.place.file("script.json");
    let replies = r#"{"replies":[{"tool_calls":[{"name":"obey","arguments":{"what":"do crash"}}]},{"text":"I see."}]}"#;
    fs::write(&script, replies).expect("written");
    let model = format!("script/{}", script.display());
    let went_on = run(&["chat", "--isolate", "all", "--model", &model, "hi"]);
    assert!(went_on.status.success(), "{}", said(&went_on));
    assert!(said(&went_on).contains("signal 11") && said(&went_on).contains("I see."), "{}", said(&went_on));

    // No key of the environment reaches it.
    let replies =
        r#"{"replies":[{"tool_calls":[{"name":"obey","arguments":{"what":"do environ"}}]},{"text":"I see."}]}"#;
    fs::write(&script, replies).expect("written");
    for (arguments, answer) in [(&["--isolate", "all"][..], "result  obey none"), (&[], "result  obey a key")] {
        let asked = run(&[&["chat", "--model", &model, "hi"], arguments].concat());
        assert!(asked.status.success() && said(&asked).contains(answer), "{}", said(&asked));
    }

    // A codec that crashes ends its run.
    let (url, server) = serve_once("{\"text\":\"do crash\"}\n".to_owned());
    let dialect = ["--dialect", "trap", "--base-url", &url, "--model", "m"];
    let crashed = run(&[&["chat", "--isolate", "all", "--no-tools"], &dialect[..], &["hi"]].concat());
    server.join().expect("no panic");
    assert_eq!(crashed.status.code(), Some(1), "{}", said(&crashed));
    assert!(said(&crashed).contains("signal 11"), "{}", said(&crashed));

    // Allowed in a process of its own, it is always in one.
    let installed = run(&["plugin", "install", "--isolated", library.to_str().expect("text")]);
    assert!(installed.status.success() && said(&installed).contains("in a process of its own"), "{}", said(&installed));
    assert!(said(&run(&["plugin", "list"])).contains("loads, in a process of its own"));
    let crashed = run(&["chat", "--model", "trap/obedient", "do crash"]);
    assert_eq!(crashed.status.code(), Some(1), "{}", said(&crashed));
    assert!(said(&crashed).contains("signal 11"), "{}", said(&crashed));

    let unknown = run(&["chat", "--isolate", "example.nobody", "--model", "trap/obedient", "hi"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", said(&unknown));
    assert!(said(&unknown).contains("example.nobody"), "{}", said(&unknown));
}

#[test]
fn the_recorded_question_is_answered_by_three_plugins_in_processes_of_their_own() {
    let place = Place::new();
    let demo = "What is the weather in Paris, and what is 17 * 23?";
    let output = place.thalweg().args(["chat", "--isolate", "all", "--replay", "--pace", "max", demo]).output();
    let output = output.expect("started");
    let text = stdout(&output);
    assert!(output.status.success() && text.contains("391") && text.contains("Paris"), "{text}{}", stderr(&output));
    assert_eq!(text.matches("in a process of its own").count(), 3, "{text}");
}
