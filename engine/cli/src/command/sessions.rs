//! `thalweg sessions`: the conversations that were kept.

use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use thalweg::message::{Message, UserContent};
use thalweg_session::{SessionId, Stored};

use crate::failure::Failure;
use crate::keeper;

/// List, show, search, export, import, branch and delete the conversations that `thalweg chat` keeps
#[derive(clap::Subcommand)]
pub(crate) enum Sessions {
    /// List them, the one used last first
    List {
        /// At most so many
        #[arg(long, short = 'n', default_value_t = 50, value_name = "N")]
        limit: usize,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show one: what was said on the way to where it goes on
    Show {
        /// Its id, or the beginning of it; `last` for the one used last
        #[arg(value_name = "ID", default_value = "last")]
        id: String,
        /// All branches, not only the one that goes on
        #[arg(long)]
        all: bool,
        /// One JSON object a message
        #[arg(long)]
        json: bool,
    },
    /// Find messages that hold all of these words; `"two words"` stand together, `begin*` is a beginning
    Search {
        /// The words
        #[arg(value_name = "WORDS", required = true)]
        words: Vec<String>,
        /// At most so many
        #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
        limit: usize,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Write one to stdout or to a file, with all its branches: as JSON lines, or as Markdown
    Export {
        /// Its id, or the beginning of it; `last` for the one used last
        #[arg(value_name = "ID", default_value = "last")]
        id: String,
        /// The file; a name that ends with .md is Markdown
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Markdown, whatever the file is called
        #[arg(long)]
        markdown: bool,
    },
    /// Take what was exported, or Markdown with a heading for each speaker; prints the ids
    Import {
        /// The file; `-` is stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Have one go on from an earlier message; what came behind it stays as a branch
    Branch {
        /// Its id, or the beginning of it; `last` for the one used last
        #[arg(value_name = "ID")]
        id: String,
        /// Number of the message, as `show` prints it; 0 is the very beginning
        #[arg(long, value_name = "MESSAGE")]
        at: u64,
    },
    /// Delete sessions with all their branches
    Delete {
        /// Their ids, or the beginnings of them
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
}

impl Sessions {
    pub(crate) fn execute(self) -> Result<(), Failure> {
        let mut store = keeper::open()?;
        let mut out = io::BufWriter::new(io::stdout().lock());
        match self {
            Self::List { limit, json } => {
                for session in store.sessions(limit).map_err(Failure::run)? {
                    if json {
                        writeln!(out, "{}", json!(session))?;
                        continue;
                    }
                    let model = session.model.as_deref().unwrap_or("-");
                    let branches =
                        if session.branches > 1 { format!(", {} branches", session.branches) } else { String::new() };
                    writeln!(
                        out,
                        "{}  {}  {} messages{branches}  {model}  {}",
                        session.id,
                        when(session.updated_us),
                        session.messages,
                        visible(&session.title)
                    )?;
                }
            }
            Self::Show { id, all, json } => {
                let session = keeper::find(&store, &id)?;
                let head = store.head(&session).map_err(Failure::run)?;
                let messages = match head {
                    Some(head) if !all => store.path(&session, head),
                    None if !all => Ok(Vec::new()),
                    _ => store.all(&session),
                };
                for stored in messages.map_err(Failure::run)? {
                    if json {
                        writeln!(out, "{}", json!(stored))?;
                    } else {
                        show(&mut out, &stored, all)?;
                    }
                }
            }
            Self::Search { words, limit, json } => {
                let hits = store.search(&words.join(" "), limit).map_err(Failure::run)?;
                for hit in &hits {
                    if json {
                        writeln!(out, "{}", json!(hit))?;
                    } else {
                        let snippet = hit.snippet.split_whitespace().collect::<Vec<_>>().join(" ");
                        writeln!(out, "{} {} {}: {}", hit.session, hit.message, hit.role, visible(&snippet))?;
                    }
                }
                out.flush()?;
                // As grep does.
                return if hits.is_empty() { Err(Failure::silent(1)) } else { Ok(()) };
            }
            Self::Export { id, out: file, markdown } => {
                let session = keeper::find(&store, &id)?;
                let is_markdown = markdown || file.as_deref().is_some_and(is_markdown);
                let text = if is_markdown { store.export_markdown(&session) } else { store.export_lines(&session) };
                let text = text.map_err(Failure::run)?;
                match file {
                    Some(file) => std::fs::write(&file, text)
                        .map_err(|error| Failure::usage(format_args!("cannot write {}: {error}", file.display())))?,
                    None => out.write_all(text.as_bytes())?,
                }
            }
            Self::Import { file } => {
                let text = read(&file)
                    .map_err(|error| Failure::usage(format_args!("cannot read {}: {error}", file.display())))?;
                let is_lines = text.trim_start().starts_with('{');
                let imported =
                    if is_lines { store.import_lines(&text) } else { store.import_markdown(&text).map(|id| vec![id]) };
                for id in imported.map_err(Failure::usage)? {
                    writeln!(out, "{id}")?;
                }
            }
            Self::Branch { id, at } => {
                let session = keeper::find(&store, &id)?;
                store.branch(&session, (at > 0).then_some(at)).map_err(Failure::usage)?;
                writeln!(out, "{session} goes on from message {at}")?;
            }
            Self::Delete { ids } => {
                // All are found before the first is deleted.
                let found: Vec<SessionId> = ids.iter().map(|id| keeper::find(&store, id)).collect::<Result<_, _>>()?;
                for session in found {
                    store.delete(&session).map_err(Failure::run)?;
                }
            }
        }
        out.flush()?;
        Ok(())
    }
}

fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md" || extension == "markdown")
}

fn read(path: &Path) -> io::Result<String> {
    if path.as_os_str() != "-" {
        return std::fs::read_to_string(path);
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// One message, for people.
fn show(out: &mut impl Write, stored: &Stored, with_parent: bool) -> io::Result<()> {
    let parent = stored.parent.map_or_else(|| "the beginning".to_owned(), |parent| parent.to_string());
    let behind = if with_parent { format!(", behind {parent}") } else { String::new() };
    writeln!(out, "── {} {}{behind} ──", stored.id, stored.message.role())?;
    match &stored.message {
        Message::User(message) => {
            for part in &message.content {
                writeln!(out, "{}", visible(part.as_text().unwrap_or("(no text)")))?;
            }
        }
        Message::Assistant(message) => {
            if !message.text().is_empty() {
                writeln!(out, "{}", visible(&message.text()))?;
            }
            for call in message.tool_calls() {
                writeln!(out, "→ {} {}", visible(&call.name), visible(&call.arguments))?;
            }
            if let Some(error) = &message.error {
                writeln!(out, "✗ {}", visible(&error.message))?;
            }
        }
        Message::Tool(message) => {
            for result in &message.content {
                let text: String = result.content.iter().filter_map(UserContent::as_text).collect();
                writeln!(out, "← {} {}", visible(&result.tool_name), visible(&text))?;
            }
        }
        Message::Custom(message) => {
            writeln!(out, "{} {}", visible(&message.custom_type), visible(&message.data.to_string()))?;
        }
    }
    writeln!(out)
}

/// Without what could steer a terminal.
fn visible(text: &str) -> String {
    text.chars().filter(|character| !character.is_control() || matches!(character, '\n' | '\t')).collect()
}

/// A time of UTC, to the minute.
fn when(time_us: u64) -> String {
    let minutes = time_us / 60_000_000;
    let day = thalweg_replay::date(UNIX_EPOCH + Duration::from_micros(time_us));
    format!("{day} {:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::when;

    #[test]
    fn a_time_is_a_date_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00"),
            (951_782_399, "2000-02-28 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (1_795_283_940, "2026-11-21 17:59"),
            (4_107_542_400, "2100-03-01 00:00"),
        ] {
            assert_eq!(when(seconds * 1_000_000), text);
        }
    }
}
