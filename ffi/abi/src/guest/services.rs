//! The engine, as a plugin that was started by it sees it.

use crate::sized;
use crate::table::{Host, HostServices, Http};
use crate::types::Str;

/// The host that started the plugin, and what it offers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Services {
    host: *const Host,
    pub(crate) table: HostServices,
}

// SAFETY: the host lives as long as the process and all its functions are any-thread.
unsafe impl Send for Services {}
// SAFETY: as above.
unsafe impl Sync for Services {}

impl Services {
    /// The services of a host; `None` when its table is NULL or has no size.
    ///
    /// # Safety
    /// `table` is NULL or points to a table of the size it states, and host and table live as long as the process.
    pub(crate) unsafe fn new(host: *const Host, table: *const HostServices) -> Option<Self> {
        // SAFETY: promised by the caller.
        let table = unsafe { sized::read(table) }?;
        Some(Self { host, table })
    }

    /// The engine's own.
    #[cfg(feature = "host")]
    pub(crate) const fn of_engine(host: *const Host, table: &'static HostServices) -> Self {
        Self { host, table: *table }
    }

    /// The engine's HTTP, if it offers that with all its functions.
    pub(crate) fn http(&self) -> Option<Http> {
        let find = self.table.get_extension?;
        // SAFETY: the id is NUL-terminated.
        let table = unsafe { find(self.host, c"thw.http/1".as_ptr()) };
        // SAFETY: NULL, or the table of that id, which lives as long as the process.
        let http: Http = unsafe { sized::read(table.cast()) }?;
        (http.send.is_some() && http.resume.is_some() && http.abort.is_some()).then_some(http)
    }

    /// Writes a line to the engine's log.
    pub(crate) fn log(&self, level: i32, target: &str, message: &str) {
        if let Some(log) = self.table.log {
            let (target, message) = (Str::new(target.as_bytes()), Str::new(message.as_bytes()));
            // SAFETY: both texts are readable for the call.
            unsafe { log(self.host, level, &raw const target, &raw const message) };
        }
    }
}
