//! Recorded streams: their file format, and an HTTP server that plays them.
#![forbid(unsafe_code)]
