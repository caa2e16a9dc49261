//! `thalweg plugin`: what lies beside the command, and whether a file is a plugin that keeps the rules.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thalweg::plugin::{Found, Loader, State};
use thalweg_abi::host::Plugin as Started;
use thalweg_abi::table::{
    INTERFACE_CODEC, INTERFACE_EMBED, INTERFACE_MODELS, INTERFACE_PROVIDER, INTERFACE_SERVE, INTERFACE_TOOL,
};

use crate::failure::{FAILED, Failure};
use crate::plugins::{self, BUILT_IN, Shelf, Source};

mod check;
mod new;

use check::Check;
use new::New;

/// List the plugins, check one, allow one, or begin a new one
#[derive(clap::Subcommand)]
pub(crate) enum Plugin {
    /// Make a folder with a small plugin that builds with one command and works
    ///
    /// Its README has the three commands: build, check, install. C and C++ need a compiler and make, and have the header
    /// beside the source; Rust needs cargo.
    New(New),
    /// List the plugins beside the command, and those in your own folder: what each offers, its path, its sha256, and
    /// whether it loads
    List,
    /// Allow FILE: copy it to your folder of plugins unless it lies there, and pin its sha256
    ///
    /// From then on it is loaded with all rights of this command, as long as it has the same bytes. None of its code runs
    /// here.
    Install {
        /// The shared object
        file: PathBuf,
        /// Allow it in a process of its own only, so that a crash, a hang or a leak ends nothing else
        #[arg(long)]
        isolated: bool,
    },
    /// Load FILE, show what it says of itself, and try it with good and bad input
    ///
    /// Tried are its symbols and versions; wrong, empty, huge and deep input; frames of many dialects, whole and cut at
    /// every byte; cancelling; whether frames that it marks as repeatable are; and whether memory comes back after 10,000
    /// calls. Tools that may change something are not called. Naming the file is the permission to run its code, with all
    /// rights of this command. Exit code 1 if it does not load or a check fails.
    Check(Check),
}

impl Plugin {
    pub(crate) fn execute(self) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let result = match self {
            Self::New(new) => new.execute(&mut out),
            Self::List => list(&mut out),
            Self::Install { file, isolated } => install(&file, isolated, &mut out),
            Self::Check(check) => check.execute(&mut out),
        };
        out.flush()?;
        result
    }
}

fn list(out: &mut impl Write) -> Result<(), Failure> {
    let loader = Loader::new().with_host(plugins::host());
    let files = loader.installed().map_err(Failure::run)?;
    if files.is_empty() {
        writeln!(out, "no plugin file lies beside the command; these are linked in:")?;
        let shelf = Shelf::find();
        for built_in in BUILT_IN {
            let (plugin, source) = shelf.start(built_in)?;
            show(&plugin, &source, out)?;
        }
    }
    let mut broken = false;
    for path in files {
        match loader.load(&path) {
            Ok(loaded) => {
                let source = Source::of(&loaded, false);
                show(loaded.plugin(), &source, out)?;
            }
            Err(error) => {
                broken = true;
                writeln!(out, "{}", path.file_name().unwrap_or_default().to_string_lossy())?;
                writeln!(out, "  state   does not load: {error}\n")?;
            }
        }
    }
    broken |= list_own(out)?;
    if broken { Err(Failure::silent(FAILED)) } else { Ok(()) }
}

/// Lists the user's own plugins; whether one of them does not load that should.
fn list_own(out: &mut impl Write) -> Result<bool, Failure> {
    let dropped = plugins::dropped()?;
    let folders: Vec<String> = dropped.folders().iter().map(|folder| folder.display().to_string()).collect();
    let found = dropped.find().map_err(Failure::run)?;
    let none = if found.is_empty() { "; nothing lies there" } else { ":" };
    writeln!(out, "your own plugins, in {}{none}\n", folders.join(" and "))?;
    let mut broken = false;
    for Found { path, state } in found {
        let loaded = (state == State::Allowed).then(|| plugins::load_own(&dropped, &path)).transpose()?;
        let why = match (loaded, state) {
            (Some((Ok(loaded), is_isolated)), _) => {
                let source = Source::of(&loaded, is_isolated);
                show(loaded.plugin(), &source, out)?;
                continue;
            }
            (Some((Err(error), _)), _) => format!("does not load: {error}"),
            (None, State::New) => "new, not allowed".to_owned(),
            (None, State::Changed { pinned }) => format!("changed since it was allowed, when its sha256 was {pinned}"),
            (None, State::Unfit(why)) => format!("cannot be loaded: {why}"),
            (None, _) => "unknown".to_owned(),
        };
        broken |= !why.starts_with("new");
        writeln!(out, "{}", path.file_name().unwrap_or_default().to_string_lossy())?;
        writeln!(out, "  path    {}", path.display())?;
        writeln!(out, "  state   {why}")?;
        if !why.starts_with("cannot") {
            writeln!(out, "  allow   thalweg plugin install {}", quoted(&path))?;
        }
        writeln!(out)?;
    }
    Ok(broken)
}

/// The path as a shell reads it.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@".contains(&byte);
    if path.bytes().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

fn install(file: &Path, is_isolated: bool, out: &mut impl Write) -> Result<(), Failure> {
    let path =
        file.canonicalize().map_err(|error| Failure::usage(format_args!("cannot read {}: {error}", file.display())))?;
    let mut dropped = plugins::dropped()?;
    let installed = if is_isolated { dropped.install_isolated(&path) } else { dropped.install(&path) };
    let installed = installed.map_err(Failure::run)?;
    let manifest = installed.manifest();
    writeln!(out, "allowed    {} {}", manifest.id(), manifest.version())?;
    writeln!(out, "path       {}", installed.path().display())?;
    writeln!(out, "sha256     {}", installed.sha256())?;
    if is_isolated {
        writeln!(out, "runs       in a process of its own")?;
    }
    Ok(())
}

fn show(plugin: &Started, source: &Source, out: &mut impl Write) -> io::Result<()> {
    let manifest = plugin.manifest();
    writeln!(out, "{} {}", manifest.id(), manifest.version())?;
    writeln!(out, "  offers  {}", offers(plugin).join(", "))?;
    match source {
        Source::File { path, sha256, is_isolated } => {
            writeln!(out, "  path    {}", path.display())?;
            writeln!(out, "  sha256  {sha256}")?;
            writeln!(out, "  state   loads{}\n", if *is_isolated { ", in a process of its own" } else { "" })
        }
        Source::LinkedIn => writeln!(out, "  state   linked in\n"),
    }
}

/// What a plugin offers, in words.
pub(crate) fn offers(plugin: &Started) -> Vec<String> {
    let dialect = |codec: thalweg_abi::host::Codec| {
        let description = codec.describe().unwrap_or_default();
        let description: serde_json::Value = serde_json::from_str(&description).unwrap_or_default();
        format!("dialect {} ({INTERFACE_CODEC})", description["dialect"].as_str().unwrap_or("without a name"))
    };
    let tools = plugin.tools().into_iter().map(|tool| format!("tool {} ({INTERFACE_TOOL})", tool.name()));
    let provider = |provider: thalweg_abi::host::Provider| {
        let description: serde_json::Value = serde_json::from_str(provider.description()).unwrap_or_default();
        format!("provider {} ({INTERFACE_PROVIDER})", description["provider"].as_str().unwrap_or("without a name"))
    };
    let provider = plugin.provider().map(provider);
    let models = plugin.models().map(|_| format!("models ({INTERFACE_MODELS})"));
    let served = plugin.serve().map(|_| format!("its dialect served ({INTERFACE_SERVE})"));
    let vectors = plugin.embed().map(|_| format!("vectors ({INTERFACE_EMBED})"));
    plugin
        .codec()
        .map(dialect)
        .into_iter()
        .chain(provider)
        .chain(models)
        .chain(vectors)
        .chain(served)
        .chain(tools)
        .collect()
}
