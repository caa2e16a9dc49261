//! The C tables of a package: every function guards against panics and NULL, and touches outputs on success only.
//!
//! Public only for `export_plugin!`, which names [`entry`].

mod codec;
mod embed;
mod guard;
mod models;
mod provider;
mod request;
mod serve;
mod tool;

use crate::failure::Failure;
use crate::guest::services::Services;
#[cfg(feature = "host")]
use crate::guest::{Codec, Parts};
use crate::guest::{Embed, Models, Package, Provider, Serve, Tool};
use crate::table::{
    Host, HostServices, INTERFACE_CODEC, INTERFACE_EMBED, INTERFACE_MODELS, INTERFACE_PROVIDER, INTERFACE_SERVE,
    INTERFACE_TOOL, Plugin,
};
use crate::types::{E_VERSION, Error, OK, Status, Str};
use core::ffi::{CStr, c_char, c_void};
#[cfg(feature = "host")]
use core::marker::PhantomData;
use guard::{guard, text};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// A plugin that was started: the `context` of its tables.
struct Instance<P: Package> {
    codec: Option<P::Codec>,
    provider: Option<Box<dyn Provider>>,
    models: Option<Box<dyn Models>>,
    /// The list that was given last.
    model_list: Mutex<String>,
    embed: Option<Box<dyn Embed>>,
    serve: Option<Box<dyn Serve>>,
    tools: Vec<Box<dyn Tool>>,
    services: Services,
}

/// # Safety
/// `context` is NULL or from `entry`, and not ended.
unsafe fn instance<'a, P: Package>(context: *mut c_void) -> Result<&'a Instance<P>, Failure> {
    // SAFETY: promised by the caller.
    unsafe { context.cast::<Instance<P>>().as_ref() }.ok_or(Failure::invalid("the context is NULL"))
}

/// The body of a `describe`: writes a text of the author's, which lives until `deinit`, to `json`.
///
/// # Safety
/// `json` is NULL or writable.
unsafe fn describe_to<'t>(json: *mut Str, describe: impl FnOnce() -> Result<&'t str, Failure>) -> Status {
    let work = || {
        let text = describe()?;
        if json.is_null() {
            return Err(Failure::invalid("an argument is NULL"));
        }
        // SAFETY: not NULL, writable as the caller promises.
        unsafe { json.write(Str::new(text.as_bytes())) };
        Ok(OK)
    };
    // SAFETY: NULL is allowed.
    unsafe { guard(core::ptr::null_mut(), work) }
}

/// The body of an `open`: gives what the author's code opens with `options` to `stream`.
///
/// # Safety
/// `options` is NULL or borrowed for the call, `stream` is NULL or writable, and `error` is as [`guard`] says.
unsafe fn open_to<T>(
    options: *const Str,
    stream: *mut *mut c_void,
    error: *mut Error,
    open: impl FnOnce(&str) -> Result<T, Failure>,
) -> Status {
    let work = || {
        // SAFETY: promised by the caller.
        let options = unsafe { text(options) }?;
        if stream.is_null() {
            return Err(Failure::invalid("an argument is NULL"));
        }
        let opened = Box::new(open(options)?);
        // SAFETY: not NULL, writable as the caller promises.
        unsafe { stream.write(Box::into_raw(opened).cast()) };
        Ok(OK)
    };
    // SAFETY: promised by the caller.
    unsafe { guard(error, work) }
}

/// Starts a package: the body of `thw_plugin_entry_v1`.
///
/// # Safety
/// As [`PluginEntry`](crate::table::PluginEntry) says.
pub unsafe extern "C" fn entry<P: Package>(
    host: *const Host,
    services: *const HostServices,
    _host_minor: u32,
    plugin: *mut Plugin,
    error: *mut Error,
) -> Status {
    let start = || {
        // SAFETY: NULL, or valid for the process, by contract.
        let services = unsafe { Services::new(host, services) }.ok_or(Failure::invalid("no table of services"))?;
        if plugin.is_null() {
            return Err(Failure::invalid("no place for the plugin's table"));
        }
        // SAFETY: not NULL; the engine filled it.
        let room = unsafe { (*plugin).struct_size } as usize;
        if room < size_of::<Plugin>() {
            return Err(Failure::invalid("the place for the plugin's table is too small"));
        }
        let instance: Box<Instance<P>> = Box::new(Instance {
            codec: P::codec(),
            provider: P::provider(),
            models: P::models(),
            model_list: Mutex::default(),
            embed: P::embed(),
            serve: P::serve(),
            tools: P::tools(),
            services,
        });
        let pushes = instance.provider.is_some() || !instance.tools.is_empty();
        if pushes && (services.table.sink_push.is_none() || services.table.sink_finish.is_none()) {
            return Err(Failure::new(E_VERSION, "the engine is too old: it has no sink_push or no sink_finish"));
        }
        // SAFETY: there is room for it, checked above.
        unsafe { plugin.write(table_of(instance)) };
        Ok(OK)
    };
    // SAFETY: `error` is NULL or writable, by contract.
    unsafe { guard(error, start) }
}

/// The table of a plugin that is put together while the program runs.
#[cfg(feature = "host")]
pub(crate) fn assemble<C: Codec>(parts: Parts<C>, host: *const Host, services: &'static HostServices) -> Plugin {
    /// A package of which only the types are used.
    struct Assembled<C>(PhantomData<fn() -> C>);

    impl<C: Codec> Package for Assembled<C> {
        const ID: &'static str = "assembled";
        const VERSION: &'static str = "";
        type Codec = C;

        fn codec() -> Option<C> {
            None
        }

        fn tools() -> Vec<Box<dyn Tool>> {
            Vec::new()
        }
    }

    let Parts { codec, provider, models, embed, serve, tools } = parts;
    let services = Services::of_engine(host, services);
    let model_list = Mutex::default();
    let instance: Box<Instance<Assembled<C>>> =
        Box::new(Instance { codec, provider, models, model_list, embed, serve, tools, services });
    table_of(instance)
}

fn table_of<P: Package>(instance: Box<Instance<P>>) -> Plugin {
    Plugin {
        struct_size: size_of::<Plugin>() as u32,
        flags: 0,
        context: Box::into_raw(instance).cast(),
        deinit: Some(deinit::<P>),
        get_interface: Some(get_interface::<P>),
    }
}

/// # Safety
/// As [`Plugin::deinit`] says.
unsafe extern "C" fn deinit<P: Package>(context: *mut c_void) {
    // A panic of a destructor has nobody to be told to.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        if !context.is_null() {
            // SAFETY: from `entry`, and nothing is called after this.
            drop(unsafe { Box::from_raw(context.cast::<Instance<P>>()) });
        }
    }));
}

/// # Safety
/// As [`Plugin::get_interface`] says.
unsafe extern "C" fn get_interface<P: Package>(context: *mut c_void, id: *const c_char) -> *const c_void {
    if context.is_null() || id.is_null() {
        return core::ptr::null();
    }
    // SAFETY: from `entry`, by contract.
    let instance = unsafe { &*context.cast::<Instance<P>>() };
    // SAFETY: NUL-terminated, by contract.
    let id = unsafe { CStr::from_ptr(id) }.to_bytes();
    if id == INTERFACE_CODEC.as_bytes() && instance.codec.is_some() {
        (&raw const *codec::table::<P>()).cast()
    } else if id == INTERFACE_PROVIDER.as_bytes() && instance.provider.is_some() {
        (&raw const *provider::table::<P>()).cast()
    } else if id == INTERFACE_MODELS.as_bytes() && instance.models.is_some() {
        (&raw const *models::table::<P>()).cast()
    } else if id == INTERFACE_EMBED.as_bytes() && instance.embed.is_some() {
        (&raw const *embed::table::<P>()).cast()
    } else if id == INTERFACE_SERVE.as_bytes() && instance.serve.is_some() {
        (&raw const *serve::table::<P>()).cast()
    } else if id == INTERFACE_TOOL.as_bytes() && !instance.tools.is_empty() {
        (&raw const *tool::table::<P>()).cast()
    } else {
        core::ptr::null()
    }
}
