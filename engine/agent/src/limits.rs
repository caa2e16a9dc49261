//! Bounds of what one reply may make this crate hold.

/// Content blocks of one choice; more are an error of the reply.
pub const BLOCKS_MAX: usize = 1024;
/// Choices of one reply; events of further ones are dropped and counted.
pub const CHOICES_MAX: usize = 128;
/// Turns of one run when the configuration says nothing else.
pub const TURNS_MAX_DEFAULT: u32 = 50;
/// Bytes of wrong arguments that are quoted back to the model.
pub const QUOTED_ARGUMENTS_BYTES: usize = 400;
