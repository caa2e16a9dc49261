//! Builds the plugin from its source in C.

#[path = "../build_c.rs"]
mod build_c;

fn main() {
    build_c::build_plugin("weather");
}
