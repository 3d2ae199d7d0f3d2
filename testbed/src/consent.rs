//! The page on which a person allows or denies.

use crate::message::{self, Answer};

/// What the page shows.
pub(crate) struct Shown<'a> {
    pub(crate) client: &'a str,
    /// Where the person goes on to; a device has no such place.
    pub(crate) redirect_uri: Option<&'a str>,
    pub(crate) resource: &'a str,
    pub(crate) scopes: &'a [String],
    pub(crate) issuer: &'a str,
    /// Where the form goes.
    pub(crate) action: &'a str,
    /// Stands for the authorization request in the form. It works once.
    pub(crate) ticket: &'a str,
}

const STYLE: &str = "\
:root { color-scheme: light dark; --line: #c8ccd2; --quiet: #5a626d; --accent: #1a5fb4; }
@media (prefers-color-scheme: dark) { :root { --line: #454b54; --quiet: #a5adb8; --accent: #3584e4; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto 2rem; padding: 0 1.25rem; }
h1 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 1.5rem; }
dl { margin: 0 0 2rem; border-top: 1px solid var(--line); }
dt { color: var(--quiet); font-size: .875rem; padding-top: .75rem; }
dd { margin: 0; padding-bottom: .75rem; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
ul { margin: 0; padding-left: 1.25rem; }
form { display: flex; flex-wrap: wrap; gap: .75rem; }
button { font: inherit; padding: .55rem 1.6rem; border-radius: .4rem; border: 1px solid var(--line);
  background: transparent; color: inherit; cursor: pointer; }
button.allow { background: var(--accent); border-color: var(--accent); color: #fff; }
button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
p.note { color: var(--quiet); font-size: .875rem; margin-top: 2rem; }";

pub(crate) fn page(shown: &Shown<'_>) -> Answer {
    let client = escape(shown.client);
    let scopes = if shown.scopes.is_empty() {
        "No particular scope".to_owned()
    } else {
        let items: String =
            shown.scopes.iter().map(|scope| format!("<li><code>{}</code></li>", escape(scope))).collect();
        format!("<ul>{items}</ul>")
    };
    let back = shown
        .redirect_uri
        .map_or_else(String::new, |uri| format!("<dt>You will return to</dt><dd>{}</dd>\n", escape(uri)));
    let content = format!(
        "<h1>{client} asks for access</h1>\n\
         <dl>\n<dt>Resource</dt><dd>{}</dd>\n<dt>Scopes</dt><dd>{scopes}</dd>\n\
         {back}</dl>\n\
         <form method=\"post\" action=\"{}\">\n<input type=\"hidden\" name=\"request\" value=\"{}\">\n\
         <button class=\"allow\" name=\"decision\" value=\"allow\">Allow</button>\n\
         <button name=\"decision\" value=\"deny\">Deny</button>\n</form>\n\
         <p class=\"note\">{} is an authorization server for tests.</p>",
        escape(shown.resource),
        escape(shown.action),
        escape(shown.ticket),
        escape(shown.issuer),
    );
    message::html(200, layout(&format!("Allow {client}?"), &content))
}

/// An error that is told to the person and not to the client, since there is no redirect URI to trust
/// (RFC 6749 §4.1.2.1).
pub(crate) fn error_page(status: u16, words: &str) -> Answer {
    let content = format!("<h1>This request cannot be answered</h1>\n<p>{}</p>", escape(words));
    message::html(status, layout("Error", &content))
}

/// A form for the code that a device shows (RFC 8628 §3.3).
pub(crate) fn code_page(action: &str, words: Option<&str>) -> Answer {
    let note = words.map_or_else(String::new, |words| format!("<p>{}</p>\n", escape(words)));
    let content = format!(
        "<h1>Connect a device</h1>\n{note}<form method=\"get\" action=\"{}\">\n\
         <label for=\"code\">The code that the device shows</label>\n\
         <input id=\"code\" name=\"user_code\" autocomplete=\"off\" autocapitalize=\"characters\">\n\
         <button class=\"allow\">Go on</button>\n</form>",
        escape(action),
    );
    message::html(if words.is_some() { 400 } else { 200 }, layout("Connect a device", &content))
}

/// The end of what a person has to do here.
pub(crate) fn done_page(words: &str) -> Answer {
    let content = format!("<h1>Done</h1>\n<p>{}</p>", escape(words));
    message::html(200, layout("Done", &content))
}

/// The form of a consent page: where it goes, and its ticket. The scripted person reads it so.
pub(crate) fn read(page: &str) -> Option<(String, String)> {
    let (_, rest) = page.split_once("<form method=\"post\" action=\"")?;
    let (action, rest) = rest.split_once('"')?;
    let (_, rest) = rest.split_once("name=\"request\" value=\"")?;
    let (ticket, _) = rest.split_once('"')?;
    Some((unescape(action), unescape(ticket)))
}

fn layout(title: &str, content: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n<main>\n{content}\n</main>\n</body>\n</html>\n"
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Marks that turn the direction of writing could make one text look like another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => escaped.push('\u{fffd}'),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

fn unescape(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_calls_itself_stays_text() {
        let scopes = ["<b>".to_owned()];
        let shown = Shown {
            client: "<script>alert(1)</script>",
            redirect_uri: Some("http://127.0.0.1/?a=\"b\"&c='d'"),
            resource: "https://mcp.example/mcp",
            scopes: &scopes,
            issuer: "https://as.example",
            action: "https://as.example/consent?a&b",
            ticket: "ticket_1",
        };
        let answer = page(&shown);
        let text = String::from_utf8(answer.body().clone()).unwrap();
        assert!(!text.contains("<script") && !text.contains("<b>"));
        assert!(text.contains("&lt;script&gt;") && text.contains("&quot;b&quot;&amp;c=&#39;d&#39;"));
        let read = read(&text).unwrap();
        assert_eq!(read, ("https://as.example/consent?a&b".to_owned(), "ticket_1".to_owned()));
    }
}
