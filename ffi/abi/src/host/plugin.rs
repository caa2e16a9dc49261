//! A plugin that was started.

use crate::failure::Failure;
use crate::host::call::failure;
use crate::host::check::text;
use crate::host::codec::Functions as CodecFunctions;
use crate::host::embed::Embed;
use crate::host::models::Models;
use crate::host::provider::Provider;
use crate::host::serve::Serve;
use crate::host::services::{Host, SERVICES};
use crate::host::tool::{Functions as ToolFunctions, Tool};
use crate::host::{Codec, Error, Misbehaviour, check_manifest};
use crate::module::Module;
use crate::sized;
use crate::table::{self, ABI_MINOR, Manifest};
use crate::types::{self, OK, Status, Str};
use core::ffi::{CStr, c_void};
use std::sync::Arc;

/// A running plugin: what it offers. Clones share it; it is ended (never unloaded) when the last clone, codec, stream,
/// tool and running call of it are gone.
#[derive(Clone, Debug)]
pub struct Plugin {
    started: Arc<Started>,
    codec: Option<CodecFunctions>,
    provider: Option<Provider>,
    models: Option<Models>,
    embed: Option<Embed>,
    serve: Option<Serve>,
    tools: Vec<Tool>,
}

/// The plugin behind all its wrappers.
pub(crate) struct Started {
    name: Arc<str>,
    manifest: Manifest,
    host: &'static Host,
    table: table::Plugin,
}

// SAFETY: `context` is handed to functions that are any-thread by contract, and to `deinit` when nothing else is left.
unsafe impl Send for Started {}
// SAFETY: as above.
unsafe impl Sync for Started {}

impl Plugin {
    /// Starts a plugin and looks at all that it offers.
    ///
    /// # Errors
    /// When the manifest does not fit, the entry fails, or a table breaks a rule.
    pub fn start(module: &Module, host: &'static Host) -> Result<Self, Error> {
        let manifest = *module.manifest();
        let name: Arc<str> = manifest.id().into();
        check_manifest(&manifest).map_err(|reason| Error::Manifest { plugin: Arc::clone(&name), reason })?;
        let table = enter(module, &name, host)?;
        Self::read(Started { name, manifest, host, table })
    }

    /// A plugin of this name whose table was filled without an entry function: what a program offers that links the
    /// engine in. Its manifest is empty. `deinit` is called on an error, too.
    ///
    /// # Errors
    /// As [`Plugin::start`], but that there is no entry to fail.
    ///
    /// # Safety
    /// `table`, and everything that it hands out, must keep the rules of the ABI as `thalweg_plugin.h` states them.
    pub unsafe fn adopt(name: &str, table: table::Plugin, host: &'static Host) -> Result<Self, Error> {
        Self::read(Started { name: name.into(), manifest: Manifest::from_bytes(&[]), host, table })
    }

    /// Looks at all that a started plugin offers.
    fn read(started: Started) -> Result<Self, Error> {
        let started = Arc::new(started);
        let codec = match started.interface(c"thw.codec/1") {
            Some(table) => Some(CodecFunctions::read(&started, table.cast())?),
            None => None,
        };
        let provider = match started.interface(c"thw.provider/1") {
            Some(table) => Some(Provider::read(&started, table.cast())?),
            None => None,
        };
        let models = match started.interface(c"thw.models/1") {
            Some(table) => Some(Models::read(&started, table.cast())?),
            None => None,
        };
        let embed = match started.interface(c"thw.embed/1") {
            Some(table) => Some(Embed::read(&started, table.cast())?),
            None => None,
        };
        let serve = match started.interface(c"thw.serve/1") {
            Some(table) => Some(Serve::read(&started, table.cast())?),
            None => None,
        };
        let tools = match started.interface(c"thw.tool/1") {
            Some(table) => ToolFunctions::read(&started, table.cast())?,
            None => Vec::new(),
        };
        Ok(Self { started, codec, provider, models, embed, serve, tools })
    }

    /// Starts a package that is linked in.
    ///
    /// # Errors
    /// As [`Plugin::start`].
    #[cfg(feature = "guest")]
    pub fn from_guest<P: crate::guest::Package>(host: &'static Host) -> Result<Self, Error> {
        Self::start(&crate::guest::module::<P>(), host)
    }

    /// A plugin that is put together while the program runs, with the manifest of the one that it stands for.
    ///
    /// # Errors
    /// As [`Plugin::start`].
    #[cfg(feature = "guest")]
    pub fn assemble<C: crate::guest::Codec>(
        manifest: Manifest,
        parts: crate::guest::Parts<C>,
        host: &'static Host,
    ) -> Result<Self, Error> {
        let table = crate::guest::export::assemble(parts, host.as_raw(), &SERVICES);
        Self::read(Started { name: manifest.id().into(), manifest, host, table })
    }

    /// What the plugin says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.started.manifest
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.started.name
    }

    /// Its dialect, if it has one.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        self.codec.map(|functions| Codec::new(Arc::clone(&self.started), functions))
    }

    /// Its provider, if it has one.
    #[must_use]
    pub fn provider(&self) -> Option<Provider> {
        self.provider.clone()
    }

    /// The list of its models, if it has one.
    #[must_use]
    pub fn models(&self) -> Option<Models> {
        self.models.clone()
    }

    /// What makes vectors of texts, if it does.
    #[must_use]
    pub fn embed(&self) -> Option<Embed> {
        self.embed.clone()
    }

    /// Its dialect from the side of the server, if it has that.
    #[must_use]
    pub fn serve(&self) -> Option<Serve> {
        self.serve.clone()
    }

    /// Its tools.
    #[must_use]
    pub fn tools(&self) -> Vec<Tool> {
        self.tools.clone()
    }
}

/// Calls the entry function.
fn enter(module: &Module, name: &Arc<str>, host: &'static Host) -> Result<table::Plugin, Error> {
    let size = size_of::<table::Plugin>() as u32;
    let mut table = table::Plugin {
        struct_size: size,
        flags: 0,
        context: core::ptr::null_mut(),
        deinit: None,
        get_interface: None,
    };
    let mut error = types::Error::empty();
    // SAFETY: whoever made the module vouches for its code; host and services live as long as the process, `table` and
    // `error` for the call.
    let status =
        unsafe { (module.entry())(host.as_raw(), &raw const SERVICES, ABI_MINOR, &raw mut table, &raw mut error) };
    let misbehaved = |what| Err(Error::Misbehaved { plugin: Arc::clone(name), what });
    if status < OK {
        // SAFETY: our own record.
        let failure = unsafe { failure(status, &raw const error) };
        return Err(Error::Start { plugin: Arc::clone(name), failure });
    }
    if status != OK {
        return misbehaved(Misbehaviour::UnknownStatus { function: "thw_plugin_entry_v1", status });
    }
    // SAFETY: our own, and read no further than it is large.
    let stated = (table.struct_size <= size).then(|| unsafe { sized::read(&raw const table) }).flatten();
    let Some(table) = stated else { return misbehaved(Misbehaviour::BadTable { table: "thw_plugin" }) };
    if table.get_interface.is_none() {
        let (table, function) = ("thw_plugin", "get_interface");
        return Err(Error::Missing { plugin: Arc::clone(name), table, function });
    }
    Ok(table)
}

impl Started {
    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) const fn host(&self) -> &'static Host {
        self.host
    }

    pub(crate) const fn context(&self) -> *mut c_void {
        self.table.context
    }

    pub(crate) fn misbehaved(&self, what: Misbehaviour) -> Error {
        Error::Misbehaved { plugin: Arc::clone(&self.name), what }
    }

    pub(crate) fn failed(&self, failure: Failure) -> Error {
        Error::Failed { plugin: Arc::clone(&self.name), failure }
    }

    pub(crate) fn missing(&self, table: &'static str, function: &'static str) -> Error {
        Error::Missing { plugin: Arc::clone(&self.name), table, function }
    }

    pub(crate) fn broken(&self) -> Error {
        Error::Broken { plugin: Arc::clone(&self.name) }
    }

    /// The table of an interface.
    fn interface(&self, id: &CStr) -> Option<*const c_void> {
        let get_interface = self.table.get_interface?;
        // SAFETY: the context is the plugin's own, the id is NUL-terminated.
        let table = unsafe { get_interface(self.table.context, id.as_ptr()) };
        (!table.is_null()).then_some(table)
    }

    /// The error behind a status, if it is one.
    pub(crate) fn expect_ok(&self, function: &'static str, status: Status, error: &types::Error) -> Result<(), Error> {
        match status {
            OK => Ok(()),
            // SAFETY: our own record.
            ..OK => Err(self.failed(unsafe { failure(status, &raw const *error) })),
            _ => Err(self.misbehaved(Misbehaviour::UnknownStatus { function, status })),
        }
    }

    /// The text that a function `describe` gives.
    ///
    /// # Safety
    /// `describe` takes this plugin's context and gives a text that lives until `deinit`.
    pub(crate) unsafe fn describe(
        &self,
        describe: unsafe extern "C" fn(*mut c_void, *mut Str) -> Status,
        what: &'static str,
    ) -> Result<String, Error> {
        let mut json = Str::EMPTY;
        // SAFETY: the context is the plugin's own; `json` is writable.
        let status = unsafe { describe(self.table.context, &raw mut json) };
        self.expect_ok("describe", status, &types::Error::empty())?;
        // SAFETY: lives until `deinit`, as the caller promises.
        let json = unsafe { text(json, what) };
        json.map(str::to_owned).map_err(|what| self.misbehaved(what))
    }

    /// The stream that a function `open` gives; never NULL.
    ///
    /// # Safety
    /// `open` takes this plugin's context and options.
    pub(crate) unsafe fn open(
        &self,
        open: unsafe extern "C" fn(*mut c_void, *const Str, *mut *mut c_void, *mut types::Error) -> Status,
        options: &str,
    ) -> Result<*mut c_void, Error> {
        let options = Str::new(options.as_bytes());
        let mut stream = core::ptr::null_mut();
        let mut error = types::Error::empty();
        // SAFETY: the context is the plugin's own; `options` is borrowed for the call, the outputs are writable.
        let status = unsafe { open(self.table.context, &raw const options, &raw mut stream, &raw mut error) };
        self.expect_ok("open", status, &error)?;
        if stream.is_null() {
            return Err(self.misbehaved(Misbehaviour::NothingGiven { function: "open" }));
        }
        Ok(stream)
    }

    /// A copy of one of the plugin's tables.
    ///
    /// # Safety
    /// `table` came from the plugin as a table of this type.
    pub(crate) unsafe fn read<T: sized::Sized32>(&self, table: *const T, name: &'static str) -> Result<T, Error> {
        // SAFETY: by contract the table is as long as it states and never changes.
        unsafe { sized::read(table) }.ok_or_else(|| self.misbehaved(Misbehaviour::BadTable { table: name }))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(deinit) = self.table.deinit {
            // SAFETY: every wrapper holds an `Arc` of this, so nothing of the plugin is running or called later.
            unsafe { deinit(self.table.context) };
        }
    }
}

impl core::fmt::Debug for Started {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Started").field("name", &self.name).finish_non_exhaustive()
    }
}
