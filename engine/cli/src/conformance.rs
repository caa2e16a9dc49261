//! What `thalweg plugin check` tries on a started plugin: calls with good and bad input, each with a verdict.
//!
//! The engine's side of the tables checks every slice, count, position and status of every call; a plugin that breaks one
//! of those rules fails the row in which it does.

mod codec;
mod embed;
mod leak;
mod marks;
mod models;
mod provider;
mod samples;
mod serve;
mod tool;

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use thalweg::plugin::{Inspected, LoadedPlugin, Loader};
use thalweg_abi::host::{Host, Plugin};
use thalweg_abi::table::{ABI_MAJOR, ABI_MINOR, ENTRY_SYMBOL, MANIFEST_SYMBOL};

pub(crate) use samples::{Reply, read as read_reply};

/// How a check went, with a word about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What must hold holds.
    Kept(String),
    /// It does not.
    Failed(String),
    /// Why it could not be tried.
    Skipped(String),
}

impl From<Result<String, String>> for Outcome {
    fn from(result: Result<String, String>) -> Self {
        match result {
            Ok(text) => Self::Kept(text),
            Err(text) => Self::Failed(text),
        }
    }
}

/// The verdicts so far. Each is written as soon as it is there, since the next check may be the last.
pub(crate) struct Verdicts<'o> {
    list: Vec<Outcome>,
    out: &'o mut dyn Write,
    /// Why nothing can be written any more.
    lost: io::Result<()>,
}

/// Begins a line that names what is tried next, for the process that watches; alone, it says that all was tried.
pub(crate) const TRYING: &str = "\u{1e}";

/// Writes one verdict.
pub(crate) fn write_row(out: &mut dyn Write, name: &str, outcome: &Outcome) -> io::Result<()> {
    let (word, text) = match outcome {
        Outcome::Kept(text) => ("ok", text),
        Outcome::Failed(text) => ("FAILED", text),
        Outcome::Skipped(text) => ("skipped", text),
    };
    writeln!(out, "{word:<10} {name:<40}  {text}")
}

impl Verdicts<'_> {
    fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if self.lost.is_ok() {
            self.lost = write(self.out).and_then(|()| self.out.flush());
        }
    }

    /// Runs a check. A person who watches sees which.
    fn add(&mut self, name: impl Into<String>, check: impl FnOnce() -> Outcome) -> bool {
        let name = name.into();
        self.write(|out| writeln!(out, "{TRYING}{name}"));
        let is_watched = io::stderr().is_terminal();
        if is_watched {
            // Nobody is told when stderr is gone.
            let _ = write!(io::stderr(), "\r\x1b[Kchecking: {name}");
        }
        let outcome = check();
        if is_watched {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
        let is_kept = !matches!(outcome, Outcome::Failed(_));
        self.write(|out| write_row(out, &name, &outcome));
        self.list.push(outcome);
        is_kept
    }
}

/// How long a call may take to end, or to give up when it is told to.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs all checks that fit what the plugin offers, and writes each verdict. `host` is the one that it was started with; `replies` are recorded ones
/// of its dialect.
pub(crate) fn check(
    loader: &Loader,
    inspected: &Inspected,
    loaded: &LoadedPlugin,
    host: &Host,
    replies: &[Reply],
    out: &mut dyn Write,
) -> io::Result<Vec<Outcome>> {
    let mut verdicts = Verdicts { list: Vec::new(), out, lost: Ok(()) };
    let plugin = loaded.plugin();
    verdicts.add("it exports its two symbols", || symbols(inspected).into());
    verdicts.add("its manifest fits this engine", || versions(plugin).into());
    verdicts.add("it starts twice", || starts_twice(loader, loaded).into());
    let (codec, provider, tools) = (plugin.codec(), plugin.provider(), plugin.tools());
    let (models, embed, serve) = (plugin.models(), plugin.embed(), plugin.serve());
    let has_more = models.is_some() || embed.is_some() || serve.is_some();
    if codec.is_none() && provider.is_none() && tools.is_empty() && !has_more {
        let none = "none of thw.codec/1, thw.provider/1, thw.tool/1, thw.models/1, thw.embed/1 and thw.serve/1";
        verdicts.add("it offers something", || Outcome::Failed(none.to_owned()));
    }
    if let Some(codec) = &codec {
        codec::check(codec, host, replies, &mut verdicts);
    }
    if let Some(provider) = &provider {
        provider::check(provider, host, &mut verdicts);
    }
    if let Some(models) = &models {
        verdicts.add("models are listed", || models::lists_models(models).into());
    }
    if let Some(serve) = &serve {
        verdicts.add("requests of clients are told from what is none", || serve::refuses_broken_requests(serve).into());
        verdicts.add("a reply is written in any order", || serve::writes_a_reply(serve).into());
    }
    if let Some(embed) = &embed {
        verdicts.add("vectors are asked for", || embed::writes_a_request(embed).into());
        verdicts.add("vectors are not read out of nothing", || embed::refuses_broken_replies(embed).into());
    }
    for (index, tool) in tools.iter().enumerate() {
        tool::check(tool, &tools[..index], host, &mut verdicts);
    }
    verdicts.lost.map(|()| verdicts.list)
}

/// Both symbols are there, or it would not have been loaded. Others are in nobody's way, since it is mapped apart.
fn symbols(inspected: &Inspected) -> Result<String, String> {
    let mut others = inspected.exports();
    others.retain(|name| ![MANIFEST_SYMBOL, ENTRY_SYMBOL].contains(&name.as_str()));
    Ok(match others.as_slice() {
        [] => "and no other".to_owned(),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            format!("and also {first}{more}, which nobody needs; build with -fvisibility=hidden")
        }
    })
}

fn versions(plugin: &Plugin) -> Result<String, String> {
    let manifest = plugin.manifest();
    for (what, text) in [("id", manifest.id()), ("version", manifest.version())] {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(format!("its {what} is empty or has control characters"));
        }
    }
    let needs = manifest.min_host_minor;
    Ok(format!(
        "ABI {}.{}, this engine has {ABI_MAJOR}.{ABI_MINOR}, it needs {}.{needs}",
        manifest.abi_major, manifest.abi_minor, manifest.abi_major
    ))
}

/// The entry gives another plugin when it is called again.
fn starts_twice(loader: &Loader, loaded: &LoadedPlugin) -> Result<String, String> {
    let again = loader.load(loaded.path()).map_err(|error| error.to_string())?;
    let offers = |plugin: &Plugin| {
        let tools: Vec<String> = plugin.tools().iter().map(|tool| tool.name().to_owned()).collect();
        (plugin.codec().is_some(), plugin.provider().is_some(), tools)
    };
    if offers(again.plugin()) != offers(loaded.plugin()) {
        return Err("the second time it offers something else".to_owned());
    }
    Ok("it offers the same".to_owned())
}

/// JSON that is nested so deep that whoever reads it by recursion runs out of stack.
fn deep() -> String {
    "[".repeat(100_000)
}

/// A string that is longer than what anybody thought of.
fn huge() -> String {
    format!("\"{}\"", "x".repeat(1 << 20))
}
