//! How a job can be named.

use polyphemus_cli::job_ref::JobRef;
use polyphemus_cli::server::ServerArg;

fn page(server: &str) -> Result<JobRef, String> {
    Ok(JobRef::Page {
        server: server.to_owned(),
        id: "abcdefghijk".parse().expect("an id"),
    })
}

#[test]
fn a_page_names_the_job_and_its_server() {
    for address in [
        "http://h:8000/jobs/abcdefghijk.html",
        "http://h:8000/jobs/abcdefghijk",
        "http://h:8000/jobs/abcdefghijk/files.html",
        "http://h:8000/jobs/abcdefghijk?x=1#log",
        "http://h:8000/api/v1/jobs/abcdefghijk/log",
    ] {
        assert_eq!(address.parse(), page("http://h:8000"), "{address}");
    }
    assert_eq!(
        "https://h/fpga/jobs/abcdefghijk.html".parse(),
        page("https://h/fpga")
    );
    for wrong in ["http://h:8000/", "http://h/jobs/short", "http://h/jobs/"] {
        assert!(wrong.parse::<JobRef>().is_err(), "{wrong}");
    }
    assert_eq!("last".parse(), Ok(JobRef::Last));
}

#[tokio::test]
async fn a_page_of_one_server_and_the_address_of_another_contradict_each_other() {
    let page = page("http://h:8000").expect("a page");
    let same = ServerArg {
        token_file: None,
        server: Some("http://h:8000/".to_owned()),
    };
    assert_eq!(
        page.find(&same).await.expect("the same").server.client.server(),
        "http://h:8000"
    );
    let other = ServerArg {
        token_file: None,
        server: Some("http://other:8000".to_owned()),
    };
    let refused = page.find(&other).await.expect_err("another server");
    assert!(refused.to_string().contains("http://other:8000"), "{refused}");
}
