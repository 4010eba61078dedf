//! What users do with jobs: hand in, look, change, fetch.

use super::{ANSWER_TIMEOUT, Client, ClientError, escape, of_job};
use crate::job::{self, Job, JobFiles, JobPage, JobQuery, Submitted};
use crate::running::{RUNNING_FILE, RUNNING_FILES, RunningFiles};
use bytes::Bytes;
use futures::Stream;
use polyphemus_core::job::JobId;
use polyphemus_core::stage::StageName;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method, Response};
use std::collections::BTreeMap;

impl Client {
    /// Hands in an archive. `length` is its size in bytes where it is known.
    pub async fn submit(
        &self,
        file_name: &str,
        archive: Body,
        length: Option<u64>,
        options: &BTreeMap<String, String>,
    ) -> Result<Submitted, ClientError> {
        let part = match length {
            Some(length) => Part::stream_with_length(archive, length),
            None => Part::stream(archive),
        };
        let mut form = Form::new();
        for (name, value) in options {
            form = form.text(name.clone(), value.clone());
        }
        form = form.part("file", part.file_name(file_name.to_owned()));
        self.json(self.upload(Method::POST, job::JOBS).multipart(form))
            .await
    }

    pub async fn job(&self, id: &JobId) -> Result<Job, ClientError> {
        self.json(
            self.request(Method::GET, &of_job(job::JOB, id))
                .timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    pub async fn jobs(&self, query: &JobQuery) -> Result<JobPage, ClientError> {
        self.json(
            self.request(Method::GET, job::JOBS)
                .query(query)
                .timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    pub async fn cancel(&self, id: &JobId) -> Result<Job, ClientError> {
        self.json(
            self.request(Method::POST, &of_job(job::JOB_CANCEL, id))
                .timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    /// Gives the job another name; the empty one takes its name away.
    pub async fn rename(&self, id: &JobId, title: &str) -> Result<Job, ClientError> {
        let patch = job::JobPatch {
            title: Some(title.to_owned()),
        };
        self.json(
            self.request(Method::PATCH, &of_job(job::JOB, id))
                .json(&patch)
                .timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    /// The lines of the log that tell of trouble, as far as they were found within a moment.
    pub async fn important_lines(&self, id: &JobId) -> Result<job::ImportantLines, ClientError> {
        self.json(
            self.request(Method::GET, &of_job(job::JOB_LOG_IMPORTANT, id))
                .timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    /// Enters the job again, from this stage or from the one that did not succeed.
    pub async fn retry(&self, id: &JobId, from: Option<StageName>) -> Result<Job, ClientError> {
        let mut request = self
            .request(Method::POST, &of_job(job::JOB_RETRY, id))
            .timeout(ANSWER_TIMEOUT);
        if let Some(stage) = from {
            request = request.query(&[("from", stage.as_str())]);
        }
        self.json(request).await
    }

    /// Deletes a job that is over; with `cancel` also one that is not.
    pub async fn delete(&self, id: &JobId, cancel: bool) -> Result<(), ClientError> {
        let request = self
            .request(Method::DELETE, &of_job(job::JOB, id))
            .query(&[("cancel", cancel)])
            .timeout(ANSWER_TIMEOUT);
        self.send(request).await.map(drop)
    }

    pub async fn files(&self, id: &JobId) -> Result<JobFiles, ClientError> {
        self.json(
            self.request(Method::GET, &of_job(job::JOB_FILES, id))
                .timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    /// The content of a file of a job, and its size in bytes.
    pub async fn file(
        &self,
        id: &JobId,
        path: &str,
    ) -> Result<(u64, impl Stream<Item = Result<Bytes, ClientError>> + use<>), ClientError> {
        let path = of_file(job::JOB_FILE, id, path);
        let response = self.send(self.request(Method::GET, &path)).await?;
        Ok((length_of(&response), self.body(response)))
    }

    /// The files of the stage that runs now.
    pub async fn running_files(&self, id: &JobId) -> Result<RunningFiles, ClientError> {
        self.json(
            self.request(Method::GET, &of_job(RUNNING_FILES, id))
                .timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    /// The content of a file of the stage that runs now, and its size in bytes.
    pub async fn running_file(
        &self,
        id: &JobId,
        path: &str,
    ) -> Result<(u64, impl Stream<Item = Result<Bytes, ClientError>> + use<>), ClientError> {
        let path = of_file(RUNNING_FILE, id, path);
        let response = self.send(self.request(Method::GET, &path)).await?;
        Ok((length_of(&response), self.body(response)))
    }
}

/// The path of a file of a job.
fn of_file(path: &str, id: &JobId, file: &str) -> String {
    let escaped: Vec<String> = file.split('/').map(escape).collect();
    of_job(path, id).replace("{*path}", &escaped.join("/"))
}

fn length_of(response: &Response) -> u64 {
    response.content_length().unwrap_or(0)
}
