//! A tool that does arithmetic. The shared object.
