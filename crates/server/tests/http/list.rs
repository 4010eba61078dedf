//! Lists of jobs: each filter shows what it says, page by page.

use crate::server::TestServer;
use polyphemus_api::ClientError;
use polyphemus_api::job::JobQuery;
use polyphemus_core::JobId;

fn query(change: impl FnOnce(&mut JobQuery)) -> JobQuery {
    let mut query = JobQuery::default();
    change(&mut query);
    query
}

/// All pages of a list, `limit` jobs each.
async fn all(server: &TestServer, limit: u32, query: &JobQuery) -> Vec<JobId> {
    let mut jobs = Vec::new();
    let mut query = JobQuery {
        limit: Some(limit),
        ..query.clone()
    };
    loop {
        let page = server.client.jobs(&query).await.unwrap();
        assert!(page.jobs.len() <= limit as usize);
        jobs.extend(page.jobs.into_iter().map(|job| job.id));
        match page.next {
            Some(next) => query.before = Some(next),
            None => return jobs,
        }
    }
}

#[tokio::test]
async fn a_list_shows_the_states_flow_title_and_times_that_are_asked_for_page_by_page() {
    let server = TestServer::start().await;
    let mut jobs = Vec::new();
    for number in 0..7 {
        let title = if number % 3 == 0 { "third" } else { "other" };
        jobs.push(server.blinky(&[("mode", "estimate"), ("hwname", title)]).await);
    }
    for cancelled in [1, 3, 4] {
        server.client.cancel(&jobs[cancelled]).await.unwrap();
    }
    let of = |numbers: &[usize]| {
        numbers
            .iter()
            .map(|number| jobs[*number].clone())
            .collect::<Vec<_>>()
    };
    let times = server
        .client
        .jobs(&query(|q| q.limit = Some(7)))
        .await
        .unwrap()
        .jobs;
    let time = |number: usize| Some(times[6 - number].submitted_ms);
    for limit in [1, 2, 7] {
        let shown = async |change: fn(&mut JobQuery)| all(&server, limit, &query(change)).await;
        assert_eq!(shown(|_| {}).await, of(&[6, 5, 4, 3, 2, 1, 0]));
        assert_eq!(
            shown(|q| q.state = Some("cancelled".into())).await,
            of(&[4, 3, 1])
        );
        assert_eq!(
            shown(|q| q.state = Some("make, cancelled".into())).await,
            of(&[6, 5, 4, 3, 2, 1, 0])
        );
        assert_eq!(shown(|q| q.state = Some("done,failed".into())).await, []);
        assert_eq!(shown(|q| q.flow = Some("open".into())).await.len(), 7);
        assert_eq!(shown(|q| q.title = Some("third".into())).await, of(&[6, 3, 0]));
        assert_eq!(shown(|q| q.title = Some("thir".into())).await, []);
        assert_eq!(shown(|q| q.since_ms = Some(i64::MAX)).await, []);
        assert_eq!(shown(|q| q.until_ms = Some(0)).await, []);
        let between = query(|q| (q.since_ms, q.until_ms) = (time(2), time(5)));
        let expected: Vec<JobId> = times
            .iter()
            .filter(|job| Some(job.submitted_ms) >= time(2) && Some(job.submitted_ms) < time(5))
            .map(|job| job.id.clone())
            .collect();
        assert_eq!(all(&server, limit, &between).await, expected);
        let cancelled = query(|q| {
            (q.since_ms, q.state, q.flow) = (time(0), Some("cancelled".into()), Some("open".into()));
        });
        assert_eq!(all(&server, limit, &cancelled).await, of(&[4, 3, 1]));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_filter_that_cannot_be_is_refused_with_what_can() {
    let server = TestServer::start().await;
    type Case = (fn(&mut JobQuery), &'static str);
    let cases: [Case; 5] = [
        (
            |q| q.state = Some("make,asleep".into()),
            "`asleep`; the states are",
        ),
        (
            |q| q.flow = Some("quartus".into()),
            "`quartus`; the flows are open",
        ),
        (|q| q.limit = Some(0), "1 to 1000 jobs"),
        (|q| q.limit = Some(1001), "1 to 1000 jobs"),
        (
            |q| (q.title, q.state) = (Some("x".into()), Some("done".into())),
            "leave out one",
        ),
    ];
    for (change, words) in cases {
        let error = server.client.jobs(&query(change)).await.unwrap_err();
        assert!(
            matches!(error, ClientError::Refused { status: 400, .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(words), "{error}");
    }
    server.stop().await;
}
