//! Fuzz targets of what clients send: the server answers everything with what it is, and goes on.

use crate::server::{TestServer, blinky};
use polyphemus_core::stage::StageName;
use polyphemus_testkit::fuzz::{damaged, damages, fuzz};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

const WORDS: &[&[u8]] = &[
    b"\r\n--edge\r\n",
    b"\r\n--edge--\r\n",
    b"\r\n\r\n",
    b"\r\n",
    b"--edge",
    b"Content-Disposition: form-data; name=\"file\"; filename=\"d.zip\"\r\n\r\n",
    b"Content-Disposition: form-data; name=\"",
    b"filename*=UTF-8''%2e%2e%2fx.zip",
    b"name=\"\"",
    b"\"",
    b"Content-Type: multipart/mixed; boundary=edge\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"\0",
    b"\xff",
];

/// The runtime of a target, and a server in it.
fn server() -> (tokio::runtime::Runtime, TestServer) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(TestServer::start());
    (runtime, server)
}

/// A form as a client of good will sends it.
fn form(options: &[(String, String)], file_name: &str, archive: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in options {
        body.extend(
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes(),
        );
    }
    body.extend(
        format!("--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file_name}\"\r\n\r\n")
            .bytes(),
    );
    body.extend(archive);
    body.extend(b"\r\n--edge--\r\n");
    body
}

#[test]
fn fuzz_upload() {
    let (runtime, server) = server();
    let option = (
        "mode|top|hwname|options|browser|seed|[a-z\"]{0,3}",
        "hw|estimate|blinky|[ -~\r\n]{0,5}",
    );
    let file_name = "(d|\\.\\./x|)\\.(zip|tar|tar\\.gz|tgz|exe)";
    let archive = prop_oneof![3 => Just(blinky()), 1 => prop::collection::vec(any::<u8>(), 0..40)];
    let strategy = (
        prop::collection::vec(option, 0..3),
        file_name,
        archive,
        damages(WORDS),
    );
    fuzz(
        "fuzz_upload",
        &strategy,
        |(options, file_name, archive, damages)| {
            let body = damaged(form(&options, &file_name, &archive), &damages);
            let request = server
                .http
                .post(server.at("/jobs"))
                .header("content-type", "multipart/form-data; boundary=edge")
                .body(body);
            let status = runtime.block_on(async { request.send().await.unwrap().status().as_u16() });
            prop_assert!(matches!(status, 200 | 302 | 400 | 413), "status {status}");
            Ok(())
        },
    );
    runtime.block_on(server.stop());
}

/// What the standard says of a range of a content, for one with digits only.
fn expected(content: &[u8], first: Option<u64>, last: Option<u64>) -> Option<(u16, Vec<u8>)> {
    let size = content.len() as u64;
    let (from, to) = match (first, last) {
        (Some(first), None) => (first, size),
        (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1).min(size)),
        (None, Some(suffix)) => (size.saturating_sub(suffix), size),
        _ => return Some((200, content.to_vec())),
    };
    let part = content.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?)?;
    (!part.is_empty()).then(|| (206, part.to_vec()))
}

fn number() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![2 => Just(None), 6 => (0..300u64).prop_map(Some), 1 => any::<u64>().prop_map(Some)]
}

#[test]
fn fuzz_range() {
    let (runtime, server) = server();
    let id = runtime.block_on(server.blinky(&[("mode", "estimate")]));
    let log = runtime
        .block_on(server.text(&format!("/api/v1/jobs/{id}/log")))
        .into_bytes();
    let sane = (number(), number()).prop_map(|(first, last)| {
        let digits = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        (
            Some((first, last)),
            format!("bytes={}-{}", digits(first), digits(last)),
        )
    });
    let wild = "(bytes|lines|)[ =]{0,2}[0-9,+ -]{0,24}".prop_map(|text| (None, text));
    let offset = prop_oneof![3 => Just(0), 3 => 0..200u64, 1 => any::<u64>()];
    let strategy = (offset, prop_oneof![sane, wild]);
    fuzz("fuzz_range", &strategy, |(offset, (range, header))| {
        let url = server.at(&format!("/api/v1/jobs/{id}/log?offset={offset}"));
        let request = server.http.get(url).header("range", header);
        let (status, body) = runtime.block_on(async {
            let response = request.send().await.unwrap();
            (
                response.status().as_u16(),
                response.bytes().await.unwrap().to_vec(),
            )
        });
        let rest = usize::try_from(offset).ok().and_then(|offset| log.get(offset..));
        let Some(rest) = rest else {
            prop_assert_eq!(status, 416);
            return Ok(());
        };
        match range {
            Some((first, last)) => match expected(rest, first, last) {
                Some(expected) => prop_assert_eq!((status, body), expected),
                None => prop_assert_eq!(status, 416),
            },
            None if status == 200 => prop_assert_eq!(body, rest),
            None => prop_assert!(matches!(status, 206 | 416), "status {status}"),
        }
        Ok(())
    });
    runtime.block_on(server.stop());
}

#[test]
fn fuzz_log_offset() {
    let (runtime, server) = server();
    let id = runtime.block_on(server.blinky(&[("mode", "estimate")]));
    let assignment = runtime.block_on(server.claim(StageName::Make));
    let path = format!("/api/v1/jobs/{id}/log");
    let written = std::cell::RefCell::new(runtime.block_on(server.text(&path)).into_bytes());
    let offset = prop_oneof![4 => Just(0i64), 3 => -40..40i64, 1 => any::<i64>()];
    let strategy = (offset, prop::collection::vec(any::<u8>(), 0..20));
    let attempt = (&assignment).into();
    fuzz("fuzz_log_offset", &strategy, |(beside, part)| {
        let mut written = written.borrow_mut();
        let committed = written.len() as u64;
        let offset = committed.wrapping_add_signed(beside);
        let sent = server.client.log_append(&attempt, offset, part.clone().into());
        match runtime.block_on(sent) {
            Ok(now) => {
                prop_assert_eq!(offset, committed, "only what continues is taken");
                written.extend(&part);
                prop_assert_eq!(now, written.len() as u64);
            }
            Err(error) => {
                prop_assert_ne!(offset, committed);
                prop_assert_eq!(error.committed_bytes(), Some(committed), "{}", error);
            }
        }
        Ok::<_, TestCaseError>(())
    });
    let read = runtime.block_on(async { server.get(&path).await.bytes().await.unwrap() });
    assert_eq!(read, *written.borrow(), "a gapless prefix");
    runtime.block_on(server.stop());
}
