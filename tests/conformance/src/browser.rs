//! The person with a browser: the suite's authorization endpoint consents at once.

use http::StatusCode;
use http::header::LOCATION;

use crate::http_client;

/// Opens authorization URLs and hands back where they lead.
#[derive(Clone)]
pub(crate) struct Browser {
    client: reqwest::Client,
}

impl Browser {
    /// The client must not follow redirects: nobody listens at the redirect URI.
    pub(crate) fn new(client: reqwest::Client) -> Self {
        Self { client }
    }

    /// The callback: the redirect URI with `code`, `state` and the rest, exactly as the server wrote it.
    pub(crate) async fn open(&self, authorization_url: &str) -> Result<String, String> {
        let answer = self.client.get(authorization_url).send().await;
        let answer =
            answer.map_err(|error| format!("authorization endpoint: {}", http_client::describe(error)))?;
        if answer.status() != StatusCode::FOUND {
            return Err(format!("the authorization endpoint answered {}, not 302", answer.status().as_u16()));
        }
        let mut locations = answer.headers().get_all(LOCATION).iter();
        match (locations.next(), locations.next()) {
            (Some(location), None) => {
                let text = location.to_str().map_err(|_| "the callback is not ASCII".to_owned())?;
                Ok(text.to_owned())
            }
            (None, _) => Err("the authorization endpoint answered 302 without a Location".to_owned()),
            (Some(_), Some(_)) => Err("the authorization endpoint answered with two Locations".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Browser;
    use crate::http_client;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// What the browser makes of one canned answer.
    async fn open(answer: &'static str) -> Result<String, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/authorize?state=hidden", listener.local_addr().unwrap());
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        };
        let browser = Browser::new(http_client::build().unwrap());
        let (request, callback) = tokio::join!(server, browser.open(&url));
        assert!(request.starts_with("GET /authorize?state=hidden HTTP/1.1\r\n"), "{request}");
        callback
    }

    #[tokio::test]
    async fn the_location_is_handed_back_as_it_is() {
        let answer = "HTTP/1.1 302 Found\r\nLocation: http://localhost:3000/callback?code=a%2fb&iss=http://x\r\n\
                      Content-Length: 0\r\nConnection: close\r\n\r\n";
        assert_eq!(
            open(answer).await.as_deref(),
            Ok("http://localhost:3000/callback?code=a%2fb&iss=http://x")
        );
    }

    #[tokio::test]
    async fn an_answer_that_is_no_redirect_is_an_error() {
        for answer in [
            "HTTP/1.1 200 OK\r\nLocation: http://a/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 302 Found\r\nLocation: http://a/\r\nLocation: http://b/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ] {
            assert!(open(answer).await.is_err(), "{answer}");
        }
    }

    #[tokio::test]
    async fn an_error_does_not_show_the_query() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/authorize?state=hidden", listener.local_addr().unwrap());
        drop(listener);
        let error = Browser::new(http_client::build().unwrap()).open(&url).await.unwrap_err();
        assert!(error.starts_with("authorization endpoint: ") && !error.contains("hidden"), "{error}");
    }
}
