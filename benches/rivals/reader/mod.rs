//! The readers: one file a rival.

pub(crate) mod async_openai;
pub(crate) mod jiter;
pub(crate) mod serde_json;
pub(crate) mod simd_json;
pub(crate) mod sonic_rs;
