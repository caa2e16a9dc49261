//! Compiles C and C++ in tests, with the compiler that the build of the plugins needs anyway.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// The folder of the headers.
#[must_use]
pub fn include() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ffi/include")
}

/// The folder of the C sources of the tests.
#[must_use]
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins_c")
}

/// The C compiler: that of `CC`, or `cc`.
#[must_use]
pub fn compiler() -> Command {
    Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()))
}

/// The C++ compiler, if there is one: that of `CXX`, or `c++`.
#[must_use]
pub fn cpp_compiler() -> Option<Command> {
    let name = env::var_os("CXX").unwrap_or_else(|| "c++".into());
    Command::new(&name).arg("--version").output().ok().map(|_| Command::new(name))
}

/// Runs a compiler or a program.
///
/// # Panics
/// When it cannot be run or fails; with what it said.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Compiles `source` to a shared object beside the running test, where the loader trusts it as the test itself.
///
/// # Panics
/// When the compiler fails.
#[must_use]
pub fn shared_object(source: &str, name: &str, flags: &[&str]) -> PathBuf {
    let executable = env::current_exe().expect("the test has a path");
    let target = executable.with_file_name(format!("test_{name}.so"));
    // Another test or another run may load the file at the same time, so it appears in one step.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let fresh = executable.with_file_name(format!("test_{name}.{}-{count}.new", std::process::id()));
    let mut command = compiler();
    command.args([
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fvisibility=hidden",
        "-fPIC",
        "-g",
        "-pthread",
        "-shared",
    ]);
    command.arg("-I").arg(include()).args(flags).arg(sources().join(source)).arg("-o").arg(&fresh);
    run(&mut command);
    std::fs::rename(&fresh, &target).expect("the folder of the test is writable");
    target
}
