//! Starts server and clients, each on a core of its own, and makes a table of what the clients measured.

mod case;
mod clients;
mod cores;
mod figures;
mod plots;
mod programs;
mod server;
mod settings;
mod start;
mod table;
mod targets;
mod versions;

use thalweg_benches::{machine, record};

use self::case::Case;
use self::figures::Figures;
use self::programs::Programs;
use self::server::Server;
use self::settings::Settings;

/// Measures, or only checks the answers when cargo runs it as a test.
pub(crate) fn run() {
    let settings = Settings::of_this_run();
    let programs = Programs::ready(&settings);
    let server = Server::start();
    let cases: Vec<Case> = case::all(&settings).into_iter().filter(|case| settings.is_chosen(&case.id)).collect();
    let mut figures = Figures::default();
    // All clients of a case in turn, and that again and again: what disturbs the machine disturbs all alike.
    for case in &cases {
        for round in 0..settings.rounds(case) {
            for client in case.clients(&programs) {
                figures.add(case, client, programs.run(client, case, &server));
            }
            eprintln!("{}: round {}", case.title, round + 1);
        }
        if !settings.measures {
            println!("Success: {}", case.id);
        }
    }
    if settings.is_chosen("start") {
        start::measure(&programs, &settings, &mut figures);
    }
    drop(server);
    if !settings.measures {
        return;
    }
    let text = format!(
        "{}\n{}\n{}\n{}",
        cores::describe(),
        versions::text(&programs),
        table::text(&cases, &figures),
        targets::text(&figures)
    );
    println!("\n{}\n\n{text}", machine::describe());
    if record::is_wanted() {
        record::write_with("end_to_end", &settings.command(), &text);
        plots::write(&figures).expect("benches/record can be written to");
    }
}
