//! What the engine offers to plugins: the one table of services, and the host behind it.

use crate::host::call;
use crate::table::{self, ABI_MINOR, HostServices};
use crate::types::Str;
use core::ffi::{CStr, c_char, c_void};
use std::alloc::Layout;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

/// A line that a plugin wrote to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// 1 error, 2 warning, 3 info, 4 debug, 5 trace.
    pub level: i32,
    /// Part of the plugin that speaks.
    pub target: &'a str,
    /// The line.
    pub message: &'a str,
}

/// The engine as its plugins see it. Lives as long as the process, since a plugin may keep a thread.
pub struct Host {
    level_max: i32,
    log: Box<dyn Fn(LogLine<'_>) + Send + Sync>,
    /// Bytes given out by `alloc` and not taken back.
    held: AtomicI64,
}

impl Host {
    /// A host that hands lines up to `level_max` to `log`, on the thread of the plugin. Never freed: make one for a
    /// program, or one for each of its engines.
    pub fn leak(level_max: i32, log: impl Fn(LogLine<'_>) + Send + Sync + 'static) -> &'static Self {
        let host: &'static Self = Box::leak(Box::new(Self { level_max, log: Box::new(log), held: AtomicI64::new(0) }));
        // Kept in sight of tools that look for lost memory.
        static HOSTS: Mutex<Vec<&'static Host>> = Mutex::new(Vec::new());
        HOSTS.lock().unwrap_or_else(PoisonError::into_inner).push(host);
        host
    }

    /// A host that drops all lines.
    pub fn silent() -> &'static Self {
        static SILENT: OnceLock<&'static Host> = OnceLock::new();
        SILENT.get_or_init(|| Self::leak(0, |_| ()))
    }

    /// Bytes that plugins hold of this host's `alloc`. Below 0 when they give back more than they took.
    #[must_use]
    pub fn bytes_held(&self) -> i64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Hands a line on, as one that a plugin has logged.
    pub fn log(&self, line: LogLine<'_>) {
        if line.level <= self.level_max {
            (self.log)(line);
        }
    }

    pub(crate) fn as_raw(&'static self) -> *const table::Host {
        (&raw const *self).cast()
    }
}

impl core::fmt::Debug for Host {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Host").field("level_max", &self.level_max).finish_non_exhaustive()
    }
}

/// The table that every plugin gets.
#[must_use]
pub const fn services() -> &'static HostServices {
    &SERVICES
}

/// See [`services`].
pub(crate) static SERVICES: HostServices = HostServices {
    struct_size: size_of::<HostServices>() as u32,
    abi_minor: ABI_MINOR,
    log: Some(log),
    log_enabled: Some(log_enabled),
    alloc: Some(alloc),
    dealloc: Some(dealloc),
    now_ns: Some(now_ns),
    get_extension: Some(get_extension),
    sink_push: Some(call::sink_push),
    sink_finish: Some(call::sink_finish),
    is_cancelled: Some(call::is_cancelled),
    on_cancel: Some(call::on_cancel),
    off_cancel: Some(call::off_cancel),
    sink_wait: Some(call::sink_wait),
};

/// # Safety
/// `host` is NULL or was handed to the plugin at its start.
unsafe fn host<'a>(host: *const table::Host) -> Option<&'a Host> {
    // SAFETY: a `Host` is leaked, so it lives as long as the process.
    unsafe { host.cast::<Host>().as_ref() }
}

/// # Safety
/// As [`HostServices::log`] says.
unsafe extern "C" fn log(raw: *const table::Host, level: i32, target: *const Str, message: *const Str) {
    // SAFETY: by contract.
    let Some(host) = (unsafe { host(raw) }) else { return };
    if level > host.level_max {
        return;
    }
    // SAFETY: NULL or readable for the call, by contract.
    let target = unsafe { target.as_ref() }.map_or(&[][..], |text| unsafe { text.as_bytes() });
    // SAFETY: as above.
    let message = unsafe { message.as_ref() }.map_or(&[][..], |text| unsafe { text.as_bytes() });
    let (target, message) = (String::from_utf8_lossy(target), String::from_utf8_lossy(message));
    // A panic of the receiver must not run into the plugin's frames.
    let _ = catch_unwind(AssertUnwindSafe(|| host.log(LogLine { level, target: &target, message: &message })));
}

/// # Safety
/// As [`HostServices::log_enabled`] says.
unsafe extern "C" fn log_enabled(raw: *const table::Host, level: i32) -> i32 {
    // SAFETY: by contract.
    unsafe { host(raw) }.is_some_and(|host| level <= host.level_max).into()
}

/// # Safety
/// None beyond the types; [`HostServices::alloc`] says what it gives.
unsafe extern "C" fn alloc(raw: *const table::Host, size: usize, align: usize) -> *mut c_void {
    let memory: *mut c_void = match Layout::from_size_align(size, align) {
        // SAFETY: the size is not 0.
        Ok(layout) if size > 0 => unsafe { std::alloc::alloc(layout) }.cast(),
        _ => core::ptr::null_mut(),
    };
    // SAFETY: by contract.
    if let (false, Some(host)) = (memory.is_null(), unsafe { host(raw) }) {
        host.held.fetch_add(size as i64, Ordering::Relaxed);
    }
    memory
}

/// # Safety
/// As [`HostServices::dealloc`] says.
unsafe extern "C" fn dealloc(raw: *const table::Host, memory: *mut c_void, size: usize, align: usize) {
    if memory.is_null() || size == 0 {
        return;
    }
    if let Ok(layout) = Layout::from_size_align(size, align) {
        // SAFETY: from `alloc` with this size and alignment, by contract.
        unsafe { std::alloc::dealloc(memory.cast(), layout) };
        // SAFETY: by contract.
        if let Some(host) = unsafe { host(raw) } {
            host.held.fetch_sub(size as i64, Ordering::Relaxed);
        }
    }
}

/// # Safety
/// None.
unsafe extern "C" fn now_ns(_: *const table::Host) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// # Safety
/// As [`HostServices::get_extension`] says.
unsafe extern "C" fn get_extension(_: *const table::Host, id: *const c_char) -> *const c_void {
    match EXTENSIONS.get() {
        // SAFETY: NUL-terminated, by contract.
        Some(find) if !id.is_null() => find(unsafe { CStr::from_ptr(id) }),
        _ => core::ptr::null(),
    }
}

/// Finds an extension by its id; NULL for any that is not known.
type FindExtension = fn(&CStr) -> *const c_void;

static EXTENSIONS: OnceLock<FindExtension> = OnceLock::new();

/// Sets what extensions the plugins of this process find; the first one counts. What `find` gives lives as long as the
/// process and is what the id stands for.
pub fn offer_extensions(find: FindExtension) {
    let _ = EXTENSIONS.set(find);
}
