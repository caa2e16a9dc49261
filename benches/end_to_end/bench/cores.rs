//! Which core the server has, and which the clients: processes have the cores of what starts them.

use std::sync::OnceLock;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Keeps this thread, and what it starts from now on, on the core of the clients.
pub(crate) fn take_that_of_clients() {
    take(cores().0);
}

/// Keeps this thread, and what it starts from now on, on the core of the server.
pub(crate) fn take_that_of_server() {
    take(cores().1);
}

/// Lets this thread run on all of them again.
pub(crate) fn take_all() {
    // Where it is refused the figures say so by themselves.
    let _ = sched_setaffinity(None, all());
}

/// For the table.
pub(crate) fn describe() -> String {
    match cores() {
        (client, server) if client == server => {
            format!("client and server share core {client}: read nothing from these figures")
        }
        (client, server) => {
            format!("client on core {client}, server on core {server}: figures are per core of the client")
        }
    }
}

fn take(core: usize) {
    let mut one = CpuSet::new();
    one.set(core);
    let _ = sched_setaffinity(None, &one);
}

fn cores() -> (usize, usize) {
    let mut allowed = (0..CpuSet::MAX_CPU).filter(|core| all().is_set(*core));
    let first = allowed.next().unwrap_or_default();
    (first, allowed.next().unwrap_or(first))
}

/// Those that this process was given at its start.
fn all() -> &'static CpuSet {
    static ALL: OnceLock<CpuSet> = OnceLock::new();
    ALL.get_or_init(|| sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new()))
}
