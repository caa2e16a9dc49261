//! A provider in plain C that drives itself: a doctor of few words, after the program of 1966, which needs no network.
//!
//! The plugin is `eliza.c`. Building this crate gives the shared object `libthw_eliza_c.so` in the `deps` folder of the
//! profile; the library itself holds a copy for programs that link the plugin in.

thalweg_abi::link_c_plugin!(manifest: "thalweg_eliza_c_manifest", entry: "thalweg_eliza_c_entry");
