//! A stand-in for a server that misbehaves in ways that a real one cannot be brought to: it gives
//! each request the first unused answer that was written for it, and closes the connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub struct StandIn {
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

/// `GET /path?query`, and the whole answer.
pub type Answer = (String, Vec<u8>);

impl StandIn {
    pub fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it has an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let answers = Arc::new(Mutex::new(answers));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &seen, &answers);
            }
        });
        Self { url, requests }
    }

    /// What was asked for so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no test panics with it").clone()
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<String>>, answers: &Mutex<Vec<Answer>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("sockets can be cloned"));
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let request = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).unwrap_or(0) <= 2 {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).expect("the body comes");
    seen.lock().expect("no test panics with it").push(request.clone());
    let mut answers = answers.lock().expect("no test panics with it");
    let answer = match answers.iter().position(|(wanted, _)| *wanted == request) {
        Some(index) => answers.remove(index).1,
        None => error(500, &format!("the stand-in has no answer to {request}")),
    };
    // The client may have gone already.
    let _ = (&stream).write_all(&answer);
}

pub fn json(body: &serde_json::Value) -> Vec<u8> {
    whole("200 OK", "application/json", body.to_string().as_bytes())
}

pub fn bytes(body: &[u8]) -> Vec<u8> {
    whole("200 OK", "application/octet-stream", body)
}

pub fn error(status: u16, message: &str) -> Vec<u8> {
    let code = if status == 404 { "not_found" } else { "internal" };
    let body = serde_json::json!({"error": {"code": code, "message": message}});
    whole(
        &format!("{status} X"),
        "application/json",
        body.to_string().as_bytes(),
    )
}

/// A stream of events that ends where the list does.
pub fn events(events: &[(&str, serde_json::Value)]) -> Vec<u8> {
    let mut answer =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n: hello\n\n"
            .to_vec();
    for (name, data) in events {
        answer.extend(format!("event: {name}\ndata: {data}\n\n").as_bytes());
    }
    answer
}

fn whole(status: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    )
    .into_bytes();
    answer.extend(body);
    answer
}
