//! How fast it is, with bounds so generous that only decay reaches them: a debug build, on a machine
//! that is busy with other tests. docs/performance.md has what a release build reaches.

use crate::start;
use polyphemus_load::figure::ms;
use polyphemus_load::probe::Probe;
use polyphemus_load::{Args, Figure, Scenario, scenario};
use polyphemus_testkit::TestServer;

/// What `scenarios` say of this server; none of them may have failed.
fn measure(server: &TestServer, scenarios: &[Scenario], jobs: usize, probe: &Probe) -> Vec<Figure> {
    let args = Args {
        server: server.url(),
        scenarios: scenarios.to_vec(),
        jobs: Some(jobs),
        size_mb: 64,
        seconds: 3,
        pid: Some(server.pid().cast_signed()),
        ..Args::default()
    };
    let figures = scenario::measure_against(&args, probe).expect("the load program measures");
    let failed: Vec<_> = figures.iter().filter(|figure| figure.is_error()).collect();
    assert!(failed.is_empty(), "{failed:#?}\n{}", server.errors());
    figures
}

fn value(figures: &[Figure], what: &str) -> f64 {
    let found = figures.iter().find(|figure| figure.what.contains(what));
    found
        .unwrap_or_else(|| panic!("no `{what}` in {figures:#?}"))
        .value
}

#[test]
fn small_jobs_begin_and_end_soon_and_an_idle_server_rests() {
    let server = start(&["--make-slots", "2"]);
    let probe = Probe::take(&server.instance()).expect("the machine can be measured");
    // Of a submission: five durable writes and a commit. Of a job: six starts of programs, of which ours
    // is a debug build.
    let allowed_ms = 500.0 + 40.0 * ms(probe.sync.p50) + 60.0 * ms(probe.spawn.p50);
    let figures = measure(&server, &[Scenario::Latency], 10, &probe);
    let begun_ms = value(&figures, "first instruction, p50");
    assert!(begun_ms < allowed_ms, "{allowed_ms} ms are allowed\n{figures:#?}");

    let figures = measure(&server, &[Scenario::Jobs], 40, &probe);
    let took_s = value(&figures, "of them done");
    // Two at a time.
    let allowed_s = 20.0 * allowed_ms / 1000.0;
    assert!(took_s < allowed_s, "{allowed_s} s are allowed\n{figures:#?}");

    let figures = measure(&server, &[Scenario::Upload, Scenario::Lists], 5, &probe);
    let speed = value(&figures, "speed");
    // A debug build is slower than a fast disk; a slow disk is all that holds up any build.
    let allowed_mb_s = (probe.write_mb_s / 20.0).min(5.0);
    assert!(
        speed > allowed_mb_s,
        "{allowed_mb_s} MB/s are allowed\n{figures:#?}"
    );
    let memory_mb = value(&figures, "most memory");
    assert!(
        memory_mb < 60.0,
        "an upload must not be held in memory\n{figures:#?}"
    );

    // What the jobs have left to do ends by itself; a timer that polls does not.
    let rests = || {
        let figures = measure(&server, &[Scenario::Idle], 1, &probe);
        let rests = value(&figures, "processor time") < 5.0 && value(&figures, "wake-ups") < 50.0;
        if rests { Ok(()) } else { Err(figures) }
    };
    let tries = std::iter::repeat_with(rests).take(10);
    let busy: Vec<_> = tries.map_while(Result::err).collect();
    assert!(busy.len() < 10, "something polls\n{:#?}", busy.last());
}
