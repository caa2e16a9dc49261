//! The engine beside others; what is measured and how: `rivals/mod.rs`.

#[path = "rivals/mod.rs"]
mod rivals;

fn main() {
    rivals::run();
}
