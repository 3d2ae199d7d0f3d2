//! Requests read and answers built, the same way everywhere.

use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Value, json};

pub(crate) type Asked = Request<Vec<u8>>;
pub(crate) type Answer = Response<Vec<u8>>;

/// An answer with a body.
pub(crate) fn body(status: u16, content_type: &str, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    set(&mut answer, header::CONTENT_TYPE, content_type);
    set(&mut answer, header::CACHE_CONTROL, "no-store");
    answer
}

pub(crate) fn json(status: u16, value: &Value) -> Answer {
    body(status, "application/json", value.to_string().into_bytes())
}

pub(crate) fn text(status: u16, words: &str) -> Answer {
    body(status, "text/plain; charset=utf-8", words.as_bytes().to_vec())
}

/// A page for a browser. It runs no script and may not be framed.
pub(crate) fn html(status: u16, page: String) -> Answer {
    let mut answer = body(status, "text/html; charset=utf-8", page.into_bytes());
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
    set(&mut answer, header::CONTENT_SECURITY_POLICY, policy);
    set(&mut answer, header::REFERRER_POLICY, "no-referrer");
    answer
}

pub(crate) fn redirect(status: u16, location: &str) -> Answer {
    let mut answer = text(status, "See the location given.");
    set(&mut answer, header::LOCATION, location);
    answer
}

/// An OAuth error in JSON (RFC 6749 §5.2, RFC 7591 §3.2.2).
pub(crate) fn oauth_error(status: u16, error: &str, description: &str) -> Answer {
    json(status, &json!({ "error": error, "error_description": description }))
}

/// Adds a header; a text that no header may hold is left out.
pub(crate) fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        answer.headers_mut().append(name, value);
    }
}

/// A header as text, if it is there once.
pub(crate) fn header_text<'a>(request: &'a Asked, name: &str) -> Option<&'a str> {
    let mut values = request.headers().get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether a header that holds a list of media types names this one.
pub(crate) fn names_media_type(value: &str, media_type: &str) -> bool {
    value
        .split(',')
        .any(|one| one.split(';').next().is_some_and(|one| one.trim().eq_ignore_ascii_case(media_type)))
}

/// The credentials of an `Authorization` header with this scheme.
pub(crate) fn credentials<'a>(request: &'a Asked, scheme: &str) -> Option<&'a str> {
    let (given, rest) = header_text(request, "authorization")?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// The parameters of a query or a form, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters(pub(crate) Vec<(String, String)>);

impl Parameters {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(encoded).into_owned().collect())
    }

    pub(crate) fn of_query(request: &Asked) -> Self {
        Self::parse(request.uri().query().unwrap_or_default().as_bytes())
    }

    /// The parameters of a form body; `None` if the content type says otherwise.
    pub(crate) fn of_form(request: &Asked) -> Option<Self> {
        let form = header_text(request, "content-type")
            .is_some_and(|value| names_media_type(value, "application/x-www-form-urlencoded"));
        form.then(|| Self::parse(request.body()))
    }

    /// A parameter. An empty one counts as absent (RFC 6749 §3.1).
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let mut own = self.0.iter().filter(|(own, value)| own == name && !value.is_empty());
        own.next().map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is there twice though it may not be (RFC 6749 §3.1). `resource` may (RFC 8707 §2).
    pub(crate) fn repeated(&self) -> Option<&str> {
        let twice = |name: &str| name != "resource" && self.all(name).count() > 1;
        self.0.iter().map(|(name, _)| name.as_str()).find(|name| twice(name))
    }
}

/// A URL with parameters added to its query; the rest stays byte for byte.
pub(crate) fn with_query(url: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{}", query.finish())
}

/// The words of a scope value.
pub(crate) fn words(scope: &str) -> Vec<String> {
    scope.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
