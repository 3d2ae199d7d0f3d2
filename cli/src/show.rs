//! What a client does, as a person reads it: numbered exchanges, and under each what was checked and decided.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use mcp_auth::base::text;
use mcp_auth::{Entry, Outcome, Purpose, TokenSource, Verdict};
use mcp_auth_reqwest::Observed;
use url::form_urlencoded;

use crate::output::Place;

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const BAD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const WARN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));

/// How wide the column is that says what is asked.
const WHAT_WIDTH: usize = 58;

const MCP_SERVER: &str = "MCP server";

/// Where a note's clause begins.
const CLAUSE_COLUMN: usize = 66;

/// The most characters of another's words on one line.
const MAX_WORDS: usize = 600;

/// The parameters of an authorization response whose values are shown: who answered, and what went wrong.
const SHOWN: [&str; 3] = ["iss", "error", "error_description"];

/// Prints what it is shown. Clones print to the same place.
#[derive(Clone)]
pub(crate) struct Show(Arc<Mutex<State>>);

struct State {
    out: Place,
    section: String,
    count: usize,
    sent: Option<Line>,
    /// Exchanges of the machine up to the first token.
    to_token: Option<usize>,
    exchanges: usize,
    timed: bool,
}

/// How an exchange ended, as far as is known.
struct Ended {
    end: End,
    took: Option<Duration>,
}

enum End {
    Status(u16),
    NoAnswer,
    /// Something that was asked of somebody in this process.
    Done,
}

/// An exchange under way.
#[derive(Clone)]
struct Line {
    whom: &'static str,
    what: String,
}

impl Show {
    /// Prints to standard output, with colours where they are wanted.
    pub(crate) fn stdout() -> Self {
        Self::new(Box::new(anstream::AutoStream::auto(std::io::stdout())), true)
    }

    /// Prints to standard error, beside a result.
    pub(crate) fn stderr() -> Self {
        Self::new(Box::new(anstream::AutoStream::auto(std::io::stderr())), true)
    }

    /// Prints elsewhere; `timed`: with how long everything took.
    pub(crate) fn new(out: Box<dyn Write + Send>, timed: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            out: Place::new(out),
            section: String::new(),
            count: 0,
            sent: None,
            to_token: None,
            exchanges: 0,
            timed,
        })))
    }

    pub(crate) fn see(&self, observed: Observed<'_>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A terminal that is gone is no reason to break a login off.
        let _ = state.see(observed);
    }

    /// A section of its own, unless it is the one that is being shown.
    pub(crate) fn section(&self, name: &str) {
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).section(name);
    }

    /// An exchange of the browser's, which only those who serve it see. `took` where that can be known.
    pub(crate) fn browsed(&self, whom: &str, method: &str, url: &str, status: u16, took: Option<Duration>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let what = format!("{method} {}", answer(url));
        let _ = state.exchange("browser", whom, &what, Some(Ended { end: End::Status(status), took }));
        let _ = state.out.flush();
    }

    /// Something that the client asks of somebody in this process. `section` where it is no part of the one that is being
    /// shown; `took` where it was awaited.
    pub(crate) fn asked(&self, section: Option<&str>, whom: &str, what: &str, took: Option<Duration>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = state.asked(section, whom, what, took);
        let _ = state.out.flush();
    }

    /// What was asserted, and the clause that says so.
    pub(crate) fn asserted(&self, what: &str, clause: &str) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = state.note(GOOD, "·", what, clause);
        let _ = state.out.flush();
    }

    /// Whether a request of the caller is under way.
    pub(crate) fn is_requesting(&self) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.sent.as_ref().is_some_and(|sent| sent.whom == MCP_SERVER)
    }

    /// A line of its own, or several.
    pub(crate) fn say(&self, text: &str) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(state.out, "{}", plain(text));
        let _ = state.out.flush();
    }

    /// Whether all that was shown could be printed.
    pub(crate) fn printed(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.out.outcome()
    }

    /// How many exchanges there were from the refusal to the first token.
    pub(crate) fn exchanges_to_token(&self) -> Option<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).to_token
    }
}

impl State {
    fn see(&mut self, observed: Observed<'_>) -> io::Result<()> {
        match observed {
            Observed::Requested { operation, url, authorized, bound } => {
                self.section(&format!("Request: {}", words(operation)))?;
                let carried = match (authorized, bound) {
                    (true, true) => "Authorization: DPoP … and a proof",
                    (true, false) => "Authorization: Bearer …",
                    (false, _) => "no token",
                };
                self.sent = Some(Line { whom: MCP_SERVER, what: format!("POST {} · {carried}", path(url)) });
            }
            Observed::Responded { status, took, .. } => self.answered(Some(status), took)?,
            Observed::Sent { purpose, method, url } => {
                let (section, whom) = match purpose {
                    Purpose::ResourceMetadata => ("Discovery", MCP_SERVER),
                    Purpose::Registration => ("Registration", "authorization server"),
                    Purpose::Token => ("Token", "authorization server"),
                    Purpose::TokenExchange => ("Identity provider", "identity provider"),
                    Purpose::DeviceAuthorization => ("Consent", "authorization server"),
                    _ => ("Discovery", "authorization server"),
                };
                self.section(section)?;
                self.exchanges += 1;
                self.sent = Some(Line { whom, what: format!("{method} {}", path(url)) });
            }
            Observed::Answered { status, took, .. } => self.answered(status, took)?,
            Observed::Opened { url } => {
                self.section("Consent")?;
                self.exchange("browser", "authorization server", &format!("GET {}", path(url)), None)?;
            }
            Observed::Noted(entry) => self.noted(entry)?,
            Observed::NonceWanted { .. } => {
                self.note(DIM, "→", "the server wants its nonce in the proof", "RFC 9449 §9")?;
            }
            Observed::Finished(Ok(Outcome::Authorized(done)))
                if matches!(done.source, TokenSource::LoggedIn | TokenSource::Granted) =>
            {
                self.to_token.get_or_insert(self.exchanges);
            }
            _ => {}
        }
        self.out.flush()
    }

    fn section(&mut self, name: &str) -> io::Result<()> {
        if self.section == name {
            return Ok(());
        }
        name.clone_into(&mut self.section);
        writeln!(self.out, "\n{BOLD}{name}{BOLD:#}")
    }

    fn answered(&mut self, status: Option<u16>, took: Duration) -> io::Result<()> {
        let Some(Line { whom, what }) = self.sent.take() else { return Ok(()) };
        let end = status.map_or(End::NoAnswer, End::Status);
        self.exchange("client", whom, &what, Some(Ended { end, took: Some(took) }))
    }

    fn asked(
        &mut self,
        section: Option<&str>,
        whom: &str,
        what: &str,
        took: Option<Duration>,
    ) -> io::Result<()> {
        if let Some(section) = section {
            self.section(section)?;
        }
        let ended = took.map(|took| Ended { end: End::Done, took: Some(took) });
        self.exchange("client", whom, &words(what), ended)
    }

    fn exchange(&mut self, who: &str, whom: &str, what: &str, ended: Option<Ended>) -> io::Result<()> {
        self.count += 1;
        let number = self.count;
        write!(self.out, "  {BOLD}{number:>2}{BOLD:#}  {who:<7} → {whom:<20} ")?;
        let Some(Ended { end, took }) = ended else { return writeln!(self.out, "{what}") };
        let (style, shown) = match end {
            End::Status(status @ 200..=299) => (GOOD, status.to_string()),
            // A browser is meant to be sent on.
            End::Status(status @ 300..=399) if who == "browser" => (GOOD, status.to_string()),
            End::Status(status) => (WARN, status.to_string()),
            End::NoAnswer => (BAD, "no answer".to_owned()),
            End::Done => (GOOD, "ok".to_owned()),
        };
        write!(self.out, "{what:<WHAT_WIDTH$} {style}{shown:>3}{style:#}")?;
        match took {
            Some(took) if self.timed => writeln!(self.out, " {DIM}{:>4} ms{DIM:#}", took.as_millis()),
            Some(_) => writeln!(self.out, " {DIM}   - ms{DIM:#}"),
            None => writeln!(self.out),
        }
    }

    fn noted(&mut self, entry: &Entry) -> io::Result<()> {
        let (style, mark) = match entry.verdict {
            Verdict::Checked => (GOOD, "✓"),
            Verdict::Taken => (GOOD, "·"),
            Verdict::Decided => (DIM, "→"),
            Verdict::PassedOver => (WARN, "–"),
            Verdict::Deviation => (WARN, "!"),
            Verdict::Failed => (BAD, "✗"),
            _ => (DIM, " "),
        };
        self.note(style, mark, &entry.note, entry.clause.as_deref().unwrap_or_default())
    }

    fn note(&mut self, style: Style, mark: &str, note: &str, clause: &str) -> io::Result<()> {
        let (note, clause) = (words(note), words(clause));
        let width = note.chars().count();
        let gap = " ".repeat(CLAUSE_COLUMN.saturating_sub(width).max(2));
        writeln!(self.out, "      {style}{mark}{style:#} {note}{gap}{DIM}{clause}{DIM:#}")
    }
}

/// The path of a URL that has no query.
fn path(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    words(rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"))
}

/// An authorization response, or another URL that a browser opens: its path and which parameters came. What they hold
/// is between the two servers and the client.
fn answer(url: &str) -> String {
    let Some((before, query)) = url.split_once('?') else { return path(url) };
    let shown = form_urlencoded::parse(query.as_bytes()).map(|(name, value)| {
        let value = if SHOWN.contains(&name.as_ref()) { value } else { "…".into() };
        format!("{name}={value}")
    });
    words(&format!("{}?{}", path(before), shown.collect::<Vec<_>>().join("&")))
}

/// Words that may be another's, on one line, and without anything that a terminal would act on.
pub(crate) fn words(text: &str) -> String {
    text::clean(text, MAX_WORDS)
}

/// The same of a text of several lines.
pub(crate) fn plain(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(|line| text::clean(line, usize::MAX)).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_words_of_others_do_nothing_to_the_terminal() {
        let page = Page::default();
        let show = Show::new(Box::new(page.clone()), false);
        let hostile = "a\u{1b}[2J\u{202e}\r\nb";
        show.see(Observed::Noted(&Entry {
            at: mcp_auth::Timestamp::from_secs(1),
            verdict: Verdict::Checked,
            url: None,
            status: None,
            note: hostile.into(),
            clause: Some(hostile.into()),
        }));
        show.see(Observed::Opened { url: &format!("https://as.example/{hostile}") });
        show.see(Observed::Requested { operation: hostile, url: hostile, authorized: false, bound: false });
        show.see(Observed::Responded { operation: hostile, status: 200, took: Duration::ZERO });
        show.browsed(
            "client",
            "GET",
            &format!("/callback?error={hostile}&iss=%1b[2J%0a{hostile}"),
            200,
            None,
        );
        show.asked(Some("Consent"), "person", hostile, None);
        show.asserted(hostile, hostile);
        show.say(&format!("scopes {}", words(hostile)));
        show.say("one\ntwo\u{1b}[2J");
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        for hidden in ["\u{1b}[2J", "\u{202e}", "\r", "\nb"] {
            assert!(!text.contains(hidden), "{hidden:?} is in {text:?}");
        }
        assert!(text.contains("scopes a\u{fffd}[2J") && text.contains("one\ntwo"), "{text:?}");
    }

    #[test]
    fn others_than_servers_have_their_lines_too() {
        let page = Page::default();
        let show = Show::new(
            Box::new(anstream::StripStream::new(Box::new(page.clone()) as Box<dyn Write + Send>)),
            false,
        );
        let (operation, took, url) = ("tools/list", Duration::ZERO, "https://mcp.example/mcp");
        show.asked(Some("Consent"), "person", "AB-CD, to be typed at https://as.example/device", None);
        show.see(Observed::Sent {
            purpose: Purpose::TokenExchange,
            method: "POST",
            url: "https://idp.example/token",
        });
        assert!(!show.is_requesting());
        show.see(Observed::Answered { purpose: Purpose::TokenExchange, status: Some(200), took });
        show.see(Observed::Requested { operation, url, authorized: true, bound: true });
        assert!(show.is_requesting());
        show.asked(None, "signer", "sign a proof of the key with ES256", Some(took));
        show.asserted("POST https://mcp.example/mcp, this token", "RFC 9449 §4.2");
        show.see(Observed::Responded { operation, status: 401, took });
        show.see(Observed::NonceWanted { operation });
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let expected = "
Consent
   1  client  → person               AB-CD, to be typed at https://as.example/device

Identity provider
   2  client  → identity provider    POST /token                                                200    - ms

Request: tools/list
   3  client  → signer               sign a proof of the key with ES256                          ok    - ms
      · POST https://mcp.example/mcp, this token                          RFC 9449 §4.2
   4  client  → MCP server           POST /mcp · Authorization: DPoP … and a proof              401    - ms
      → the server wants its nonce in the proof                           RFC 9449 §9
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_login_reads_as_a_story() {
        let page = Page::default();
        let show = Show::new(
            Box::new(anstream::StripStream::new(Box::new(page.clone()) as Box<dyn Write + Send>)),
            false,
        );
        let took = Duration::from_millis(3);
        let entry = Entry {
            at: mcp_auth::Timestamp::from_secs(1),
            verdict: Verdict::Checked,
            url: None,
            status: None,
            note: "the resource covers the server's URL".into(),
            clause: Some("RFC 9728 §3.3".into()),
        };
        let url = "https://mcp.example/.well-known/oauth-protected-resource/mcp";
        for observed in [
            Observed::Requested {
                operation: "tools/list",
                url: "https://mcp.example/mcp",
                authorized: false,
                bound: false,
            },
            Observed::Responded { operation: "tools/list", status: 401, took },
            Observed::Sent { purpose: Purpose::ResourceMetadata, method: "GET", url },
            Observed::Answered { purpose: Purpose::ResourceMetadata, status: Some(200), took },
            Observed::Noted(&entry),
            Observed::Opened { url: "https://as.example/authorize" },
        ] {
            show.see(observed);
        }
        show.browsed("authorization server", "POST", "https://as.example/consent", 302, None);
        show.browsed("client", "GET", "/callback?code=hush&state=hush&iss=https%3A%2F%2Fa", 200, Some(took));
        for observed in [
            Observed::Sent { purpose: Purpose::Token, method: "POST", url: "https://as.example/token" },
            Observed::Answered { purpose: Purpose::Token, status: None, took },
        ] {
            show.see(observed);
        }
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let expected = "
Request: tools/list
   1  client  → MCP server           POST /mcp · no token                                       401    - ms

Discovery
   2  client  → MCP server           GET /.well-known/oauth-protected-resource/mcp              200    - ms
      ✓ the resource covers the server's URL                              RFC 9728 §3.3

Consent
   3  browser → authorization server GET /authorize
   4  browser → authorization server POST /consent                                              302
   5  browser → client               GET /callback?code=…&state=…&iss=https://a                 200    - ms

Token
   6  client  → authorization server POST /token                                                no answer    - ms
";
        assert_eq!(text, expected);
    }
}
