//! `thalweg plugin check` finds out what is wrong with a plugin, and says so.

use std::fs;

use crate::harness::{Place, compile_c_with, create_folder, repository, serve_once, stderr, stdout};

/// What the check of a plugin says, and whether it passed; `more` are further arguments.
fn check(source: &str, define: &str, more: &[&str]) -> (String, Option<i32>) {
    let place = Place::new();
    let file = place.file("plugin.so");
    compile_c_with(&repository().join("tests/cli").join(source), &file, &[define]);
    let output = place.thalweg().args(["plugin", "check"]).arg(&file).args(more).output().expect("started");
    (stdout(&output) + &stderr(&output), output.status.code())
}

/// The row of what is checked.
fn row<'t>(text: &'t str, name: &str) -> &'t str {
    text.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("no row {name:?} in:\n{text}"))
}

#[test]
fn a_codec_that_keeps_its_marks_passes() {
    let (text, code) = check("liar.c", "-DLIE=0", &[]);
    assert_eq!(code, Some(0), "{text}");
    let marks = row(&text, "marks as repeatable");
    assert!(marks.starts_with("ok") && marks.contains("marked frames, asked again in"), "{marks}");
    assert!(row(&text, "codec leaks nothing").contains("10000 calls"), "{text}");
    for name in ["exports its two symbols", "manifest fits", "starts twice", "slices in range", "is no request"] {
        assert!(row(&text, name).starts_with("ok"), "{text}");
    }
}

#[test]
fn a_codec_that_lies_about_a_mark_is_found_out_whatever_the_lie() {
    for (lie, word) in [("1", "<think>"), ("3", "left a trace"), ("4", "text \"\"")] {
        let (text, code) = check("liar.c", &format!("-DLIE={lie}"), &[]);
        let marks = row(&text, "marks as repeatable");
        assert!(code == Some(1) && marks.starts_with("FAILED") && marks.contains(word), "lie {lie}: {text}");
        assert!(text.contains("1 of 12 checks failed"), "it lies about nothing else: {text}");
    }
}

#[test]
fn a_volatile_key_that_is_read_is_found_out_with_a_recorded_reply() {
    let place = Place::new();
    let reply = place.file("reply.ndjson");
    fs::write(&reply, "{\"text\":\"Hel\",\"index\":0}\n{\"text\":\"lo\",\"index\":0}\n{\"done\":true}\n")
        .expect("written");
    let reply = ["--reply", reply.to_str().expect("text")];
    let (text, code) = check("liar.c", "-DLIE=2", &reply);
    let marks = row(&text, "marks as repeatable");
    assert!(code == Some(1) && marks.starts_with("FAILED") && marks.contains("\"index\":-7.5e3"), "{text}");
    let (text, code) = check("liar.c", "-DLIE=0", &reply);
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn memory_that_does_not_come_back_is_counted() {
    let (text, code) = check("faulty.c", "-DFAULT=1", &[]);
    let leak = row(&text, "leaks nothing");
    assert!(code == Some(1) && leak.contains("240000 bytes of the engine's alloc"), "{text}");
    if cfg!(target_os = "linux") {
        let (text, code) = check("faulty.c", "-DFAULT=2", &[]);
        let leak = row(&text, "leaks nothing");
        assert!(code == Some(1) && leak.contains("bytes a call"), "{text}");
    }
    let (text, code) = check("faulty.c", "-DFAULT=0", &[]);
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn a_tool_that_hangs_or_says_what_is_not_so_is_found_out() {
    for (fault, name, word) in [
        ("3", "ends when cancelled", "cancelled before it began: no answer within 5 s"),
        ("4", "reads wrong arguments", "of 0 bytes: no answer within 5 s"),
        ("5", "reads wrong arguments", "had not finished the sink"),
    ] {
        let (text, code) = check("faulty.c", &format!("-DFAULT={fault}"), &[]);
        let row = row(&text, name);
        assert!(code == Some(1) && row.starts_with("FAILED") && row.contains(word), "fault {fault}: {text}");
    }
}

#[test]
fn a_plugin_that_crashes_or_ends_the_process_has_a_verdict_too() {
    for (fault, word) in [("7", "it crashed with signal 11"), ("8", "it ended the process with exit code 0")] {
        let (text, code) = check("faulty.c", &format!("-DFAULT={fault}"), &[]);
        let row = row(&text, "reads wrong arguments");
        assert!(code == Some(1) && row.starts_with("FAILED") && row.contains(word), "fault {fault}: {text}");
        assert!(text.contains("nothing was tried after it") && !text.contains("checks passed"), "{text}");
    }
}

#[test]
fn a_tool_that_may_change_something_is_not_called_and_that_is_said() {
    let (text, code) = check("faulty.c", "-DFAULT=6", &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(row(&text, "tool faulty answers").starts_with("skipped"), "{text}");
    assert!(text.contains("checks passed, 1 skipped"), "{text}");
}

/// A dialect that lies is caught by the engine itself, where it is told to look.
#[test]
fn a_run_whose_codec_lies_fails_and_names_the_plugin_if_templates_are_checked() {
    let body = format!("{}{}", "{\"text\":\" lo\"}\n{\"text\":\"<think>\"}\n".repeat(40), "{\"done\":true}\n");
    for (lie, options, is_found) in [
        ("1", &["--check-templates", "1"][..], true),
        ("1", &["--check-templates", "7"], true),
        ("1", &[], false),
        ("0", &["--check-templates", "1"], false),
    ] {
        let place = Place::new();
        let library = place.file("data/thalweg/plugins/liar.so");
        create_folder(library.parent().expect("a folder"));
        compile_c_with(&repository().join("tests/cli/liar.c"), &library, &[&format!("-DLIE={lie}")]);
        let run = |arguments: &[&str]| {
            let mut command = place.thalweg();
            command.env("XDG_DATA_HOME", place.file("data")).env("XDG_CONFIG_HOME", place.file("config"));
            command.args(arguments).output().expect("started")
        };
        assert!(run(&["plugin", "install", library.to_str().expect("text")]).status.success());
        // Both the agent and the bare decoder look.
        let reply = place.file("reply.ndjson");
        fs::write(&reply, &body).expect("written");
        let reply = reply.to_str().expect("text");
        let decoded = run(&[&["decode", "--dialect", "liar", reply], options].concat());
        let (url, server) = serve_once(body.clone());
        let ask = ["chat", "--quiet", "--no-tools", "--dialect", "liar", "--base-url", &url, "--model", "m", "hi"];
        let asked = run(&[&ask, options].concat());
        server.join().expect("no panic");
        for output in [decoded, asked] {
            let text = stdout(&output) + &stderr(&output);
            let is_named = text.contains("plugin `example.liar` marked a frame as repeatable");
            assert_eq!((output.status.success(), is_named), (!is_found, is_found), "lie {lie}, {options:?}: {text}");
        }
    }
}
