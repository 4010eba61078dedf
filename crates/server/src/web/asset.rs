//! Style sheet, scripts and symbols, linked into the program.

use crate::http::error::{ApiError, ApiResult};
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: &'static str,
}

const JS: &str = "text/javascript; charset=utf-8";

const ASSETS: [Asset; 5] = [
    Asset {
        name: "style.css",
        content_type: "text/css; charset=utf-8",
        content: include_str!("assets/style.css"),
    },
    Asset {
        name: "page.js",
        content_type: JS,
        content: include_str!("assets/page.js"),
    },
    Asset {
        name: "job.js",
        content_type: JS,
        content: include_str!("assets/job.js"),
    },
    Asset {
        name: "log.js",
        content_type: JS,
        content: include_str!("assets/log.js"),
    },
    Asset {
        name: "icons.svg",
        content_type: "image/svg+xml",
        content: include_str!("assets/icons.svg"),
    },
];

pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> ApiResult<Response> {
    let asset = ASSETS
        .iter()
        .find(|asset| asset.name == name)
        .ok_or_else(|| ApiError::not_found("there is no such part of the pages; load the page again"))?;
    let etag = format!("\"{}\"", fingerprint(asset.content));
    let kept = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, "no-cache".into()),
    ];
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == etag.as_bytes())
    {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    Ok((kept, [(header::CONTENT_TYPE, asset.content_type)], asset.content).into_response())
}

/// FNV-1a: tells one version of our own files from another; guards nothing.
fn fingerprint(content: &str) -> String {
    let hash = content.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_stay_small() {
        let bytes: usize = ASSETS
            .iter()
            .filter(|asset| asset.content_type == JS)
            .map(|asset| asset.content.len())
            .sum();
        assert!(bytes < 15_000, "{bytes} bytes of scripts");
    }
}
