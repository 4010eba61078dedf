//! The server: is it there, which version, does its clock agree, who works for it?

use super::Line;
use crate::moment::now_ms;
use crate::server::ServerArg;
use polyphemus_api::job::JobQuery;

/// Silent for longer: a worker that does not wait for stages.
const SILENT_MS: i64 = 120_000;

pub(super) async fn lines(server: &ServerArg) -> Vec<Line> {
    let client = match server.connect() {
        Ok(server) => server.client,
        Err(failure) => return vec![Line::fail("server", failure.to_string(), "correct --server URL")],
    };
    let query = JobQuery {
        limit: Some(1),
        ..JobQuery::default()
    };
    if let Err(error) = client.jobs(&query).await {
        return vec![Line::warn(
            "server",
            error.to_string(),
            "start it (`polyphemus serve`), or name another with --server URL; for a machine that is to be none \
             this is as it should be",
        )];
    }
    let mut lines = vec![Line::ok("server", format!("{} answers", client.server()))];
    match client.workers().await {
        Ok(workers) => {
            let live = workers.iter().filter(|worker| worker.live).count();
            lines.push(match live {
                0 => Line::warn(
                    "workers",
                    "none works for the server, so that jobs wait",
                    format!("start one: polyphemus worker --server {}", client.server()),
                ),
                live => Line::ok("workers", format!("{live} work for the server")),
            });
            let ahead = workers.iter().map(|worker| worker.seen_ms - now_ms()).max();
            if ahead.is_some_and(|ahead| ahead > SILENT_MS) {
                lines.push(Line::warn(
                    "clock",
                    "the server's clock is minutes ahead of this machine's",
                    "have both kept by NTP",
                ));
            }
        }
        Err(error) => lines.push(Line::fail("workers", error.to_string(), "see the server's log")),
    }
    lines
}
