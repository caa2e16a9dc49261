//! As `rivals`, within two minutes: the usual cuts, fewer rounds, no recordings.

#[path = "rivals/mod.rs"]
mod rivals;

fn main() {
    rivals::run();
}
