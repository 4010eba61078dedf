//! As much of HTTP/1.1 as the `aws` client speaks: a request with a body of known length, an answer, and the next.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    /// Of a form's body.
    pub(super) form: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

pub(super) fn serve(stream: TcpStream, answer: impl Fn(Request) -> (u16, String)) {
    super::ended(exchange(stream, answer));
}

fn exchange(stream: TcpStream, answer: impl Fn(Request) -> (u16, String)) -> io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader, &mut out)? {
        let is_head = request.method == "HEAD";
        let (status, body) = answer(request);
        let reason = if status == 200 { "OK" } else { "Error" };
        write!(
            out,
            "HTTP/1.1 {status} {reason}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )?;
        if !is_head {
            out.write_all(body.as_bytes())?;
        }
    }
    Ok(())
}

fn read(reader: &mut BufReader<TcpStream>, out: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut request = Request {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        ..Request::default()
    };
    if let Some((path, _)) = request.path.clone().split_once('?') {
        request.path = path.to_owned();
    }
    let (mut length, mut waits) = (0, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
            "expect" => waits = true,
            _ => {}
        }
    }
    if waits {
        out.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)?;
    if request.method == "POST" {
        let text = String::from_utf8_lossy(&request.body).into_owned();
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        request.form = pairs
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect();
    }
    Ok(Some(request))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = String::from_utf8_lossy(&digits);
                bytes.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
