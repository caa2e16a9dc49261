//! From the start of the command line to the first byte that it sends.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::figures::Figures;
use super::programs::Programs;
use super::settings::Settings;
use super::{clients, cores};

/// The name of these figures.
pub(crate) const ID: &str = "start";

/// Starts it some times.
pub(crate) fn measure(programs: &Programs, settings: &Settings, figures: &mut Figures) {
    let Some(thalweg) = &programs.thalweg else { return };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
    let url = format!("http://{}/v1", listener.local_addr().expect("it is bound"));
    for _ in 0..if settings.is_whole { 40 } else { 10 } {
        let mut command = Command::new(thalweg);
        command.args(["chat", "--base-url", &url, "--model", "gpt-4o-mini", "Hello"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        cores::take_that_of_clients();
        let begin = Instant::now();
        let mut process = command.spawn().expect("the command line starts");
        cores::take_that_of_server();
        let (mut socket, _) = listener.accept().expect("it asks");
        socket.read_exact(&mut [0]).expect("it sends");
        let millis = begin.elapsed().as_nanos() as f64 / 1e6;
        cores::take_all();
        // It waits for a reply that does not come.
        process.kill().expect("it runs");
        process.wait().expect("it has ended");
        figures.add_to(ID, clients::THALWEG, BTreeMap::from([("start_ms".to_owned(), millis)]));
    }
}
