//! What was asked of the servers, and what came: the material of every judgement.

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, Method};
use mcp_auth::base::{guard, text};
use mcp_auth::wire::{resource_metadata, server_metadata};
use mcp_auth::{Endpoint, Guard, SendFailure};

/// The most characters of another's words that are kept.
pub(crate) const MAX_WORDS: usize = 600;

/// Words that may be another's, fit to be shown.
pub(crate) fn words(text: &str) -> String {
    text::clean(text, MAX_WORDS)
}

/// An answer, as far as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: HeaderMap,
    /// Empty where only the header was waited for.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header field, with U+FFFD for what is no text.
    pub(crate) fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        self.fields.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
    }

    /// All values of `WWW-Authenticate`.
    pub(crate) fn challenges(&self) -> Vec<&[u8]> {
        self.fields.get_all(http::header::WWW_AUTHENTICATE).iter().map(|value| value.as_bytes()).collect()
    }

    pub(crate) fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status) && self.status != 304
    }
}

/// One request, and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) method: Method,
    /// As it was sent; it may have a query.
    pub(crate) url: String,
    pub(crate) came: Result<Answer, SendFailure>,
    pub(crate) took: Duration,
}

impl Exchange {
    pub(crate) fn answer(&self) -> Option<&Answer> {
        self.came.as_ref().ok()
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.answer().map(|answer| answer.status)
    }

    /// What came, in a few words.
    pub(crate) fn shown(&self) -> String {
        match &self.came {
            Ok(answer) if answer.is_redirect() => {
                let to =
                    answer.field("location").map_or("nowhere".to_owned(), |to| guard::without_query(&to));
                words(&format!("{} to {to}", answer.status))
            }
            Ok(answer) => format!("status {}", answer.status),
            Err(failure) => unsent(failure),
        }
    }
}

/// Why no answer came, in words.
pub(crate) fn unsent(failure: &SendFailure) -> String {
    let why = match failure {
        SendFailure::NotSent(why) => format!("no connection: {why}"),
        SendFailure::Interrupted(why) => format!("the answer broke off: {why}"),
        SendFailure::TimedOut => "no whole answer in time".to_owned(),
        SendFailure::TooLarge => "an answer that is too large".to_owned(),
        SendFailure::AddressRefused(why) => format!("not asked: {why}"),
        _ => "no answer".to_owned(),
    };
    words(&why)
}

/// How an MCP request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// `tools/list` by 2026-07-28: each request stands for itself.
    Stateless,
    /// `initialize` by 2025-11-25.
    Stateful,
}

impl Wire {
    /// In the order in which they are tried.
    pub(crate) const ALL: [Self; 2] = [Self::Stateless, Self::Stateful];

    pub(crate) const fn method(self) -> &'static str {
        match self {
            Self::Stateless => "tools/list",
            Self::Stateful => "initialize",
        }
    }

    pub(crate) const fn revision(self) -> &'static str {
        match self {
            Self::Stateless => "2026-07-28",
            Self::Stateful => "2025-11-25",
        }
    }
}

/// A place where a document may be, and what was found there.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) how: How,
    /// Why it was not asked.
    pub(crate) refused: Option<String>,
    /// The request, and those that followed its redirects within the origin.
    pub(crate) hops: Vec<Exchange>,
}

/// How a place was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Resource(resource_metadata::Source),
    Server(server_metadata::Form),
}

impl How {
    pub(crate) const fn shown(self) -> &'static str {
        match self {
            Self::Resource(resource_metadata::Source::Advertised) => "named by the challenge",
            Self::Resource(resource_metadata::Source::PathForm) => "path form",
            Self::Resource(resource_metadata::Source::RootForm) => "root form",
            Self::Server(server_metadata::Form::OAuth) => "OAuth",
            Self::Server(server_metadata::Form::OpenIdInserted) => "OpenID, path inserted",
            Self::Server(server_metadata::Form::OpenIdAppended) => "OpenID, appended",
        }
    }
}

impl Place {
    pub(crate) fn new(url: String, how: How) -> Self {
        Self { url, how, refused: None, hops: Vec::new() }
    }

    /// The last exchange.
    pub(crate) fn last(&self) -> Option<&Exchange> {
        self.hops.last()
    }

    /// What was answered with 200, and from where.
    pub(crate) fn body(&self) -> Option<(&str, &Answer)> {
        let last = self.last()?;
        let answer = last.answer().filter(|answer| answer.status == 200)?;
        Some((&last.url, answer))
    }
}

/// An authorization server, and where its metadata was looked for.
#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    /// As the resource metadata names it.
    pub(crate) named: String,
    /// Why nothing was asked of it.
    pub(crate) refused: Option<String>,
    pub(crate) places: Vec<Place>,
    /// What the token endpoint made of a code that was never issued, where it was asked.
    pub(crate) token: Option<Exchange>,
    /// What the authorization endpoint made of a client that nobody knows, where it was asked.
    pub(crate) authorize: Option<Exchange>,
}

/// Everything that was seen.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub(crate) server: Endpoint,
    pub(crate) guard: Guard,
    /// Requests without a token.
    pub(crate) open: Vec<(Wire, Exchange)>,
    /// A request with a token that cannot be valid.
    pub(crate) bad: Option<Exchange>,
    pub(crate) places: Vec<Place>,
    pub(crate) issuers: Vec<Issuer>,
    /// Those that are named and were not looked at.
    pub(crate) passed_over: Vec<String>,
    /// Whether the issuer is the MCP server's own origin, by the fallbacks of MCP 2025-03-26.
    pub(crate) legacy: bool,
}

impl Evidence {
    /// The refusal of a request without a token, if there was one with 401.
    pub(crate) fn refusal(&self) -> Option<(Wire, &Answer)> {
        let answers = self.open.iter().filter_map(|(wire, exchange)| Some((*wire, exchange.answer()?)));
        let mut refusals = answers.filter(|(_, answer)| answer.status == 401);
        refusals.next()
    }

    /// Whether some request without a token was answered as asked.
    pub(crate) fn is_open(&self) -> bool {
        self.open.iter().any(|(_, exchange)| exchange.status().is_some_and(|it| (200..300).contains(&it)))
    }
}
