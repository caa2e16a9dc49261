//! `thalweg plugin check`: tries a plugin in a process of its own, so that one that crashes or hangs has its verdict, too.

use std::env;
use std::io::{self, BufRead as _, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use thalweg::plugin::Loader;
use thalweg_abi::table::Manifest;

use crate::command::plugin::offers;
use crate::conformance::{self, Outcome, TRYING};
use crate::failure::{FAILED, Failure, USAGE};
use crate::plugins;

/// What to check, and with what.
#[derive(clap::Args)]
pub(crate) struct Check {
    /// The shared object
    file: PathBuf,
    /// The body of a recorded reply in the codec's dialect, as it came over the wire; its frames are tried, too
    #[arg(long, value_name = "FILE")]
    reply: Vec<PathBuf>,
    /// This is the process that tries it
    #[arg(long, hide = true)]
    inside: bool,
}

impl Check {
    pub(crate) fn execute(self, out: &mut impl Write) -> Result<(), Failure> {
        let path = self
            .file
            .canonicalize()
            .map_err(|error| Failure::usage(format_args!("cannot read {}: {error}", self.file.display())))?;
        if !self.inside {
            return self.watch(&path, out);
        }
        let result = self.try_it(&path, out);
        // The end, which nobody says but this.
        writeln!(out, "{TRYING}")?;
        out.flush()?;
        result
    }

    /// Starts the process that tries it, and shows what that says.
    fn watch(&self, path: &Path, out: &mut impl Write) -> Result<(), Failure> {
        let cannot = |error| Failure::run(format_args!("cannot start the process that tries it: {error}"));
        let mut command = Command::new(env::current_exe().map_err(cannot)?);
        command.args(["plugin", "check", "--inside"]).arg(path);
        self.reply.iter().for_each(|reply| {
            command.arg("--reply").arg(reply);
        });
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(cannot)?;
        let (told, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || {
                // Whatever the plugin prints is shown as well.
                let lines = BufReader::new(stdout).lines().map_while(Result::ok);
                lines.map(|line| told.send(line)).take_while(Result::is_ok).for_each(drop);
            });
        }
        let mut trying = "it loads and starts".to_owned();
        let mut is_whole = false;
        let silence = loop {
            match lines.recv_timeout(ROW_MAX) {
                Ok(line) => match line.strip_prefix(TRYING) {
                    Some("") => is_whole = true,
                    Some(name) => name.clone_into(&mut trying),
                    None => {
                        writeln!(out, "{line}")?;
                        out.flush()?;
                    }
                },
                Err(RecvTimeoutError::Disconnected) => break false,
                Err(RecvTimeoutError::Timeout) => {
                    // Gone already, if it cannot be killed.
                    let _ = child.kill();
                    break true;
                }
            }
        };
        let status = child.wait().map_err(cannot)?;
        let how = match (silence, status.code()) {
            (true, _) => format!("no end within {} s", ROW_MAX.as_secs()),
            (false, Some(0)) if is_whole => return Ok(()),
            // It has said why.
            (false, Some(code)) if is_whole && code == i32::from(USAGE) => return Err(Failure::silent(USAGE)),
            (false, Some(_)) if is_whole => return Err(Failure::silent(FAILED)),
            (false, _) => in_words(status),
        };
        conformance::write_row(out, &trying, &Outcome::Failed(how.clone()))?;
        out.flush()?;
        Err(Failure::run(format_args!("a check failed for {}: {how}; nothing was tried after it", path.display())))
    }

    fn try_it(&self, path: &Path, out: &mut impl Write) -> Result<(), Failure> {
        // A host of its own, which counts what this plugin holds.
        let host = plugins::new_host();
        let loader = Loader::new().with_host(host).allow(path);
        let inspected = loader.inspect(path).map_err(Failure::run)?;
        let loaded = loader.load(path).map_err(Failure::run)?;
        writeln!(out, "path       {}", path.display())?;
        writeln!(out, "sha256     {}", loaded.sha256())?;
        describe(loaded.manifest(), out)?;
        for line in offers(loaded.plugin()) {
            writeln!(out, "offers     {line}")?;
        }
        writeln!(out)?;
        let replies = match (loaded.plugin().codec(), self.reply.as_slice()) {
            (_, []) => Vec::new(),
            (Some(codec), replies) => {
                replies.iter().map(|reply| conformance::read_reply(reply, &codec)).collect::<Result<_, _>>()?
            }
            (None, _) => return Err(Failure::usage("--reply is for a plugin with a codec, and this one has none")),
        };
        let verdicts = conformance::check(&loader, &inspected, &loaded, host, &replies, out)?;
        let count = |is: fn(&Outcome) -> bool| verdicts.iter().filter(|outcome| is(outcome)).count();
        let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
        let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
        if failed > 0 {
            out.flush()?;
            return Err(Failure::run(format_args!(
                "{failed} of {} checks failed for {}",
                verdicts.len(),
                path.display()
            )));
        }
        let also = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
        Ok(writeln!(out, "\n{} checks passed{also}", verdicts.len() - skipped)?)
    }
}

fn describe(manifest: &Manifest, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "id         {}", manifest.id())?;
    writeln!(out, "version    {}", manifest.version())?;
    writeln!(out, "built by   {}", manifest.build())?;
    writeln!(out, "ABI        {}.{}", manifest.abi_major, manifest.abi_minor)
}

/// How the process ended before it had said all.
fn in_words(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("it crashed with signal {signal}");
    }
    format!("it ended the process with exit code {}", status.code().unwrap_or_default())
}

/// More than any row takes: 10,000 calls have 20 seconds, and a call that hangs has 5.
const ROW_MAX: Duration = Duration::from_secs(90);
