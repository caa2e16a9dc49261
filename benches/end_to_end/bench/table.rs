//! The table.

use std::fmt::Write as _;

use super::case::{Case, Work};
use super::clients::{ALL, FLOOR};
use super::figures::Figures;
use super::start;

/// A column: its head, how wide, and what stands in it.
struct Column {
    head: &'static str,
    value: fn(&Figures, &str, &str) -> Option<String>,
}

/// All cases but the points of the curves.
pub(crate) fn text(cases: &[Case], figures: &Figures) -> String {
    let mut text = String::new();
    for case in cases.iter().filter(|case| !case.is_point) {
        let columns: &[Column] = match case.work {
            Work::Replies { .. } => &REPLIES,
            Work::First { .. } => &FIRST,
            Work::Paced { .. } => &PACED,
            Work::Turns { .. } => &TURNS,
        };
        write!(text, "{:WIDTH$}", format!("{}:", case.title)).expect("writing to a string cannot fail");
        for column in columns {
            write!(text, "{:>13}", column.head).expect("writing to a string cannot fail");
        }
        text.push('\n');
        for client in &ALL {
            let cells: Vec<_> = columns.iter().map(|column| (column.value)(figures, &case.id, client.name)).collect();
            if cells.iter().all(Option::is_none) {
                continue;
            }
            write!(text, "  {:1$}", client.title, WIDTH - 2).expect("writing to a string cannot fail");
            for cell in cells {
                write!(text, "{:>13}", cell.unwrap_or_else(|| "-".to_owned()))
                    .expect("writing to a string cannot fail");
            }
            text.push('\n');
        }
        text.push('\n');
    }
    if let (Some(best), Some(median)) =
        (figures.best(start::ID, "thalweg", "start_ms"), figures.median(start::ID, "thalweg", "start_ms"))
    {
        writeln!(text, "start of the command line to its first byte: {best:.2} ms, median {median:.2} ms")
            .expect("writing to a string cannot fail");
    }
    text
}

const REPLIES: [Column; 6] = [
    Column { head: "CPU µs/delta", value: |figures, id, client| Some(short(figures.best(id, client, "cpu_us")?)) },
    Column { head: "median", value: |figures, id, client| Some(short(figures.median(id, client, "cpu_us")?)) },
    Column { head: "× hyper", value: |figures, id, client| Some(short(figures.times(id, "cpu_us", client, FLOOR)?)) },
    Column { head: "deltas/s", value: |figures, id, client| Some(thousands(figures.best(id, client, "rate")?)) },
    Column { head: "peak RSS MiB", value: |figures, id, client| Some(mebibytes(figures.best(id, client, "rss")?)) },
    Column {
        head: "KiB a stream",
        value: |figures, id, client| Some(kibibytes(figures.best(id, client, "rss_stream")?)),
    },
];

const FIRST: [Column; 4] = [
    Column { head: "p50 µs", value: |figures, id, client| Some(short(figures.best(id, client, "first_p50_us")?)) },
    Column {
        head: "p50 median",
        value: |figures, id, client| Some(short(figures.median(id, client, "first_p50_us")?)),
    },
    Column { head: "p99 µs", value: |figures, id, client| Some(short(figures.best(id, client, "first_p99_us")?)) },
    Column {
        head: "CPU µs/reply",
        value: |figures, id, client| Some(short(figures.best(id, client, "cpu_request_us")?)),
    },
];

const PACED: [Column; 8] = [
    Column { head: "CPU µs/delta", value: |figures, id, client| Some(short(figures.best(id, client, "cpu_us")?)) },
    Column { head: "median", value: |figures, id, client| Some(short(figures.median(id, client, "cpu_us")?)) },
    Column { head: "× hyper", value: |figures, id, client| Some(short(figures.times(id, "cpu_us", client, FLOOR)?)) },
    Column { head: "% of a core", value: |figures, id, client| Some(short(100.0 * figures.best(id, client, "core")?)) },
    Column { head: "least served", value: |figures, id, client| Some(thousands(figures.best(id, client, "least")?)) },
    Column {
        head: "KiB a stream",
        value: |figures, id, client| Some(kibibytes(figures.best(id, client, "rss_stream")?)),
    },
    Column {
        head: "delay p50 ms",
        value: |figures, id, client| Some(millis(figures.best(id, client, "delay_p50_us")?)),
    },
    Column {
        head: "delay p99 ms",
        value: |figures, id, client| Some(millis(figures.best(id, client, "delay_p99_us")?)),
    },
];

const TURNS: [Column; 6] = [
    Column {
        head: "CPU µs at 20",
        value: |figures, id, client| Some(short(figures.best(id, client, "turn_cpu_us_20")?)),
    },
    Column {
        head: "at the last",
        value: |figures, id, client| Some(short(figures.best(id, client, "turn_cpu_us_last")?)),
    },
    Column { head: "mean", value: |figures, id, client| Some(short(figures.best(id, client, "turn_cpu_us_mean")?)) },
    Column {
        head: "median mean",
        value: |figures, id, client| Some(short(figures.median(id, client, "turn_cpu_us_mean")?)),
    },
    Column {
        head: "wall µs, last",
        value: |figures, id, client| Some(short(figures.best(id, client, "turn_us_last")?)),
    },
    Column { head: "peak RSS MiB", value: |figures, id, client| Some(mebibytes(figures.best(id, client, "rss")?)) },
];

const WIDTH: usize = 62;

/// Three digits that count.
fn short(value: f64) -> String {
    match value {
        value if value >= 100.0 => thousands(value),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}

fn mebibytes(bytes: f64) -> String {
    format!("{:.0}", bytes / f64::from(1 << 20))
}

fn kibibytes(bytes: f64) -> String {
    short(bytes / 1024.0)
}

fn millis(micros: f64) -> String {
    short(micros / 1000.0)
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
