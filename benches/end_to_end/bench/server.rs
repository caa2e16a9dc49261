//! The process of the server.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::cores;

/// The server, for as long as this is there.
pub(crate) struct Server {
    process: Child,
    plain: u16,
    secured: u16,
    certificate: PathBuf,
}

impl Server {
    pub(crate) fn start() -> Self {
        let certificate = Path::new(env!("CARGO_TARGET_TMPDIR")).join("end-to-end.pem");
        cores::take_that_of_server();
        let mut process = Command::new(std::env::current_exe().expect("this program has a file"))
            .arg("serve")
            .arg(&certificate)
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts once more");
        cores::take_all();
        let mut line = String::new();
        let stdout = process.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the ports of the server");
        let mut ports = line.split_whitespace().map(|port| port.parse().expect("a port"));
        let mut port = || ports.next().expect("two ports");
        Self { process, plain: port(), secured: port(), certificate }
    }

    /// Where a path is served, and with which certificate if that is over TLS.
    pub(crate) fn url(&self, path: &str, is_secured: bool) -> (String, Option<&Path>) {
        if is_secured {
            (format!("https://127.0.0.1:{}{path}", self.secured), Some(&self.certificate))
        } else {
            (format!("http://127.0.0.1:{}{path}", self.plain), None)
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; it serves nobody any more in either case.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
