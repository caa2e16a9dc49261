//! The table at the end: a block an input, a row a stack, a column a cut.

use std::fmt::Write as _;

use crate::rivals::group::{Group, Row};
use crate::rivals::stacks::OURS;

/// All blocks.
pub(crate) fn text(groups: &[Group]) -> String {
    let mut text = String::new();
    let mut rest = groups;
    while let Some(first) = rest.first() {
        let len = rest.iter().take_while(|group| group.section == first.section).count();
        let (section, after) = rest.split_at(len);
        block(&mut text, section).expect("writing to a string cannot fail");
        rest = after;
    }
    text
}

/// Every figure once more, with the median beside the best.
pub(crate) fn details(groups: &[Group]) -> String {
    let mut text = format!("{:64}  {:>10}  {:>10}  {:>8}\n", "", "best ns", "median ns", "GB/s");
    for group in groups {
        for row in &group.rows {
            let (best, median) = (row.best() / group.events as f64, row.median() / group.events as f64);
            let rate = group.bytes as f64 / row.best();
            let name = format!("{}/{}", group.id(), row.name);
            writeln!(text, "{name:64}  {best:>10.2}  {median:>10.2}  {rate:>8.2}")
                .expect("writing to a string cannot fail");
        }
    }
    text
}

fn block(text: &mut String, columns: &[Group]) -> std::fmt::Result {
    let first = &columns[0];
    writeln!(text, "{}: {}", first.section, what(first))?;
    if !first.note.is_empty() {
        writeln!(text, "  ({})", first.note)?;
    }
    write!(text, "  {:NAMES$}", "")?;
    for column in columns {
        write!(text, "{:>18}", column.column)?;
    }
    // The usual cut, or the only one.
    let usual = columns.iter().find(|column| column.column == "16KiB").unwrap_or(first);
    let aside = format!("at {}", usual.column);
    writeln!(text, "{:>9}{:>12}  {aside}", "GB/s", "allocs/ev")?;
    for row in names(columns) {
        write!(text, "  {row:NAMES$}")?;
        for column in columns {
            write!(text, "{:>18}", cell(column, row))?;
        }
        if let Some(found) = usual.row(row) {
            write!(text, "{:>9.2}", usual.bytes as f64 / usual.figure(found))?;
            if let Some(allocations) = found.allocations {
                write!(text, "{:>12.3}", allocations as f64 / usual.events as f64)?;
            }
        }
        writeln!(text)?;
    }
    writeln!(text)
}

/// Rows of all columns, in the order in which they first occur.
fn names(columns: &[Group]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for row in columns.iter().flat_map(|column| &column.rows) {
        if !names.contains(&row.name.as_str()) {
            names.push(&row.name);
        }
    }
    names
}

/// The figure, and how many times ours it is.
fn cell(column: &Group, name: &str) -> String {
    let Some(row) = column.row(name) else { return "-".to_owned() };
    let figure = column.figure(row);
    let shown = if column.is_large() {
        format!("{:.2}", column.bytes as f64 / figure)
    } else {
        let nanos = figure / column.events as f64;
        if nanos < 100.0 { format!("{nanos:.1}") } else { format!("{nanos:.0}") }
    };
    match column.row(OURS) {
        Some(ours) if ours.name != name => {
            let times = figure / column.figure(ours);
            let times = if times < 10.0 { format!("{times:.2}") } else { format!("{times:.1}") };
            format!("{shown} {times:>6}x")
        }
        _ => format!("{shown} {:>7}", ""),
    }
}

fn what(group: &Group) -> String {
    if group.is_large() {
        return "GB/s".to_owned();
    }
    let size = group.bytes / group.events;
    match group.is_cold {
        true => format!("events of {size} B, median ns/event"),
        false => format!("{} events of {size} B, best ns/event", group.events),
    }
}

impl Group {
    /// One of its rows.
    pub(crate) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// The nanoseconds of a pass that stand in the table. The fastest is what the code can do and the others are the
    /// machine; where caches are cold, the machine is what is measured.
    pub(crate) fn figure(&self, row: &Row) -> f64 {
        if self.is_cold { row.median() } else { row.best() }
    }

    /// Whether its events are so long that bytes count.
    pub(crate) const fn is_large(&self) -> bool {
        self.bytes / self.events > 10_000
    }
}

const NAMES: usize = 40;
