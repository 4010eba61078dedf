//! Submission: what is taken, what is refused, and that nothing stays of what was refused.

use crate::server::{TestServer, archive, blinky};
use reqwest::multipart::{Form, Part};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn zip(content: Vec<u8>) -> Part {
    Part::bytes(content).file_name("design.zip")
}

async fn refused(server: &TestServer, form: Form) -> String {
    let response = server
        .http
        .post(server.at("/jobs"))
        .multipart(form)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(
        server.client.jobs(&Default::default()).await.unwrap().jobs,
        [],
        "no job was made"
    );
    response.text().await.unwrap()
}

#[tokio::test]
async fn curl_gets_the_jobs_id_alone() {
    let server = TestServer::start().await;
    let form = Form::new()
        .text("mode", "estimate")
        .part("file", zip(blinky()))
        .text("hwname", "first");
    let response = server
        .http
        .post(server.at("/jobs?top=blinky"))
        .multipart(form)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    let id = response.text().await.unwrap();
    assert_eq!(id.len(), 11, "{id:?}");
    let job = server.client.job(&id.parse().unwrap()).await.unwrap();
    let options: Vec<(&str, &str)> = job
        .options
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        options,
        [("hwname", "first"), ("mode", "estimate"), ("top", "blinky")]
    );
    assert_eq!((job.title.as_str(), job.mode.as_str()), ("first", "estimate"));
    server.stop().await;
}

#[tokio::test]
async fn a_browser_is_led_to_the_jobs_page() {
    let server = TestServer::start().await;
    let form = Form::new()
        .text("browser", "1")
        .part("file", zip(blinky()))
        .text("mode", "")
        .text("hwname", "")
        .text("options", "mode=estimate\r\n\r\n top = blinky \r\n");
    let response = server
        .http
        .post(server.at("/jobs"))
        .multipart(form)
        .send()
        .await
        .unwrap();
    assert_eq!(
        response.status(),
        302,
        "a field that is left empty is sent, and is no value"
    );
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let id = location
        .strip_prefix("/jobs/")
        .unwrap()
        .strip_suffix(".html")
        .unwrap();
    let job = server.client.job(&id.parse().unwrap()).await.unwrap();
    assert_eq!(job.options.keys().collect::<Vec<_>>(), ["mode", "top"]);
    assert!(server.text(&location).await.contains(id));
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_design_is_refused_with_the_reason() {
    let server = TestServer::start().await;
    let part = |name: &'static str| Part::bytes(blinky()).file_name(name);
    let said = [
        refused(&server, Form::new().text("mode", "estimate")).await,
        refused(&server, Form::new().part("file", part("design.tar.gz"))).await,
        refused(&server, Form::new().part("file", part("design.gz"))).await,
        refused(&server, Form::new().part("file", part("design"))).await,
        refused(&server, Form::new().part("file", part("")).text("browser", "")).await,
        refused(
            &server,
            Form::new().part("file", zip(b"no archive at all".to_vec())),
        )
        .await,
        refused(
            &server,
            Form::new().part("file", zip(archive(&[("../out.v", "module x; endmodule")]))),
        )
        .await,
        refused(&server, Form::new().part("file", zip(archive(&[])))).await,
        refused(
            &server,
            Form::new().part("file", zip(blinky())).text("speed", "fast"),
        )
        .await,
        refused(
            &server,
            Form::new()
                .part("file", zip(blinky()))
                .part("file", zip(blinky())),
        )
        .await,
    ];
    insta::assert_json_snapshot!(said);
    let response = server
        .http
        .post(server.at("/jobs"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("mode=hw")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().starts_with("missing code or file"));
    server.stop().await;
}

#[tokio::test]
async fn of_an_option_given_twice_the_address_counts_and_the_user_is_told() {
    let server = TestServer::start().await;
    let form = Form::new().part("file", zip(blinky())).text("mode", "hw");
    let response = server
        .http
        .post(server.at("/jobs?mode=estimate&freq=12"))
        .header("accept", "application/json")
        .multipart(form.text("freq", "12"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let submitted: serde_json::Value = response.json().await.unwrap();
    let notes = submitted["notes"].to_string();
    assert!(
        notes.contains("`mode` was given more than once; `estimate` counts, `hw` does not"),
        "{notes}"
    );
    assert!(
        !notes.contains("`freq`"),
        "said twice alike, it is not in doubt: {notes}"
    );
    let id = submitted["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(server.client.job(&id).await.unwrap().mode, "estimate");
    server.stop().await;
}

#[tokio::test]
async fn programs_are_told_in_json() {
    let server = TestServer::start().await;
    let form = || Form::new().part("file", zip(b"no zip".to_vec()));
    let asking = server
        .http
        .post(server.at("/jobs"))
        .header("accept", "application/json")
        .multipart(form());
    for request in [
        asking,
        server.http.post(server.at("/api/v1/jobs")).multipart(form()),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 400);
        let body: serde_json::Value = response.json().await.unwrap();
        assert_eq!(body["error"]["code"], "bad_request");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_archive_beyond_the_limit_is_refused_by_name_of_the_limit() {
    let server = TestServer::start_with(|config| config.upload_limit_bytes = 1_000_000).await;
    let form = Form::new().part("file", zip(vec![7; 3_000_000]));
    let response = server
        .http
        .post(server.at("/jobs"))
        .multipart(form)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    assert!(response.text().await.unwrap().contains("1000000 bytes allowed"));
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_sends_all_before_it_reads_gets_the_refusal() {
    let server = TestServer::start_with(|config| config.upload_limit_bytes = 1_000_000).await;
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let part = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.zip\"\r\n\r\n";
    let (end, size_bytes) = ("\r\n--b--\r\n", 40 << 20);
    let head = format!(
        "POST /jobs HTTP/1.1\r\nHost: {address}\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: {}\r\n\r\n{part}",
        part.len() + size_bytes + end.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![1; size_bytes]).await.unwrap();
    stream.write_all(end.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    let read = tokio::time::timeout(crate::server::PATIENCE, stream.read_exact(&mut answer)).await;
    read.expect("the server answers").unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");
    assert_eq!(server.uploads(), Vec::<String>::new());
    drop(stream);
    server.stop().await;
}

#[tokio::test]
async fn an_upload_that_is_cut_off_leaves_nothing_behind() {
    let server = TestServer::start().await;
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /jobs HTTP/1.1\r\nHost: {address}\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: 100000000\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.zip\"\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![1; 3_000_000]).await.unwrap();
    let came = async {
        while server.uploads().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::server::PATIENCE, came)
        .await
        .expect("the upload has begun");
    drop(stream);
    let gone = async {
        while !server.uploads().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::server::PATIENCE, gone)
        .await
        .expect("the cut upload is deleted");
    assert_eq!(server.client.jobs(&Default::default()).await.unwrap().jobs, []);
    server.stop().await;
}

#[tokio::test]
async fn a_form_whose_header_never_ends_is_not_held_in_memory() {
    let server = TestServer::start().await;
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /jobs HTTP/1.1\r\nHost: {address}\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: 100000000\r\n\r\n--b\r\nX: "
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let sending = tokio::spawn(async move {
        let block = vec![b'x'; 1 << 20];
        for _ in 0..90 {
            if writer.write_all(&block).await.is_err() {
                return;
            }
        }
    });
    let mut answer = vec![0; 12];
    let read = tokio::time::timeout(crate::server::PATIENCE, reader.read_exact(&mut answer)).await;
    read.expect("the server answers long before the end").unwrap();
    assert_eq!(answer, b"HTTP/1.1 400");
    sending.abort();
    server.stop().await;
}
