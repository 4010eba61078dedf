//! Submission: upload → tree → job. The only way by which designs come in.

use super::Site;
use super::error::{ApiError, ApiResult};
use super::upload::{self, Upload};
use crate::app::Submission;
use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use polyphemus_api::error::ErrorBody;
use polyphemus_api::job::{JOBS, Submitted};
use polyphemus_artifacts::unpack_archive;

/// Options in the address of the request.
type Options = Query<Vec<(String, String)>>;

/// Hands in a design as `multipart/form-data`: the part `file` is an archive (`.zip`, `.tar`,
/// `.tar.gz`, `.tar.zst`), every other part is an option, as are the parameters of the address.
#[utoipa::path(post, path = JOBS, tag = "jobs",
    request_body(content_type = "multipart/form-data", content = SubmitForm),
    responses(
        (status = 201, body = Submitted, description = "Accepted, and durable; `Location` is the job"),
        (status = 400, body = ErrorBody, description = "No archive, a hostile one, an unknown option or a design that no plan fits"),
        (status = 413, body = ErrorBody, description = "Larger than allowed"),
        (status = 507, body = ErrorBody, description = "The server's disk is full"),
    ))]
pub(super) async fn api(
    State(site): State<Site>,
    Query(options): Options,
    request: Request,
) -> ApiResult<Response> {
    let upload = upload::receive(&site, options, request).await?;
    let submitted = submit(&site, upload).await?;
    let location = [(LOCATION, format!("{JOBS}/{}", submitted.id))];
    Ok((StatusCode::CREATED, location, Json(submitted)).into_response())
}

/// What a submission has; each option of the flow is one more field.
#[derive(Debug, utoipa::ToSchema)]
#[allow(
    dead_code,
    reason = "describes the form in the OpenAPI document; `upload` reads it part by part"
)]
pub(crate) struct SubmitForm {
    /// An archive; its name ends in `.zip`, `.tar`, `.tar.gz`, `.tgz`, `.tar.zst` or `.tzst`.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// `estimate`, `sw_emu`, `hw_emu` or `hw`.
    mode: Option<String>,
    /// More options, one `name=value` a line.
    options: Option<String>,
}

/// `POST /jobs` as the original has it: the answer is the job's id alone, or leads a browser to the
/// job's page.
pub(super) async fn original(
    State(site): State<Site>,
    Query(options): Options,
    headers: HeaderMap,
    request: Request,
) -> ApiResult<Response> {
    let upload = upload::receive(&site, options, request).await?;
    let browser = upload.browser;
    let submitted = submit(&site, upload).await?;
    if browser {
        let page = format!("/jobs/{}.html", submitted.id);
        return Ok((StatusCode::FOUND, [(LOCATION, page)]).into_response());
    }
    let wants_json = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"));
    if wants_json {
        return Ok(Json(submitted).into_response());
    }
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, text)], submitted.id.to_string()).into_response())
}

async fn submit(site: &Site, upload: Upload) -> Result<Submitted, ApiError> {
    let blobs = site.app.blobs().staged();
    let unpacked = unpack_archive(upload.archive, upload.format, &blobs, &site.config.limits)
        .await
        .inspect_err(|_| site.app.contents_dropped())?;
    let tree_hash = blobs.put_tree(&unpacked.tree).await?;
    let mut notes = upload.notes;
    notes.extend(unpacked.notes);
    let submission = Submission {
        tree: unpacked.tree,
        tree_hash,
        options: upload.options,
        notes,
    };
    Ok(site.app.submit_staged(submission, blobs).await?)
}
