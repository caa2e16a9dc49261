//! The C library as a C program sees it: installed to a prefix, compiled with what pkg-config says, run against a server
//! that plays recordings, and once more under valgrind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::{env, fs};

use serde_json::{Value, json};
use thalweg_replay::{Exchange, Fault, Options, Recording, Server, builtin};
use thalweg_tests::c;

// ---- The installed library ----

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository")
}

/// Where the library was installed to: once, by the command that users run, from a build of this test's profile.
fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let test = env::current_exe().expect("known");
        let folder = test.parent().and_then(Path::parent).expect("tests run from deps/");
        let target = folder.parent().expect("the target folder");
        let prefix = folder.join("c-prefix");
        let profile = if folder.file_name().is_some_and(|name| name == "release") { "release" } else { "dev" };
        let mut install = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        install.current_dir(repository()).args(["run", "--quiet", "-p", "thalweg-cli", "--profile", profile]);
        install.arg("--target-dir").arg(target).args(["--", "install-c", "--profile", profile]);
        install.arg("--target-dir").arg(target).arg("--prefix").arg(&prefix);
        c::run(&mut install);
        prefix
    })
}

/// What pkg-config says of the library; `None` on a machine without it.
fn pkg_config(arguments: &[&str]) -> Option<Vec<String>> {
    Command::new("pkg-config").arg("--version").output().ok()?;
    let mut command = Command::new("pkg-config");
    let output = c::run(command.env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig")).args(arguments).arg("thalweg"));
    Some(String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect())
}

/// The same by hand.
fn flags() -> Vec<String> {
    let prefix = prefix().display();
    vec![format!("-I{prefix}/include"), format!("-L{prefix}/lib"), "-lthalweg".to_owned()]
}

/// Compiles a program as the README says, with all warnings on.
fn compile(source: &Path, name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("c_{name}_{}", std::process::id()));
    let mut compiler = c::compiler();
    compiler.args(["-std=c99", "-g", "-Wall", "-Wextra", "-pedantic", "-Werror", "-pthread"]).arg(source);
    c::run(compiler.args(pkg_config(&["--cflags", "--libs"]).unwrap_or_else(flags)).arg("-o").arg(&program));
    program
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", prefix().join("lib")).env("DYLD_LIBRARY_PATH", prefix().join("lib"));
    for name in ["OPENAI_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    command
}

fn has_valgrind() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND
        .get_or_init(|| Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()))
}

/// Runs a program of `tests/c`, and once more under valgrind, which must find no error and no leak.
fn run(name: &str, arguments: &[&str], under_valgrind: &[&str]) {
    let program = compile(&repository().join(format!("tests/c/{name}.c")), name);
    c::run(command(&program).args(arguments));
    if has_valgrind() {
        valgrind(&program, under_valgrind);
    } else {
        println!("skipped: {name} under valgrind, which is not installed");
    }
    fs::remove_file(program).unwrap();
}

fn valgrind(program: &Path, arguments: &[&str]) -> Output {
    let mut checked = command(Path::new("valgrind"));
    checked.args([
        "--quiet",
        "--error-exitcode=99",
        "--leak-check=full",
        "--show-leak-kinds=definite,indirect,possible",
    ]);
    let suppressions = repository().join("tests/c/valgrind.supp");
    checked.arg(format!("--suppressions={}", suppressions.display()));
    checked.args(["--errors-for-leak-kinds=definite,indirect,possible", "--child-silent-after-fork=yes"]);
    c::run(checked.arg(program).args(arguments))
}

// ---- Servers ----

fn chunk(delta: &Value, finish: Option<&str>) -> String {
    let body = json!({"id": "c1", "object": "chat.completion.chunk", "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    format!("data: {body}\n\n")
}

/// A reply in pieces: multi-byte characters, and escapes.
fn reply() -> Exchange {
    text_reply(&["Hel", "lo ", "w", "örld", ", a quote \" and \n", "a line", &"long ".repeat(40)])
}

fn text_reply(pieces: &[&str]) -> Exchange {
    let mut chunks: Vec<String> = pieces.iter().map(|piece| chunk(&json!({"content": piece}), None)).collect();
    chunks.push(chunk(&json!({}), Some("stop")));
    chunks.push("data: [DONE]\n\n".to_owned());
    Exchange::of_chunks(chunks)
}

fn call() -> Exchange {
    let call = json!({"tool_calls": [{"index": 0, "id": "c9", "type": "function",
        "function": {"name": "echo", "arguments": "{}"}}]});
    Exchange::of_chunks([chunk(&call, None), chunk(&json!({}), Some("tool_calls")), "data: [DONE]\n\n".to_owned()])
}

fn server(exchange: Exchange, options: Options) -> Server {
    server_of(vec![exchange], options)
}

fn server_of(exchanges: Vec<Exchange>, options: Options) -> Server {
    let recording = Recording::by_hand("openai-chat", exchanges);
    Server::start(vec![recording], options).expect("a loopback port")
}

// ---- What is installed ----

#[test]
fn program_of_the_readme_compiles_with_pkg_config_and_prints_the_reply() {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let program = readme.split("```c\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a program in C");
    assert_eq!(program, fs::read_to_string(repository().join("ffi/examples/c/hi.c")).unwrap());
    if pkg_config(&["--exists"]).is_none() {
        println!("skipped: there is no pkg-config");
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("readme_{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("hi.c"), program).unwrap();
    let mut shell = Command::new("sh");
    shell.current_dir(&folder).env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig"));
    c::run(shell.args(["-c", "cc hi.c $(pkg-config --cflags --libs thalweg)"]));
    let server = server(reply(), Options::in_order());
    let options = json!({"model": "m", "base_url": server.url()}).to_string();
    let output = c::run(command(&folder.join("a.out")).arg(&options));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("Hello wörld, a quote \" and \na line"));
    if has_valgrind() {
        valgrind(&folder.join("a.out"), &[&options]);
    }
    // One thing wrong, at the beginning of the chain: the last line says what.
    let output = command(&folder.join("a.out")).arg(r#"{"modle": "m"}"#).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("unknown field `modle`"));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn shared_library_has_its_name_and_exports_the_functions_of_the_header_and_nothing_else() {
    let library = prefix().join("lib/libthalweg.so.1");
    assert_eq!(fs::read_link(prefix().join("lib/libthalweg.so")).unwrap(), Path::new("libthalweg.so.1"));
    let dynamic = c::run(Command::new("readelf").arg("--dynamic").arg(&library));
    assert!(String::from_utf8_lossy(&dynamic.stdout).contains("Library soname: [libthalweg.so.1]"));
    let symbols = c::run(Command::new("nm").args(["--dynamic", "--defined-only", "--format=posix"]).arg(&library));
    let symbols = String::from_utf8(symbols.stdout).unwrap();
    let mut exported: Vec<&str> = symbols.lines().filter_map(|line| line.split(' ').next()).collect();
    exported.sort_unstable();
    let header = fs::read_to_string(c::include().join("thalweg.h")).unwrap();
    let functions = header.lines().filter(|line| line.starts_with("THW_API "));
    let mut declared: Vec<&str> =
        functions.filter_map(|line| line.split('(').next()?.rsplit([' ', '*']).next()).collect();
    declared.sort_unstable();
    assert!(declared.len() > 30, "{declared:?}");
    assert_eq!(exported, declared);
}

#[test]
#[cfg(target_os = "linux")]
fn static_library_links_with_what_the_pc_file_lists() {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("static_{}", std::process::id()));
    let Some((includes, libraries)) = pkg_config(&["--cflags"]).zip(pkg_config(&["--static", "--libs"])) else {
        println!("skipped: there is no pkg-config");
        return;
    };
    let mut compiler = c::compiler();
    compiler.arg(repository().join("ffi/examples/c/hi.c")).args(includes);
    compiler.arg(prefix().join("lib/libthalweg.a"));
    compiler.args(libraries.iter().filter(|library| *library != "-lthalweg"));
    c::run(compiler.arg("-o").arg(&program));
    let server = server(reply(), Options::in_order());
    let options = json!({"model": "m", "base_url": server.url()}).to_string();
    let output = c::run(Command::new(&program).arg(options));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("Hello wörld"));
    fs::remove_file(program).unwrap();
}

#[test]
fn cmake_finds_the_installed_library() {
    if !Command::new("cmake").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: there is no cmake");
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cmake_{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::copy(repository().join("ffi/examples/c/hi.c"), folder.join("hi.c")).unwrap();
    let lists = "cmake_minimum_required(VERSION 3.13)\nproject(hi C)\n\
        find_package(thalweg 0.1 CONFIG REQUIRED)\n\
        add_executable(hi hi.c)\ntarget_link_libraries(hi PRIVATE thalweg::thalweg)\n\
        add_executable(hi-static hi.c)\ntarget_link_libraries(hi-static PRIVATE thalweg::thalweg-static)\n";
    fs::write(folder.join("CMakeLists.txt"), lists).unwrap();
    let mut cmake = Command::new("cmake");
    let root = format!("-DCMAKE_PREFIX_PATH={}", prefix().display());
    c::run(cmake.current_dir(&folder).args(["-B", "build", "-S", ".", &root]));
    c::run(Command::new("cmake").current_dir(&folder).args(["--build", "build"]));
    let server = server(reply(), Options::in_order());
    let options = json!({"model": "m", "base_url": server.url()}).to_string();
    for program in ["build/hi", "build/hi-static"] {
        let output = c::run(command(&folder.join(program)).arg(&options));
        assert!(String::from_utf8_lossy(&output.stdout).starts_with("Hello wörld"));
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn programs_of_the_guide_compile_without_a_warning_and_run() {
    let guide = fs::read_to_string(repository().join("docs/C.md")).unwrap();
    let programs: Vec<&str> = guide.split("```c\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    // What each prints.
    let expected =
        ["unknown field `modle`", "{}", "Hello wörld", "bytes\n", "[sky] [blue]", "first between last", "Hello\n"];
    assert_eq!(programs.len(), expected.len());
    for (number, (program, expected)) in programs.iter().zip(expected).enumerate() {
        let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("guide_{}_{number}.c", std::process::id()));
        fs::write(&source, program).unwrap();
        let program = compile(&source, &format!("guide_{number}"));
        let mut exchanges = vec![reply()];
        if expected == "{}" {
            exchanges = vec![call(), text_reply(&["{}"])];
        }
        let server = server_of(exchanges, Options::in_order());
        let options = json!({"model": "m", "base_url": server.url()}).to_string();
        let output = c::run(command(&program).arg(options));
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains(expected), "program {number} printed {printed:?}");
        if expected == "{}" {
            let second: Value = serde_json::from_slice(&server.requests()[1].request.body).unwrap();
            assert_eq!(second["messages"][2]["content"], "{}", "the answer of the tool");
        }
        fs::remove_file(source).unwrap();
        fs::remove_file(program).unwrap();
    }
}

// ---- What it does ----

#[test]
fn two_tools_are_called_and_the_conversation_moves_to_another_agent() {
    let server = Server::start(builtin(), Options::default()).unwrap();
    let url = format!("{}/v1", server.url());
    run("tools", &[&url], &[&url]);
}

#[test]
fn hooks_stand_around_tools_and_requests_and_a_provider_of_the_program_replies() {
    run("hooks", &[], &[]);
}

#[test]
fn a_conversation_goes_on_with_another_provider_and_requests_are_told() {
    let answering = server(reply(), Options::in_order());
    let call = json!({"tool_calls": [{"index": 0, "id": "c9", "type": "function",
        "function": {"name": "change", "arguments": "{}"}}]});
    let call = [chunk(&call, None), chunk(&json!({}), Some("tool_calls")), "data: [DONE]\n\n".to_owned()];
    let calling = server(Exchange::of_chunks(call), Options::in_order());
    let (answering, calling) = (answering.url(), calling.url());
    run("provider_change", &[&answering, &calling], &[&answering, &calling]);
}

#[test]
fn abort_from_another_thread_keeps_what_came_and_tells_a_waiting_tool() {
    // The first event is out, and the second is not whole.
    let silent = server(reply(), Options::in_order().fault(0..100, Fault::HangAfter(200)));
    let calling = server(call(), Options::in_order());
    let (silent, calling) = (silent.url(), calling.url());
    let servers = [silent.as_str(), calling.as_str()];
    run("abort", &servers, &servers);
}

#[test]
fn what_is_said_beside_the_prompt_comes_in_and_a_run_joins_the_drain_late() {
    let server = server(reply(), Options::in_order());
    run("steer", &[&server.url()], &[&server.url()]);
}

#[test]
fn a_client_gets_replies_with_the_key_that_a_hook_gives_and_gives_up_in_time() {
    let answering = server(reply(), Options::in_order());
    let silent = server(reply(), Options::in_order().fault(0..100, Fault::NoAnswer));
    let (answering, silent) = (answering.url(), silent.url());
    run("client", &[&answering, &silent], &[&answering, &silent]);
}

#[test]
fn sequences_of_a_program_are_flattened_and_what_is_in_them_is_released() {
    run("crew", &[], &[]);
}

#[test]
fn a_team_stands_in_the_place_of_a_model_and_its_members_have_names() {
    let server = server(reply(), Options::in_order());
    run("team", &[&server.url()], &[&server.url()]);
}

#[test]
fn conversations_are_kept_in_a_store_and_budgets_are_shared() {
    let server = server(reply(), Options::in_order());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("prices_{}.json", std::process::id()));
    fs::write(&path, r#"{"models": {"openai": {"m": {"input": 1, "output": 2}}}}"#).unwrap();
    let arguments = [server.url(), path.display().to_string()];
    let arguments = [arguments[0].as_str(), arguments[1].as_str()];
    run("sessions", &arguments, &arguments);
    fs::remove_file(path).unwrap();
}

#[test]
fn every_wrong_use_gives_a_status_and_a_message() {
    let body = r#"{"error":{"message":"slow down","type":"rate_limit_error","code":"rate_limit_exceeded"}}"#;
    let server = server(reply(), Options::in_order().fault(0..100, Fault::status(429, body)));
    run("errors", &[&server.url()], &[&server.url()]);
}

#[test]
fn every_way_to_read_a_run_gives_the_same() {
    let server = server(reply(), Options::in_order());
    run("readers", &[&server.url()], &[&server.url()]);
}

#[test]
fn one_consumer_drains_a_thousand_runs() {
    let server = server(reply(), Options::in_order());
    run("many", &[&server.url(), "1000"], &[&server.url(), "30"]);
}

#[test]
fn bare_decoder_gives_the_same_at_every_cut() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("body_{}", std::process::id()));
    fs::write(&path, reply().body()).unwrap();
    let body = path.to_str().unwrap();
    run("decoder", &[body], &[body, "37"]);
    fs::remove_file(path).unwrap();
}

#[test]
fn example_that_measures_the_decoder_checks_its_answer() {
    let program = compile(&repository().join("ffi/examples/c/decode_speed.c"), "decode_speed");
    let output = c::run(command(&program).args(["1000", "2"]));
    assert!(String::from_utf8_lossy(&output.stdout).contains("ns an event"));
    fs::remove_file(program).unwrap();
}

#[test]
fn example_with_a_provider_of_its_own_prints_its_reply() {
    let program = compile(&repository().join("ffi/examples/c/own_provider.c"), "own_provider");
    let output = c::run(&mut command(&program));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.starts_with("I was asked in a request of "), "{printed:?}");
    fs::remove_file(program).unwrap();
}

#[test]
fn forked_child_is_refused_and_may_start_anew() {
    let server = server(reply(), Options::in_order());
    run("forked", &[&server.url()], &[&server.url()]);
}
