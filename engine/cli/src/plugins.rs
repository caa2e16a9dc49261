//! The plugins that come with the command: loaded from the files beside it, or its own copies where there are no files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

#[cfg(unix)]
use thalweg::plugin::Isolation;
use thalweg::plugin::{Dropped, HttpGrant, Inspected, LoadError, LoadedPlugin, Loader, State};
use thalweg_abi::host::{Codec, Host, Plugin, Tool};
use thalweg_abi::module::Module;

use crate::failure::{Failure, say};
use crate::render::Screen;

/// A plugin that the build of this command makes.
#[derive(Debug)]
pub(crate) struct BuiltIn {
    /// In the name of its file.
    name: &'static str,
    offers: Offers,
    /// The copy that is linked in.
    module: fn() -> Module,
}

/// What such a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offers {
    /// Speaks this dialect.
    Dialect(&'static str),
    /// Is this provider, which drives itself.
    Provider(&'static str),
    /// Has tools.
    Tools,
}

impl BuiltIn {
    /// What it is for.
    pub(crate) const fn offers(&self) -> Offers {
        self.offers
    }
}

/// All of them.
pub(crate) const BUILT_IN: &[BuiltIn] = &[
    BuiltIn { name: "openai", offers: Offers::Dialect("openai-chat"), module: thalweg_openai::module },
    BuiltIn { name: "anthropic", offers: Offers::Dialect("anthropic"), module: thalweg_anthropic::module },
    BuiltIn {
        name: "openai_completions",
        offers: Offers::Dialect("openai-completions"),
        module: thalweg_openai_completions::module,
    },
    BuiltIn {
        name: "openai_responses",
        offers: Offers::Dialect("openai-responses"),
        module: thalweg_openai_responses::module,
    },
    BuiltIn { name: "bedrock", offers: Offers::Dialect("bedrock"), module: thalweg_bedrock::module },
    BuiltIn { name: "cohere", offers: Offers::Dialect("cohere-v2"), module: thalweg_cohere::module },
    BuiltIn { name: "cohere_v1", offers: Offers::Dialect("cohere-v1"), module: thalweg_cohere_v1::module },
    BuiltIn { name: "ollama", offers: Offers::Dialect("ollama"), module: thalweg_ollama::module },
    BuiltIn { name: "gemini", offers: Offers::Dialect("gemini"), module: thalweg_gemini::module },
    BuiltIn { name: "eliza_c", offers: Offers::Provider("eliza"), module: thalweg_eliza_c::module },
    BuiltIn { name: "script", offers: Offers::Provider("script"), module: thalweg_script::module },
    BuiltIn { name: "calculator", offers: Offers::Tools, module: thalweg_calculator::module },
    BuiltIn { name: "weather_c", offers: Offers::Tools, module: thalweg_weather_c::module },
];

/// What an agent needs: what gives its replies, and the tools.
pub(crate) struct Loaded {
    /// The plugin of the dialect, or of the provider that drives itself.
    pub(crate) speaker: Plugin,
    /// The tools.
    pub(crate) tools: Vec<Tool>,
    sources: Vec<Source>,
}

/// Where a plugin came from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A shared object.
    File {
        /// Its absolute path.
        path: PathBuf,
        /// Its sum, in hexadecimal digits.
        sha256: String,
        /// Whether it runs in a process of its own.
        is_isolated: bool,
    },
    /// The copy within the command.
    LinkedIn,
}

impl Source {
    /// Where a plugin was loaded from.
    pub(crate) fn of(loaded: &LoadedPlugin, is_isolated: bool) -> Self {
        Self::File { path: loaded.path().to_owned(), sha256: loaded.sha256(), is_isolated }
    }
}

impl Loaded {
    /// Says what was loaded from where.
    pub(crate) fn introduce<W: io::Write>(&self, screen: &mut Screen<W>) -> io::Result<()> {
        for source in &self.sources {
            if let Source::File { path, sha256, is_isolated } = source {
                screen.note("plugin", path.display())?;
                screen.note("", format_args!("sha256 {sha256}"))?;
                if *is_isolated {
                    screen.note("", "in a process of its own")?;
                }
            }
        }
        if self.sources.iter().any(|source| matches!(source, Source::LinkedIn)) {
            screen.note("plugins", "linked in: no plugin file lies beside the command")?;
        }
        Ok(())
    }
}

/// Loads the plugin of a dialect or a provider and, if wanted, the tools: those that come with the command, and those of
/// the user's own plugins.
pub(crate) fn load(wanted: Wanted<'_>, tools: Tools) -> Result<Loaded, Failure> {
    let shelf = Shelf::find();
    let built_in = BUILT_IN.iter().find(|built_in| wanted.is_met_by(built_in.offers));
    let own = if built_in.is_none() || tools == Tools::Offered { own()? } else { &[] };
    let (speaker, source) = match built_in {
        Some(built_in) => shelf.start(built_in)?,
        None => {
            own.iter().find(|(plugin, _)| wanted.is_met_by_plugin(plugin)).cloned().ok_or_else(|| wanted.unmet())?
        }
    };
    let mut loaded = Loaded { speaker, tools: Vec::new(), sources: vec![source] };
    if tools == Tools::Offered {
        let built_in = BUILT_IN.iter().filter(|built_in| built_in.offers == Offers::Tools);
        let started: Vec<_> = built_in.map(|built_in| shelf.start(built_in)).collect::<Result<_, _>>()?;
        let own = own.iter().filter(|(plugin, _)| !plugin.tools().is_empty());
        for (plugin, source) in started.iter().chain(own) {
            loaded.tools.extend(plugin.tools());
            if plugin.id() != loaded.speaker.id() {
                loaded.sources.push(source.clone());
            }
        }
    }
    all_isolated()?;
    Ok(loaded)
}

/// What is to give the replies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted<'a> {
    /// A dialect.
    Dialect(&'a str),
    /// A provider that drives itself.
    Provider(&'a str),
}

impl<'a> Wanted<'a> {
    /// The provider that drives itself and would give a model of this name: `eliza/doctor`, or `eliza`.
    pub(crate) fn of_model(model: &'a str) -> Self {
        Self::Provider(model.split_once('/').map_or(model, |(id, _)| id))
    }

    fn is_met_by(self, offers: Offers) -> bool {
        match (self, offers) {
            (Self::Dialect(wanted), Offers::Dialect(known)) | (Self::Provider(wanted), Offers::Provider(known)) => {
                wanted == known
            }
            _ => false,
        }
    }

    fn is_met_by_plugin(self, plugin: &Plugin) -> bool {
        let (text, key, wanted) = match self {
            Self::Dialect(wanted) => (plugin.codec().and_then(|codec| codec.describe().ok()), "dialect", wanted),
            Self::Provider(wanted) => {
                (plugin.provider().map(|provider| provider.description().to_owned()), "provider", wanted)
            }
        };
        let description: Option<serde_json::Value> = text.and_then(|text| serde_json::from_str(&text).ok());
        description.is_some_and(|description| description[key] == wanted)
    }

    fn unmet(self) -> Failure {
        match self {
            Self::Dialect(dialect) => {
                let known: Vec<&str> = dialects().map(|(known, _)| known).collect();
                Failure::usage(format_args!("no plugin speaks the dialect `{dialect}`; there is {}", known.join(", ")))
            }
            Self::Provider(id) => Failure::usage(format_args!("no plugin is the provider `{id}`")),
        }
    }
}

/// The user's own plugins, as far as they are allowed; looked for once.
pub(crate) fn own() -> Result<&'static [(Plugin, Source)], Failure> {
    static OWN: OnceLock<Vec<(Plugin, Source)>> = OnceLock::new();
    if let Some(own) = OWN.get() {
        return Ok(own);
    }
    let dropped = dropped()?;
    let mut started = Vec::new();
    for found in dropped.find().map_err(Failure::run)? {
        match found.state {
            State::Allowed => {
                let (loaded, is_isolated) = load_own(&dropped, &found.path)?;
                let loaded = loaded.map_err(Failure::run)?;
                started.push((loaded.plugin().clone(), Source::of(&loaded, is_isolated)));
            }
            // One that was allowed once is missed; a new one is not.
            State::Changed { .. } => say(format_args!(
                "{} changed since it was allowed and is left out; `thalweg plugin list` says more",
                found.path.display()
            )),
            _ => {}
        }
    }
    Ok(OWN.get_or_init(|| started))
}

/// Loads one of the user's own plugins, into a process of its own if it was allowed so or `--isolate` names it. Whether it
/// was.
pub(crate) fn load_own(dropped: &Dropped, path: &Path) -> Result<(Result<LoadedPlugin, LoadError>, bool), Failure> {
    let is_named = isolates_any() && {
        let inspected = Loader::new().allow(path).inspect(path).map_err(Failure::run)?;
        names(inspected.manifest().id(), Some(path))
    };
    if !is_named && !dropped.is_isolated(path) {
        return Ok((dropped.load(path), false));
    }
    let isolation = process()?;
    #[cfg(unix)]
    return Ok((dropped.load_isolated(path, &isolation), true));
    #[cfg(not(unix))]
    match isolation {}
}

/// The folders of the user's own plugins.
pub(crate) fn dropped() -> Result<Dropped, Failure> {
    Dropped::of_user(Loader::new().with_host(host()), &|name| std::env::var(name).ok()).map_err(Failure::run)
}

/// The codec of a dialect alone.
pub(crate) fn codec(dialect: &str) -> Result<Codec, Failure> {
    let plugin = load(Wanted::Dialect(dialect), Tools::None)?.speaker;
    plugin.codec().ok_or_else(|| Failure::run(format_args!("plugin `{}` has no codec", plugin.id())))
}

/// Gives the grants of `--allow-http`: `PLUGIN=ORIGIN`, and the variables of keys behind commas.
pub(crate) fn allow_http(grants: &[String]) -> Result<(), Failure> {
    for grant in grants {
        let Some((plugin, rest)) = grant.split_once('=').filter(|(plugin, _)| !plugin.is_empty()) else {
            return Err(Failure::usage(format_args!(
                "--allow-http {grant}: name a plugin and an origin, as in example.search=https://api.example.com"
            )));
        };
        let mut parts = rest.split(',');
        let origin = parts.next().unwrap_or_default();
        let granted = HttpGrant::new(plugin, origin);
        let granted = granted.map_err(|error| Failure::usage(format_args!("--allow-http {grant}: {error}")))?;
        parts.fold(granted, HttpGrant::with_key).give();
    }
    Ok(())
}

/// What `--isolate` names, and which of these were found.
static ISOLATED: Mutex<Vec<(String, bool)>> = Mutex::new(Vec::new());

/// Sets the plugins that run in processes of their own: ids, files, or `all`.
pub(crate) fn isolate(which: Vec<String>) {
    *ISOLATED.lock().unwrap_or_else(PoisonError::into_inner) = which.into_iter().map(|name| (name, false)).collect();
}

/// Whether `--isolate` names the plugin with this id, and this file.
fn names(id: &str, file: Option<&Path>) -> bool {
    let mut isolated = ISOLATED.lock().unwrap_or_else(PoisonError::into_inner);
    let is_this = |name: &str| {
        let is_file = |file: &Path| {
            file.file_name().is_some_and(|last| last == name)
                || Path::new(name).canonicalize().is_ok_and(|named| file.canonicalize().is_ok_and(|file| file == named))
        };
        name == ALL || name == id || file.is_some_and(is_file)
    };
    let mut found = false;
    for (_, is_found) in isolated.iter_mut().filter(|(name, _)| is_this(name)) {
        (*is_found, found) = (true, true);
    }
    found
}

/// How the plugin of a file runs in a process of its own, if it does.
fn isolation(inspected: &Inspected) -> Result<Option<Isolation>, Failure> {
    let is_named = names(inspected.manifest().id(), Some(inspected.path()));
    is_named.then(process).transpose()
}

/// This command as the process of a plugin.
fn process() -> Result<Isolation, Failure> {
    #[cfg(unix)]
    {
        let program = std::env::current_exe().map_err(|error| Failure::run(format_args!("this command: {error}")))?;
        Ok(Isolation::new(program, ["plugin-host"]))
    }
    #[cfg(not(unix))]
    Err(Failure::usage("this system cannot run a plugin in a process of its own"))
}

/// Whether `--isolate` names a plugin at all.
fn isolates_any() -> bool {
    !ISOLATED.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
}

/// Whether every plugin that `--isolate` names was found; a slip would leave one where it may do harm.
fn all_isolated() -> Result<(), Failure> {
    let isolated = ISOLATED.lock().unwrap_or_else(PoisonError::into_inner);
    match isolated.iter().find(|(name, is_found)| !is_found && name != ALL) {
        Some((name, _)) => Err(Failure::usage(format_args!(
            "--isolate names {name}, which is none of the plugins that are used here; give an id or a file that `thalweg \
             plugin list` shows"
        ))),
        None => Ok(()),
    }
}

/// Every plugin.
const ALL: &str = "all";

/// How a plugin would run in a process of its own; nobody can make one here.
#[cfg(not(unix))]
enum Isolation {}

/// Loads a file that was named on the command line, which is the permission to run its code.
pub(crate) fn load_file(file: &Path) -> Result<LoadedPlugin, Failure> {
    let path =
        file.canonicalize().map_err(|error| Failure::usage(format_args!("cannot read {}: {error}", file.display())))?;
    Loader::new().with_host(host()).allow(&path).load(&path).map_err(Failure::run)
}

/// Whether an agent has tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tools {
    /// All that come with the command.
    Offered,
    /// None.
    None,
}

/// The dialects that there are plugins for.
fn dialects() -> impl Iterator<Item = (&'static str, &'static BuiltIn)> {
    BUILT_IN.iter().filter_map(|built_in| match built_in.offers {
        Offers::Dialect(dialect) => Some((dialect, built_in)),
        _ => None,
    })
}

/// Whether there is a plugin for a dialect.
pub(crate) fn speaks(dialect: &str) -> bool {
    dialects().any(|(known, _)| known == dialect)
}

/// Whether a plugin that drives itself gives the model of this name.
pub(crate) fn is_self_driving(model: &str) -> Result<bool, Failure> {
    let wanted = Wanted::of_model(model);
    let is_built_in = BUILT_IN.iter().any(|built_in| wanted.is_met_by(built_in.offers));
    Ok(is_built_in || own()?.iter().any(|(plugin, _)| wanted.is_met_by_plugin(plugin)))
}

/// Where the plugins of this command are.
pub(crate) struct Shelf {
    loader: Loader,
    /// The folder of the files; `None` if there is not one of them, as with a command that was installed alone.
    folder: Option<PathBuf>,
}

impl Shelf {
    /// Looks beside the command.
    pub(crate) fn find() -> Self {
        let loader = Loader::new().with_host(host());
        let first = BUILT_IN.iter().find_map(|built_in| loader.find(built_in.name).ok());
        let folder = first.and_then(|path| path.parent().map(Path::to_owned));
        Self { loader, folder }
    }

    /// Starts a plugin from its file, or the copy that is linked in if there are no files at all: a file that is missing
    /// or broken among others is an error, and never papered over.
    pub(crate) fn start(&self, built_in: &BuiltIn) -> Result<(Plugin, Source), Failure> {
        let Some(folder) = &self.folder else {
            let module = (built_in.module)();
            if names(module.manifest().id(), None) {
                return Err(Failure::usage(format_args!(
                    "--isolate: plugin `{}` is linked in, and only a file can have a process of its own",
                    module.manifest().id()
                )));
            }
            let plugin = Plugin::start(&module, host()).map_err(Failure::run)?;
            return Ok((plugin, Source::LinkedIn));
        };
        let path = self.loader.find(built_in.name).map_err(Failure::run)?;
        if path.parent() != Some(folder) {
            // One folder, one build: a copy that was left elsewhere by another build is not mixed in.
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(Failure::run(LoadError::NotFound { file, folders: vec![folder.clone()] }));
        }
        // Not looked at twice in vain: reading and hashing files is most of what a start takes.
        let isolation =
            if isolates_any() { isolation(&self.loader.inspect(&path).map_err(Failure::run)?)? } else { None };
        let loaded = match &isolation {
            None => self.loader.load(&path),
            #[cfg(unix)]
            Some(isolation) => self.loader.load_isolated(&path, isolation),
            #[cfg(not(unix))]
            Some(isolation) => match *isolation {},
        };
        let loaded = loaded.map_err(Failure::run)?;
        Ok((loaded.plugin().clone(), Source::of(&loaded, isolation.is_some())))
    }
}

/// The engine as plugins see it: what they warn of goes to stderr.
pub(crate) fn host() -> &'static Host {
    static HOST: LazyLock<&'static Host> = LazyLock::new(new_host);
    *HOST
}

/// Another one, for a plugin alone.
pub(crate) fn new_host() -> &'static Host {
    Host::leak(LEVEL_WARNING, |line| say(format_args!("{}: {}", line.target, line.message)))
}

/// 1 error, 2 warning.
const LEVEL_WARNING: i32 = 2;
