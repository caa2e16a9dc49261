//! Plugins that `thalweg plugin new` begins: each kind in each language builds, passes its check, and one of each kind is
//! allowed and used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::{Place, create_folder, file_name, repository, serve_once, stderr, stdout, thalweg};

/// A home with a folder for projects.
struct Desk {
    place: Place,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { place: Place::new() };
        create_folder(&desk.place.file("projects"));
        desk
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = thalweg();
        command.env("XDG_DATA_HOME", self.place.file("data")).env("XDG_CONFIG_HOME", self.place.file("config"));
        command.args(arguments).output().expect("started")
    }

    /// Begins a project and gives its folder.
    fn begin(&self, name: &str, kind: &str, language: &str) -> PathBuf {
        let folder = self.place.file("projects").join(name);
        let made = self.run(&["plugin", "new", folder.to_str().expect("text"), "--kind", kind, "--lang", language]);
        assert!(made.status.success(), "{}", stderr(&made));
        folder
    }

    /// Builds it with the one command of its README, and gives the shared object.
    fn build(&self, name: &str, kind: &str, language: &str) -> PathBuf {
        let folder = self.begin(name, kind, language);
        let readme = fs::read_to_string(folder.join("README.md")).expect("written");
        let line = readme.lines().skip_while(|line| *line != "```sh").nth(1).expect("a command");
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().expect("a word"));
        command.args(words).current_dir(&folder).env("CFLAGS", "-O1 -Werror").env("CXXFLAGS", "-O1 -Werror");
        // The versions of this repository, which are at hand; what was built for another project need not be built again.
        let target = std::env::current_exe().expect("known").with_file_name("scaffold");
        if language == "rust" {
            fs::copy(repository().join("Cargo.lock"), folder.join("Cargo.lock")).expect("copied");
            command.env("CARGO_TARGET_DIR", &target).env("CARGO_NET_OFFLINE", "true");
        }
        let built = command.output().expect("started");
        assert!(built.status.success(), "{line} of {kind} in {language}: {}{}", stdout(&built), stderr(&built));
        let library = folder.join(file_name(&name.replace('-', "_")));
        if language == "rust" {
            fs::copy(target.join("release").join(library.file_name().expect("a name")), &library).expect("copied");
        }
        library
    }

    fn check(&self, library: &Path) {
        let checked = self.run(&["plugin", "check", library.to_str().expect("text")]);
        let text = stdout(&checked);
        assert!(checked.status.success(), "{}: {text}{}", library.display(), stderr(&checked));
        assert!(text.contains("checks passed") && !text.contains("FAILED"), "{text}");
    }

    fn install(&self, library: &Path) {
        let installed = self.run(&["plugin", "install", library.to_str().expect("text")]);
        assert!(installed.status.success(), "{}", stderr(&installed));
    }
}

fn every_kind_in(language: &str) {
    let desk = Desk::new();
    for kind in ["tool", "provider", "codec"] {
        let library = desk.build(&format!("my-{kind}-{language}"), kind, language);
        desk.check(&library);
        desk.install(&library);
    }
    use_tool(&desk, &format!("my-tool-{language}"));
    use_provider(&desk, &format!("my-provider-{language}"));
    use_codec(&desk, &format!("my-codec-{language}"));
}

/// A model that calls the tool.
fn use_tool(desk: &Desk, name: &str) {
    let script = desk.place.file("script.json");
    let text = format!(
        r#"{{"replies":[{{"tool_calls":[{{"name":"{name}","arguments":{{"text":"one two\nthree  \u00fc"}}}}]}},{{"text":"Done."}}]}}"#
    );
    fs::write(&script, text).expect("written");
    let used = desk.run(&["chat", "--model", &format!("script/{}", script.display()), "hi"]);
    let text = stdout(&used);
    assert!(used.status.success() && text.contains(&format!("result  {name} 4")), "{text}{}", stderr(&used));
}

fn use_provider(desk: &Desk, name: &str) {
    let used = desk.run(&["chat", "--quiet", "--model", &format!("{name}/echo"), "say  \"this\"\nagain"]);
    assert!(used.status.success(), "{}", stderr(&used));
    assert!(stdout(&used).contains("say  \"this\"\nagain"), "{}", stdout(&used));
}

/// A server that speaks the dialect.
fn use_codec(desk: &Desk, name: &str) {
    let body = "{\"text\":\"Gr\\u00fc\\u00df \"}\n{\"text\":\"Gott\"}\n{\"text\":\"!\"}\n{\"done\":\"stop\"}\n";
    let (url, server) = serve_once(body.to_owned());
    let used =
        desk.run(&["chat", "--quiet", "--no-tools", "--dialect", name, "--base-url", &url, "--model", "m", "hi"]);
    assert!(used.status.success(), "{}{}", stdout(&used), stderr(&used));
    assert!(stdout(&used).contains("Grüß Gott!"), "{}", stdout(&used));
    let request = server.join().expect("no panic");
    assert!(request.starts_with("POST /generate "), "{request}");
    let body: serde_json::Value =
        serde_json::from_str(request.split_once("\r\n\r\n").expect("a body").1).expect("the body is JSON");
    assert_eq!((&body["model"], &body["messages"][0]["content"][0]["text"]), (&"m".into(), &"hi".into()), "{body}");
}

#[test]
fn plugins_begun_in_c_build_pass_their_check_and_work() {
    every_kind_in("c");
}

#[test]
fn plugins_begun_in_cpp_build_pass_their_check_and_work() {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    if Command::new(compiler).arg("--version").output().is_err() {
        return println!("skipped: there is no C++ compiler; install one, or name it in CXX");
    }
    every_kind_in("cpp");
}

#[test]
fn plugins_begun_in_rust_build_pass_their_check_and_work() {
    every_kind_in("rust");
}

#[test]
fn a_folder_with_something_in_it_is_left_as_it_is() {
    let desk = Desk::new();
    let folder = desk.begin("mine", "tool", "c");
    let source = folder.join("plugin.c");
    fs::write(&source, "my work").expect("written");
    let again = desk.run(&["plugin", "new", folder.to_str().expect("text"), "--kind", "codec", "--lang", "c"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("not empty"), "{}", stderr(&again));
    assert_eq!(fs::read_to_string(&source).expect("there"), "my work");
    let named = desk.run(&["plugin", "new", "Bad Name", "--kind", "tool", "--lang", "c"]);
    assert_eq!(named.status.code(), Some(2));
    assert!(stderr(&named).contains("begins with a letter"), "{}", stderr(&named));
}
