//! Plugins of a user's own: dropped into a folder, listed as new, allowed by one printed command, used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::{Place, compile_c, create_folder, repository, sha256, stderr, stdout, thalweg};

/// A home of its own.
struct Home {
    place: Place,
}

impl Home {
    fn new() -> Self {
        let home = Self { place: Place::new() };
        create_folder(&home.folder());
        home
    }

    /// The folder of the user's plugins.
    fn folder(&self) -> PathBuf {
        self.place.file("data/thalweg/plugins")
    }

    fn parrot(&self, path: &Path) {
        compile_c(&repository().join("tests/cli/parrot.c"), path);
        set_mode(path, 0o755);
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().expect("started")
    }

    fn command(&self) -> Command {
        let mut command = thalweg();
        command.env("XDG_DATA_HOME", self.place.file("data")).env("XDG_CONFIG_HOME", self.place.file("config"));
        command
    }
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
}

/// The command that a line of the list prints.
fn printed_command(list: &str) -> Vec<String> {
    let line =
        list.lines().find_map(|line| line.trim().strip_prefix("allow   thalweg ")).expect("a command is printed");
    line.split(' ').map(str::to_owned).collect()
}

#[test]
fn a_provider_and_a_tool_are_copied_allowed_and_used() {
    let home = Home::new();
    let file = home.folder().join("parrot.so");
    home.parrot(&file);

    let listed = home.run(&["plugin", "list"]);
    let text = stdout(&listed);
    assert!(listed.status.success(), "a new plugin is no error: {text}{}", stderr(&listed));
    assert!(text.contains("new, not allowed") && text.contains(file.to_str().expect("text")), "{text}");

    let refused = home.run(&["chat", "--model", "parrot/grey", "hi"]);
    assert_eq!(refused.status.code(), Some(2), "{}{}", stdout(&refused), stderr(&refused));

    let command = printed_command(&text);
    let allowed = home.command().args(&command).output().expect("started");
    assert!(allowed.status.success(), "{}", stderr(&allowed));
    assert!(stdout(&allowed).contains("example.parrot 1.0.0") && stdout(&allowed).contains(&sha256(&file)));

    let text = stdout(&home.run(&["plugin", "list"]));
    assert!(text.contains("provider parrot (thw.provider/1), tool ping (thw.tool/1)"), "{text}");

    let used = home.run(&["chat", "--model", "parrot/grey", "hi"]);
    let text = stdout(&used);
    assert!(used.status.success(), "{text}{}", stderr(&used));
    assert!(text.contains("result  ping pong") && text.contains("The tool was called."), "{text}");
    assert!(text.contains(file.to_str().expect("text")), "its path is shown: {text}");

    // Its tool is not, where no tools are wanted.
    let without = home.run(&["chat", "--model", "parrot/grey", "--no-tools", "hi"]);
    assert!(!stdout(&without).contains("result  ping pong"), "{}", stdout(&without));

    // The tool is there for other models, too.
    let script = home.place.file("script.json");
    fs::write(&script, r#"{"replies":[{"tool_calls":[{"name":"ping"}]},{"text":"Done."}]}"#).expect("written");
    let text = stdout(&home.run(&["chat", "--model", &format!("script/{}", script.display()), "hi"]));
    assert!(text.contains("result  ping pong") && text.contains("Done."), "{text}");
}

#[test]
fn a_file_that_changed_since_it_was_allowed_is_left_out_and_said() {
    let home = Home::new();
    let file = home.folder().join("parrot.so");
    home.parrot(&file);
    assert!(home.run(&["plugin", "install", file.to_str().expect("text")]).status.success());
    let mut bytes = fs::read(&file).expect("read");
    bytes.extend_from_slice(b"more");
    fs::write(&file, bytes).expect("written");

    let refused = home.run(&["chat", "--model", "parrot/grey", "hi"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("changed since it was allowed"), "{}", stderr(&refused));
    let listed = home.run(&["plugin", "list"]);
    assert_eq!(listed.status.code(), Some(1));
    assert!(stdout(&listed).contains("changed since it was allowed, when its sha256 was"), "{}", stdout(&listed));
    assert!(home.run(&["plugin", "install", file.to_str().expect("text")]).status.success());
    assert!(home.run(&["chat", "--model", "parrot/grey", "hi"]).status.success());
}

#[test]
fn a_file_from_elsewhere_is_copied_into_the_folder() {
    let home = Home { place: Place::new() };
    let file = home.place.file("elsewhere.so");
    home.parrot(&file);
    let installed = home.run(&["plugin", "install", file.to_str().expect("text")]);
    assert!(installed.status.success(), "{}", stderr(&installed));
    fs::remove_file(&file).expect("was there");
    assert!(home.folder().join("elsewhere.so").is_file());
    assert!(home.run(&["chat", "--model", "parrot", "hi"]).status.success());
}

#[test]
fn more_folders_come_from_the_environment() {
    let home = Home::new();
    let file = home.place.file("more/parrot.so");
    create_folder(&home.place.file("more"));
    home.parrot(&file);
    let mut list = home.command();
    list.args(["plugin", "list"]).env("THALWEG_PLUGIN_PATH", home.place.file("more"));
    let text = stdout(&list.output().expect("started"));
    assert!(text.contains(file.to_str().expect("text")) && text.contains("new, not allowed"), "{text}");
}

#[test]
fn what_others_can_write_to_is_not_allowed() {
    let home = Home::new();
    let file = home.folder().join("parrot.so");
    home.parrot(&file);
    set_mode(&file, 0o777);
    let installed = home.run(&["plugin", "install", file.to_str().expect("text")]);
    assert_eq!(installed.status.code(), Some(1));
    assert!(stderr(&installed).contains("chmod go-w"), "{}", stderr(&installed));
    let text = stdout(&home.run(&["plugin", "list"]));
    assert!(text.contains("cannot be loaded") && !text.contains("allow   "), "{text}");

    set_mode(&file, 0o755);
    assert!(home.run(&["plugin", "install", file.to_str().expect("text")]).status.success());
    let pins = home.place.file("config/thalweg/plugins.toml");
    set_mode(&pins, 0o666);
    let refused = home.run(&["plugin", "list"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("plugins.toml"), "{}", stderr(&refused));
}
