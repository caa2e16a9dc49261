//! Why a command ends without success, and with which exit code.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// The run failed: provider, plugin, tool, network or file.
pub(crate) const FAILED: u8 = 1;
/// Wrong usage, or nothing to talk to.
pub(crate) const USAGE: u8 = 2;
/// Ended by Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;

/// What is said at the end, and the exit code that goes with it.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// The run failed.
    pub(crate) fn run(message: impl Display) -> Self {
        Self { code: FAILED, message: message.to_string() }
    }

    /// The command line asks for something that cannot be, or there is nothing to talk to.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self { code: USAGE, message: message.to_string() }
    }

    /// Everything was said already; only the code is left.
    pub(crate) const fn silent(code: u8) -> Self {
        Self { code, message: String::new() }
    }

    /// The text for stderr; empty when all was said.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// The exit code as a number.
    pub(crate) const fn code(&self) -> u8 {
        self.code
    }
}

/// Writing to stdout failed. A reader that has gone away (`| head`) is no failure of ours to talk about.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::silent(0);
        }
        Self::run(format_args!("cannot write the output: {error}"))
    }
}

/// A line on stderr.
pub(crate) fn say(message: impl Display) {
    // Nothing is left to tell it to when stderr is gone.
    let _ = writeln!(io::stderr(), "thalweg: {message}");
}
