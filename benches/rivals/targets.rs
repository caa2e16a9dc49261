//! What the engine must reach, and whether this run shows it.

use std::fmt::Write as _;

use crate::rivals::group::Group;
use crate::rivals::groups::ASYNC_OPENAI;
use crate::rivals::stacks::{OURS, PARSING};

/// One line a target.
pub(crate) fn text(groups: &[Group]) -> String {
    let mut text = "targets, on a generic build with one core to itself\n".to_owned();
    for (section, column, nanos_max) in NANOS {
        if let Some(nanos) = nanos(groups, section, column, OURS) {
            line(&mut text, &format!("{section}/{column}, ns/event at most"), nanos, *nanos_max, nanos <= *nanos_max);
        }
    }
    if let Some(nanos) = nanos(groups, "openai-chat", "16KiB", PARSING) {
        line(&mut text, "openai-chat/16KiB, templates off, ns/event at most", nanos, 110.0, nanos <= 110.0);
    }
    for (section, column, rival, times_min) in TIMES {
        let Some(group) = find(groups, section, column) else { continue };
        let Some(ours) = group.row(OURS) else { continue };
        let rivals = group.rows.iter().filter(|row| match *rival {
            "" => !row.name.starts_with(OURS) && !row.name.starts_with('('),
            rival => row.name == rival,
        });
        let Some(best) = rivals.min_by(|a, b| group.figure(a).total_cmp(&group.figure(b))) else { continue };
        let times = group.figure(best) / group.figure(ours);
        line(
            &mut text,
            &format!("{section}/{column}, times {} at least", best.name),
            times,
            *times_min,
            times >= *times_min,
        );
    }
    let ours = || groups.iter().flat_map(|group| group.rows.iter().map(move |row| (group, row)));
    let counted = ours().filter(|(_, row)| row.name.starts_with(OURS));
    let most = counted.filter_map(|(group, row)| Some((row.allocations?, group, row))).max_by_key(|found| found.0);
    if let Some((most, group, row)) = most {
        let aside =
            if most == 0 { String::new() } else { format!(": {most} in a pass of {}/{}", group.id(), row.name) };
        let average = most as f64 / group.events as f64;
        line(&mut text, &format!("allocations an event, everywhere{aside}"), average, 0.0, most == 0);
    }
    large(&mut text, groups);
    text
}

/// The rate at which one large event is read, and that it does not fall with its size.
fn large(text: &mut String, groups: &[Group]) {
    let rate = |column: &str| {
        let group = find(groups, LARGE, column)?;
        Some(group.bytes as f64 / group.figure(group.row(OURS)?))
    };
    if let (Some(small), Some(large)) = (rate("256KiB"), rate("16MiB")) {
        line(text, &format!("{LARGE}/16MiB, GB/s at least"), large, 3.0, large >= 3.0);
        let share = large / small;
        line(text, &format!("{LARGE}, 16 MiB at the rate of 256 KiB"), share, 0.7, share >= 0.7);
    }
}

fn line(text: &mut String, name: &str, value: f64, target: f64, holds: bool) {
    let word = if holds { "holds" } else { "misses" };
    writeln!(text, "  {name:76}{value:>9.2}{target:>8.1}  {word}").expect("writing to a string cannot fail");
}

fn find<'a>(groups: &'a [Group], section: &str, column: &str) -> Option<&'a Group> {
    groups.iter().find(|group| group.section == section && group.column == column)
}

fn nanos(groups: &[Group], section: &str, column: &str, row: &str) -> Option<f64> {
    let group = find(groups, section, column)?;
    Some(group.figure(group.row(row)?) / group.events as f64)
}

/// Input, cut, most nanoseconds an event.
const NANOS: &[(&str, &str, f64)] = &[
    ("openai-chat", "16KiB", 14.0),
    ("openai-chat", "1KiB", 25.0),
    ("openai-chat", "event", 18.0),
    ("anthropic", "16KiB", 16.0),
    ("openai-responses", "16KiB", 24.0),
    ("ollama", "16KiB", 18.0),
    ("framing only, openai-chat", "16KiB", 14.0),
    ("openai-chat, one stream", "cold", 120.0),
    ("openai-chat, 1,000 streams", "event", 60.0),
];

/// Input, cut, rival (the best one if none is named), how many times as fast at least.
const TIMES: &[(&str, &str, &str, f64)] = &[
    ("openai-chat", "16KiB", "sseer + sonic-rs", 30.0),
    ("openai-chat", "16KiB", ASYNC_OPENAI, 80.0),
    ("anthropic", "16KiB", "", 20.0),
    ("openai-responses", "16KiB", "", 14.0),
    ("ollama", "16KiB", "", 8.0),
    ("framing only, openai-chat", "16KiB", "sse-core", 4.0),
];

const LARGE: &str = "one large event in 1 KiB pieces";
