//! The scripted person with the browser.

use http::Request;

use crate::consent;
use crate::dials::Person;
use crate::message::Asked;
use crate::place::Role;
use crate::world::World;

/// What the person with the browser ended up with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Browsed {
    /// The browser was sent to this callback URL.
    Callback(String),
    /// A page was shown and no redirect followed: an error in the browser, or a consent page that was left.
    Page {
        /// The status of the page; 0 if the connection was closed without an answer.
        status: u16,
        /// The page.
        text: String,
    },
}

impl World {
    /// The scripted person opens an authorization URL, and does what [`Dials::person`](crate::Dials::person) says.
    pub fn browse(&mut self, now: u64, authorization_url: &str) -> Browsed {
        let mut url = authorization_url.to_owned();
        let mut form: Option<String> = None;
        // A browser follows redirects; ours gives up after a few.
        for _ in 0..8 {
            let Some(request) = navigation(&url, form.take()) else {
                return Browsed::Page { status: 0, text: "This is no URL that a browser opens.".to_owned() };
            };
            let Some(answer) = self.answer(now, request) else {
                return Browsed::Page { status: 0, text: "The connection was closed.".to_owned() };
            };
            let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
            if let (true, Some(location)) = (answer.status().is_redirection(), location) {
                url = location.to_owned();
                let role = url.parse().map_or(Role::Nobody, |uri| self.place(&uri).role);
                if role == Role::Nobody {
                    return Browsed::Callback(url);
                }
                continue;
            }
            let status = answer.status().as_u16();
            let text = String::from_utf8_lossy(answer.body()).into_owned();
            let decision = match self.dials().person {
                Person::Allows => "allow",
                Person::Denies => "deny",
                Person::Leaves => return Browsed::Page { status, text },
            };
            let Some((action, ticket)) = consent::read(&text) else {
                return Browsed::Page { status, text };
            };
            url = action;
            form = Some(format!("request={ticket}&decision={decision}"));
        }
        Browsed::Page { status: 0, text: "There were too many redirects.".to_owned() }
    }
}

fn navigation(url: &str, form: Option<String>) -> Option<Asked> {
    let url = url.split('#').next().unwrap_or_default();
    let request = Request::builder().uri(url).header("accept", "text/html");
    match form {
        None => request.method("GET").body(Vec::new()).ok(),
        Some(form) => request
            .method("POST")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.into_bytes())
            .ok(),
    }
}
