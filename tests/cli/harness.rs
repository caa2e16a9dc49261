//! Starts the real binary: as it was built, or as a copy with its plugins in a folder where they can be broken.

use std::fs;
use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest as _, Sha256};

/// What the recorded question needs.
pub(crate) const PLUGINS: [&str; 3] = ["openai", "calculator", "weather_c"];
/// Plugin files that lie beside the binary, of every kind.
pub(crate) const ALL_PLUGINS: [&str; 6] = ["openai", "anthropic", "calculator", "weather_c", "eliza_c", "script"];
/// Nothing that is waited for takes longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository")
}

/// The folder of this test's own profile, for example `target/debug`.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("known");
    test.parent().and_then(Path::parent).expect("tests run from deps/").to_owned()
}

/// The binary, built once with the profile of this test: `cargo test` builds no binary of another package, and one that
/// was left over may be old.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let folder = profile_folder();
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(repository()).args(["build", "--quiet", "-p", "thalweg-cli"]);
        if folder.file_name().is_some_and(|name| name == "release") {
            cargo.arg("--release");
        }
        cargo.arg("--target-dir").arg(folder.parent().expect("the target folder"));
        let status = cargo.status().expect("cargo starts");
        assert!(status.success(), "the binary could not be built");
        folder.join(format!("thalweg{}", std::env::consts::EXE_SUFFIX))
    })
}

/// Name of a plugin's file.
pub(crate) fn file_name(plugin: &str) -> String {
    format!("{}thw_{plugin}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

/// Where the build put a plugin.
pub(crate) fn plugin_path(plugin: &str) -> PathBuf {
    binary().parent().expect("a folder").join("deps").join(file_name(plugin))
}

/// The command as it was built, without keys and without a terminal.
pub(crate) fn thalweg() -> Command {
    command(binary())
}

fn command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    let ends = ["_API_KEY", "_TOKEN", "_BASE_URL", "_proxy", "_PROXY"];
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| {
            ends.iter().any(|end| name.ends_with(end)) || ["THALWEG_PROVIDERS", "THALWEG_PLUGIN_PATH"].contains(&name)
        }) {
            command.env_remove(name);
        }
    }
    // The rows of whoever runs the tests are not the tests'.
    command.env("XDG_CONFIG_HOME", profile_folder().join("no-such-folder"));
    command.env("XDG_DATA_HOME", profile_folder().join("no-such-folder"));
    // Nor are their conversations; who tests those names a file.
    command.env("THALWEG_SESSIONS", "off");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A folder of its own with a copy of the binary and of its plugins; gone when dropped.
pub(crate) struct Place {
    folder: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Not below target/, which may have been made with a umask that lets a group write.
        let folder = std::env::temp_dir().join(format!("thalweg-cli-{}-{number}", std::process::id()));
        create_folder(&folder);
        let place = Self { folder };
        fs::copy(binary(), place.binary()).expect("copied");
        for plugin in ALL_PLUGINS {
            fs::copy(plugin_path(plugin), place.plugin(plugin)).expect("copied");
        }
        place
    }

    fn binary(&self) -> PathBuf {
        self.folder.join(binary().file_name().expect("a name"))
    }

    pub(crate) fn plugin(&self, plugin: &str) -> PathBuf {
        self.folder.join(file_name(plugin))
    }

    /// Another file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn thalweg(&self) -> Command {
        command(&self.binary())
    }
}

/// Makes a folder, and those above it, that nobody else may write to, whatever the umask.
pub(crate) fn create_folder(folder: &Path) {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
    builder.recursive(true).create(folder).expect("created");
}

impl Drop for Place {
    fn drop(&mut self) {
        // A leftover folder harms nobody.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A running command whose output is read as it comes.
pub(crate) struct Running {
    pub(crate) child: Child,
    output: Arc<(Mutex<String>, Condvar)>,
    seen: usize,
    readers: Vec<JoinHandle<()>>,
    errors: Arc<(Mutex<String>, Condvar)>,
}

/// What it said until it ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) text: String,
    pub(crate) errors: String,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::follow(command.stdin(Stdio::piped()).spawn().expect("started"))
    }

    /// Follows what was started with pipes.
    pub(crate) fn follow(mut child: Child) -> Self {
        let (output, errors) = (Arc::default(), Arc::default());
        let readers = vec![
            collect(child.stdout.take().expect("piped"), Arc::clone(&output)),
            collect(child.stderr.take().expect("piped"), Arc::clone(&errors)),
        ];
        Self { child, output, seen: 0, readers, errors }
    }

    /// Waits until the text shows in the output after what was waited for before.
    pub(crate) fn wait_for_output(&mut self, text: &str) {
        let (buffer, changed) = &*self.output;
        let started = Instant::now();
        let mut buffer = buffer.lock().expect("no reader panics");
        loop {
            if let Some(at) = buffer[self.seen..].find(text) {
                self.seen += at + text.len();
                return;
            }
            let left = PATIENCE.checked_sub(started.elapsed());
            let left = left.unwrap_or_else(|| panic!("`{text}` never came; so far: {}", *buffer));
            buffer = changed.wait_timeout(buffer, left).expect("no reader panics").0;
        }
    }

    /// Waits for the first URL on 127.0.0.1 that is followed by other text; gives it up to its port.
    pub(crate) fn wait_for_url(&mut self) -> String {
        const START: &str = "http://127.0.0.1:";
        self.wait_for_output(START);
        self.wait_for_output("\n");
        let output = self.output.0.lock().expect("no reader panics");
        let at = output.find(START).expect("waited for") + START.len();
        let port: String = output[at..].chars().take_while(char::is_ascii_digit).collect();
        format!("{START}{port}")
    }

    /// A line on stdin.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().expect("open"), "{line}").expect("taken");
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).expect("still running");
    }

    /// Closes stdin and waits for the end.
    pub(crate) fn finish(mut self) -> Ended {
        drop(self.child.stdin.take());
        let status = self.child.wait().expect("waited");
        for reader in self.readers.drain(..) {
            reader.join().expect("no reader panics");
        }
        let take = |buffer: &(Mutex<String>, Condvar)| buffer.0.lock().expect("no reader panics").clone();
        Ended { code: status.code(), text: take(&self.output), errors: take(&self.errors) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone after `finish`.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut from: impl Read + Send + 'static, into: Arc<(Mutex<String>, Condvar)>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut pending = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut chunk) {
            pending.extend_from_slice(&chunk[..read]);
            let valid = match std::str::from_utf8(&pending) {
                Ok(text) => text.len(),
                Err(error) => error.valid_up_to(),
            };
            let text: Vec<u8> = pending.drain(..valid).collect();
            into.0.lock().expect("no test panics while it holds this").push_str(&String::from_utf8_lossy(&text));
            into.1.notify_all();
        }
    })
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The sum of a file in lower-case hexadecimal digits.
pub(crate) fn sha256(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Builds a shared object from one C file with the plugin header.
pub(crate) fn compile_c(source: &Path, into: &Path) {
    compile_c_with(source, into, &[]);
}

/// As [`compile_c`], with more flags.
pub(crate) fn compile_c_with(source: &Path, into: &Path, flags: &[&str]) {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    command
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"])
        .args(flags)
        .arg("-o")
        .arg(into)
        .arg(source);
    command.arg("-I").arg(repository().join("ffi/include"));
    let output = command.output().expect("a C compiler is there, as the build needs one");
    assert!(output.status.success(), "{}", stderr(&output));
}

/// Whether a usual port of a model server is taken, so that a live endpoint might be found.
pub(crate) fn a_model_server_may_run_here() -> bool {
    [11434, 8080, 8000, 1234].iter().any(|port| TcpListener::bind(("127.0.0.1", *port)).is_err())
}

/// Answers one request with lines of JSON: the URL, and the thread that gives the request.
pub(crate) fn serve_once(body: String) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let request = read_request(&mut stream);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ncontent-length";
        // One that has heard enough may be gone.
        let _ = write!(stream, "{head}: {}\r\n\r\n{body}", body.len());
        request
    });
    (url, server)
}

/// One whole HTTP request, as text.
pub(crate) fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).expect("a request");
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            if read == 0 || body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        assert!(read > 0, "the client left in the middle of its request");
    }
}
