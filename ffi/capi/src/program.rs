//! What an agent calls in the program: tools, hooks and providers, all registered in the same way.

use thalweg::auth::KeySource;
use thalweg::{Hook, Tool};
use thalweg_abi::failure::Failure;
use thalweg_abi::host;

use crate::compact::{self, Compacting};
use crate::fault::Fault;
use crate::hook::{self, HostHook};
use crate::key;
use crate::observe::{self, Observer};
use crate::provider::{self, HostProvider};
use crate::tool::{self, HostTool};

/// What an agent calls in your program; begin with THW_CALLBACKS_INIT. Members that are not there, because your
/// `struct_size` ends before them, count as 0. The arrays are borrowed for the call, all members of one with the same
/// `struct_size`, but their contexts are taken over, also on an error.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Callbacks {
    /// `sizeof(thw_callbacks)`.
    pub struct_size: u32,
    /// Number of `tools`.
    pub tools_len: u32,
    /// Tools.
    pub tools: *const HostTool,
    /// Number of `hooks`.
    pub hooks_len: u32,
    /// Number of `providers`.
    pub providers_len: u32,
    /// Hooks.
    pub hooks: *const HostHook,
    /// Providers.
    pub providers: *const HostProvider,
}

/// What is registered: it starts with its size and has a context that is given back.
pub(crate) trait Registered: Copy {
    /// What it is called in messages.
    const NAME: &'static str;
    /// Its type in C.
    const TYPE: &'static str;

    /// Gives the context back.
    ///
    /// # Safety
    /// Once, when nothing of it runs any more.
    unsafe fn give_back(&self);
}

/// A context that is given back when nobody needs it any more.
pub(crate) struct Owned<T: Registered>(pub(crate) T);

impl<T: Registered> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: taken over for this call, once, when nothing of it runs.
        unsafe { self.0.give_back() };
    }
}

impl<T: Registered> Owned<T> {
    /// The same as another kind, which gives the context back from now on.
    pub(crate) fn into<U: Registered>(self, of: impl FnOnce(&T) -> U) -> Owned<U> {
        let other = Owned(of(&self.0));
        std::mem::forget(self);
        other
    }
}

/// What the program gave.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) tools: Vec<Tool>,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) keys: Option<KeySource>,
    pub(crate) compacting: Option<Compacting>,
    pub(crate) observers: Vec<Observer>,
    pub(crate) providers: Vec<host::Provider>,
}

/// Reads `callbacks`. Their contexts are taken over in any case.
///
/// # Safety
/// NULL or as the header says.
pub(crate) unsafe fn read(callbacks: *const Callbacks) -> Result<Given, Fault> {
    if callbacks.is_null() {
        return Ok(Given::default());
    }
    if !callbacks.is_aligned() {
        return Err(Failure::invalid("`callbacks` is no address of such a struct").into());
    }
    // SAFETY: by contract it is at least as long as it states.
    let stated = unsafe { (*callbacks).struct_size } as usize;
    if stated < std::mem::offset_of!(Callbacks, hooks_len) {
        let message = format!("`callbacks.struct_size` is {stated}; set it to sizeof(thw_callbacks)");
        return Err(Failure::invalid(message).into());
    }
    let mut copy = std::mem::MaybeUninit::<Callbacks>::zeroed();
    let size = stated.min(size_of::<Callbacks>());
    // SAFETY: as many bytes are readable as it states, and both are different objects.
    unsafe { std::ptr::copy_nonoverlapping(callbacks.cast::<u8>(), copy.as_mut_ptr().cast::<u8>(), size) };
    // SAFETY: numbers and addresses, for which zeros and the program's bytes are valid.
    let callbacks = unsafe { copy.assume_init() };
    // All of them first, so that each context is taken over.
    // SAFETY: by contract there are that many.
    let tools = unsafe { array(callbacks.tools, callbacks.tools_len) };
    // SAFETY: as above.
    let hooks = unsafe { array(callbacks.hooks, callbacks.hooks_len) };
    // SAFETY: as above.
    let providers = unsafe { array(callbacks.providers, callbacks.providers_len) };
    // SAFETY: by contract the texts of the tools are readable.
    let tools = unsafe { tool::read(tools?) }?;
    let mut hooks = hooks?;
    let keys = key::take(&mut hooks)?;
    let compacting = compact::take(&mut hooks)?;
    let observers = observe::take(&mut hooks)?;
    let hooks = hook::read(hooks)?;
    // SAFETY: by contract the texts of the providers are readable.
    let providers = unsafe { provider::read(providers?) }?;
    Ok(Given { tools, hooks, keys, compacting, observers, providers })
}

/// Takes over the members of an array, as far as they can be read.
///
/// # Safety
/// `start` points to `len` structs, each as long as it states; or is NULL.
unsafe fn array<T: Registered>(start: *const T, len: u32) -> Result<Vec<Owned<T>>, Fault> {
    let mut taken = Vec::new();
    let mut place = start.cast::<u8>();
    for index in 0..len {
        if place.is_null() || !place.cast::<T>().is_aligned() {
            return Err(Fault::null(&format!("callbacks.{}s", T::NAME)));
        }
        // SAFETY: by contract there are that many, each as long as it states.
        let stated = unsafe { place.cast::<u32>().read() } as usize;
        if stated < size_of::<T>() {
            let message = format!("`struct_size` of {} {index} is {stated}; set it to sizeof({})", T::NAME, T::TYPE);
            return Err(Failure::invalid(message).into());
        }
        // SAFETY: as above, and long enough.
        taken.push(Owned(unsafe { place.cast::<T>().read() }));
        // SAFETY: to the next one, or to the end of the array.
        place = unsafe { place.add(stated) };
    }
    Ok(taken)
}
