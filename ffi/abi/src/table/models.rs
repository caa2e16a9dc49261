//! `thw.models/1`: which models a plugin serves.

use crate::types::{Error, Status, Str};
use core::ffi::c_void;

/// Id of [`Models`].
pub const INTERFACE_MODELS: &str = "thw.models/1";

/// The models that a plugin serves, for people and programs to choose from.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Models {
    /// Size of the table as the plugin compiled it.
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// Gives the models as a JSON array of objects: `{"id":s,"name"?:s,"context_tokens"?:n,"output_tokens_max"?:n,
    /// "capabilities"?:[s]}`; see docs/PLUGINS.md. The list may change from call to call. `json` is the caller's, the text
    /// behind it the plugin's, valid until the next call or `deinit`; `error` is the caller's and may be NULL. The engine
    /// makes one call at a time, on a thread that may block. `[any-thread]`
    pub list: Option<unsafe extern "C" fn(context: *mut c_void, json: *mut Str, error: *mut Error) -> Status>,
}
