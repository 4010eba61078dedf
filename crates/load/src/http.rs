//! A small blocking HTTP/1.1 client: one connection, kept open as long as the server keeps it. The
//! only place that knows the protocol.

use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// How long one answer may take; an upload of gigabytes to a slow disk is the longest.
const PATIENCE: Duration = Duration::from_secs(600);
/// Of a head, in bytes.
const HEAD_BYTES: u64 = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("`{0}` is no address of a server: it must look like http://127.0.0.1:8000")]
    BadAddress(String),
    #[error("{address} cannot be reached: {source}; is the server running?")]
    Unreachable { address: String, source: io::Error },
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    #[error("the answer is not HTTP: {0:?}")]
    NotHttp(String),
    #[error("{path} was answered {status}: {text}")]
    Status { path: String, status: u16, text: String },
}

/// A server that can be connected to.
#[derive(Debug, Clone)]
pub struct Address {
    authority: String,
}

#[derive(Debug)]
pub struct Connection {
    address: Address,
    stream: Option<BufReader<TcpStream>>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// What is sent behind a head.
pub struct Body<'a> {
    pub kind: &'a str,
    pub length: u64,
    pub write: &'a mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
}

impl std::fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes of {}", self.length, self.kind)
    }
}

impl Address {
    /// `http://HOST[:PORT]`, with or without a slash behind it.
    pub fn parse(url: &str) -> Result<Self, HttpError> {
        let bad = || HttpError::BadAddress(url.to_owned());
        let authority = url.strip_prefix("http://").ok_or_else(bad)?.trim_end_matches('/');
        if authority.is_empty() || authority.contains(['/', '@', '?', '#', ' ']) {
            return Err(bad());
        }
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let port = if has_port { "" } else { ":80" };
        Ok(Self {
            authority: format!("{authority}{port}"),
        })
    }

    pub fn connection(&self) -> Connection {
        Connection {
            address: self.clone(),
            stream: None,
        }
    }

    fn connect(&self) -> Result<TcpStream, HttpError> {
        let unreachable = |source| HttpError::Unreachable {
            address: self.authority.clone(),
            source,
        };
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in self.authority.to_socket_addrs().map_err(unreachable)? {
            match TcpStream::connect_timeout(&address, Duration::from_secs(10)) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(unreachable(last))
    }
}

impl Connection {
    /// The body of a good answer.
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>, HttpError> {
        // A server may close a kept connection at any time, which shows only at the next use.
        let kept = self.stream.is_some();
        match self.ask("GET", path, None) {
            Err(HttpError::Broken(_)) if kept => good(path, self.ask("GET", path, None)?),
            answer => good(path, answer?),
        }
    }

    /// The body of a good answer, which a redirection is.
    pub fn post(&mut self, path: &str, body: Body<'_>) -> Result<Vec<u8>, HttpError> {
        good(path, self.ask("POST", path, Some(body))?)
    }

    fn ask(&mut self, method: &str, path: &str, body: Option<Body<'_>>) -> Result<Answer, HttpError> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => BufReader::new(self.address.connect()?),
        };
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address.authority);
        if let Some(body) = &body {
            head += &format!(
                "Content-Type: {}\r\nContent-Length: {}\r\n",
                body.kind, body.length
            );
        }
        head += "\r\n";
        let sent = send(stream.get_mut(), &head, body);
        // A server that refuses an upload answers before it has read all of it, and hangs up.
        let (answer, keeps) = match (answer(&mut stream), sent) {
            (Ok(answer), _) => answer,
            (Err(_), Err(error)) => return Err(error.into()),
            (Err(error), Ok(())) => return Err(error),
        };
        if keeps {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

/// Small bodies go out in one piece with the head.
fn send(stream: &mut TcpStream, head: &str, body: Option<Body<'_>>) -> io::Result<()> {
    const PIECE: usize = 64 * 1024;
    let mut buffered = io::BufWriter::with_capacity(PIECE, stream);
    buffered.write_all(head.as_bytes())?;
    if let Some(body) = body {
        (body.write)(&mut buffered)?;
    }
    buffered.flush()
}

fn good(path: &str, answer: Answer) -> Result<Vec<u8>, HttpError> {
    if (200..400).contains(&answer.status) {
        return Ok(answer.body);
    }
    let text: String = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
    Err(HttpError::Status {
        path: path.split('?').next().unwrap_or(path).to_owned(),
        status: answer.status,
        text: text.split_whitespace().collect::<Vec<_>>().join(" "),
    })
}

#[derive(Debug, Default)]
struct Head {
    status: u16,
    length: Option<u64>,
    chunked: bool,
    closes: bool,
}

/// One answer, and whether the connection can be used again.
fn answer(stream: &mut BufReader<TcpStream>) -> Result<(Answer, bool), HttpError> {
    let head = head(stream)?;
    let mut body = Vec::new();
    let mut closes = head.closes;
    match (head.chunked, head.length) {
        _ if matches!(head.status, 204 | 304) => {}
        (true, _) => chunks(stream, &mut body)?,
        (false, Some(length)) => exactly(stream, length, &mut body)?,
        (false, None) => {
            stream.read_to_end(&mut body)?;
            closes = true;
        }
    }
    let status = head.status;
    Ok((Answer { status, body }, !closes))
}

fn head(stream: &mut BufReader<TcpStream>) -> Result<Head, HttpError> {
    let first = line(stream)?;
    let mut words = first.split(' ');
    let (version, status) = (words.next().unwrap_or_default(), words.next());
    let status = status.and_then(|status| status.parse().ok());
    let Some(status) = status.filter(|_| version.starts_with("HTTP/1.")) else {
        return Err(HttpError::NotHttp(first.chars().take(80).collect()));
    };
    let mut head = Head {
        status,
        closes: version == "HTTP/1.0",
        ..Head::default()
    };
    loop {
        let line = line(stream)?;
        if line.is_empty() {
            return Ok(head);
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {
                let length = value.parse().map_err(|_| HttpError::NotHttp(line.clone()))?;
                head.length = Some(length);
            }
            "transfer-encoding" => head.chunked = value.to_ascii_lowercase().contains("chunked"),
            "connection" => match value.to_ascii_lowercase().as_str() {
                "close" => head.closes = true,
                "keep-alive" => head.closes = false,
                _ => {}
            },
            _ => {}
        }
    }
}

fn line(stream: &mut BufReader<TcpStream>) -> Result<String, HttpError> {
    let mut line = Vec::new();
    stream.take(HEAD_BYTES).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|error| HttpError::NotHttp(error.to_string()))
}

fn exactly(stream: &mut BufReader<TcpStream>, length: u64, body: &mut Vec<u8>) -> Result<(), HttpError> {
    let read = stream.take(length).read_to_end(body)?;
    match read as u64 == length {
        true => Ok(()),
        false => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
}

fn chunks(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> Result<(), HttpError> {
    loop {
        let size = line(stream)?;
        let digits = size.split(';').next().unwrap_or_default().trim();
        let length = u64::from_str_radix(digits, 16).map_err(|_| HttpError::NotHttp(size.clone()))?;
        if length > 0 {
            exactly(stream, length, body)?;
        }
        // The end of the chunk; behind the last one, trailers and an empty line.
        while !line(stream)?.is_empty() {}
        if length == 0 {
            return Ok(());
        }
    }
}
