//! The subcommands, one a file.

pub(crate) mod bench;
pub(crate) mod chat;
pub(crate) mod decode;
pub(crate) mod install_c;
pub(crate) mod models;
pub(crate) mod plugin;
pub(crate) mod providers;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod sessions;
