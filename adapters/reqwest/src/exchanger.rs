//! HTTP within limits, for whoever looks at servers without logging in.

use std::fmt;
use std::time::Duration;

use mcp_auth::{Reach, SendFailure};

use crate::error::Error;
use crate::exchange::Http;

/// Sends requests as the authorization exchanges of a [`Client`](crate::Client) are sent: to no address outside a
/// reach, judged on what the name resolves to when connecting; without a proxy; no redirect followed; nothing sent
/// twice; within a number of bytes and a time.
///
/// It is for programs that fetch what a server publishes without logging in to it, such as its metadata. It attaches no
/// token, and knows nothing of what it carries. URLs are to pass a [`Guard`](mcp_auth::Guard) first, which also says
/// their reach.
pub struct Exchanger {
    http: Http,
}

impl Exchanger {
    /// With the operating system's trust, and ten seconds to connect.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] where no HTTP client can be built.
    pub fn new() -> Result<Self, Error> {
        // The caller's own requests, for which the server's URL would matter, are not sent here.
        Ok(Self { http: Http::new(None, false, "")? })
    }

    /// One exchange, from the name to the last byte. `max_bytes` is the most of a body that is read.
    ///
    /// # Errors
    ///
    /// [`SendFailure::AddressRefused`] where the host has no address within `reach`, [`SendFailure::TooLarge`] and
    /// [`SendFailure::TimedOut`] where a limit was passed, and the others where no whole answer came.
    pub async fn exchange(
        &self,
        request: http::Request<Vec<u8>>,
        reach: Reach,
        max_bytes: usize,
        within: Duration,
    ) -> Result<http::Response<Vec<u8>>, SendFailure> {
        self.http.exchange(request, reach, max_bytes, within).await
    }

    /// The same up to the header of the answer: what follows it, which may be a stream without end, is not read.
    ///
    /// # Errors
    ///
    /// As with [`Self::exchange`], but for [`SendFailure::TooLarge`].
    pub async fn head(
        &self,
        request: http::Request<Vec<u8>>,
        reach: Reach,
        within: Duration,
    ) -> Result<http::Response<()>, SendFailure> {
        self.http.head(request, reach, within).await
    }
}

impl fmt::Debug for Exchanger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchanger").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_stream_without_end_has_a_header() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: hello\n\n";
            stream.write_all(head).await.unwrap();
            // Until the other side hangs up.
            let _ = stream.read(&mut [0; 1]).await;
        });
        let exchanger = Exchanger::new().unwrap();
        let request = http::Request::post(&url).body(b"{}".to_vec()).unwrap();
        let answer = exchanger.head(request, Reach::Machine, Duration::from_secs(10)).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn an_address_out_of_reach_is_not_connected_to() {
        let exchanger = Exchanger::new().unwrap();
        let request = || http::Request::get("https://127.0.0.1:1/").body(Vec::new()).unwrap();
        let second = Duration::from_secs(1);
        let failed = exchanger.head(request(), Reach::Public, second).await.unwrap_err();
        assert!(matches!(failed, SendFailure::AddressRefused(_)), "{failed:?}");
        let failed = exchanger.exchange(request(), Reach::Public, 10, second).await.unwrap_err();
        assert!(matches!(failed, SendFailure::AddressRefused(_)), "{failed:?}");
    }
}
