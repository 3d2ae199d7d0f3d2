//! What a client does, as a person reads it: numbered exchanges, and under each what was checked and decided.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use mcp_auth::base::text;
use mcp_auth::{Entry, Outcome, Purpose, TokenSource, Verdict};
use mcp_auth_reqwest::Observed;

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const BAD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const WARN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));

/// Where a note's clause begins.
const CLAUSE_COLUMN: usize = 66;

/// The most characters of another's words on one line.
const MAX_WORDS: usize = 600;

/// Prints what it is shown. Clones print to the same place.
#[derive(Clone)]
pub(crate) struct Show(Arc<Mutex<State>>);

struct State {
    out: Box<dyn Write + Send>,
    section: String,
    count: usize,
    sent: Option<Line>,
    /// Exchanges of the machine up to the first token.
    to_token: Option<usize>,
    exchanges: usize,
    timed: bool,
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

    /// Prints elsewhere; `timed`: with how long everything took.
    pub(crate) fn new(out: Box<dyn Write + Send>, timed: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            out,
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

    /// A line of its own, or several.
    pub(crate) fn say(&self, text: &str) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(state.out, "{}", plain(text));
        let _ = state.out.flush();
    }

    /// How many exchanges there were from the refusal to the first token.
    pub(crate) fn exchanges_to_token(&self) -> Option<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).to_token
    }
}

impl State {
    fn see(&mut self, observed: Observed<'_>) -> std::io::Result<()> {
        match observed {
            Observed::Requested { operation, url, authorized } => {
                self.section(&format!("Request: {}", words(operation)))?;
                let carried = if authorized { "Authorization: Bearer …" } else { "no token" };
                self.sent =
                    Some(Line { whom: "MCP server", what: format!("POST {} · {carried}", path(url)) });
            }
            Observed::Responded { status, took, .. } => self.answered(Some(status), took)?,
            Observed::Sent { purpose, method, url } => {
                let (section, whom) = match purpose {
                    Purpose::ResourceMetadata => ("Discovery", "MCP server"),
                    Purpose::Registration => ("Registration", "authorization server"),
                    Purpose::Token => ("Token", "authorization server"),
                    _ => ("Discovery", "authorization server"),
                };
                self.section(section)?;
                self.exchanges += 1;
                self.sent = Some(Line { whom, what: format!("{method} {}", path(url)) });
            }
            Observed::Answered { status, took, .. } => self.answered(status, took)?,
            Observed::Opened { url } => {
                self.section("Consent")?;
                self.count += 1;
                let number = self.count;
                writeln!(
                    self.out,
                    "  {BOLD}{number:>2}{BOLD:#}  browser → {:<20} GET {}",
                    "authorization server",
                    path(url)
                )?;
            }
            Observed::Noted(entry) => self.noted(entry)?,
            Observed::Finished(Ok(Outcome::Authorized(done))) if done.source == TokenSource::LoggedIn => {
                self.to_token.get_or_insert(self.exchanges);
            }
            _ => {}
        }
        self.out.flush()
    }

    fn section(&mut self, name: &str) -> std::io::Result<()> {
        if self.section == name {
            return Ok(());
        }
        name.clone_into(&mut self.section);
        writeln!(self.out, "\n{BOLD}{name}{BOLD:#}")
    }

    fn answered(&mut self, status: Option<u16>, took: Duration) -> std::io::Result<()> {
        let Some(Line { whom, what }) = self.sent.take() else { return Ok(()) };
        self.count += 1;
        let number = self.count;
        let (style, shown) = match status {
            Some(status @ 200..=299) => (GOOD, status.to_string()),
            Some(status) => (WARN, status.to_string()),
            None => (BAD, "no answer".to_owned()),
        };
        let took = if self.timed { format!("{:>4} ms", took.as_millis()) } else { "   - ms".to_owned() };
        writeln!(
            self.out,
            "  {BOLD}{number:>2}{BOLD:#}  client  → {whom:<20} {what:<54} {style}{shown:>3}{style:#} {DIM}{took}{DIM:#}"
        )
    }

    fn noted(&mut self, entry: &Entry) -> std::io::Result<()> {
        let (style, mark) = match entry.verdict {
            Verdict::Checked => (GOOD, "✓"),
            Verdict::Taken => (GOOD, "·"),
            Verdict::Decided => (DIM, "→"),
            Verdict::PassedOver => (WARN, "–"),
            Verdict::Deviation => (WARN, "!"),
            Verdict::Failed => (BAD, "✗"),
            _ => (DIM, " "),
        };
        let (note, clause) = (words(&entry.note), words(entry.clause.as_deref().unwrap_or_default()));
        let width = note.chars().count();
        let gap = " ".repeat(CLAUSE_COLUMN.saturating_sub(width).max(2));
        writeln!(self.out, "      {style}{mark}{style:#} {}{gap}{DIM}{clause}{DIM:#}", note)
    }
}

/// The path of a URL that has no query.
fn path(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    words(rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"))
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
        show.see(Observed::Requested { operation: hostile, url: hostile, authorized: false });
        show.see(Observed::Responded { operation: hostile, status: 200, took: Duration::ZERO });
        show.say(&format!("scopes {}", words(hostile)));
        show.say("one\ntwo\u{1b}[2J");
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        for hidden in ["\u{1b}[2J", "\u{202e}", "\r", "\nb"] {
            assert!(!text.contains(hidden), "{hidden:?} is in {text:?}");
        }
        assert!(text.contains("scopes a\u{fffd}[2J") && text.contains("one\ntwo"), "{text:?}");
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
            },
            Observed::Responded { operation: "tools/list", status: 401, took },
            Observed::Sent { purpose: Purpose::ResourceMetadata, method: "GET", url },
            Observed::Answered { purpose: Purpose::ResourceMetadata, status: Some(200), took },
            Observed::Noted(&entry),
            Observed::Opened { url: "https://as.example/authorize" },
            Observed::Sent { purpose: Purpose::Token, method: "POST", url: "https://as.example/token" },
            Observed::Answered { purpose: Purpose::Token, status: None, took },
        ] {
            show.see(observed);
        }
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let expected = "
Request: tools/list
   1  client  → MCP server           POST /mcp · no token                                   401    - ms

Discovery
   2  client  → MCP server           GET /.well-known/oauth-protected-resource/mcp          200    - ms
      ✓ the resource covers the server's URL                              RFC 9728 §3.3

Consent
   3  browser → authorization server GET /authorize

Token
   4  client  → authorization server POST /token                                            no answer    - ms
";
        assert_eq!(text, expected);
    }
}
