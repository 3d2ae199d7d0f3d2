//! Values as they may be shown: clean, short, and with a pseudonym where one could be a secret.

use std::collections::{BTreeMap, BTreeSet};

use mcp_auth::base::text::clean;
use mcp_auth::wire::challenge;
use serde_json::Value;
use url::form_urlencoded;

use super::flow::Parameter;

/// The longest value that is shown, in characters.
const MAX_VALUE: usize = 120;
/// The most parameters of one message that are shown.
const MAX_PARAMETERS: usize = 40;
/// The longest document that is read for its members, in bytes.
const MAX_DOCUMENT: usize = 512 << 10;

/// The names whose values are no secrets. Whatever else stands somewhere is shown by a pseudonym.
const PLAIN: [&str; 62] = [
    "algs",
    "application_type",
    "assertion_type",
    "audience",
    "authorization_endpoint",
    "authorization_response_iss_parameter_supported",
    "authorization_servers",
    "bearer_methods_supported",
    "client_assertion_type",
    "client_id",
    "client_id_issued_at",
    "client_id_metadata_document_supported",
    "client_name",
    "client_secret_expires_at",
    "client_uri",
    "code_challenge_method",
    "code_challenge_methods_supported",
    "content-type",
    "device_authorization_endpoint",
    "dpop_bound_access_tokens_required",
    "dpop_signing_alg_values_supported",
    "error",
    "error_description",
    "error_uri",
    "expires_in",
    "grant_type",
    "grant_types",
    "grant_types_supported",
    "interval",
    "iss",
    "issued_token_type",
    "issuer",
    "jwks_uri",
    "location",
    "mcp-protocol-version",
    "prompt",
    "pushed_authorization_request_endpoint",
    "realm",
    "redirect_uri",
    "redirect_uris",
    "registration_endpoint",
    "require_pushed_authorization_requests",
    "requested_token_type",
    "resource",
    "resource_metadata",
    "resource_name",
    "response_type",
    "response_types",
    "response_types_supported",
    "retry-after",
    "revocation_endpoint",
    "scope",
    "scopes_supported",
    "software_id",
    "subject_token_type",
    "token_endpoint",
    "token_endpoint_auth_method",
    "token_endpoint_auth_methods_supported",
    "token_type",
    "token_type_hint",
    "verification_uri",
    "www-authenticate",
];

/// What the picture can do without: it is in the details.
const MINOR: [&str; 28] = [
    "accept",
    "application_type",
    "authorization_endpoint",
    "bearer_methods_supported",
    "client_id_issued_at",
    "client_name",
    "client_secret_expires_at",
    "code_challenge_method",
    "content-type",
    "grant_types_supported",
    "jwks_uri",
    "mcp-protocol-version",
    "redirect_uri",
    "redirect_uris",
    "resource_name",
    "response_type",
    "response_types",
    "response_types_supported",
    "revocation_endpoint",
    "token_endpoint_auth_methods_supported",
    "token_endpoint",
    "registration_endpoint",
    "device_authorization_endpoint",
    "pushed_authorization_request_endpoint",
    "interval",
    "grant_types",
    "verification_uri_complete",
    "dpop_signing_alg_values_supported",
];

/// Which short name stands for which value.
#[derive(Default)]
pub(super) struct Aliases {
    known: BTreeMap<String, String>,
    counts: BTreeMap<String, usize>,
    /// Every short name that stands for something.
    taken: BTreeSet<String>,
}

impl Aliases {
    /// A short name for a value that may be a secret: the same one for the same value. A pseudonym that the trace was
    /// scrubbed with stays.
    pub(super) fn alias(&mut self, name: &str, value: &str) -> String {
        if let Some(known) = self.known.get(value) {
            return known.clone();
        }
        let sort = clean(&name.to_uppercase().replace('_', "-"), 24);
        let kept = pseudonym(value).filter(|name| !self.taken.contains(*name)).map(str::to_owned);
        let alias = kept.unwrap_or_else(|| {
            loop {
                let count = self.counts.entry(sort.clone()).or_default();
                *count = count.saturating_add(1);
                let alias = format!("{sort}-{count}");
                if !self.taken.contains(&alias) {
                    break alias;
                }
            }
        });
        self.taken.insert(alias.clone());
        if self.known.len() < 10_000 {
            self.known.insert(value.to_owned(), alias.clone());
        }
        alias
    }

    pub(super) fn parameter(&mut self, name: &str, value: &str) -> Parameter {
        let plain = PLAIN.contains(&name);
        let shown = if plain || value.is_empty() { open(value) } else { self.alias(name, value) };
        let minor = MINOR.contains(&name);
        Parameter { name: clean(name, 60), value: shown, secret: !plain && !value.is_empty(), minor }
    }

    /// The parameters of a query, or of a body that is a form.
    pub(super) fn form(&mut self, text: &str) -> Vec<Parameter> {
        let pairs = form_urlencoded::parse(text.as_bytes()).take(MAX_PARAMETERS);
        pairs.map(|(name, value)| self.parameter(&name, &value)).collect()
    }

    /// The members of a JSON document; nothing where it is none.
    pub(super) fn members(&mut self, text: &str) -> Vec<Parameter> {
        let document = Some(text).filter(|text| text.len() <= MAX_DOCUMENT);
        let Some(Value::Object(members)) = document.and_then(|text| serde_json::from_str(text).ok()) else {
            return Vec::new();
        };
        members.iter().take(MAX_PARAMETERS).map(|(name, value)| self.member(name, value)).collect()
    }

    fn member(&mut self, name: &str, value: &Value) -> Parameter {
        let text = match value {
            Value::String(text) => return self.parameter(name, text),
            Value::Array(items) => {
                let texts: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
                let opened = |texts: Vec<_>| texts.into_iter().map(open).collect::<Vec<_>>().join(" ");
                texts.map_or_else(|| format!("{} values", items.len()), opened)
            }
            Value::Object(members) => format!("{} members", members.len()),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        };
        let open = PLAIN.contains(&name) || !value.is_array();
        let shown = if open { clean(&text, MAX_VALUE) } else { "…".to_owned() };
        Parameter {
            name: clean(name, 60),
            value: shown,
            secret: false,
            minor: !open || MINOR.contains(&name),
        }
    }

    /// The challenges in one value of `WWW-Authenticate`.
    pub(super) fn challenge(&mut self, value: &str) -> Vec<Parameter> {
        let mut read = Vec::new();
        for it in challenge::read([value.as_bytes()]).iter().take(4) {
            read.push(self.parameter("www-authenticate", it.scheme()));
            for name in ["error", "error_description", "scope", "resource_metadata", "realm", "algs"] {
                read.extend(it.params(name).take(2).map(|value| self.parameter(name, value)));
            }
        }
        read
    }

    /// A header field of a request, if it says something.
    pub(super) fn field(&mut self, name: &str, value: &str) -> Option<Parameter> {
        let parameter =
            |value: String| Parameter { name: name.to_owned(), value, secret: true, minor: false };
        match name {
            "authorization" => {
                let (scheme, credentials) = value.split_once(' ').unwrap_or(("", value));
                let alias = self.alias("credentials", credentials);
                Some(parameter(format!("{} {alias}", clean(scheme, 20))))
            }
            "dpop" => Some(parameter(self.alias("proof", value))),
            "content-type" | "accept" | "content-length" | "user-agent" => None,
            _ => Some(Parameter { minor: true, ..self.parameter(name, value) }),
        }
    }
}

/// The telling part of a pseudonym of a scrubbed trace: `ACCESS-TOKEN-1` of `ACCESS-TOKEN-1-----…`.
fn pseudonym(value: &str) -> Option<&str> {
    let name = value.trim_end_matches('-');
    let (sort, count) = name.rsplit_once('-')?;
    let telling = (value.len() > name.len() || ["CODE", "USER-CODE"].contains(&sort))
        && !sort.is_empty()
        && name.len() <= 60
        && sort.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-')
        && count.bytes().all(|byte| byte.is_ascii_digit());
    telling.then_some(name)
}

/// What may be shown, but for the query of a URL, which may hold a key.
fn open(value: &str) -> String {
    match value.split_once(['?', '#']) {
        Some((bare, _)) if bare.contains("://") => clean(&format!("{bare}?…"), MAX_VALUE),
        _ => clean(value, MAX_VALUE),
    }
}

/// Scheme and authority of a URL, and its path; both clean.
pub(super) fn split_url(url: &str) -> (String, String) {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let start = bare.find("://").map_or(0, |at| at.saturating_add(3));
    let rest = bare.get(start..).unwrap_or_default();
    let end = rest.find('/').map_or(bare.len(), |at| at.saturating_add(start));
    let (origin, path) = bare.split_at_checked(end).unwrap_or((bare, ""));
    (clean(origin, 100), clean(if path.is_empty() { "/" } else { path }, 160))
}

/// How long after the beginning, as a clock shows it.
pub(super) fn clock(seconds: u64) -> String {
    let (hours, minutes, left) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("+{hours}:{minutes:02}:{left:02}") } else { format!("+{minutes}:{left:02}") }
}

/// How long a span is, in words.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_stands_for_one_value() {
        let mut aliases = Aliases::default();
        let kept = format!("{:-<43}", "ACCESS-TOKEN-1-");
        assert_eq!(aliases.alias("access_token", "a.b.c"), "ACCESS-TOKEN-1");
        assert_eq!(aliases.alias("assertion", "a.b.c"), "ACCESS-TOKEN-1");
        assert_eq!(aliases.alias("access_token", &kept), "ACCESS-TOKEN-2");
        assert_eq!(
            aliases.alias("refresh_token", &format!("{:-<43}", "REFRESH-TOKEN-7-")),
            "REFRESH-TOKEN-7"
        );
        assert_eq!(aliases.alias("user_code", "CODE-1"), "CODE-1");
        assert_eq!(aliases.alias("code", &format!("{:-<43}", "CODE-1-")), "CODE-2");
    }

    #[test]
    fn what_is_not_known_to_be_plain_is_not_shown() {
        let mut aliases = Aliases::default();
        for text in [
            "{\"secret_of_theirs\":\"hush\",\"list\":[\"hush\"],\"nested\":{\"a\":\"hush\"}}",
            "{\"a\":[[\"hush\"]]}",
        ] {
            let shown = format!("{:?}", aliases.members(text));
            assert!(!shown.is_empty() && !shown.contains("hush"), "{shown}");
        }
        let shown = format!("{:?}", aliases.form("code=hush&theirs=hush&scope=a"));
        assert!(!shown.contains("hush") && shown.contains("\"a\""), "{shown}");
        for (name, value) in [
            ("authorization", "Bearer hush"),
            ("authorization", "hush"),
            ("dpop", "hush"),
            ("x-their", "hush"),
        ] {
            assert!(!format!("{:?}", aliases.field(name, value)).contains("hush"));
        }
    }

    #[test]
    fn urls_and_spans_are_split() {
        assert_eq!(
            split_url("https://a.example:8443/b/c?d=e#f"),
            ("https://a.example:8443".into(), "/b/c".into())
        );
        assert_eq!(split_url("https://a.example?x"), ("https://a.example".into(), "/".into()));
        for odd in ["", "://", "?", "a", "https://"] {
            let _ = split_url(odd);
        }
        assert_eq!([clock(9), clock(304), clock(3601)].join(" "), "+0:09 +5:04 +1:00:01");
        assert_eq!([span(90), span(3600), span(86_400), span(259_200)].join(" "), "90 s 60 min 24 h 3 days");
    }
}
