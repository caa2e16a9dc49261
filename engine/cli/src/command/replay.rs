//! `thalweg replay`: serves recordings over HTTP until Ctrl-C.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use thalweg_replay::{Options, Recording, Server};

use crate::endpoint::Pace;
use crate::failure::Failure;
use crate::session::base_path;

/// Serve recordings on a loopback port until Ctrl-C
///
/// A request gets the recorded reply of the same path, last user text and turn; its tool results are checked against
/// the recording and answered with 400 and the differences if they are others.
#[derive(clap::Args)]
pub(crate) struct Replay {
    /// Recordings, as `thalweg record` writes them; the built-in ones if none is named
    files: Vec<PathBuf>,
    /// Where to listen, on 127.0.0.1; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Pace: `recorded`, `max`, or a factor such as `2` for twice as fast
    #[arg(long, value_name = "PACE", default_value = "recorded")]
    pace: Pace,
}

impl Replay {
    pub(crate) async fn execute(self) -> Result<(), Failure> {
        if self.listen.ip() != std::net::Ipv4Addr::LOCALHOST {
            return Err(Failure::usage(format_args!(
                "recordings are served on 127.0.0.1 only, not on {}",
                self.listen
            )));
        }
        let recordings = self.recordings()?;
        let mut options = Options::pace(self.pace.into());
        options.port = self.listen.port();
        let server = Server::start(recordings.clone(), options)
            .map_err(|error| Failure::run(format_args!("cannot listen on {}: {error}", self.listen)))?;
        let mut out = io::stdout().lock();
        writeln!(out, "serving {} at {}, pace {}", count(recordings.len()), server.url(), self.pace)?;
        for recording in &recordings {
            let base_url = format!("{}{}", server.url(), base_path(&recording.dialect));
            writeln!(out, "\n  {:?}", recording.prompt)?;
            writeln!(out, "  {} {} {}, {}", recording.dialect, recording.model, recording.origin, recording.recorded)?;
            write!(out, "  thalweg chat --base-url {base_url} --model {}", recording.model)?;
            if recording.dialect != "openai-chat" {
                write!(out, " --dialect {}", recording.dialect)?;
            }
            writeln!(out, " …")?;
        }
        writeln!(out, "\nCtrl-C ends")?;
        out.flush()?;
        tokio::signal::ctrl_c().await.map_err(|error| Failure::run(format_args!("cannot listen for Ctrl-C: {error}")))
    }

    fn recordings(&self) -> Result<Vec<Recording>, Failure> {
        if self.files.is_empty() {
            return Ok(thalweg_replay::builtin());
        }
        let read = |file: &PathBuf| {
            let name = file.display();
            let text = fs::read_to_string(file)
                .map_err(|error| Failure::usage(format_args!("cannot read {name}: {error}")))?;
            Recording::from_jsonl(&text)
                .map_err(|error| Failure::usage(format_args!("{name} is no recording: {error}")))
        };
        self.files.iter().map(read).collect()
    }
}

fn count(recordings: usize) -> String {
    if recordings == 1 { "1 recording".to_owned() } else { format!("{recordings} recordings") }
}
