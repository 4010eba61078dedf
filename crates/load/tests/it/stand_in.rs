//! A server of one answer for each request, whatever the request.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

/// Listens on a free port; `answer` makes the whole answer out of the request's first line, and
/// `None` hangs up. Ends with the test's process.
pub fn serve(answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = std::sync::Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, answer) = (stream.unwrap(), answer.clone());
            std::thread::spawn(move || converse(stream, &*answer));
        }
    });
    url
}

pub fn plain(status: &str, body: &str) -> Option<String> {
    Some(format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn converse(stream: TcpStream, answer: &dyn Fn(&str) -> Option<String>) {
    let mut stream = BufReader::new(stream);
    while let Some((first, length)) = request(&mut stream) {
        std::io::copy(&mut (&mut stream).take(length), &mut std::io::sink()).unwrap();
        match answer(&first) {
            Some(answer) => stream.get_mut().write_all(answer.as_bytes()).unwrap(),
            None => return,
        }
    }
}

/// The first line and the length of the body.
fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, u64)> {
    let (mut first, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Some((first, length));
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.parse().unwrap();
        }
        if first.is_empty() {
            first = line.to_owned();
        }
    }
}
