//! What the person sees in the browser at the end. Each page is one document: no script, nothing from elsewhere.

use mcp_auth::base::text::clean;
use mcp_auth::{Failure, Kind, Outcome};

/// How many characters of a text from outside a page shows.
const LONGEST: usize = 300;
/// How many of the application's name.
const LONGEST_NAME: usize = 60;

const PAGE: &str = include_str!("../pages/page.html");

/// How a login went, for the person who looks at the browser. The texts come from the host: they are shown as text and
/// never as markup, on one line, cut to 300 characters. Nothing of what the browser sent is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Page {
    /// There is a token.
    Success,
    /// The person or the authorization server said no (`error` in the answer, RFC 6749 §4.1.2.1).
    Refused {
        /// What the server says about it, as far as that is known to be the server's; may be empty.
        reason: String,
    },
    /// The answer could not be used, or what follows it failed.
    Failed {
        /// What was broken; may be empty.
        reason: String,
        /// What the person can do, as sentences; may be empty.
        next: String,
    },
    /// The answer belongs to no login that waits. It ends none.
    Stranger,
}

impl Page {
    /// How a login ended; `None`: there was no login, or a logout came in between, and a browser has nothing to say of it.
    pub fn of(outcome: &Result<Outcome, Box<Failure>>) -> Option<Self> {
        match outcome {
            Ok(Outcome::Authorized(_)) => Some(Self::Success),
            Ok(Outcome::Anonymous | Outcome::LoggedOut(_)) => None,
            Err(failure) if failure.kind() == Kind::AccessDenied => {
                Some(Self::Refused { reason: failure.breach.got.clone() })
            }
            Err(failure) => {
                Some(Self::Failed { reason: failure.breach.to_string(), next: failure.advice().to_owned() })
            }
        }
    }
}

/// Every page there is: those of the host, and those of the listener itself.
pub(crate) enum Shown {
    Page(Page),
    /// The host has not said how it went.
    Arrived,
    /// It has no `state`.
    Stateless,
    /// There was no room for it.
    Busy,
}

impl Shown {
    /// The whole document.
    pub(crate) fn document(&self, application: &str) -> String {
        let (title, tone, content, reason, next) = match self {
            Self::Page(Page::Success) => ("Logged in", "good", include_str!("../pages/success.html"), "", ""),
            Self::Page(Page::Refused { reason }) => {
                ("Not granted", "warn", include_str!("../pages/refused.html"), reason.as_str(), "")
            }
            Self::Page(Page::Failed { reason, next }) => {
                ("Login failed", "bad", include_str!("../pages/failed.html"), reason.as_str(), next.as_str())
            }
            Self::Page(Page::Stranger) => {
                ("Not waited for", "calm", include_str!("../pages/stranger.html"), "", "")
            }
            Self::Arrived => ("Answer arrived", "calm", include_str!("../pages/arrived.html"), "", ""),
            Self::Stateless => ("No answer", "calm", include_str!("../pages/stateless.html"), "", ""),
            Self::Busy => ("Not taken yet", "warn", include_str!("../pages/busy.html"), "", ""),
        };
        let name = text(application, LONGEST_NAME);
        let name = if name.is_empty() { "the application" } else { name.as_str() };
        let next = text(next, LONGEST);
        let next = if next.is_empty() { "Trying again may help." } else { next.as_str() };
        let reason = text(reason, LONGEST);
        let content = fill(content, &[("application", name), ("reason", &reason), ("next", next)]);
        // One that is to be loaded again must stay.
        let close =
            if matches!(self, Self::Busy) { "This window can stay." } else { "You can close this window." };
        let values = [
            ("title", title),
            ("application", name),
            ("tone", tone),
            ("content", &content),
            ("close", close),
        ];
        fill(PAGE, &values)
    }
}

/// Puts each value in its place. What is put in is not looked at again.
fn fill(form: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(form.len() + 512);
    let mut rest = form;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let value = values.iter().find_map(|(name, value)| {
            let after = after.strip_prefix(name)?.strip_prefix('}')?;
            Some((value, after))
        });
        // A brace of the style sheet stands for itself.
        let (value, after) = value.unwrap_or((&"{", after));
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// A text from outside, on one line, no longer than this, and as markup that shows just these characters. What could hide
/// or turn around others is replaced.
fn text(given: &str, longest: usize) -> String {
    // What is looked at is bounded too.
    let given: String = given.chars().take(longest.saturating_mul(8)).collect();
    let words: Vec<_> = given.split_whitespace().collect();
    let mut shown = String::new();
    for letter in clean(&words.join(" "), longest).chars() {
        match letter {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\'' => shown.push_str("&#39;"),
            letter => shown.push(letter),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(words: &str) -> Vec<Shown> {
        let words = words.to_owned();
        vec![
            Shown::Page(Page::Success),
            Shown::Page(Page::Refused { reason: words.clone() }),
            Shown::Page(Page::Failed { reason: words.clone(), next: words }),
            Shown::Page(Page::Stranger),
            Shown::Arrived,
            Shown::Stateless,
            Shown::Busy,
        ]
    }

    #[test]
    fn a_page_runs_nothing_and_loads_nothing() {
        for shown in all("") {
            let page = shown.document("Example").to_ascii_lowercase();
            for forbidden in [
                "<script",
                "javascript:",
                " on",
                "src=",
                "href=",
                "url(",
                "@import",
                "@font-face",
                "http:",
                "https:",
                "//",
                "<link",
                "<iframe",
                "<object",
                "<embed",
                "<form",
                "<img",
                "<base",
                "http-equiv",
                "xlink",
                " style=",
            ] {
                // Of words that begin with "on", only attributes are meant.
                let found = page.match_indices(forbidden).any(|(at, _)| {
                    let after: String = page[at + forbidden.len()..]
                        .chars()
                        .take_while(|it| it.is_ascii_alphabetic())
                        .collect();
                    forbidden != " on" || page[at + forbidden.len() + after.len()..].starts_with('=')
                });
                assert!(!found, "{forbidden} in {page}");
            }
            assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
            assert!(page.contains("prefers-color-scheme: dark") && page.contains("width=device-width"));
        }
    }

    #[test]
    fn a_page_says_whose_it_is_what_happened_and_what_to_do() {
        for shown in all("words of the host") {
            let page = shown.document("My client");
            assert!(page.contains("<h1>") && page.contains("<strong>My client</strong>"), "{page}");
            for name in ["application", "reason", "next", "title", "tone", "content", "close"] {
                assert!(!page.contains(&format!("{{{name}}}")), "{name} was left open in {page}");
            }
        }
        let failed =
            Page::Failed { reason: "the issuer differs".to_owned(), next: "Tell its operator.".to_owned() };
        let failed = Shown::Page(failed).document("");
        assert!(failed.contains("<blockquote>the issuer differs</blockquote>"), "{failed}");
        assert!(failed.contains("Tell its operator.") && failed.contains("<strong>the application</strong>"));
    }

    #[test]
    fn what_comes_from_outside_is_text() {
        let attack = "</blockquote><script>alert('1')</script>\"&{application}{content}";
        for shown in all(attack) {
            let page = shown.document(attack);
            assert!(!page.contains("<script") && !page.contains("alert('"), "{page}");
            assert_eq!(page.matches("<main").count(), 1);
            assert_eq!(page.matches("</blockquote>").count(), page.matches("<blockquote>").count());
        }
        let refused = Shown::Page(Page::Refused { reason: attack.to_owned() }).document("x");
        assert!(refused.contains("&quot;&amp;{application}{content}</blockquote>"), "{refused}");
    }

    #[test]
    fn what_comes_from_outside_is_short_and_says_what_it_seems_to_say() {
        assert_eq!(text(" a\r\n\tb\u{1b}[31mc ", 300), "a b\u{fffd}[31mc");
        assert_eq!(text("lo\u{202e}gni\u{ad}x", 300), "lo\u{fffd}gni\u{fffd}x");
        assert_eq!(text(&"é".repeat(400), LONGEST), format!("{}…", "é".repeat(300)));
        assert_eq!(text(&"é".repeat(300), LONGEST), "é".repeat(300));
        assert_eq!(text(" \n", 300), "");
        assert!(text(&"<".repeat(1_000_000), LONGEST).len() < 1300);
    }
}
