//! The batch endpoint (google.md §3): several requests in one body, each answered as if it had come alone. Order of
//! execution is not promised at Google; here it is the order of the parts.

use std::fmt::Write as _;

use super::GoogleFace;
use super::errors::ApiError;
use super::{Answer, ApiRequest, Reply};

/// Parts in one batch (§3).
const PARTS_MAX: usize = 1_000;

/// The mark between the parts of an answer.
const BOUNDARY: &str = "batch_simulated_answer";

/// One part of a batch.
struct Part {
    content_id: Option<String>,
    request: ApiRequest,
}

impl GoogleFace {
    /// `POST /batch/calendar/v3`.
    pub(super) fn batch(&self, request: &ApiRequest) -> Answer {
        let parts = match parts(request) {
            Ok(parts) => parts,
            Err(error) => return error.answer(),
        };
        let mut body = String::new();
        for part in parts {
            let answer = match part.request.path_parts().as_slice() {
                ["calendar", "v3", rest @ ..] => match self.api(&part.request, rest) {
                    Reply::Answer(answer) => answer,
                    // A connection cannot break inside a batch; the part fails instead.
                    Reply::Dropped => ApiError::backend(1).answer(),
                },
                _ => ApiError::not_found().answer(),
            };
            // Replies are matched by id, not by order: `<x>` is answered as `<response-x>` (§3).
            let id = part
                .content_id
                .map(|id| format!("Content-ID: <response-{}>\r\n", id.trim_matches(['<', '>'])));
            let _ = write!(
                body,
                "--{BOUNDARY}\r\nContent-Type: application/http\r\n{}\r\nHTTP/1.1 {} {}\r\n",
                id.unwrap_or_default(),
                answer.status,
                reason(answer.status)
            );
            for (name, value) in &answer.headers {
                let _ = write!(body, "{name}: {value}\r\n");
            }
            if let Some(kind) = &answer.content_type {
                let _ = write!(body, "Content-Type: {kind}\r\n");
            }
            let _ = write!(body, "Content-Length: {}\r\n\r\n{}\r\n", answer.body.len(), answer.body);
        }
        let _ = write!(body, "--{BOUNDARY}--\r\n");
        let content_type = Some(format!("multipart/mixed; boundary={BOUNDARY}"));
        Answer { status: 200, headers: Vec::new(), content_type, body }
    }
}

fn parts(request: &ApiRequest) -> Result<Vec<Part>, ApiError> {
    let kind = request.headers.get("content-type").map_or("", String::as_str);
    let boundary =
        kind.split(';').map(str::trim).find_map(|p| p.strip_prefix("boundary=")).map(|b| b.trim_matches('"'));
    let boundary = boundary.filter(|b| kind.starts_with("multipart/mixed") && !b.is_empty());
    let boundary = boundary
        .ok_or_else(|| ApiError::bad_request("Failed to parse batch request, error: missing boundary"))?;
    let text = std::str::from_utf8(&request.body).map_err(|_| ApiError::parse_error())?.replace("\r\n", "\n");
    // Whatever stands before the first mark and after the closing one is not a part.
    let marks = format!("--{boundary}");
    let chunks = text.split(marks.as_str()).skip(1).take_while(|chunk| !chunk.starts_with("--"));
    let parts: Vec<Part> =
        chunks.map(|chunk| part(chunk, request)).collect::<Option<_>>().ok_or_else(ApiError::parse_error)?;
    match parts.len() {
        0 => Err(ApiError::bad_request("The batch request holds no calls.")),
        n if n > PARTS_MAX => {
            Err(ApiError::bad_request("The batch request must not contain more than 1000 calls."))
        }
        _ => Ok(parts),
    }
}

fn part(chunk: &str, outer: &ApiRequest) -> Option<Part> {
    let (head, inner) = chunk.trim_start_matches('\n').split_once("\n\n")?;
    let content_id = header_lines(head).find(|(k, _)| k == "content-id").map(|(_, v)| v);
    let inner = inner.trim_start_matches('\n');
    let (inner_head, body) = inner.split_once("\n\n").unwrap_or((inner.trim_end_matches('\n'), ""));
    let (first, headers) = inner_head.split_once('\n').unwrap_or((inner_head, ""));
    let mut words = first.split_ascii_whitespace();
    let (method, target) = (words.next()?, words.next()?);
    // An inner target is a path, but some clients write the whole address.
    let target = url::Url::parse(target)
        .map_or_else(|_| target.to_owned(), |u| u[url::Position::BeforePath..].to_owned());
    let mut request = ApiRequest::new(method, &target);
    request.headers = header_lines(headers).collect();
    request.body = body.trim_end_matches('\n').as_bytes().to_vec();
    if let Some(outer) = outer.headers.get("authorization") {
        request.headers.entry("authorization".into()).or_insert_with(|| outer.clone());
    }
    Some(Part { content_id, request })
}

fn header_lines(text: &str) -> impl Iterator<Item = (String, String)> {
    let split =
        |line: &str| line.split_once(':').map(|(k, v)| (k.trim().to_ascii_lowercase(), v.trim().to_owned()));
    text.lines().filter_map(split)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        429 => "Too Many Requests",
        _ => "Error",
    }
}
