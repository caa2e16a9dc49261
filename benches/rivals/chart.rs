//! The bars for the README: nanoseconds an event of each stack, a panel a dialect. Colours follow the reader's theme, and
//! there is a ground below them: a page may be dark where the reader's system is not.

use std::fmt::Write as _;
use std::{fs, io};

use thalweg_benches::record;

use crate::rivals::group::Group;
use crate::rivals::settings::packages;
use crate::rivals::stacks::OURS;

/// Writes `stacks.svg` to the records, if there is something to draw.
pub(crate) fn write(groups: &[Group], caption: &str) -> io::Result<()> {
    let panels: Vec<&Group> =
        groups.iter().filter(|group| group.column == "16KiB" && PANELS.contains(&group.section.as_str())).collect();
    if panels.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(record::folder())?;
    fs::write(record::folder().join("stacks.svg"), svg(&panels, caption))
}

fn svg(panels: &[&Group], caption: &str) -> String {
    let mut body = String::new();
    let mut y = 60;
    for group in panels {
        y = panel(&mut body, group, y).expect("writing to a string cannot fail");
    }
    let height = y + 18;
    let caption: Vec<String> = caption.lines().map(escaped).collect();
    let caption: String = (0..)
        .zip(caption)
        .map(|(n, line)| format!("<text class=\"note\" x=\"12\" y=\"{}\">{line}</text>\n", 18 + 16 * n))
        .collect();
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-label="Nanoseconds an event of each stack">
<style>
text {{ font: 12px system-ui, sans-serif; fill: #24292f }}
.page {{ fill: #ffffff; stroke: #d0d7de }}
.title {{ font-weight: 600; font-size: 13px }}
.note {{ font-size: 11px; fill: #57606a }}
.rival {{ fill: #8c959f }}
.ours {{ fill: #0969da }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #e6edf3 }}
.page {{ fill: #0d1117; stroke: #30363d }}
.note {{ fill: #8d96a0 }}
.rival {{ fill: #6e7681 }}
.ours {{ fill: #58a6ff }}
}}
</style>
<rect class="page" x="0.5" y="0.5" width="{}" height="{}" rx="6"/>
{caption}{body}</svg>
"#,
        WIDTH - 1,
        height - 1,
    )
}

/// Draws one dialect from `y` on and says where it ends.
fn panel(body: &mut String, group: &Group, mut y: usize) -> Result<usize, std::fmt::Error> {
    let size = group.bytes / group.events;
    writeln!(body, r#"<text class="title" x="12" y="{y}">{}, events of {size} bytes</text>"#, escaped(&group.section))?;
    y += 8;
    let mut rows: Vec<_> = group
        .rows
        .iter()
        .filter(|row| row.name == OURS || !row.name.starts_with(OURS) && !row.name.starts_with('('))
        .collect();
    rows.sort_by(|a, b| group.figure(a).total_cmp(&group.figure(b)));
    let longest = rows.last().map_or(1.0, |row| group.figure(row));
    let ours = group.row(OURS).map_or(f64::NAN, |row| group.figure(row));
    for row in rows {
        let figure = group.figure(row);
        let width = (figure / longest * BAR).max(1.0);
        let class = if row.name == OURS { "ours" } else { "rival" };
        let nanos = figure / group.events as f64;
        let shown = if nanos < 100.0 { format!("{nanos:.1} ns") } else { format!("{nanos:.0} ns") };
        let times = if row.name == OURS { String::new() } else { format!(" · {:.0}×", figure / ours) };
        let (baseline, end) = (y + 13, NAMES + width + 6.0);
        writeln!(body, r#"<text x="{}" y="{baseline}" text-anchor="end">{}</text>"#, NAMES - 8.0, escaped(&row.name))?;
        writeln!(body, r#"<rect class="{class}" x="{NAMES}" y="{}" width="{width:.1}" height="13" rx="2"/>"#, y + 2)?;
        writeln!(body, r#"<text x="{end:.1}" y="{baseline}">{shown}{times}</text>"#)?;
        y += 18;
    }
    Ok(y + 26)
}

/// What is drawn, in a line.
pub(crate) fn caption() -> String {
    let versions: Vec<String> = packages()
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(package, _)| package.to_owned())
        .filter(|package| !package.starts_with("memchr") && !package.starts_with("mimalloc"))
        .collect();
    format!("nanoseconds an event, in chunks of 16 KiB; less is better\n{}", versions.join(", "))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

const PANELS: [&str; 4] = ["openai-chat", "anthropic", "openai-responses", "ollama"];
const WIDTH: usize = 960;
const NAMES: f64 = 300.0;
const BAR: f64 = 540.0;
