//! The pages as a browser without scripts gets them.

use crate::server::{TestServer, archive};
use polyphemus_api::client::AttemptRef;
use polyphemus_core::report::{Clock, Report, ReportFormat, Utilisation};
use polyphemus_core::result::{StageResult, Verdict};
use polyphemus_core::stage::StageName;
use polyphemus_core::{Cause, CauseKind, JobState};

const PROBE: &str = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'&";

#[tokio::test]
async fn nothing_that_a_user_wrote_becomes_markup() {
    let server = TestServer::start().await;
    let files = [
        (
            "blinky.v",
            "module blinky(input clk, output led);\n  assign led = clk;\nendmodule\n",
        ),
        ("blinky.pcf", "set_io clk J3\nset_io led B5\n"),
        ("<img src=x onerror=alert(1)>\"'&.txt", "x"),
    ];
    let id = server
        .submit(archive(&files), &[("mode", "estimate"), ("hwname", PROBE)])
        .await;
    let assignment = server.claim(StageName::Make).await;
    let attempt: AttemptRef = (&assignment).into();
    server
        .append(
            &attempt,
            assignment.log_offset,
            format!("{PROBE}\nerror: {PROBE}\n</pre>{PROBE}"),
        )
        .await;
    let mut cause = Cause::new(CauseKind::Exit, PROBE);
    (cause.line, cause.step) = (Some(PROBE.into()), Some(PROBE.into()));
    let result = StageResult {
        verdict: Some(Verdict {
            passed: false,
            line: PROBE.into(),
        }),
        bitstream: Some(format!("{PROBE}.bin")),
        device: Some(PROBE.into()),
        make_conf: [(PROBE.into(), PROBE.into())].into(),
        values: [(PROBE.into(), PROBE.into())].into(),
        stand_ins: true,
        notes: vec![PROBE.into()],
        reports: vec![Report {
            format: ReportFormat::NextpnrReport,
            tool: PROBE.into(),
            file: PROBE.into(),
            utilisation: vec![Utilisation {
                resource: PROBE.into(),
                used: 1,
                available: Some(2),
            }],
            clocks: vec![Clock {
                name: PROBE.into(),
                achieved_mhz: 1.0,
                wanted_mhz: Some(2.0),
            }],
            figures: Vec::new(),
        }],
    };
    let finish = polyphemus_api::worker::FinishRequest {
        outcome: polyphemus_api::worker::Outcome::Failed { cause, tree: None },
        result,
    };
    server.client.finish(&attempt, &finish).await.unwrap();
    server.wait_for(&id, JobState::Failed).await;
    for path in [
        "/".to_owned(),
        format!("/jobs/{id}.html"),
        format!("/jobs/{id}/files.html"),
    ] {
        let page = server.text(&path).await;
        assert!(!page.contains("<script>") && !page.contains("<img"), "{path}");
        assert!(page.contains("&#60;script&#62;alert"), "{path} shows the text");
        assert_eq!(
            page.matches("<script").count(),
            page.matches("<script type=\"module\" src=\"/static/").count()
        );
        assert_eq!(
            page.matches("</pre>").count(),
            page.matches("<pre").count(),
            "{path}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_result_is_shown_with_its_numbers() {
    let server = TestServer::start().await;
    let id = server
        .blinky(&[("mode", "estimate"), ("hwname", "numbers")])
        .await;
    let assignment = server.claim(StageName::Make).await;
    let result = StageResult {
        verdict: Some(Verdict {
            passed: true,
            line: "TEST PASSED".into(),
        }),
        bitstream: Some("build/top.bin".into()),
        reports: vec![Report {
            format: ReportFormat::NextpnrReport,
            tool: "nextpnr".into(),
            file: "report.json".into(),
            utilisation: vec![
                Utilisation {
                    resource: "ICESTORM_LC".into(),
                    used: 7700,
                    available: Some(7680),
                },
                Utilisation {
                    resource: "ICESTORM_RAM".into(),
                    used: 0,
                    available: Some(32),
                },
            ],
            clocks: vec![Clock {
                name: "clk".into(),
                achieved_mhz: 61.25,
                wanted_mhz: Some(48.0),
            }],
            figures: Vec::new(),
        }],
        ..StageResult::default()
    };
    server
        .succeed(&assignment, &[("build/top.bin", b"bits")], result)
        .await;
    server.wait_for(&id, JobState::Done).await;
    let page = server.text(&format!("/jobs/{id}.html")).await;
    for shown in [
        "TEST PASSED",
        "Passed",
        "Logic cells",
        "7\u{202f}700",
        "too many",
        "61.25",
        "13.25 above 48.00 MHz",
        &format!("/jobs/{id}/files/code/build/top.bin"),
        "Unused: Block RAMs.",
    ] {
        assert!(page.contains(shown), "{shown} is not on the page");
    }
    assert_eq!(
        server.text(&format!("/jobs/{id}/files/code/build/top.bin")).await,
        "bits"
    );
    server.stop().await;
}

#[tokio::test]
async fn the_list_is_paged_and_narrowed_by_state() {
    let server = TestServer::start().await;
    let page = server.text("/").await;
    assert!(page.contains("No job yet") && page.contains("No worker is connected"));
    let mut ids = Vec::new();
    for _ in 0..52 {
        ids.push(server.blinky(&[("mode", "estimate")]).await);
    }
    server.client.cancel(&ids[0]).await.unwrap();
    let first = server.text("/").await;
    assert_eq!(first.matches("<tr>").count(), 51, "a page of 50 and the head");
    let newest = first.find(ids[51].as_str()).expect("the newest is there");
    assert!(
        newest < first.find(ids[50].as_str()).unwrap(),
        "the newest comes first"
    );
    let next = first
        .split("rel=\"next\" href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let next = next.replace("&#38;", "&").replace("&amp;", "&");
    let second = server.text(&next).await;
    assert_eq!(second.matches("<tr>").count(), 3);
    assert!(second.contains(ids[0].as_str()) && !second.contains("rel=\"next\""));
    let cancelled = server.text("/?state=cancelled").await;
    assert_eq!(cancelled.matches("<tr>").count(), 2);
    server.stop().await;
}

#[tokio::test]
async fn a_page_of_a_job_without_log_or_stages_at_work_is_whole() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let page = server.text(&format!("/jobs/{id}.html")).await;
    assert!(page.contains("Waiting to build") && page.contains("<noscript>") && page.contains("</html>"));
    assert!(page.contains(&format!("action=\"/jobs/{id}/cancel\"")));
    server.stop().await;
}
