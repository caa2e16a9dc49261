//! A tool in plain C: `get_weather {"city": "Paris"}`, from a built-in table of sample data.
//!
//! The plugin is `weather.c`. Building this crate gives the shared object `libthw_weather_c.so` in the `deps` folder of the
//! profile; the library itself holds a copy for programs that link the plugin in,.

thalweg_abi::link_c_plugin!(manifest: "thalweg_weather_c_manifest", entry: "thalweg_weather_c_entry");
