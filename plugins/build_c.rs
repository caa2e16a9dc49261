//! What the build scripts of the plugins in C share: it compiles their one source twice, as a shared object, placed where
//! cargo places those of the other plugins, and as a static copy with other names for its two symbols, for programs that
//! link it in.

use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::time::SystemTime;
use std::{env, fs, io};

const INCLUDE: &str = "../../ffi/include";

/// A plugin in C: `src/<source>.c`, named `<source>_c`.
struct Plugin {
    source: String,
    name: String,
}

/// Builds `src/<source>.c`.
pub(crate) fn build_plugin(source: &str) {
    let plugin = Plugin { source: format!("src/{source}.c"), name: format!("{source}_c") };
    let header = Path::new(INCLUDE).join("thalweg_plugin.h");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    // <target>/<profile>/build/<package>/out: three up is the folder of the profile, whatever the target folder is.
    let profile = out.ancestors().nth(3).expect("the layout of cargo's target folder");
    let target = profile.join("deps").join(plugin.library_name());
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../build_c.rs");
    println!("cargo::rerun-if-changed={}", plugin.source);
    println!("cargo::rerun-if-changed={}", header.display());
    // A shared object that was deleted is built again.
    println!("cargo::rerun-if-changed={}", target.display());

    let mut linked_in = plugin.build();
    linked_in.define("thw_plugin_manifest_v1", format!("thalweg_{}_manifest", plugin.name).as_str());
    linked_in.define("thw_plugin_entry_v1", format!("thalweg_{}_entry", plugin.name).as_str());
    if let Err(error) = linked_in.try_compile(&format!("thalweg_{}", plugin.name)) {
        plugin.give_up(&error.to_string());
    }

    let fresh = out.join(plugin.library_name());
    plugin.link_shared(&fresh);
    if let Err(error) = place(&fresh, &target, &[Path::new(&plugin.source), &header]) {
        plugin.give_up(&format!("{}: {error}", target.display()));
    }
}

impl Plugin {
    fn build(&self) -> cc::Build {
        let version = format!("\"{}\"", env::var("CARGO_PKG_VERSION").expect("set by cargo"));
        let mut build = cc::Build::new();
        build.file(&self.source).include(INCLUDE).define("PLUGIN_VERSION", version.as_str()).pic(true).warnings(false);
        if env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "msvc") {
            build.flag("/W4");
        } else {
            build
                .flag("-std=c99")
                .flag("-Wall")
                .flag("-Wextra")
                .flag("-pedantic")
                .flag("-Werror")
                .flag("-fvisibility=hidden");
        }
        build
    }

    fn library_name(&self) -> String {
        match env::var("CARGO_CFG_TARGET_OS").as_deref() {
            Ok("windows") => format!("thw_{}.dll", self.name),
            Ok("macos" | "ios") => format!("libthw_{}.dylib", self.name),
            _ => format!("libthw_{}.so", self.name),
        }
    }

    /// Compiles the shared object to `output`.
    fn link_shared(&self, output: &Path) {
        let compiler = match self.build().try_get_compiler() {
            Ok(compiler) => compiler,
            Err(error) => self.give_up(&error.to_string()),
        };
        let mut command: Command = compiler.to_command();
        if compiler.is_like_msvc() {
            command.arg("/LD").arg(&self.source).arg(format!("/Fe:{}", output.display()));
        } else {
            command.arg("-shared").arg(&self.source).arg("-o").arg(output);
        }
        match command.status() {
            Ok(status) if status.success() => {}
            Ok(status) => self.give_up(&format!("{command:?}: {status}")),
            Err(error) => self.give_up(&format!("{command:?}: {error}")),
        }
    }

    fn give_up(&self, reason: &str) -> ! {
        eprintln!("the plugin plugins/{} is written in C and could not be compiled: {reason}", self.name);
        eprintln!(
            "A C compiler is needed: install one (Debian, Ubuntu: `apt install gcc libc6-dev`; Fedora: `dnf install gcc`;"
        );
        eprintln!("macOS: `xcode-select --install`), or name yours in the environment variable CC.");
        exit(1);
    }
}

/// Puts the file in its place in one step, so that nobody loads half of it. It gets the time of its newest source: with
/// the time of this run, cargo would take it for changed since and run this again on every build.
fn place(fresh: &Path, target: &Path, sources: &[&Path]) -> io::Result<()> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for source in sources {
        newest = newest.max(fs::metadata(source)?.modified()?);
    }
    let file = fs::File::options().write(true).open(fresh)?;
    file.set_modified(newest)?;
    drop(file);
    let beside = target.with_extension(format!("new-{}", std::process::id()));
    fs::create_dir_all(target.parent().expect("a file in a folder"))?;
    if fs::rename(fresh, &beside).is_err() {
        fs::copy(fresh, &beside)?;
        fs::File::options().write(true).open(&beside)?.set_modified(newest)?;
    }
    fs::rename(&beside, target)
}
