//! How a user names a job: by its id, as `last`, or by the address of its page, which names the
//! server as well.

use crate::Failure;
use crate::server::{Server, ServerArg};
use polyphemus_api::job::JobQuery;
use polyphemus_core::JobId;
use std::str::FromStr;

/// What the user typed for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobRef {
    Id(JobId),
    /// The newest job of the server.
    Last,
    Page {
        server: String,
        id: JobId,
    },
}

/// A job and the server that has it.
#[derive(Debug, Clone)]
pub struct Found {
    pub server: Server,
    pub id: JobId,
}

impl FromStr for JobRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "last" {
            return Ok(Self::Last);
        }
        if text.contains("://") {
            return page(text);
        }
        let id = text.parse().map_err(|error| {
            format!("{error}; name a job by its id, by the address of its page, or as `last` for the newest")
        })?;
        Ok(Self::Id(id))
    }
}

impl JobRef {
    /// Finds the server, and asks it for the newest job where that is meant.
    pub async fn find(&self, server: &ServerArg) -> Result<Found, Failure> {
        match self {
            Self::Id(id) => Ok(Found {
                server: server.connect()?,
                id: id.clone(),
            }),
            Self::Page { server: address, id } => {
                let found = Found {
                    server: server.at(address)?,
                    id: id.clone(),
                };
                contradiction(&found.server, server)?;
                Ok(found)
            }
            Self::Last => last(server.connect()?).await,
        }
    }
}

async fn last(server: Server) -> Result<Found, Failure> {
    let query = JobQuery {
        limit: Some(1),
        ..JobQuery::default()
    };
    let newest = server.client.jobs(&query).await?.jobs.into_iter().next();
    let Some(newest) = newest else {
        let message = format!(
            "the server at {} has no job yet, so there is no `last` one; hand one in with `polyphemus submit PATH`",
            server.client.server()
        );
        return Err(Failure::Usage(message));
    };
    Ok(Found {
        server,
        id: newest.id,
    })
}

/// `--server` beside the address of a page may only repeat it.
fn contradiction(of_page: &Server, argument: &ServerArg) -> Result<(), Failure> {
    let Some(named) = &argument.server else {
        return Ok(());
    };
    if named.trim_end_matches('/') == of_page.client.server() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "the page is on {}, but --server says {named}: leave --server out, or give the job's id alone",
        of_page.client.server()
    )))
}

/// `http://host:8000/jobs/ID.html`, `…/jobs/ID`, `…/api/v1/jobs/ID/files`.
fn page(text: &str) -> Result<JobRef, String> {
    let no_page = || {
        format!(
            "`{text}` is no address of a job's page: it must look like http://127.0.0.1:8000/jobs/ID.html"
        )
    };
    let (before, after) = text.rsplit_once("/jobs/").ok_or_else(no_page)?;
    let name = after.split(['/', '?', '#', '.']).next().unwrap_or_default();
    let id = name.parse().map_err(|_| no_page())?;
    let server = before.strip_suffix("/api/v1").unwrap_or(before);
    Ok(JobRef::Page {
        server: server.to_owned(),
        id,
    })
}
