//! `serve --stand-ins`: the vendors' flows on a machine without their tools, marked as not real.

use crate::program::PROGRAM;
use polyphemus_core::job::JobState;
use polyphemus_testkit::TestServer;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(300);
const HOST: &str = "#include <cstdio>\nint main() { std::puts(\"TEST PASSED\"); }\n";

fn page(server: &TestServer, path: &str) -> String {
    let address = server.url().replace("http://", "");
    let mut stream = TcpStream::connect(&address).expect("the server is there");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is text");
    answer
}

/// Paths and texts.
type Files = &'static [(&'static str, &'static str)];

#[tokio::test(flavor = "multi_thread")]
async fn every_vendors_flow_can_be_shown_and_nothing_of_it_looks_real() {
    let server = TestServer::start(PROGRAM, &["--stand-ins", "--make-slots", "2"]);
    let designs: [(Files, &[&str]); 3] = [
        (
            &[("sum.cpp", "void sum() {}\n"), ("main.cpp", HOST)],
            &["toolchain=f1", "mode=hw"],
        ),
        (
            &[
                ("design/cl_sum.sv", "module cl_sum; endmodule\n"),
                ("main.cpp", HOST),
            ],
            &["toolchain=f2"],
        ),
        (
            &[("sum.cpp", "extern \"C\" void sum() {}\n"), ("main.cpp", HOST)],
            &["toolchain=vitis", "mode=hw"],
        ),
    ];
    let mut jobs = Vec::new();
    for (files, options) in designs {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("it is below the folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        jobs.push(server.submit(folder.path(), options));
    }
    for id in &jobs {
        let job = server.finished(id, BOUND).await;
        let log = server.log(id).await;
        assert_eq!(job.state, JobState::Done, "{log}");
        assert!(job.stages.iter().all(|stage| stage.stand_ins), "{:?}", job.stages);
        assert!(log.contains("make was done by stand-ins"), "{log}");
        let page = page(&server, &format!("/jobs/{id}.html"));
        assert!(
            page.contains("<b>Stand-ins:</b>") && page.contains("<b>Not real:</b>"),
            "{page}"
        );
    }
    assert!(page(&server, "/").contains("<b>Stand-ins:</b>"));
}
