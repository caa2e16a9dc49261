//! The list of models of a plugin, loaded or linked in, through its C table.

use crate::host::check::text;
use crate::host::plugin::Started;
use crate::host::{Error, Misbehaviour};
use crate::table::Models as Table;
use crate::types::{self, Status, Str};
use core::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that a list of models may have.
pub const MODELS_BYTES_MAX: usize = 4 << 20;

/// The members of the table, all present.
#[derive(Clone, Copy, Debug)]
struct Functions {
    list: unsafe extern "C" fn(*mut c_void, *mut Str, *mut types::Error) -> Status,
}

/// What lists the models of a plugin. Usable from any thread.
#[derive(Clone, Debug)]
pub struct Models {
    plugin: Arc<Started>,
    functions: Functions,
    /// One call at a time, since the next one ends the text of the last.
    turn: Arc<Mutex<()>>,
}

impl Models {
    /// Reads the table, in which nothing may be missing.
    pub(crate) fn read(plugin: &Arc<Started>, table: *const Table) -> Result<Self, Error> {
        // SAFETY: the plugin gave it as its table of models.
        let table = unsafe { plugin.read(table, "thw_models") }?;
        let list = table.list.ok_or_else(|| plugin.missing("thw_models", "list"))?;
        Ok(Self { plugin: Arc::clone(plugin), functions: Functions { list }, turn: Arc::default() })
    }

    /// Id of the plugin.
    #[must_use]
    pub fn plugin(&self) -> &str {
        self.plugin.name()
    }

    /// The models as a JSON array, as the plugin wrote it; see docs/PLUGINS.md. It may block.
    ///
    /// # Errors
    /// When the plugin fails or breaks a rule.
    pub fn list(&self) -> Result<String, Error> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut json = Str::EMPTY;
        let mut error = types::Error::empty();
        // SAFETY: the context is the plugin's own; both outputs are writable.
        let status = unsafe { (self.functions.list)(self.plugin.context(), &raw mut json, &raw mut error) };
        self.plugin.expect_ok("list", status, &error)?;
        if json.len > MODELS_BYTES_MAX {
            let what =
                Misbehaviour::TooMuch { what: "bytes in its list of models", count: json.len, limit: MODELS_BYTES_MAX };
            return Err(self.plugin.misbehaved(what));
        }
        // SAFETY: valid until the next call, for which the turn must be over.
        let json = unsafe { text(json, "its list of models") };
        json.map(str::to_owned).map_err(|what| self.plugin.misbehaved(what))
    }
}
