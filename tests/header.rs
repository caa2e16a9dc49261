//! The generated header: it compiles everywhere without a warning, and both sides agree on every layout and constant.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::mpsc;

use thalweg::plugin::Loader;
use thalweg_abi::host::{CancelToken, ToolEvent};
use thalweg_abi::layout::{STRUCTS, Struct};
use thalweg_abi::{table, types};
use thalweg_tests::c;

const WARNINGS: [&str; 7] =
    ["-Wall", "-Wextra", "-pedantic", "-Werror", "-Wconversion", "-Wsign-conversion", "-Wpadded"];

/// One program for each header, that uses every macro of it.
const USES: [&str; 2] = ["uses_header.c", "uses_library.c"];

#[test]
fn headers_compile_without_a_warning_as_c99_and_c11() {
    for standard in ["-std=c99", "-std=c11"] {
        let mut compiler = c::compiler();
        compiler.arg(standard).args(WARNINGS).arg("-Wstrict-prototypes").arg("-I").arg(c::include());
        c::run(compiler.arg("-fsyntax-only").args(USES.map(|source| c::sources().join(source))));
    }
}

#[test]
fn headers_compile_without_a_warning_as_cpp17() {
    let Some(mut compiler) = c::cpp_compiler() else {
        println!("skipped: there is no C++ compiler");
        return;
    };
    compiler.arg("-std=c++17").args(WARNINGS).arg("-I").arg(c::include());
    c::run(compiler.arg("-fsyntax-only").args(["-x", "c++"]).args(USES.map(|source| c::sources().join(source))));
}

#[test]
fn example_of_the_guide_compiles_loads_and_answers() {
    let guide = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/PLUGINS.md")).unwrap();
    let example = guide.split("```c\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ping_{}.c", std::process::id()));
    fs::write(&source, example).unwrap();
    let path = c::shared_object(source.to_str().unwrap(), "ping", &["-std=c99", "-pedantic"]);
    fs::remove_file(source).unwrap();
    let loaded = Loader::new().load(&path).unwrap();
    assert_eq!((loaded.manifest().id(), loaded.manifest().version()), ("example.ping", "1.0.0"));
    let (sender, told) = mpsc::channel();
    let receiver = Box::new(move |event| sender.send(event).unwrap());
    let _invocation = loaded.plugin().tools()[0].invoke("call_1", "{}", receiver, &CancelToken::new());
    assert_eq!(told.recv().unwrap(), ToolEvent::Finished(Ok("pong".into())));
}

#[test]
fn layouts_agree_on_both_sides_and_none_is_missing() {
    let mut ours = String::new();
    for Struct { name, size, align, members } in STRUCTS {
        writeln!(ours, "{name} {size} {align}").unwrap();
        for member in *members {
            writeln!(ours, "{name}.{} {} {}", member.name, member.offset, member.size).unwrap();
        }
    }
    let header = fs::read_to_string(c::include().join("thalweg_plugin.h")).unwrap();
    for line in header.lines() {
        // A struct that is only declared ends its line with a semicolon.
        if let Some(name) = line.strip_prefix("typedef struct ").and_then(|rest| rest.strip_suffix(" {")) {
            assert!(STRUCTS.iter().any(|known| known.name == name), "{name} has no frozen layout");
        }
    }
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("layout_{}", std::process::id()));
    let mut compiler = c::compiler();
    compiler.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-I"]).arg(c::include());
    c::run(compiler.arg(c::sources().join("layout.c")).arg("-o").arg(&program));
    let theirs = c::run(&mut std::process::Command::new(&program));
    fs::remove_file(&program).unwrap();
    assert_eq!(String::from_utf8(theirs.stdout).unwrap(), ours);
}

/// The value of each constant by its name in C.
macro_rules! constants {
    ($($module:ident::{ $($name:ident),* $(,)? })*) => {
        BTreeMap::from([$($((concat!("THW_", stringify!($name)).to_owned(), i128::from($module::$name as i64))),*),*])
    };
}

#[test]
fn constants_agree_on_both_sides_and_none_is_missing() {
    let ours: BTreeMap<String, i128> = constants! {
        table::{
            ABI_MAJOR, ABI_MINOR, MANIFEST_MAGIC, MANIFEST_THREADS, MANIFEST_PANIC_ABORT, TOOL_BLOCKING, TOOL_PARALLEL,
            TOOL_READ_ONLY, TOOL_IDEMPOTENT,
        }
        types::{
            OK, PENDING, MORE, EOF, E_INVALID, E_VERSION, E_NOMEM, E_PANIC, E_CANCELLED, E_TIMEOUT, E_PROTOCOL, E_REJECTED,
            E_UNSUPPORTED, E_STATE, E_REMOTE, E_CLOSED, E_FAILED, ERROR_RETRYABLE, ERROR_MESSAGE_BYTES,
            EVENT_MESSAGE_START, EVENT_TEXT, EVENT_THINKING, EVENT_THINKING_SIGNATURE, EVENT_REDACTED_THINKING,
            EVENT_REFUSAL, EVENT_TOOL_BEGIN, EVENT_TOOL_ARGUMENTS, EVENT_BLOCK_END, EVENT_USAGE, EVENT_USAGE_RAW,
            EVENT_STOP, EVENT_ERROR, EVENT_DONE, EVENT_OTHER_CONTENT, EVENT_SKIPPED, EVENT_TOOL_PROGRESS,
            EVENT_TOOL_RESULT, EVENT_ENGINE_FIRST,
            FLAG_TEXT_ESCAPED, FLAG_AUX_ESCAPED, FLAG_SCRATCH, FLAG_REPEATABLE, FLAG_MERGE, FLAG_AT_EOF, FLAG_FROM_NOW,
            FLAG_LASTING,
            FLAG_SPEAKER,
            USAGE_INPUT, USAGE_OUTPUT, USAGE_TOTAL, USAGE_REASONING, USAGE_CACHE_READ, USAGE_CACHE_WRITE,
            STOP_OTHER, STOP_END, STOP_LENGTH, STOP_TOOL_USE, STOP_SEQUENCE, STOP_CONTENT_FILTER, STOP_PAUSE, STOP_ERROR,
            FAILURE_OTHER, FAILURE_RATE_LIMIT, FAILURE_OVERLOADED, FAILURE_CONTEXT_OVERFLOW, FAILURE_AUTH,
            FAILURE_INVALID_REQUEST, FAILURE_CONTENT_FILTER, FAILURE_SERVER, FAILURE_MALFORMED,
            FRAME_EVENT, FRAME_ERROR_BODY, FRAME_WHOLE_BODY, FRAME_AT_EOF,
        }
    };
    let header = fs::read_to_string(c::include().join("thalweg_plugin.h")).unwrap();
    let mut theirs = BTreeMap::new();
    let mut texts = BTreeMap::new();
    for line in header.lines() {
        let Some((name, value)) = line.strip_prefix("#define ").and_then(|rest| rest.split_once(' ')) else { continue };
        if let Some(text) = value.strip_prefix('"') {
            texts.insert(name, text.trim_end_matches('"'));
            continue;
        }
        let number = value.trim_matches(['(', ')', 'u']);
        let number = match number.strip_prefix("0x") {
            Some(digits) => i128::from_str_radix(digits, 16),
            None => number.parse(),
        };
        if let Ok(number) = number {
            theirs.insert(name.to_owned(), number);
        }
    }
    assert_eq!(theirs, ours);
    let expected = [
        ("THW_ENTRY_SYMBOL", table::ENTRY_SYMBOL),
        ("THW_MANIFEST_SYMBOL", table::MANIFEST_SYMBOL),
        ("THW_EXTENSION_JSON", table::EXTENSION_JSON),
        ("THW_EXTENSION_HTTP", table::EXTENSION_HTTP),
        ("THW_INTERFACE_CODEC", table::INTERFACE_CODEC),
        ("THW_INTERFACE_PROVIDER", table::INTERFACE_PROVIDER),
        ("THW_INTERFACE_TOOL", table::INTERFACE_TOOL),
        ("THW_INTERFACE_MODELS", table::INTERFACE_MODELS),
        ("THW_INTERFACE_EMBED", table::INTERFACE_EMBED),
        ("THW_INTERFACE_SERVE", table::INTERFACE_SERVE),
    ];
    assert_eq!(texts, BTreeMap::from(expected));
}
