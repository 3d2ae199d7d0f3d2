//! Those who give consent: scripted or by hand, in the browser of the same machine or on another device.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mcp_auth::{Callback, Timestamp};
use mcp_auth_native::{Listener, browser};
use mcp_auth_reqwest::{Answers, BoxFuture, Consent, DeviceCode, Shown};
use mcp_auth_testbed::{Purpose, Role, World};
use url::{Url, form_urlencoded};

use super::browser::{Browser, form_of};
use crate::show::Show;

/// How long the scripted person looks for the other device, the first time: longer than the client rests between two
/// questions, so that one of them comes too early.
const LOOKING: Duration = Duration::from_millis(1200);

/// Shows what a person's browser did: what it asked of the authorization server, by that server's own record, and
/// what it brought.
pub(super) struct Browsed {
    show: Show,
    world: Arc<Mutex<World>>,
    /// How many of the exchanges have been looked at.
    shown: Mutex<usize>,
}

impl Browsed {
    pub(super) fn new(show: Show, world: Arc<Mutex<World>>) -> Self {
        Self { show, world, shown: Mutex::new(0) }
    }

    /// Shows what has been asked since the last time.
    pub(super) fn catch_up(&self) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        for exchange in world.exchanges().iter().skip(*shown) {
            let browsers = matches!(exchange.purpose, Purpose::Authorize | Purpose::Other);
            if browsers && matches!(exchange.role, Role::AuthorizationServer(_)) {
                let url = format!("{}{}", exchange.origin, exchange.path);
                self.show.section("Consent");
                self.show.browsed("authorization server", &exchange.method, &url, exchange.status, None);
            }
        }
        *shown = world.exchanges().len();
    }

    /// The same, and what the browser has brought to the client.
    pub(super) fn heard(&self, callback: &str) {
        self.catch_up();
        // The page that says so is sent once the answer is handed over.
        self.show.browsed("client", "GET", callback, 200, None);
    }
}

/// A person who always consents: the authorization server redirects at once, and the browser follows.
pub(super) struct Scripted {
    listener: Arc<tokio::sync::Mutex<Listener>>,
    browser: Browser,
}

impl Scripted {
    pub(super) fn new(listener: Listener, show: Show) -> Self {
        Self { listener: Arc::new(tokio::sync::Mutex::new(listener)), browser: Browser::new(show) }
    }
}

impl Consent for Scripted {
    fn open(&self, url: Url, _until: Timestamp) -> Box<dyn Answers> {
        Box::new(Visit { url: Some(url), listener: self.listener.clone(), browser: self.browser.clone() })
    }
}

struct Visit {
    /// What is still to be opened.
    url: Option<Url>,
    listener: Arc<tokio::sync::Mutex<Listener>>,
    browser: Browser,
}

impl Visit {
    /// Goes where the authorization server sends the browser, and gives what reached the client. The browser is shown that
    /// its answer has arrived, because nothing else is done before it has seen that.
    async fn follow(&self, url: &Url) -> Result<Callback, String> {
        let page = self.browser.get("authorization server", url.as_str(), url.path()).await?;
        let callback = page.location.ok_or("the scripted browser was not sent back to the client")?;
        let arrives = async {
            let received = self.listener.lock().await.next().await;
            Callback::new(received.callback().to_owned())
        };
        let (arrived, page) = tokio::join!(arrives, self.browser.get("client", &callback, &callback));
        match page?.status {
            200 => Ok(arrived),
            status => Err(format!("the client answered the scripted browser with status {status}")),
        }
    }
}

impl Answers for Visit {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        Box::pin(async {
            let Some(url) = &self.url else { return std::future::pending().await };
            let answer = self.follow(url).await;
            self.url = None;
            answer
        })
    }
}

/// A person with another device, who types the code that this one shows.
pub(super) struct OtherDevice {
    show: Show,
    by_hand: bool,
    /// Whether the device has been found.
    found: Mutex<bool>,
}

impl OtherDevice {
    /// `by_hand`: the page is opened in the browser of whoever sits here.
    pub(super) fn new(show: Show, by_hand: bool) -> Self {
        Self { show, by_hand, found: Mutex::new(false) }
    }
}

impl Consent for OtherDevice {
    fn open(&self, _url: Url, _until: Timestamp) -> Box<dyn Answers> {
        Box::new(NoBrowser)
    }

    fn show(&self, code: DeviceCode) -> Result<Shown, String> {
        let what = format!("{}, to be typed at {}", code.user_code, code.verification_uri);
        self.show.asked(Some("Consent"), "person", &what, None);
        if self.by_hand {
            let url = code.verification_uri_complete.unwrap_or(code.verification_uri);
            eprintln!("\nOpening the browser. If none appears, open this URL yourself:\n\n  {url}\n");
            // The URL has passed the guard, and goes to the browser as an argument, not through a shell.
            std::thread::spawn(move || {
                if let Err(why) = browser::open(&url) {
                    eprintln!("{why}.");
                }
            });
            return Ok(Box::new(()));
        }
        let again = std::mem::replace(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner), true);
        let (show, browser) = (self.show.clone(), Browser::new(self.show.clone()));
        tokio::spawn(async move {
            if !again {
                tokio::time::sleep(LOOKING).await;
            }
            show.section("Consent");
            if let Err(why) = consent(&browser, &code).await {
                // The client goes on asking until the code expires; whoever looks on sees why.
                show.say(&format!("the scripted person cannot consent: {why}"));
            }
        });
        // What stands in a terminal stays there.
        Ok(Box::new(()))
    }
}

/// Opens the page, types the code and allows what it asks.
async fn consent(browser: &Browser, code: &DeviceCode) -> Result<(), String> {
    const WHOM: &str = "authorization server";
    let url = &code.verification_uri;
    browser.get(WHOM, url.as_str(), url.path()).await?;
    let mut typed = url.clone();
    typed.query_pairs_mut().append_pair("user_code", &code.user_code);
    let page = browser.get(WHOM, typed.as_str(), typed.as_str()).await?;
    let (action, request) = form_of(&page.body).ok_or("the page does not ask for consent")?;
    let request: String = form_urlencoded::byte_serialize(request.as_bytes()).collect();
    let form = format!("request={request}&decision=allow");
    match browser.post(WHOM, &action, &form).await?.status {
        200 => Ok(()),
        status => Err(format!("the consent was answered with status {status}")),
    }
}

struct NoBrowser;

impl Answers for NoBrowser {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        Box::pin(std::future::ready(Err("there is no browser here".to_owned())))
    }
}
