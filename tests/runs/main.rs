//! Many runs at once, and runs that are too long: what their logs keep, what limits say, who waits for whom.

mod drain;
mod fairness;
mod limits;
mod server;
mod window;
