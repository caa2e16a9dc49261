//! The files of figures: one a day and machine.

use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

use crate::machine;

/// Folder of the records.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("record")
}

/// Whether this run is to be recorded: `THALWEG_RECORD=1`.
#[must_use]
pub fn is_wanted() -> bool {
    crate::is_measuring() && env::var_os("THALWEG_RECORD").is_some_and(|value| value == "1")
}

/// Puts the text of a bench target into today's file for this machine, in the place of an earlier one. Ends the process
/// if that fails: figures must not be lost silently.
pub fn write(target: &str, text: &str) {
    write_with(target, &format!("cargo bench --bench {target}"), text);
}

/// The same for a bench target that was run with arguments.
pub fn write_with(target: &str, command: &str, text: &str) {
    match try_write(target, command, text) {
        Ok(path) => println!("written to {}", path.display()),
        Err(error) => {
            eprintln!("cannot write to benches/record: {error}");
            process::exit(1);
        }
    }
}

fn try_write(target: &str, command: &str, text: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(folder())?;
    let path = folder().join(format!("{}-{}.md", machine::date(), machine::slug()));
    let flags = env::var("RUSTFLAGS").unwrap_or_default();
    let (heading, flags) = match flags.as_str() {
        "" => (format!("## {target}\n"), String::new()),
        flags => (format!("## {target}, {flags}\n"), format!("RUSTFLAGS=\"{flags}\" ")),
    };
    let section = format!("{heading}\n{}\n\n`{flags}{command}`\n\n```text\n{text}```\n", machine::describe());
    let mut sections: Vec<String> = fs::read_to_string(&path)
        .unwrap_or_else(|_| format!("# {}\n", machine::date()))
        .split("\n## ")
        .enumerate()
        .map(|(at, part)| if at == 0 { part.to_owned() } else { format!("## {part}") })
        .filter(|part| !part.starts_with(&heading))
        .map(|part| format!("{}\n", part.trim_end()))
        .collect();
    sections.push(section);
    fs::write(&path, sections.join("\n"))?;
    Ok(path)
}
