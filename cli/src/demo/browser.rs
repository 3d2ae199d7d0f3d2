//! As much of a browser as scripted people need, on loopback.

use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Url;

use crate::show::Show;

/// Shows each request that it makes.
#[derive(Clone)]
pub(super) struct Browser(Show);

/// What came back.
pub(super) struct Page {
    pub(super) status: u16,
    /// Where a redirect leads.
    pub(super) location: Option<String>,
    pub(super) body: String,
}

impl Browser {
    pub(super) fn new(show: Show) -> Self {
        Self(show)
    }

    /// One GET, shown as `shown`.
    pub(super) async fn get(&self, whom: &str, url: &str, shown: &str) -> Result<Page, String> {
        self.ask(whom, url, shown, None).await
    }

    /// One POST of a form.
    pub(super) async fn post(&self, whom: &str, url: &str, form: &str) -> Result<Page, String> {
        self.ask(whom, url, url, Some(form)).await
    }

    async fn ask(&self, whom: &str, url: &str, shown: &str, form: Option<&str>) -> Result<Page, String> {
        let began = Instant::now();
        let page = exchange(url, form).await;
        let page = page.map_err(|error| format!("the scripted browser, {whom}: {error}"))?;
        let method = if form.is_some() { "POST" } else { "GET" };
        self.0.browsed(whom, method, shown, page.status, Some(began.elapsed()));
        Ok(page)
    }
}

async fn exchange(url: &str, form: Option<&str>) -> std::io::Result<Page> {
    let url = Url::parse(url).map_err(std::io::Error::other)?;
    let address = url.socket_addrs(|| None)?;
    let mut stream = tokio::net::TcpStream::connect(address.as_slice()).await?;
    let target = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let fields = format!("Host: {}\r\nConnection: close\r\n", url.authority());
    let request = match form {
        None => format!("GET {target} HTTP/1.1\r\n{fields}\r\n"),
        Some(form) => format!(
            "POST {target} HTTP/1.1\r\n{fields}Content-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        ),
    };
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(64 << 10).read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other("no HTTP came"))?;
    let location = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
    });
    Ok(Page { status, location, body: body.to_owned() })
}

/// The form with which the testbed's page asks for consent: where it goes, and what it stands for.
pub(super) fn form_of(page: &str) -> Option<(String, String)> {
    let (_, rest) = page.split_once("<form method=\"post\" action=\"")?;
    let (action, rest) = rest.split_once('"')?;
    let (_, rest) = rest.split_once("name=\"request\" value=\"")?;
    let (request, _) = rest.split_once('"')?;
    Some((action.to_owned(), request.to_owned()))
}
