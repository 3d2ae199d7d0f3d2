//! What a browser is given: HTTP around a page.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::page::{Page, Shown};

/// How long a page may take on its way. It fits into what a socket holds, so it takes none unless something is wrong.
const WRITE: Duration = Duration::from_secs(1);
/// How long what else was sent is read afterwards, and how much of it.
const LINGER: Duration = Duration::from_millis(500);
const LEFT_OVER: usize = 64 << 10;

/// What every answer says about itself: it is kept nowhere, tells nobody where it came from, is what it says it is, loads
/// and runs nothing, and is shown in no frame and to no opener.
const FIELDS: &str = "Content-Type: text/html; charset=utf-8\r\n\
    Cache-Control: no-store\r\n\
    Referrer-Policy: no-referrer\r\n\
    X-Content-Type-Options: nosniff\r\n\
    Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    Connection: close\r\n";

/// The answer to what was handed to the host.
pub(super) fn page(shown: &Shown, application: &str) -> String {
    let status = if matches!(shown, Shown::Page(Page::Stranger)) { 400 } else { 200 };
    self::shown(status, shown, application)
}

pub(super) fn shown(status: u16, shown: &Shown, application: &str) -> String {
    response(status, &shown.document(application))
}

pub(super) fn empty(status: u16) -> String {
    response(status, "")
}

fn response(status: u16, document: &str) -> String {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    };
    let allow = if status == 405 { "Allow: GET\r\n" } else { "" };
    let length = document.len();
    format!("HTTP/1.1 {status} {reason}\r\n{FIELDS}{allow}Content-Length: {length}\r\n\r\n{document}")
}

pub(super) fn write(stream: &mut TcpStream, answer: &[u8]) -> io::Result<()> {
    stream.set_write_timeout(Some(WRITE))?;
    stream.write_all(answer)
}

/// Reads what was sent besides, because a connection that is closed before that is reset, and its answer may be lost.
pub(super) fn linger(stream: &mut TcpStream) {
    let began = Instant::now();
    let mut rest = LEFT_OVER;
    let mut part = [0; 2 << 10];
    if stream.shutdown(Shutdown::Write).is_err() {
        return;
    }
    while let Some(left) = LINGER.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) {
        if stream.set_read_timeout(Some(left)).is_err() {
            return;
        }
        match stream.read(&mut part) {
            Ok(count) if count > 0 && count < rest => rest -= count,
            _ => return,
        }
    }
}
