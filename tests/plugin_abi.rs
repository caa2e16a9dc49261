//! Plugins that break the rules: each gives its own error, names the plugin, and leaves the process whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use thalweg::plugin::{LoadError, LoadedPlugin, Loader, Registry};
use thalweg_abi::decode::Events;
use thalweg_abi::host::{
    CancelToken, CodecStream, DIMENSIONS_MAX, Error, Host, Invocation, MODELS_BYTES_MAX, ManifestError, Misbehaviour,
    Plugin, Request, ToolEvent,
};
use thalweg_abi::types::{
    E_CANCELLED, E_CLOSED, E_FAILED, E_INVALID, E_PROTOCOL, E_REMOTE, FRAME_EVENT, FRAME_WHOLE_BODY, FrameRef,
};
use thalweg_tests::c;

/// The hostile plugin with nothing wrong in its file.
fn hostile() -> &'static LoadedPlugin {
    static HOSTILE: OnceLock<LoadedPlugin> = OnceLock::new();
    HOSTILE.get_or_init(|| Loader::new().load(&c::shared_object("hostile.c", "hostile", &[])).unwrap())
}

/// What loading the hostile plugin gives when it is compiled with `flag`.
fn load_with(flag: &str) -> Result<LoadedPlugin, LoadError> {
    let path = c::shared_object("hostile.c", &flag.to_lowercase(), &[&format!("-D{flag}")]);
    Loader::new().load(&path)
}

#[test]
fn wrong_manifest_is_refused_before_any_code_runs() {
    let cases = [
        ("WRONG_MAGIC", ManifestError::Magic),
        ("SHORT_MANIFEST", ManifestError::Size { stated: 64 }),
        ("WRONG_MAJOR", ManifestError::Major { plugin: 2 }),
        ("NEEDS_NEWER_HOST", ManifestError::Minor { needed: 9 }),
        ("WRONG_EVENT_SIZE", ManifestError::EventSize { stated: 48 }),
        ("PANIC_ABORT", ManifestError::PanicAbort),
    ];
    for (flag, expected) in cases {
        match load_with(flag).unwrap_err() {
            LoadError::Manifest { reason, .. } => assert_eq!(reason, expected, "{flag}"),
            other => panic!("{flag}: {other}"),
        }
        let name = format!("test_{}.so", flag.to_lowercase());
        assert!(!fs::read_to_string("/proc/self/maps").unwrap().contains(&name), "{flag}: nothing was mapped");
    }
}

#[test]
fn wrong_major_version_says_what_to_do() {
    let message = load_with("WRONG_MAJOR").unwrap_err().to_string();
    assert!(message.contains("test_wrong_major.so: it was built for plugin ABI 2, this engine speaks 1"), "{message}");
    assert!(message.contains("rebuild it with the thalweg_plugin.h of this engine"), "{message}");
}

#[test]
fn file_that_is_no_plugin_is_told_apart() {
    let folder = std::env::current_exe().unwrap();
    let text = folder.with_file_name("test_text.so");
    fs::write(&text, "#!/bin/sh\necho I am no plugin\n").unwrap();
    let error = Loader::new().load(&text).unwrap_err();
    assert!(matches!(error, LoadError::NotAnObject { .. }), "{error}");
    assert!(error.to_string().contains("test_text.so: not a shared object"), "{error}");

    fs::write(&text, "").unwrap();
    assert!(matches!(Loader::new().load(&text), Err(LoadError::NotAnObject { .. })));

    let error = load_with("NO_MANIFEST").unwrap_err();
    assert!(matches!(error, LoadError::NoManifest { .. }), "{error}");
    assert!(error.to_string().contains("not a thalweg plugin: it has no symbol thw_plugin_manifest_v1"), "{error}");

    let error = load_with("NO_ENTRY").unwrap_err();
    assert!(matches!(error, LoadError::NoEntry { .. }), "{error}");
}

#[test]
fn truncated_file_is_an_error_at_every_length() {
    let whole = fs::read(c::shared_object("hostile.c", "whole", &[])).unwrap();
    let path = std::env::current_exe().unwrap().with_file_name("test_truncated.so");
    let step = whole.len() / 200;
    for len in (0..whole.len() - step).step_by(step) {
        fs::write(&path, &whole[..len]).unwrap();
        // What is cut behind the symbols and the manifest may still be inspected; it must only not crash.
        if let Ok(inspected) = Loader::new().inspect(&path) {
            assert_eq!(inspected.manifest().id(), "test.hostile");
        }
    }
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(Loader::new().load(&path).is_err());
}

#[test]
fn object_for_another_processor_is_refused() {
    let mut bytes = fs::read(c::shared_object("hostile.c", "foreign", &[])).unwrap();
    // `e_machine` of the ELF header: 243 is RISC-V, 62 x86-64.
    let machine: u16 = if cfg!(target_arch = "riscv64") { 62 } else { 243 };
    bytes[18..20].copy_from_slice(&machine.to_ne_bytes());
    let path = std::env::current_exe().unwrap().with_file_name("test_foreign_machine.so");
    fs::write(&path, bytes).unwrap();
    let error = Loader::new().load(&path).unwrap_err();
    assert!(matches!(error, LoadError::Architecture { .. }), "{error}");
    assert!(error.to_string().contains("rebuild it for this machine"), "{error}");
}

#[test]
fn wrong_tables_are_refused_at_the_start() {
    let missing = |table, function| Error::Missing { plugin: "test.hostile".into(), table, function };
    let misbehaved = |what| Error::Misbehaved { plugin: "test.hostile".into(), what };
    let cases = [
        ("NO_GET_INTERFACE", missing("thw_plugin", "get_interface")),
        ("CODEC_CUT", missing("thw_codec", "decode")),
        ("CODEC_NULL_FUNCTION", missing("thw_codec", "encode_request")),
        ("CODEC_NO_SIZE", misbehaved(Misbehaviour::BadTable { table: "thw_codec" })),
        ("PLUGIN_NO_SIZE", misbehaved(Misbehaviour::BadTable { table: "thw_plugin" })),
        ("PLUGIN_TOO_LARGE", misbehaved(Misbehaviour::BadTable { table: "thw_plugin" })),
        ("BAD_TOOL_NAME", misbehaved(Misbehaviour::BadToolName)),
        ("TOO_MANY_TOOLS", misbehaved(Misbehaviour::TooManyTools { count: 4_000_000_000, limit: 1024 })),
        (
            "ENTRY_UNKNOWN_STATUS",
            misbehaved(Misbehaviour::UnknownStatus { function: "thw_plugin_entry_v1", status: 5 }),
        ),
    ];
    for (flag, expected) in cases {
        match load_with(flag).unwrap_err() {
            LoadError::Start { source, .. } => assert_eq!(source, expected, "{flag}"),
            other => panic!("{flag}: {other}"),
        }
    }
}

#[test]
fn entry_that_fails_is_quoted() {
    let error = load_with("ENTRY_FAILS").unwrap_err();
    assert!(matches!(&error, LoadError::Start { source: Error::Start { .. }, .. }), "{error}");
    assert!(error.to_string().ends_with("plugin `test.hostile` did not start: no luck today"), "{error}");
}

#[test]
fn lines_of_a_plugin_reach_the_log_of_its_host() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let host = {
        let lines = Arc::clone(&lines);
        Host::leak(3, move |line| {
            lines.lock().unwrap().push(format!("{} {} {}", line.level, line.target, line.message));
        })
    };
    let path = c::shared_object("hostile.c", "logging", &[]);
    Loader::new().with_host(host).load(&path).unwrap();
    assert_eq!(*lines.lock().unwrap(), ["3 hostile started"]);
}

fn open(mode: &str) -> CodecStream {
    hostile().plugin().codec().unwrap().open(mode).unwrap()
}

/// What one call of `decode` gives, from frame `next` on.
fn decode(mode: &str, mut next: usize) -> Result<usize, Error> {
    let frames = [FrameRef::new(FRAME_EVENT, "früh".as_bytes()), FrameRef::new(FRAME_EVENT, "spät é".as_bytes())];
    let mut stream = open(mode);
    let result = {
        let mut events = Vec::new();
        let result = stream.decode_events(&frames, &mut next, &mut Events::new(&mut events, 8));
        assert!(result.is_ok() || events.is_empty(), "{mode}: no event of a wrong call is handed on");
        result.map(|_| events.len())
    };
    if matches!(result, Err(Error::Misbehaved { .. })) {
        assert!(
            matches!(stream.encode_message("x"), Err(Error::Broken { .. })),
            "{mode}: the stream is not used again"
        );
    }
    result
}

#[test]
fn codec_that_keeps_the_rules_is_left_alone() {
    assert_eq!(decode("good", 0), Ok(2));
    assert_eq!(decode("good", 1), Ok(1));
    assert_eq!(decode("good", 2), Ok(0));
}

#[test]
fn decode_that_breaks_a_rule_is_stopped() {
    let cases = [
        ("past_the_end", Misbehaviour::SliceOutsideFrames { event: 0 }),
        ("before_the_start", Misbehaviour::SliceOutsideFrames { event: 0 }),
        ("null_slice", Misbehaviour::SliceOutsideFrames { event: 0 }),
        ("huge_slice", Misbehaviour::SliceOutsideFrames { event: 0 }),
        ("inside_a_character", Misbehaviour::SliceOutsideFrames { event: 1 }),
        ("aux_elsewhere", Misbehaviour::SliceOutsideFrames { event: 0 }),
        ("scratch_not_utf8", Misbehaviour::NotUtf8 { what: "the text of an event" }),
        ("scratch_null", Misbehaviour::BadSlice { what: "the text of an event" }),
        ("too_many_events", Misbehaviour::TooManyEvents { count: 9, room: 8 }),
        ("far_too_many_events", Misbehaviour::TooManyEvents { count: u32::MAX as usize, room: 8 }),
        ("past_the_last_frame", Misbehaviour::PositionOutOfRange { from: 0, to: 3, frames: 2 }),
        ("stops_short", Misbehaviour::StoppedShort { at: 0, frames: 2 }),
        ("no_progress", Misbehaviour::NoProgress),
        ("unknown_status", Misbehaviour::UnknownStatus { function: "decode", status: 77 }),
    ];
    for (mode, expected) in cases {
        let expected = Error::Misbehaved { plugin: "test.hostile".into(), what: expected };
        assert_eq!(decode(mode, 0), Err(expected), "{mode}");
    }
    let what = Misbehaviour::PositionOutOfRange { from: 1, to: 0, frames: 2 };
    assert_eq!(decode("back", 1), Err(Error::Misbehaved { plugin: "test.hostile".into(), what }));
    assert!(matches!(decode("fails", 0), Err(Error::Failed { failure, .. }) if failure.code == E_PROTOCOL));
}

#[test]
fn error_of_a_stream_names_the_plugin() {
    let message = decode("back", 1).unwrap_err().to_string();
    assert_eq!(
        message,
        "plugin `test.hostile` broke a rule of the plugin ABI: `decode` moved from frame 1 to frame 0 of 2"
    );
}

#[test]
fn end_of_a_stream_is_checked_too() {
    for (mode, expected) in [
        ("too_many_at_end", Misbehaviour::TooManyEvents { count: 9, room: 8 }),
        ("never_ends", Misbehaviour::NoProgress),
    ] {
        let mut stream = open(mode);
        let mut events = Vec::new();
        let error = stream.finish_events(&mut Events::new(&mut events, 8)).unwrap_err();
        assert_eq!(error, Error::Misbehaved { plugin: "test.hostile".into(), what: expected }, "{mode}");
    }
}

#[test]
fn wrong_answers_to_open_and_encode_are_errors() {
    let codec = hostile().plugin().codec().unwrap();
    let misbehaved = |error: &Error| matches!(error, Error::Misbehaved { .. });
    let null = codec.open("open_null").unwrap_err();
    assert!(matches!(null, Error::Misbehaved { what: Misbehaviour::NothingGiven { function: "open" }, .. }), "{null}");
    let silent = codec.open("open_silent").unwrap_err();
    assert!(matches!(&silent, Error::Failed { failure, .. } if failure.code == E_INVALID));
    assert_eq!(silent.to_string(), "plugin `test.hostile`: status -1");
    assert!(misbehaved(&open("encode_not_utf8").encode_message("x").unwrap_err()));
    assert!(misbehaved(&open("encode_null").encode_message("x").unwrap_err()));
    assert!(misbehaved(&open("null_headers").encode_request("{}").unwrap_err()));
    let long = open("long_error").encode_message("x").unwrap_err();
    assert!(matches!(&long, Error::Failed { failure, .. } if failure.code == E_REMOTE && failure.message.len() == 231));
}

#[test]
fn list_of_models_that_breaks_a_rule_is_stopped() {
    let list = |loaded: &LoadedPlugin| loaded.plugin().models().unwrap().list();
    assert_eq!(list(hostile()).unwrap(), r#"[{"id":"m"}]"#);
    let what = "its list of models";
    for (flag, expected) in [
        ("MODELS_NULL", Misbehaviour::BadSlice { what }),
        ("MODELS_NOT_UTF8", Misbehaviour::NotUtf8 { what }),
        (
            "MODELS_HUGE",
            Misbehaviour::TooMuch { what: "bytes in its list of models", count: 1 << 40, limit: MODELS_BYTES_MAX },
        ),
        ("MODELS_STATUS", Misbehaviour::UnknownStatus { function: "list", status: 1 }),
    ] {
        let expected = Error::Misbehaved { plugin: "test.hostile".into(), what: expected };
        assert_eq!(list(&load_with(flag).unwrap()), Err(expected), "{flag}");
    }
}

#[test]
fn vectors_that_break_a_rule_are_stopped() {
    let embed = hostile().plugin().embed().unwrap();
    assert!(matches!(embed.open("open_null"), Err(Error::Misbehaved { .. })));
    let decode = |mode: &str| {
        let mut stream = embed.open(mode).unwrap();
        let reply = FrameRef::new(FRAME_WHOLE_BODY, b"{}");
        let result = stream.decode(&reply, 2).map(|read| (read.values.to_vec(), read.dimensions, read.input_tokens));
        let is_used_again = stream.encode("{}").is_ok();
        assert_eq!(result.is_ok(), is_used_again, "{mode}");
        result
    };
    assert_eq!(decode("good"), Ok((vec![1.0, 2.0, 3.0, 4.0], 2, None)));
    assert_eq!(decode("negative_tokens"), Ok((vec![1.0, 2.0, 3.0, 4.0], 2, None)));
    let values = Misbehaviour::BadSlice { what: "the numbers of its vectors" };
    let model = "the model of its vectors";
    for (mode, expected) in [
        ("one_too_few", Misbehaviour::WrongCount { what: "vectors", count: 1, expected: 2 }),
        ("far_too_many", Misbehaviour::WrongCount { what: "vectors", count: u32::MAX as usize, expected: 2 }),
        ("null_values", values.clone()),
        ("misaligned_values", values.clone()),
        ("no_dimensions", values),
        (
            "huge_dimensions",
            Misbehaviour::TooMuch { what: "numbers in a vector", count: u32::MAX as usize, limit: DIMENSIONS_MAX },
        ),
        ("model_not_utf8", Misbehaviour::NotUtf8 { what: model }),
        ("model_null", Misbehaviour::BadSlice { what: model }),
        ("unknown_status", Misbehaviour::UnknownStatus { function: "decode", status: 9 }),
    ] {
        assert_eq!(decode(mode), Err(Error::Misbehaved { plugin: "test.hostile".into(), what: expected }), "{mode}");
    }
    let headers = embed.open("null_headers").unwrap().encode("{}").unwrap_err();
    assert!(matches!(headers, Error::Misbehaved { what: Misbehaviour::BadSlice { .. }, .. }), "{headers}");
}

#[test]
fn what_a_server_is_given_to_send_is_checked() {
    let serve = hostile().plugin().serve().unwrap();
    assert!(matches!(serve.open("open_null"), Err(Error::Misbehaved { .. })));
    let request = Request { method: "POST", path: "/", headers: Vec::new(), body_head: "{}", body_tail: "" };
    for (mode, expected) in [
        ("good", None),
        ("not_utf8", Some([0, 1, 2].map(|call| Misbehaviour::NotUtf8 { what: GIVEN[call] }))),
        ("null", Some([0, 1, 2].map(|call| Misbehaviour::BadSlice { what: GIVEN[call] }))),
        ("huge", Some([0, 1, 2].map(|call| Misbehaviour::BadSlice { what: GIVEN[call] }))),
        (
            "unknown_status",
            Some(["parse", "encode", "finish"].map(|function| Misbehaviour::UnknownStatus { function, status: 9 })),
        ),
    ] {
        for call in 0..3 {
            let mut stream = serve.open(mode).unwrap();
            let mut try_it = || match call {
                0 => stream.parse(&request).map(str::to_owned),
                1 => stream.encode(&[]).map(str::to_owned),
                _ => stream.finish().map(str::to_owned),
            };
            let (first, second) = (try_it(), try_it());
            match &expected {
                None => assert_eq!([first, second].map(Result::unwrap), ["fine", "fine"]),
                Some(expected) => {
                    let what = expected[call].clone();
                    assert_eq!(first, Err(Error::Misbehaved { plugin: "test.hostile".into(), what }), "{mode} {call}");
                    assert!(matches!(second, Err(Error::Broken { .. })), "{mode} {call}");
                }
            }
        }
    }
    let mut refused = serve.open("fails").unwrap();
    assert!(matches!(refused.parse(&request), Err(Error::Failed { failure, .. }) if failure.code == E_INVALID));
}

/// What the three calls of a served stream give.
const GIVEN: [&str; 3] = ["a canonical request", "a piece of a reply", "the end of a reply"];

#[test]
fn codec_whose_description_is_not_json_is_not_registered() {
    let loaded = load_with("DESCRIBE_NOT_JSON").unwrap();
    let mut registry = Registry::new();
    let error = registry.add(loaded).unwrap_err();
    assert!(matches!(&error, LoadError::Describe { plugin, .. } if plugin == "test.hostile"), "{error}");
    assert!(registry.loaded().is_empty() && registry.tools().next().is_none(), "nothing of it was added");
}

fn start(name: &str, cancel: &CancelToken) -> (Invocation, Receiver<Result<String, Error>>) {
    let tools = hostile().plugin().tools();
    let tool = tools.iter().find(|tool| tool.name() == name).unwrap();
    let (sender, told) = mpsc::channel();
    let receiver = Box::new(move |event| {
        if let ToolEvent::Finished(result) = event {
            sender.send(result).unwrap();
        }
    });
    (tool.invoke("call_1", "{}", receiver, cancel), told)
}

/// How a call ends; fails if it ends twice.
fn finished(told: &Receiver<Result<String, Error>>) -> Result<String, Error> {
    let result = told.recv_timeout(Duration::from_secs(20)).expect("every call ends");
    assert!(told.try_recv().is_err(), "a call ends once");
    result
}

fn call(name: &str) -> Result<String, Error> {
    finished(&start(name, &CancelToken::new()).1)
}

/// The tests of tools share the notes that the plugin takes of what the engine answered.
static NOTES: Mutex<()> = Mutex::new(());

#[test]
fn sink_that_is_finished_twice_answers_closed() {
    let _notes = NOTES.lock().unwrap();
    assert_eq!(call("finish_twice").unwrap(), "once");
    assert_eq!(call("report").unwrap(), format!("finish {E_CLOSED};push {E_CLOSED};"));
}

#[test]
fn text_that_is_not_utf8_fails_the_call() {
    let _notes = NOTES.lock().unwrap();
    let error = call("not_utf8").unwrap_err();
    assert!(matches!(error, Error::Misbehaved { what: Misbehaviour::NotUtf8 { .. }, .. }), "{error}");
    assert_eq!(call("report").unwrap(), format!("push {E_INVALID};"));
}

#[test]
fn tool_that_ends_wrongly_is_told_apart() {
    let misbehaved = |what| Err(Error::Misbehaved { plugin: "test.hostile".into(), what });
    assert_eq!(call("unfinished"), misbehaved(Misbehaviour::SinkNotFinished));
    assert_eq!(call("unknown_status"), misbehaved(Misbehaviour::UnknownStatus { function: "invoke", status: 42 }));
    let status = Misbehaviour::UnknownStatus { function: "sink_finish", status: 2 };
    assert_eq!(call("wrong_finish_status"), misbehaved(status));
    assert_eq!(call("finish_then_fail").unwrap(), "done", "the first end counts");
    assert!(matches!(call("fail_silently"), Err(Error::Failed { failure, .. }) if failure.code == E_FAILED));
}

#[test]
fn answer_comes_later_from_a_thread_of_the_plugin() {
    assert_eq!(call("later").unwrap(), "late but here");
}

#[test]
fn cancel_callback_runs_and_is_over_when_it_is_taken_back() {
    for _ in 0..20 {
        let cancel = CancelToken::new();
        let (_, told) = start("on_cancel", &cancel);
        std::thread::sleep(Duration::from_millis(1));
        cancel.cancel();
        assert!(matches!(finished(&told), Err(Error::Failed { failure, .. }) if failure.code == E_CANCELLED));
    }
}

#[test]
fn cancel_callback_is_not_called_after_the_end() {
    let cancel = CancelToken::new();
    let (_, told) = start("late_cancel_callback", &cancel);
    assert_eq!(finished(&told).unwrap(), "not called");
    cancel.cancel(); // The callback would write to a stack that is gone.
}

#[test]
fn detached_tool_may_push_and_finish_into_the_void() {
    let _notes = NOTES.lock().unwrap();
    let (invocation, told) = start("after_detach", &CancelToken::new());
    invocation.detach();
    let mut report = String::new();
    for _ in 0..1000 {
        report += &call("report").unwrap();
        if report.contains("gone") {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(report, format!("push {E_CLOSED};finish {E_CLOSED};gone 1;"));
    assert!(told.try_recv().is_err(), "nobody was told");
}

#[test]
fn file_is_loaded_only_from_beside_the_executable() {
    let source = c::shared_object("hostile.c", "policy", &[]);
    let folder = empty_folder("policy");
    let path = folder.join("libthw_policy.so");
    fs::copy(&source, &path).unwrap();
    let error = Loader::new().load(&path).unwrap_err();
    assert!(matches!(error, LoadError::NotAllowed { .. }), "{error}");
    let relative = Loader::new().load(Path::new("libthw_policy.so")).unwrap_err();
    assert!(matches!(relative, LoadError::NotAbsolute { .. }), "{relative}");
    let folder_itself = Loader::new().allow(&folder).load(&folder).unwrap_err();
    assert!(matches!(folder_itself, LoadError::NotAFile { .. }), "{folder_itself}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn plugin_that_is_not_there_is_named_with_the_folders_looked_in() {
    let error = Loader::new().load_named("nowhere").unwrap_err();
    assert!(matches!(error, LoadError::NotFound { .. }), "{error}");
    let folder = std::env::current_exe().unwrap().parent().unwrap().display().to_string();
    let message = error.to_string();
    assert!(message.contains("libthw_nowhere.so") && message.contains(&folder), "{message}");
}

#[cfg(unix)]
#[test]
fn file_that_others_could_change_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let source = c::shared_object("hostile.c", "writable", &[]);
    fs::set_permissions(&source, fs::Permissions::from_mode(0o777)).unwrap();
    let error = Loader::new().load(&source).unwrap_err();
    assert!(matches!(error, LoadError::Writable { mode: 0o777, .. }), "{error}");
    let link = source.with_file_name("test_link.so");
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(&source, &link).unwrap();
    let error = Loader::new().load(&link).unwrap_err();
    assert!(matches!(error, LoadError::SymbolicLink { .. }), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn allowed_file_runs_from_a_sealed_copy_unless_others_could_change_it() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let folder = empty_folder("allowed");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let path = folder.join("libthw_allowed.so");
    fs::copy(c::shared_object("hostile.c", "allowed", &[]), &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let loader = Loader::new().allow(&path);
    // A clone in a folder that others write to can only test the refusals.
    let is_safe = |folder: &Path| matches!(folder.metadata().unwrap().mode() & 0o1022, 0 | 0o1000..);
    let safe = folder.ancestors().all(is_safe);
    match loader.load(&path) {
        Ok(loaded) => {
            assert!(safe, "a folder above is writable by others");
            assert_eq!(loaded.manifest().id(), "test.hostile");
            let maps = fs::read_to_string("/proc/self/maps").unwrap();
            assert!(maps.contains(&format!("/memfd:{}", &loaded.sha256()[..16])), "{maps}");
            assert!(!maps.contains(path.to_str().unwrap()), "the file itself is not mapped");
        }
        Err(error) => assert!(!safe && matches!(error, LoadError::Writable { .. }), "{error}"),
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(loader.load(&path), Err(LoadError::Writable { mode: 0o777, .. })));
    // Sticky, as the folder for temporary files: nobody can replace what belongs to another.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(loader.load(&path).is_ok(), safe);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o775)).unwrap();
    assert!(matches!(loader.load(&path), Err(LoadError::Writable { mode: 0o775, .. })));
    fs::remove_dir_all(folder).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn file_that_was_replaced_since_it_was_loaded_is_noticed() {
    let path = c::shared_object("hostile.c", "replaced", &[]);
    let first = Loader::new().load(&path).unwrap();
    assert_eq!(Loader::new().load(&path).unwrap().sha256(), first.sha256(), "the same file may be loaded again");
    let path = c::shared_object("hostile.c", "replaced", &["-DID=\"test.other\""]);
    let error = Loader::new().load(&path).unwrap_err();
    assert!(matches!(error, LoadError::Replaced { .. }), "{error}");
}

#[test]
fn two_plugins_may_not_offer_the_same() {
    let mut registry = Registry::new();
    registry.add(hostile().clone()).unwrap();
    let twin = Loader::new().load(&c::shared_object("hostile.c", "twin", &["-DID=\"test.twin\""])).unwrap();
    let error = registry.add(twin).unwrap_err();
    assert!(
        error.to_string().contains("plugins `test.hostile` and `test.twin` both offer the dialect hostile"),
        "{error}"
    );
    assert_eq!(registry.dialects().collect::<Vec<_>>(), ["hostile"]);
    assert!(registry.codec("hostile").is_some() && registry.codec("friendly").is_none());
    assert!(registry.tool("later").is_some());
}

/// The answer of a tool.
fn ask(plugin: &Plugin, name: &str, arguments: &str) -> Result<String, String> {
    let tools = plugin.tools();
    let tool = tools.iter().find(|tool| tool.name() == name).unwrap();
    let (sender, told) = mpsc::channel();
    let receiver = Box::new(move |event| {
        if let ToolEvent::Finished(result) = event {
            sender.send(result).unwrap();
        }
    });
    let _invocation = tool.invoke("call_1", arguments, receiver, &CancelToken::new());
    finished(&told).map_err(|error| match error {
        Error::Failed { failure, .. } => failure.message.into_owned(),
        other => panic!("{other}"),
    })
}

/// The same plugin, loaded from its file and linked in.
fn both(name: &str) -> [Plugin; 2] {
    let loaded = Loader::new().load_named(name).unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    assert!(maps.contains(loaded.path().to_str().unwrap()), "{} is mapped", loaded.path().display());
    assert_eq!(loaded.sha256().len(), 64);
    let linked = match name {
        "calculator" => thalweg_abi::guest::module::<thalweg_calculator::Package>(),
        _ => thalweg_weather_c::module(),
    };
    [loaded.plugin().clone(), Plugin::start(&linked, Host::silent()).unwrap()]
}

#[cfg(target_os = "linux")]
#[test]
fn plugins_beside_the_executable_are_in_the_memory_map_by_their_path() {
    let mut registry = Registry::new();
    for name in ["openai", "calculator", "weather_c"] {
        registry.add(Loader::new().load_named(name).unwrap()).unwrap();
    }
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    for loaded in registry.loaded() {
        assert!(maps.contains(loaded.path().to_str().unwrap()), "{}", loaded.path().display());
    }
    assert!(registry.codec("openai-chat").is_some());
    assert!(registry.tool("calculate").is_some() && registry.tool("get_weather").is_some());
    let installed = Loader::new().installed().unwrap();
    assert!(registry.loaded().iter().all(|loaded| installed.contains(&loaded.path().to_owned())), "{installed:?}");
}

#[test]
fn calculator_answers_loaded_and_linked_in() {
    for plugin in both("calculator") {
        assert_eq!(plugin.id(), "thalweg.calculator");
        let ask = |arguments| ask(&plugin, "calculate", arguments);
        assert_eq!(ask(r#"{"expression":"17 * 23"}"#).unwrap(), "391");
        assert_eq!(ask(r#"{"expression":"1 / 0"}"#).unwrap_err(), "division by zero at character 3");
        assert!(ask(r#"{"expression":17}"#).unwrap_err().starts_with("`expression` is missing or no string"));
        assert!(ask("17 * 23").unwrap_err().starts_with("the arguments are not JSON"));
        assert!(ask("").unwrap_err().starts_with("the arguments are not JSON"));
    }
}

#[test]
fn weather_in_c_answers_loaded_and_linked_in() {
    let paris = r#"{"city":"Paris","temperature":18,"unit":"C","conditions":"partly cloudy","source":"sample data"}"#;
    let answers = [
        (r#"{"city":"Paris"}"#, paris),
        (r#" { "unit" : "C" , "city" : "PARIS" } "#, paris),
        (r#"{"city":"Paris, France","unit":"c"}"#, paris),
        (r#"{"city":"\u0050aris"}"#, paris),
        (r#"{"other":[1,{"a":[]},"}"],"n":-1.5e3,"t":true,"city":"paris"}"#, paris),
        (r#"{"city":"London","city":"Paris"}"#, paris),
    ];
    let errors = [
        (
            r#"{"city":"Atlantis"}"#,
            "no sample data for this city; there is data for Paris, London, Berlin, Madrid, Rome, New York, San Francisco, São Paulo, Cairo, Mumbai, Tokyo, Sydney",
        ),
        ("{}", r#"`city` is missing or no string; pass {"city": "Paris"}"#),
        (r#"{"city":7}"#, r#"`city` is missing or no string; pass {"city": "Paris"}"#),
        (r#"{"city":"Paris","unit":"K"}"#, r#"`unit` is "C" or "F""#),
    ];
    for plugin in both("weather_c") {
        let ask = |arguments: &str| ask(&plugin, "get_weather", arguments);
        for (arguments, answer) in answers {
            assert_eq!(ask(arguments).as_deref(), Ok(answer), "{arguments}");
        }
        assert!(ask(r#"{"city":"paris","unit":"F"}"#).unwrap().contains(r#""temperature":64,"unit":"F""#));
        for name in ["São Paulo", "sao paulo", "S\\u00e3o Paulo", "S\\u00C3O PAULO"] {
            let answer = ask(&format!(r#"{{"city":"{name}"}}"#)).unwrap();
            assert!(answer.starts_with(r#"{"city":"São Paulo","temperature":23"#), "{name}: {answer}");
        }
        for (arguments, error) in errors {
            assert_eq!(ask(arguments).unwrap_err(), error, "{arguments}");
        }
    }
}

#[test]
fn weather_in_c_survives_arguments_that_are_not_json() {
    let whole = r#"{"city":"S\u00e3o Paulo","x":[1,{"y":"\ud83c\udf27\n"}],"unit":"F"}"#;
    let plugin = Plugin::start(&thalweg_weather_c::module(), Host::silent()).unwrap();
    assert!(ask(&plugin, "get_weather", whole).is_ok());
    for len in 0..whole.len() {
        let error = ask(&plugin, "get_weather", &whole[..len]).unwrap_err();
        assert!(error.starts_with("the arguments are not a JSON object"), "{len}: {error}");
    }
    let deep = format!(r#"{{"x":{}"#, "[".repeat(100_000));
    let long = format!(r#"{{"city":"{}"}}"#, "x".repeat(100_000));
    for arguments in
        [deep.as_str(), r#"{"city":"\ud800"}"#, r#"{"city":"\udc00\ud800"}"#, "{\"city\":\"a\u{0}b\u{1}\"}"]
    {
        assert!(ask(&plugin, "get_weather", arguments).unwrap_err().starts_with("the arguments are not a JSON object"));
    }
    assert!(ask(&plugin, "get_weather", &long).unwrap_err().starts_with("no sample data"));
}

#[test]
fn a_plugin_shows_its_two_symbols_and_nothing_else() {
    for name in ["calculator", "openai", "script", "eliza_c", "weather_c"] {
        let path = Loader::new().find(name).unwrap();
        let listed = c::run(std::process::Command::new("nm").args(["-D", "--defined-only"]).arg(&path));
        let listed = String::from_utf8(listed.stdout).unwrap();
        let mut symbols: Vec<_> = listed.lines().filter_map(|line| line.split_whitespace().last()).collect();
        symbols.sort_unstable();
        assert_eq!(symbols, ["thw_plugin_entry_v1", "thw_plugin_manifest_v1"], "{}", path.display());
    }
}

/// An empty folder for one test.
fn empty_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("plugin_abi_{name}_{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}
