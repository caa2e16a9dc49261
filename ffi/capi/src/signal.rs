//! The pollable file descriptor: readable when there is something to read.

use std::ffi::c_int;
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Arc;
use std::task::Wake;

use thalweg_abi::failure::Failure;
use thalweg_abi::types::E_FAILED;
#[cfg(not(target_os = "linux"))]
use thalweg_abi::types::E_UNSUPPORTED;

use crate::fault::Fault;

/// An eventfd. As a waker it makes itself readable.
#[derive(Debug)]
pub(crate) struct Signal {
    #[cfg(target_os = "linux")]
    fd: OwnedFd,
}

#[cfg(target_os = "linux")]
impl Signal {
    /// A descriptor that is not readable yet.
    pub(crate) fn new() -> Result<Arc<Self>, Fault> {
        use rustix::event::{EventfdFlags, eventfd};
        match eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK) {
            Ok(fd) => Ok(Arc::new(Self { fd })),
            Err(error) => Err(no_descriptor(&error.into())),
        }
    }

    /// The number of the descriptor.
    pub(crate) fn fd(&self) -> c_int {
        self.fd.as_raw_fd()
    }

    /// Makes it readable.
    pub(crate) fn raise(&self) {
        // It can only fail when the counter is full, and then it is readable.
        let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
    }

    /// Makes it unreadable.
    pub(crate) fn clear(&self) {
        // It fails when it is not readable, which is what is wanted.
        let _ = rustix::io::read(&self.fd, &mut [0_u8; 8]);
    }
}

#[cfg(not(target_os = "linux"))]
impl Signal {
    pub(crate) fn new() -> Result<Arc<Self>, Fault> {
        Err(Failure::new(E_UNSUPPORTED, "there is no pollable descriptor on this system; wait with a timeout").into())
    }

    pub(crate) fn fd(&self) -> c_int {
        -1
    }

    pub(crate) fn raise(&self) {}

    pub(crate) fn clear(&self) {}
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.raise();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.raise();
    }
}

#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only made where there are descriptors"))]
fn no_descriptor(error: &io::Error) -> Fault {
    Failure::new(E_FAILED, format!("no file descriptor is to be had: {error}")).into()
}
