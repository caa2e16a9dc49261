//! The two macros of the SDK: what a crate offers, and the two symbols of a shared object.

/// Declares what a plugin crate offers, as the type `Package`. Contains no unsafe code and exports no symbol, so any
/// number of such crates can be linked into one program: `module()` is the plugin.
///
/// ```
/// use thalweg_abi::guest::{Tool, ToolCall, ToolInfo};
///
/// #[derive(Default)]
/// pub struct Shout;
///
/// impl Tool for Shout {
///     fn info(&self) -> ToolInfo<'_> {
///         ToolInfo::new("shout", "Says it loudly.", r#"{"type":"object"}"#)
///     }
///
///     fn invoke(&self, call: &mut ToolCall<'_>) -> Result<String, String> {
///         Ok(call.arguments.to_uppercase())
///     }
/// }
///
/// thalweg_abi::plugin! { id: "example.shout", version: "1.0.0", tools: [Shout] }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! plugin {
    (id: $id:expr, version: $version:expr $(, codec: $codec:ty)? $(, provider: $provider:ty)? $(, models: $models:ty)? $(, embed: $embed:ty)? $(, serve: $serve:ty)? $(, tools: [$($tool:ty),* $(,)?])? $(,)?) => {
        /// What this plugin offers.
        #[derive(Clone, Copy, Debug)]
        pub struct Package;

        /// The plugin as it is linked into a program.
        #[must_use]
        pub fn module() -> $crate::module::Module {
            $crate::guest::module::<Package>()
        }

        impl $crate::guest::Package for Package {
            const ID: &'static str = $id;
            const VERSION: &'static str = $version;
            type Codec = $crate::plugin!(@type $($codec)?);

            fn codec() -> ::core::option::Option<Self::Codec> {
                $crate::plugin!(@value $($codec)?)
            }

            fn provider() -> ::core::option::Option<::std::boxed::Box<dyn $crate::guest::Provider>> {
                $crate::plugin!(@boxed $($provider)?)
            }

            fn models() -> ::core::option::Option<::std::boxed::Box<dyn $crate::guest::Models>> {
                $crate::plugin!(@boxed $($models)?)
            }

            fn embed() -> ::core::option::Option<::std::boxed::Box<dyn $crate::guest::Embed>> {
                $crate::plugin!(@boxed $($embed)?)
            }

            fn serve() -> ::core::option::Option<::std::boxed::Box<dyn $crate::guest::Serve>> {
                $crate::plugin!(@boxed $($serve)?)
            }

            fn tools() -> ::std::vec::Vec<::std::boxed::Box<dyn $crate::guest::Tool>> {
                ::std::vec![$($(
                    ::std::boxed::Box::new(<$tool as ::core::default::Default>::default())
                        as ::std::boxed::Box<dyn $crate::guest::Tool>
                ),*)?]
            }
        }
    };
    (@type $codec:ty) => { $codec };
    (@type) => { $crate::guest::NoCodec };
    (@value $codec:ty) => {
        ::core::option::Option::Some(<$codec as ::core::default::Default>::default())
    };
    (@value) => { ::core::option::Option::None };
    (@boxed $part:ty) => {
        ::core::option::Option::Some(::std::boxed::Box::new(<$part as ::core::default::Default>::default()))
    };
    (@boxed) => { ::core::option::Option::None };
}

/// Exports a package as a plugin: the two symbols that a shared object needs. Belongs into a crate of its own of type
/// `cdylib`, since a program can hold these symbols once only.
///
/// `export_plugin!(my_tool::Package);`, or with the content in place:
/// `export_plugin! { id: "example.shout", version: "1.0.0", tools: [Shout] }`.
#[macro_export]
macro_rules! export_plugin {
    (id: $($content:tt)*) => {
        $crate::plugin! { id: $($content)* }
        $crate::export_plugin!(Package);
    };
    ($package:path) => {
        const _: () = assert!(
            cfg!(panic = "unwind"),
            "a plugin is built with panic = \"unwind\": remove `panic = \"abort\"` from the profile in Cargo.toml"
        );

        /// What the plugin says of itself, readable from the file before any of its code runs.
        #[unsafe(export_name = "thw_plugin_manifest_v1")]
        pub static MANIFEST: $crate::table::Manifest = $crate::guest::manifest(
            <$package as $crate::guest::Package>::ID,
            <$package as $crate::guest::Package>::VERSION,
        );

        /// Starts the plugin.
        ///
        /// # Safety
        /// As `thw_plugin_entry` in `thalweg_plugin.h` says.
        #[unsafe(export_name = "thw_plugin_entry_v1")]
        pub unsafe extern "C" fn entry(
            host: *const $crate::table::Host,
            services: *const $crate::table::HostServices,
            host_minor: u32,
            plugin: *mut $crate::table::Plugin,
            error: *mut $crate::types::Error,
        ) -> $crate::types::Status {
            // SAFETY: the caller keeps the contract of this function, which is that of the inner one.
            unsafe { $crate::guest::export::entry::<$package>(host, services, host_minor, plugin, error) }
        }
    };
}
