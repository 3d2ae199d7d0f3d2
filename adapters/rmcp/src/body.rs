//! Bodies, as far as they are wanted.

use std::time::Duration;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use mcp_auth_reqwest::Bearing;
use mcp_auth_reqwest::mcp_auth::base::text::clean;
use mcp_auth_reqwest::reqwest::Response;
use rmcp::transport::streamable_http_client::StreamableHttpError;

use tokio::time::{Instant, timeout_at};

use crate::error::{Fails, broken};

/// How much of a media type is shown, in bytes.
const MAX_TYPE: usize = 200;
/// How long a body is waited for that is only to be shown.
const PATIENCE: Duration = Duration::from_secs(2);

/// A media type that this transport knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    EventStream,
    Other,
}

impl Media {
    /// By the type alone: parameters do not change it, nor does case (RFC 9110 §8.3.1).
    pub(crate) fn of(fields: &HeaderMap) -> Self {
        let value = fields.get(CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
        let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if essence.eq_ignore_ascii_case(b"application/json") {
            Self::Json
        } else if essence.eq_ignore_ascii_case(b"text/event-stream") {
            Self::EventStream
        } else {
            Self::Other
        }
    }
}

/// The `Content-Type` as it came, to be shown.
pub(crate) fn content_type(response: &Response) -> Option<String> {
    let shown = Shown::of(response);
    response.headers().get(CONTENT_TYPE).map(|value| shown.text(value.as_bytes(), MAX_TYPE))
}

/// The whole body, which may have `limit` bytes. One that says that it is longer is not read at all.
pub(crate) async fn whole(mut response: Response, limit: usize) -> Result<Vec<u8>, Fails> {
    let too_large = || StreamableHttpError::ResponseBodyTooLarge { max_size: limit };
    let declared = response.content_length().map(usize::try_from);
    if declared.is_some_and(|length| length.is_ok_and(|length| length > limit) || length.is_err()) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Fails::Client(broken(error)))? {
        if chunk.len() > limit.saturating_sub(body.len()) {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The first `limit` bytes of a body that is only to be shown. What breaks off, or drips, is shown as far as it came.
pub(crate) async fn beginning(mut response: Response, limit: usize) -> String {
    let shown = Shown::of(&response);
    let mut body = Vec::new();
    let until = Instant::now() + PATIENCE;
    while body.len() <= limit {
        match timeout_at(until, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                // One byte more than is shown tells whether there is more.
                let room = limit.saturating_add(1).saturating_sub(body.len());
                body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            }
            Ok(Ok(None)) => return shown.text(&body, limit),
            Ok(Err(_)) | Err(_) => return shown.cut(&body, limit),
        }
    }
    shown.text(&body, limit)
}

/// How text of the server is shown in an error: without the credentials of the request, which it may quote, and without
/// what a terminal takes for an order.
#[derive(Clone)]
pub(crate) struct Shown(Option<Bearing>);

impl Shown {
    /// For what comes with this answer.
    pub(crate) fn of(response: &Response) -> Self {
        Self(response.extensions().get::<Bearing>().cloned())
    }

    /// The first `limit` bytes of a text.
    pub(crate) fn text(&self, text: &[u8], limit: usize) -> String {
        if text.len() > limit {
            return self.cut(text, limit);
        }
        self.cleared(String::from_utf8_lossy(text).into_owned(), limit)
    }

    /// The first `limit` bytes of a text that has more, which was left away or never came. It may end within what the
    /// request bore, which then goes too.
    fn cut(&self, text: &[u8], limit: usize) -> String {
        let text = String::from_utf8_lossy(text.get(..limit).unwrap_or(text));
        self.cleared(format!("{text}…"), limit.saturating_add(1))
    }

    fn cleared(&self, text: String, limit: usize) -> String {
        let text = self.0.as_ref().map_or_else(|| text.clone(), |bearing| bearing.cleared(&text));
        clean(&text, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::{Bearing, Media, Shown};

    #[test]
    fn a_cut_within_a_token_leaves_none_of_it() {
        let field = ("Bearer SECRETtoken").parse().unwrap();
        let shown = Shown(Bearing::of(&http::HeaderMap::from_iter([(http::header::AUTHORIZATION, field)])));
        let said = b"I cannot read SECRETtoken, says the server";
        for limit in 0..said.len() {
            let text = shown.text(said, limit);
            assert!(!text.contains("SECR"), "{limit}: {text}");
        }
        assert_eq!(shown.text(said, said.len()), "I cannot read (secret), says the server");
        assert_eq!(shown.cut(b"I cannot read SECRETtoke", 64), "I cannot read (secret)…");
    }

    #[test]
    fn a_media_type_is_known_by_its_essence() {
        let of = |value: &'static str| {
            let fields = [(http::header::CONTENT_TYPE, http::HeaderValue::from_static(value))];
            Media::of(&fields.into_iter().collect())
        };
        for value in ["application/json", " Application/JSON ;charset=utf-8", "application/json;"] {
            assert_eq!(of(value), Media::Json, "{value}");
        }
        assert_eq!(of("TEXT/event-stream; a=b"), Media::EventStream);
        for value in ["application/jsonx", "application/problem+json", "", "text/html"] {
            assert_eq!(of(value), Media::Other, "{value}");
        }
        assert_eq!(Media::of(&http::HeaderMap::new()), Media::Other);
    }

    #[test]
    fn a_cut_counts_bytes() {
        assert_eq!(Shown(None).text("ééé".as_bytes(), 2), "é…");
        assert_eq!(Shown(None).text("ééé".as_bytes(), 6), "ééé");
        assert_eq!(Shown(None).cut(b"short", 64), "short…");
        assert_eq!(Shown(None).text(b"short\x1b[2J", 64), "short\u{fffd}[2J");
    }
}
