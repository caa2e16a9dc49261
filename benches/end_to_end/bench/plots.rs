//! The curves: processor time of a delta against the number of streams, and against the size of an event. Both axes are
//! logarithmic. Colours follow the reader's theme, and there is a ground below them.

use std::fmt::Write as _;
use std::{fs, io};

use thalweg_benches::record;

use super::clients::{ALL, Client};
use super::figures::Figures;

/// Writes both to the records, if there is something to draw.
pub(crate) fn write(figures: &Figures) -> io::Result<()> {
    fs::create_dir_all(record::folder())?;
    for plot in &PLOTS {
        let curves = curves(figures, plot);
        if !curves.is_empty() {
            fs::write(record::folder().join(plot.file), svg(plot, &curves))?;
        }
    }
    Ok(())
}

struct Plot {
    file: &'static str,
    title: &'static str,
    x_title: &'static str,
    case: &'static str,
    points: &'static [u32],
}

struct Curve {
    client: &'static Client,
    points: Vec<(f64, f64)>,
}

fn curves(figures: &Figures, plot: &Plot) -> Vec<Curve> {
    let curves = ALL.iter().map(|client| {
        let points = plot.points.iter().filter_map(|&x| {
            let y = figures.best(&format!("{}@{x}", plot.case), client.name, "cpu_us")?;
            Some((f64::from(x), y))
        });
        Curve { client, points: points.collect() }
    });
    curves.filter(|curve| curve.points.len() > 1).collect()
}

fn svg(plot: &Plot, curves: &[Curve]) -> String {
    let all = || curves.iter().flat_map(|curve| curve.points.iter().copied());
    let span = |values: &mut dyn Iterator<Item = f64>| {
        values.map(f64::log10).fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)))
    };
    let (x_least, x_most) = span(&mut all().map(|(x, _)| x));
    let (y_least, y_most) = span(&mut all().map(|(_, y)| y));
    // Whole powers of ten on the axis that is read off.
    let (y_least, y_most) = (y_least.floor(), y_most.ceil());
    let x_of = |x: f64| LEFT + (x.log10() - x_least) / (x_most - x_least) * (RIGHT - LEFT);
    let y_of = |y: f64| BOTTOM - (y.log10() - y_least) / (y_most - y_least) * (BOTTOM - TOP);
    let mut body = String::new();
    for &x in plot.points {
        let at = x_of(f64::from(x));
        writeln!(body, r#"<line class="grid" x1="{at:.1}" y1="{TOP}" x2="{at:.1}" y2="{BOTTOM}"/>"#).expect(TEXT);
        writeln!(body, r#"<text class="note" x="{at:.1}" y="{}" text-anchor="middle">{x}</text>"#, BOTTOM + 16.0)
            .expect(TEXT);
    }
    for power in y_least as i32..=y_most as i32 {
        let (value, at) = (10_f64.powi(power), y_of(10_f64.powi(power)));
        writeln!(body, r#"<line class="grid" x1="{LEFT}" y1="{at:.1}" x2="{RIGHT}" y2="{at:.1}"/>"#).expect(TEXT);
        writeln!(
            body,
            r#"<text class="note" x="{}" y="{:.1}" text-anchor="end">{value} µs</text>"#,
            LEFT - 8.0,
            at + 4.0
        )
        .expect(TEXT);
    }
    let mut label_below = TOP;
    let mut by_end: Vec<&Curve> = curves.iter().collect();
    let end = |curve: &Curve| curve.points.last().map_or(0.0, |point| point.1);
    by_end.sort_by(|a, b| end(b).total_cmp(&end(a)));
    for curve in by_end {
        let class = if curve.client.title.starts_with("thalweg") { "ours" } else { "rival" };
        let points: Vec<String> = curve.points.iter().map(|&(x, y)| format!("{:.1},{:.1}", x_of(x), y_of(y))).collect();
        writeln!(body, r#"<polyline class="{class}" points="{}"/>"#, points.join(" ")).expect(TEXT);
        for &(x, y) in &curve.points {
            writeln!(body, r#"<circle class="{class}" cx="{:.1}" cy="{:.1}" r="2.5"/>"#, x_of(x), y_of(y)).expect(TEXT);
        }
        let at = (y_of(end(curve)) + 4.0).max(label_below);
        label_below = at + 14.0;
        let title = curve.client.title.replace('&', "&amp;").replace('<', "&lt;");
        writeln!(body, r#"<text x="{}" y="{at:.1}">{title}</text>"#, RIGHT + 10.0).expect(TEXT);
    }
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{title}">
<style>
text {{ font: 12px system-ui, sans-serif; fill: #24292f }}
.page {{ fill: #ffffff; stroke: #d0d7de }}
.title {{ font-weight: 600; font-size: 13px }}
.note {{ font-size: 11px; fill: #57606a }}
.grid {{ stroke: #d0d7de; stroke-width: 0.5 }}
polyline {{ fill: none; stroke-width: 1.6 }}
polyline.rival {{ stroke: #8c959f }}
polyline.ours {{ stroke: #0969da; stroke-width: 2.4 }}
circle.rival {{ fill: #8c959f }}
circle.ours {{ fill: #0969da }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #e6edf3 }}
.page {{ fill: #0d1117; stroke: #30363d }}
.note {{ fill: #8d96a0 }}
.grid {{ stroke: #30363d }}
polyline.rival {{ stroke: #6e7681 }}
polyline.ours {{ stroke: #58a6ff }}
circle.rival {{ fill: #6e7681 }}
circle.ours {{ fill: #58a6ff }}
}}
</style>
<rect class="page" x="0.5" y="0.5" width="{page_width}" height="{page_height}" rx="6"/>
<text class="title" x="12" y="22">{title}</text>
<text class="note" x="{middle}" y="{below}" text-anchor="middle">{x_title}</text>
{body}</svg>
"#,
        title = plot.title,
        x_title = plot.x_title,
        page_width = WIDTH - 1.0,
        page_height = HEIGHT - 1.0,
        middle = f64::midpoint(LEFT, RIGHT),
        below = BOTTOM + 34.0,
    )
}

const PLOTS: [Plot; 2] = [
    Plot {
        file: "streams.svg",
        title: "processor time of a delta, streams at full speed",
        x_title: "streams at once",
        case: "streams",
        points: &[1, 10, 100, 1000],
    },
    Plot {
        file: "sizes.svg",
        title: "processor time of a delta, one stream at full speed",
        x_title: "bytes of text in a delta; its event has about 300 more",
        case: "size",
        points: &[4, 16, 64, 256, 1024, 4096, 16_384],
    },
];
const TEXT: &str = "writing to a string cannot fail";
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 660.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 366.0;
