//! The engine beside others: the same bytes, the same answers, one run, in turn.
//!
//! A rival is a framer with a reader of JSON, each at its best: types that borrow, buffers that are used again, no UTF-8
//! checked twice, `lto` and mimalloc for all. Every pass compares the sizes of what was read with what the generator put
//! in, and before it is measured each stack has given the content itself.

mod allocator;
mod answer;
mod chart;
mod dialect;
mod framer;
mod group;
mod groups;
mod input;
mod ours;
mod reader;
mod recorded;
mod settings;
mod stack;
mod stacks;
mod table;
mod targets;
mod work;

use std::time::Instant;

use criterion::Criterion;
use thalweg_benches::{is_measuring, machine, record};

use crate::rivals::settings::{Settings, TARGET, is_chosen};

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

/// Measures all that is chosen, and prints the table.
pub(crate) fn run() {
    let settings = Settings::of_this_run();
    let start = Instant::now();
    let groups: Vec<_> = groups::all(settings).into_iter().filter(|plan| is_chosen(&plan.id())).collect();
    let count = groups.len();
    let mut measured = Vec::new();
    for (at, plan) in groups.into_iter().enumerate() {
        let id = plan.id();
        let mut group = plan.fill(settings);
        if is_measuring() {
            group.measure();
            eprintln!("{:>3} of {count}  {:>4} s  {id}", at + 1, start.elapsed().as_secs());
        }
        measured.push(group);
    }
    // The samples are there; what takes time from here on is resampling, and drawing.
    let mut criterion = Criterion::default().nresamples(settings.resamples).configure_from_args();
    for group in &mut measured {
        group.report(&mut criterion);
    }
    criterion.final_summary();
    if is_measuring() && !measured.is_empty() {
        finish(&measured);
    }
}

/// Prints the table, and writes it to the records if that is wanted.
fn finish(groups: &[group::Group]) {
    let what = format!("{}\n{}\n", settings::build(), settings::packages());
    let text = format!("{what}{}{}", table::text(groups), targets::text(groups));
    println!("\n{}\n{text}", machine::describe());
    if record::is_wanted() {
        record::write(TARGET, &format!("{text}\n{}", table::details(groups)));
        if let Err(error) = chart::write(groups, &chart::caption()) {
            eprintln!("cannot write the chart: {error}");
            std::process::exit(1);
        }
    }
}
