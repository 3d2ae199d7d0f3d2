// Included by each of the programs: what they share, so that only the library differs. A listener as small as it can be, for
// one answer of a browser that the person opens by hand.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

/// What is sent to the MCP server.
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"login","version":"1"}}}"#;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The listener, and the redirect URI that leads to it.
fn listen() -> std::io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let redirect = format!("http://{}/callback", listener.local_addr()?);
    Ok((listener, redirect))
}

/// Shows the person where to consent, and waits for where that leads.
fn consented(listener: &TcpListener, url: &str) -> Result<String, Failure> {
    eprintln!("Open this on this machine:\n{url}");
    let (mut stream, _) = listener.accept()?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line)?;
    let target = line.split(' ').nth(1).ok_or("not a request")?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nDone.")?;
    Ok(format!("http://{}{target}", listener.local_addr()?))
}
