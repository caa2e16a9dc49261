//! `thalweg plugin new`: a small project to begin with.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::failure::Failure;
use crate::scaffold::{self, Kind, Language, Name};

/// What to make, and where.
#[derive(clap::Args)]
pub(crate) struct New {
    /// Name of the plugin and of its folder, which may have a path before it: a-z, 0-9, `-` and `_`
    #[arg(value_name = "NAME")]
    folder: PathBuf,
    /// What it offers
    #[arg(long)]
    kind: Kind,
    /// What it is written in
    #[arg(long)]
    lang: Language,
}

impl New {
    pub(crate) fn execute(self, out: &mut impl Write) -> Result<(), Failure> {
        let name = self.folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = Name::new(name).map_err(Failure::usage)?;
        let folder = self.folder.display();
        let is_taken = fs::read_dir(&self.folder).map(|mut entries| entries.next().is_some());
        match is_taken {
            Ok(true) => {
                return Err(Failure::usage(format_args!("{folder} is there and not empty; nothing was written")));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::usage(format_args!("{folder}: {error}")));
            }
            _ => {}
        }
        let files = scaffold::files(&name, self.kind, self.lang, source_tree().as_deref());
        for (path, text) in &files {
            write(&self.folder.join(path), text)?;
        }
        writeln!(
            out,
            "made {} files in {folder}; its README.md has the commands that build, check and install it",
            files.len()
        )?;
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    written.map_err(|error| Failure::run(format_args!("{}: {error}", path.display())))
}

/// The folder that this command was built from, where it still is one and this is not an installed copy.
fn source_tree() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().ok()?;
    let is_one = folder.join("ffi/abi/Cargo.toml").is_file() && folder.join("engine/wire/Cargo.toml").is_file();
    is_one.then_some(folder)
}
