//! Commands and servers of an operator, on instances that lie where the test wants them.

use crate::PROGRAM;
use polyphemus_api::Client;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

pub fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs")
}

/// What it said on both its outputs; it must have ended with this code.
pub fn said(arguments: &[&str], code: i32) -> String {
    let output = run(arguments);
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}\n{}",
        text.concat()
    );
    text.concat()
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder has a plain name")
}

/// A running server on an instance that is not its own, and stays when it ends.
pub struct Served {
    child: Child,
    address: String,
}

impl Served {
    pub fn on(instance: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["serve", "--instance", instance])
            .args(arguments)
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says that it is ready");
        let address = line
            .trim()
            .trim_start_matches("Polyphemus is ready at http://")
            .trim_end_matches('/');
        assert!(address.starts_with("127.0.0.1:"), "{line:?}");
        Self {
            address: address.to_owned(),
            child,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn client(&self) -> Client {
        Client::new(&self.url()).expect("the server's own address is good")
    }

    /// Status and body, by HTTP at its plainest.
    pub fn get(&self, path: &str) -> (u16, String) {
        let mut connection = TcpStream::connect(&self.address).expect("it listens");
        write!(connection, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("it reads");
        let mut raw = Vec::new();
        connection.read_to_end(&mut raw).expect("it answers");
        let text = String::from_utf8_lossy(&raw).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        (status.expect("a status"), body.to_owned())
    }
}

impl Drop for Served {
    /// As a power cut would.
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait().map(drop));
        assert!(ended.is_ok() || std::thread::panicking(), "{ended:?}");
    }
}
