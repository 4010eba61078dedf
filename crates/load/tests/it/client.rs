//! The client: every way in which an answer can come, and every way in which it can fail.

use crate::stand_in::{plain, serve};
use polyphemus_load::server::Client;
use std::sync::atomic::{AtomicUsize, Ordering};

fn get(url: &str) -> Result<String, String> {
    let body = Client::of(url).unwrap().get("/");
    body.map(|body| String::from_utf8(body).unwrap())
        .map_err(|error| error.to_string())
}

#[test]
fn answers_are_read_by_length_in_chunks_and_to_the_end_of_the_connection() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: t\r\n\r\n",
    ] {
        let url = serve(move |_| Some(answer.to_owned()));
        let mut client = Client::of(&url).unwrap();
        // Twice, so that the first is seen to be read to its end and no further.
        for _ in 0..2 {
            assert_eq!(client.get("/").unwrap(), b"hello");
        }
    }
    // The original's development server speaks so; the connection is its end.
    let asked = AtomicUsize::new(0);
    let url = serve(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Some("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_owned()),
        _ => plain("200 OK", "again"),
    });
    let mut client = Client::of(&url).unwrap();
    assert_eq!(client.get("/").unwrap(), b"hello");
    assert_eq!(client.get("/").unwrap(), b"again");
}

#[test]
fn what_is_no_good_answer_is_an_error_that_says_so() {
    type Case = (fn(&str) -> Option<String>, &'static str);
    let cases: [Case; 4] = [
        (
            |_| plain("500 Internal Server Error", "a\n traceback"),
            "/ was answered 500: a traceback",
        ),
        (|_| None, "the connection broke: unexpected end of file"),
        (
            |_| Some("SSH-2.0-OpenSSH\r\n".to_owned()),
            "the answer is not HTTP: \"SSH-2.0-OpenSSH\"",
        ),
        (
            |_| Some("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned()),
            "the answer is not HTTP: \"zz\"",
        ),
    ];
    for (answer, expected) in cases {
        assert_eq!(get(&serve(answer)).unwrap_err(), expected);
    }
}

#[test]
fn an_address_that_is_none_is_refused_before_anything_is_sent() {
    for url in ["127.0.0.1:8000", "https://h", "http://", "http://h/path"] {
        let error = Client::of(url).unwrap_err().to_string();
        assert!(error.contains("no address of a server"), "{error}");
    }
}
