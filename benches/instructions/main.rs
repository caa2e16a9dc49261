//! Instructions an event, counted by callgrind and compared with `benches/record/instructions.txt`: a guard that needs
//! no quiet machine.
//!
//! This program runs itself under valgrind, once with few passes over an input and once with more; the difference, over
//! the events, leaves no trace of start-up. `THALWEG_RECORD=1` writes the record anew. Without valgrind nothing is
//! compared, and that is said.

mod count;
mod record;
mod work;

use record::{Record, Verdict};
use thalweg_benches::is_measuring;
use work::Work;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, passes] = arguments.as_slice()
        && flag == count::PASS
    {
        return pass(name, passes);
    }
    // A word on the command line chooses the rows that have it in their name, as with the other benches.
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let chosen = || work::ALL.iter().filter(|work| filter.is_none_or(|filter| work.name.contains(filter.as_str())));
    if !is_measuring() {
        for work in chosen() {
            work.run(1);
            println!("Testing instructions/{}\nSuccess", work.name);
        }
        return;
    }
    if !count::is_possible() {
        println!("instructions: skipped, valgrind is not installed; on Debian: apt-get install valgrind");
        return;
    }
    compare(chosen(), filter.is_none());
}

/// Does the work so many times and nothing else: what valgrind counts.
fn pass(name: &str, passes: &str) {
    let work = work::ALL.iter().find(|work| work.name == name).expect("a name that this program gave");
    work.run(passes.parse().expect("a number that this program gave"));
}

fn compare<'w>(chosen: impl Iterator<Item = &'w Work>, is_all: bool) {
    let record = Record::read();
    let mut counted = Vec::new();
    let mut failed = Vec::new();
    println!(
        "{:width$}  {:>12}  {:>10}  {:>7}",
        "instructions an event",
        "now",
        "record",
        "",
        width = work::NAME_WIDTH
    );
    for work in chosen {
        let now = count::instructions(work);
        let before = record.find(work.name);
        let change = before.map_or(String::new(), |before| format!("{:+.1} %", (now / before - 1.0) * 100.0));
        let before_text = before.map_or("-".to_owned(), |before| format!("{before:.1}"));
        println!("{:width$}  {now:>12.1}  {before_text:>10}  {change:>7}", work.name, width = work::NAME_WIDTH);
        if record.judge(work.name, now) == Verdict::Worse {
            failed.push(work.name);
        }
        counted.push((work.name, now));
    }
    if std::env::var_os("THALWEG_RECORD").is_some_and(|value| value == "1") {
        assert!(is_all, "a record holds every row: leave the filter out");
        record::write(&counted).expect("benches/record can be written");
        return println!("written to {}", record::path().display());
    }
    if !failed.is_empty() {
        eprintln!(
            "more instructions than {} allows (+{:.0} %): {}; if that is meant, record it with THALWEG_RECORD=1",
            record::path().display(),
            record.tolerance() * 100.0,
            failed.join(", ")
        );
        std::process::exit(1);
    }
}
