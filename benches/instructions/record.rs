//! The counts that were committed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use thalweg_benches::machine;

/// How much more is no regression yet.
const TOLERANCE: f64 = 0.03;
/// The same with another compiler or on another kind of processor, whose code is another one.
const TOLERANCE_ELSEWHERE: f64 = 0.25;

/// The committed counts.
#[derive(Debug)]
pub(crate) struct Record {
    rows: Vec<(String, f64)>,
    is_from_here: bool,
}

/// What the record says to a new count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Unknown,
    Fine,
    Worse,
}

impl Record {
    /// The record of this repository; one without rows if there is none.
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(path()).unwrap_or_default();
        let rows = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (name, count) = line.rsplit_once(char::is_whitespace)?;
            Some((name.trim().to_owned(), count.parse().ok()?))
        });
        let record = Self { rows: rows.collect(), is_from_here: text.lines().any(|line| line == origin()) };
        if !record.is_from_here && !record.rows.is_empty() {
            println!("recorded with another compiler or processor, so compared loosely; here: {}", &origin()[2..]);
        }
        record
    }

    /// The count of a row.
    pub(crate) fn find(&self, name: &str) -> Option<f64> {
        self.rows.iter().find(|(row, _)| row == name).map(|(_, count)| *count)
    }

    /// Compares a new count of a row.
    pub(crate) fn judge(&self, name: &str, now: f64) -> Verdict {
        match self.find(name) {
            None => Verdict::Unknown,
            Some(before) if now > before * (1.0 + self.tolerance()) => Verdict::Worse,
            Some(_) => Verdict::Fine,
        }
    }

    /// How much more is allowed, as a fraction.
    pub(crate) const fn tolerance(&self) -> f64 {
        if self.is_from_here { TOLERANCE } else { TOLERANCE_ELSEWHERE }
    }
}

/// Where the record is.
pub(crate) fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("record/instructions.txt")
}

/// Writes the counts in the place of the old ones.
pub(crate) fn write(rows: &[(&str, f64)]) -> io::Result<()> {
    let mut text = format!(
        "# Instructions an event. Written by\n# THALWEG_RECORD=1 cargo bench -p thalweg-benches --bench instructions\n\
         # {}, commit {}\n{}\n",
        machine::date(),
        machine::commit(),
        origin()
    );
    for (name, count) in rows {
        writeln!(text, "{name:width$}  {count:.1}", width = crate::work::NAME_WIDTH)
            .expect("a string takes everything");
    }
    fs::create_dir_all(path().parent().expect("it is in a folder"))?;
    fs::write(path(), text)
}

/// What the counts hang on besides the code.
fn origin() -> String {
    let features = if is_avx2() { "avx2" } else { "baseline" };
    format!("# {}, {} {features}", machine::compiler(), std::env::consts::ARCH)
}

fn is_avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    false
}
