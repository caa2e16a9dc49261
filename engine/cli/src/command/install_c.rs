//! `thalweg install-c`: builds the C library and puts it where C compilers look.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use serde_json::Value;

use crate::failure::Failure;

/// Build the C library and install it
///
/// Writes lib/libthalweg.so.1, lib/libthalweg.so, lib/libthalweg.a, include/thalweg.h, include/thalweg_plugin.h,
/// include/thalweg.hpp, lib/pkgconfig/thalweg.pc and lib/cmake/thalweg below the prefix. The files find each other, so
/// the folder can be moved. Needs the source tree that this command was built from, and cargo.
#[derive(clap::Args)]
pub(crate) struct InstallC {
    /// The folder to install to, such as /usr/local or ~/.local
    #[arg(long, value_name = "DIR")]
    prefix: PathBuf,
    /// The profile of cargo to build with
    #[arg(long, value_name = "NAME", default_value = "c-library")]
    profile: String,
    /// The target folder of cargo
    #[arg(long, value_name = "DIR")]
    target_dir: Option<PathBuf>,
}

impl InstallC {
    pub(crate) fn execute(self) -> Result<(), Failure> {
        let names = Names::of_this_system()?;
        let source = source_tree()?;
        let built = self.build(&source)?;
        let place = Place { prefix: &self.prefix };
        let library = |suffix: &str| {
            let found = built.iter().find(|path| path.extension().is_some_and(|extension| extension == suffix));
            found.ok_or_else(|| Failure::run(format_args!("cargo built no .{suffix} file of thalweg-capi")))
        };
        place.copy(library(names.suffix)?, &format!("lib/{}", names.soname))?;
        place.link(names.soname, &format!("lib/{}", names.link))?;
        place.copy(library("a")?, "lib/libthalweg.a")?;
        for header in ["include/thalweg.h", "include/thalweg_plugin.h", "cpp/include/thalweg.hpp"] {
            let name = header.rsplit('/').next().unwrap_or(header);
            place.copy(&source.join("ffi").join(header), &format!("include/{name}"))?;
        }
        for (template, file) in [
            ("thalweg.pc.in", "lib/pkgconfig/thalweg.pc"),
            ("thalweg-config.cmake.in", "lib/cmake/thalweg/thalweg-config.cmake"),
            ("thalweg-config-version.cmake.in", "lib/cmake/thalweg/thalweg-config-version.cmake"),
        ] {
            let template = source.join("ffi/capi").join(template);
            let text = fs::read_to_string(&template).map_err(|error| at(&template, error))?;
            place.write(file, &names.fill_in(&text))?;
        }
        let prefix = place.prefix.display();
        let mut out = io::stdout().lock();
        writeln!(out, "installed the C library {} to {prefix}", env!("CARGO_PKG_VERSION"))?;
        writeln!(out, "  export PKG_CONFIG_PATH={prefix}/lib/pkgconfig LD_LIBRARY_PATH={prefix}/lib")?;
        writeln!(out, "  cc hi.c $(pkg-config --cflags --libs thalweg)")?;
        Ok(())
    }

    /// Has cargo build the library, and gives the files that it made: one kind after the other, since the shared one would
    /// keep what only the static one exports, a tenth of its size.
    fn build(&self, source: &Path) -> Result<Vec<PathBuf>, Failure> {
        let mut files = self.build_kind(source, "cdylib")?;
        files.extend(self.build_kind(source, "staticlib")?);
        Ok(files)
    }

    fn build_kind(&self, source: &Path, kind: &str) -> Result<Vec<PathBuf>, Failure> {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(source).args(["rustc", "-p", "thalweg-capi", "--lib", "--crate-type", kind]);
        cargo.args(["--message-format=json-render-diagnostics", "--profile", &self.profile]);
        if let Some(folder) = &self.target_dir {
            let folder = std::path::absolute(folder).map_err(|error| at(folder, error))?;
            cargo.arg("--target-dir").arg(folder);
        }
        let output = cargo.stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| Failure::run(format_args!("cannot start cargo: {error}")))?;
        if !output.status.success() {
            return Err(Failure::run("cargo could not build the C library; it said why above"));
        }
        // One JSON object a line; those of the library's own target name its files.
        let messages = String::from_utf8_lossy(&output.stdout);
        let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let ours = artifacts.filter(|message| message["target"]["name"] == "thalweg_capi");
        let files = ours.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
        Ok(files.filter_map(|file| file.as_str().map(PathBuf::from)).collect())
    }
}

/// Below the prefix.
struct Place<'a> {
    prefix: &'a Path,
}

impl Place<'_> {
    /// The path of a file, whose folder is made. What was there is removed: a program that runs keeps the old library
    /// whole.
    fn clear(&self, file: &str) -> Result<PathBuf, Failure> {
        let path = self.prefix.join(file);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| at(folder, error))?;
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path, error)),
            _ => Ok(path),
        }
    }

    fn copy(&self, from: &Path, file: &str) -> Result<(), Failure> {
        let path = self.clear(file)?;
        fs::copy(from, &path).map(drop).map_err(|error| at(&path, error))
    }

    fn write(&self, file: &str, text: &str) -> Result<(), Failure> {
        let path = self.clear(file)?;
        fs::write(&path, text).map_err(|error| at(&path, error))
    }

    /// A symbolic link to `target`, which lies beside it.
    fn link(&self, target: &str, file: &str) -> Result<(), Failure> {
        let path = self.clear(file)?;
        #[cfg(unix)]
        let made = std::os::unix::fs::symlink(target, &path);
        #[cfg(not(unix))]
        let made = fs::copy(path.with_file_name(target), &path).map(drop);
        made.map_err(|error| at(&path, error))
    }
}

/// What files are called here, and what a static library needs.
struct Names {
    suffix: &'static str,
    soname: &'static str,
    link: &'static str,
    libs_private: &'static str,
}

impl Names {
    fn of_this_system() -> Result<Self, Failure> {
        if cfg!(target_os = "linux") {
            let libs_private = "-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc";
            Ok(Self { suffix: "so", soname: "libthalweg.so.1", link: "libthalweg.so", libs_private })
        } else if cfg!(target_os = "macos") {
            let libs_private = "-liconv -lSystem -lc -lm";
            Ok(Self { suffix: "dylib", soname: "libthalweg.1.dylib", link: "libthalweg.dylib", libs_private })
        } else {
            Err(Failure::usage(
                "install-c knows the file names of Linux and macOS; elsewhere build -p thalweg-capi and copy",
            ))
        }
    }

    fn fill_in(&self, template: &str) -> String {
        let libs_cmake: Vec<&str> =
            self.libs_private.split(' ').map(|lib| lib.strip_prefix("-l").unwrap_or(lib)).collect();
        template
            .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
            .replace("@MAJOR@", env!("CARGO_PKG_VERSION_MAJOR"))
            .replace("@MINOR@", env!("CARGO_PKG_VERSION_MINOR"))
            .replace("@SHARED@", self.soname)
            .replace("@SONAME@", self.soname)
            .replace("@STATIC@", "libthalweg.a")
            .replace("@LIBS_PRIVATE@", self.libs_private)
            .replace("@LIBS_CMAKE@", &libs_cmake.join(";"))
    }
}

/// The folder that this command was built from.
fn source_tree() -> Result<PathBuf, Failure> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if !folder.join("ffi/capi/Cargo.toml").is_file() {
        let folder = folder.display();
        return Err(Failure::usage(format_args!(
            "the sources are not at {folder} any more; run `cargo run --release -p thalweg-cli -- install-c` in them"
        )));
    }
    folder.canonicalize().map_err(|error| at(&folder, error))
}

fn at(path: &Path, error: io::Error) -> Failure {
    Failure::run(format_args!("{}: {error}", path.display()))
}
