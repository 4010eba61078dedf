//! What ends of steps mean, case by case.

use super::super::program::OutOfMemory;
use super::*;
use crate::process::Finished;
use polyphemus_core::plan::{Poll, VerdictRule};
use std::time::Duration;

fn ran(end: End) -> Ran {
    Ran {
        finished: Finished {
            end,
            took: Duration::from_secs(1),
            cpu: Duration::ZERO,
            peak_bytes: 0,
        },
        out_of_memory: None,
        time: Duration::from_secs(60),
        output_bytes: 1 << 20,
        file_bytes: 1 << 30,
        dry_run: None,
    }
}

fn exit(code: i32) -> Ran {
    ran(End::Exited { code })
}

fn judge(run: &Run, output: &str, ran: &Ran) -> Judged {
    let mut judge = Judge::new(run).unwrap();
    judge.feed(output.as_bytes());
    judge.scan.end();
    judge.judge(run, ran, |_| false)
}

fn kind(judged: &Judged) -> Option<CauseKind> {
    judged.outcome.as_ref().err().map(|cause| cause.kind)
}

fn nextpnr() -> Run {
    let rule = |exit_code, line: Option<&str>, kind| FailureRule {
        exit_code,
        line: line.map(str::to_owned),
        kind,
        message: "what to do".into(),
    };
    Run {
        failures: vec![
            rule(Some(1), Some("^ERROR: Max frequency"), CauseKind::TimingNotMet),
            rule(None, Some("^ERROR: .*unplaced"), CauseKind::DoesNotFit),
            rule(Some(255), None, CauseKind::SourceError),
        ],
        ..Run::new("place and route", ["nextpnr-ice40"])
    }
}

fn simulation() -> Run {
    Run {
        verdict: Some(VerdictRule {
            failed: "FAIL".into(),
            passed: "PASS".into(),
        }),
        ..Run::new("simulation", ["vvp"])
    }
}

#[test]
fn the_first_rule_that_fits_exit_code_and_line_counts() {
    let run = nextpnr();
    let missed = "ERROR: Max frequency for clock 'clk': 10 MHz\nERROR: cell is unplaced\n";
    assert_eq!(
        kind(&judge(&run, missed, &exit(1))),
        Some(CauseKind::TimingNotMet)
    );
    assert_eq!(
        kind(&judge(&run, missed, &exit(255))),
        Some(CauseKind::DoesNotFit)
    );
    assert_eq!(kind(&judge(&run, "", &exit(255))), Some(CauseKind::SourceError));
    assert_eq!(kind(&judge(&run, "", &exit(7))), Some(CauseKind::Exit));
    let cause = judge(&run, missed, &exit(1)).outcome.unwrap_err();
    assert_eq!(
        cause.line.as_deref(),
        Some("ERROR: Max frequency for clock 'clk': 10 MHz")
    );
    assert_eq!(
        (cause.exit_code, cause.step.as_deref()),
        (Some(1), Some("place and route"))
    );
}

#[test]
fn no_rule_turns_a_success_into_a_failure() {
    assert_eq!(
        judge(&nextpnr(), "ERROR: cell is unplaced\n", &exit(0)).outcome,
        Ok(())
    );
}

#[test]
fn a_limit_says_more_than_a_line_of_the_output() {
    let run = nextpnr();
    let output = "ERROR: cell is unplaced\n";
    let mut killed = ran(End::Signalled { signal: 9 });
    assert_eq!(kind(&judge(&run, "", &killed)), Some(CauseKind::Killed));
    assert_eq!(kind(&judge(&run, "", &exit(137))), Some(CauseKind::Killed));
    let crashed = ran(End::Signalled { signal: 11 });
    assert_eq!(kind(&judge(&run, "", &crashed)), Some(CauseKind::Signal));
    killed.out_of_memory = Some(OutOfMemory {
        limit_bytes: Some(64 << 20),
    });
    let judged = judge(&run, output, &killed);
    assert_eq!(kind(&judged), Some(CauseKind::OutOfMemory));
    assert!(judged.outcome.unwrap_err().message.contains("64 MiB"));
    assert_eq!(
        kind(&judge(&run, output, &ran(End::TimeLimit))),
        Some(CauseKind::TimeLimit)
    );
    assert_eq!(
        kind(&judge(&run, output, &ran(End::OutputLimit))),
        Some(CauseKind::OutputLimit)
    );
    let too_large = ran(End::Signalled { signal: 25 });
    assert_eq!(kind(&judge(&run, "", &too_large)), Some(CauseKind::OutputLimit));
}

#[test]
fn a_step_that_leaves_no_file_has_failed() {
    let run = Run {
        makes: vec!["build/top.bin".into()],
        ..nextpnr()
    };
    let judged = judge(&run, "", &exit(0));
    assert_eq!(kind(&judged), Some(CauseKind::MissingOutput));
    assert!(judged.outcome.unwrap_err().message.contains("build/top.bin"));
}

#[test]
fn a_rule_says_more_than_the_line_by_which_a_test_failed() {
    let run = Run {
        failures: vec![FailureRule {
            exit_code: None,
            line: Some("Unable to open".into()),
            kind: CauseKind::SourceError,
            message: "hand the file in".into(),
        }],
        ..simulation()
    };
    let cause = judge(&run, "Unable to open rom.hex\nFAIL q = x\n", &exit(0))
        .outcome
        .unwrap_err();
    assert_eq!(cause.kind, CauseKind::SourceError);
    assert_eq!(cause.line.as_deref(), Some("Unable to open rom.hex"));
}

#[test]
fn a_test_passes_by_its_exit_code_and_its_lines() {
    let run = simulation();
    let verdict = |judged: &Judged| {
        judged
            .verdict
            .clone()
            .map(|verdict| (verdict.passed, verdict.line))
    };
    let passed = judge(&run, "PASS 1\nPASS 2\n", &exit(0));
    assert_eq!(
        (kind(&passed), verdict(&passed)),
        (None, Some((true, "PASS 2".into())))
    );
    let said_so = judge(&run, "PASS 1\nFAIL: 3 is not 4\n", &exit(0));
    assert_eq!(kind(&said_so), Some(CauseKind::TestFailed));
    assert_eq!(verdict(&said_so), Some((false, "FAIL: 3 is not 4".into())));
    let by_code = judge(&run, "PASS\n", &exit(3));
    assert_eq!(kind(&by_code), Some(CauseKind::TestFailed));
    assert_eq!(
        verdict(&by_code),
        Some((false, "the test ended with exit code 3".into()))
    );
    let silent = judge(&run, "", &exit(0));
    assert_eq!(
        verdict(&silent),
        Some((true, "the test ended with exit code 0".into()))
    );
    let unfinished = judge(&run, "PASS\n", &ran(End::TimeLimit));
    assert_eq!(
        (kind(&unfinished), verdict(&unfinished)),
        (Some(CauseKind::TimeLimit), None)
    );
}

#[test]
fn a_failure_that_no_rule_knows_still_names_the_line_that_tells_most() {
    let line = |judged: &Judged| judged.outcome.as_ref().unwrap_err().line.clone();
    let said = judge(&simulation(), "FAIL: 3 is not 4\n", &exit(1));
    assert_eq!(line(&said), Some("FAIL: 3 is not 4".into()));

    let run = Run {
        failures: vec![],
        ..nextpnr()
    };
    let output = "cc -o exe main.c\nmain.c:3:1: error: expected ';'\nmake: *** [Makefile:2: all] Error 1\n";
    assert_eq!(
        line(&judge(&run, output, &exit(2))),
        Some("main.c:3:1: error: expected ';'".into())
    );
    assert_eq!(line(&judge(&run, "terrors of the deep\n", &exit(2))), None);
}

#[test]
fn an_answer_to_a_question_is_the_end_no_answer_yet_or_a_failure() {
    let rule = FailureRule {
        exit_code: None,
        line: Some("^status: failed".into()),
        kind: CauseKind::Image,
        message: "what to do".into(),
    };
    let poll = Poll {
        ask: Run {
            failures: vec![rule],
            ..Run::new("state", ["ask"])
        },
        done: "^status: available".into(),
        pending: r"^status: pending|\(Throttling\)".into(),
        every_s: 1,
        deadline_s: 1,
        too_late: "too late".into(),
    };
    let answer = |output: &str, ran: &Ran| {
        let mut judge = Judge::of_poll(&poll).unwrap();
        judge.feed(output.as_bytes());
        judge.scan.end();
        let judged = judge.judge(&poll.ask, ran, |_| true);
        judge.answer(&poll, ran, judged)
    };
    let kind = |answer| match answer {
        Answer::Failed(cause) => Some(cause.kind),
        Answer::Done | Answer::Pending(_) => None,
    };
    assert_eq!(answer("status: available\n", &exit(0)), Answer::Done);
    let pending = Answer::Pending("status: pending".into());
    assert_eq!(answer("status: pending\n", &exit(0)), pending);
    assert!(matches!(
        answer("error (Throttling)\n", &exit(254)),
        Answer::Pending(_)
    ));
    assert!(matches!(answer("", &ran(End::TimeLimit)), Answer::Pending(_)));
    assert_eq!(
        kind(answer("status: failed X\n", &exit(0))),
        Some(CauseKind::Image)
    );
    assert_eq!(
        kind(answer("status: available\n", &exit(1))),
        Some(CauseKind::Exit)
    );
    assert_eq!(kind(answer("what?\n", &exit(0))), Some(CauseKind::MissingOutput));
}

#[test]
fn a_program_that_does_not_tell_what_it_must_has_failed() {
    let run = Run {
        tells: [("id".to_owned(), "id=(\\w+)".to_owned())].into(),
        ..Run::new("create", ["create"])
    };
    let judged = judge(&run, "id=a1\nid=b2\n", &exit(0));
    assert_eq!((judged.outcome, judged.told["id"].as_str()), (Ok(()), "b2"));
    let silent = judge(&run, "done\n", &exit(0));
    assert_eq!(kind(&silent), Some(CauseKind::MissingOutput));
}
