//! A server whose certificate is not good is told nothing: RFC 6750 §5.3, RFC 8414 §6.2, RFC 9728 §7.3.

mod served;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::AUTHORIZATION;
use mcp_auth::Config;
use mcp_auth_reqwest::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

const AUTHORITY: &[u8] = include_bytes!("certificates/authority.der");

struct Presented {
    certificate: &'static [u8],
    key: &'static [u8],
}

const GOOD: Presented = Presented {
    certificate: include_bytes!("certificates/good.der"),
    key: include_bytes!("certificates/good.key.der"),
};
const OTHER_NAME: Presented = Presented {
    certificate: include_bytes!("certificates/other.der"),
    key: include_bytes!("certificates/other.key.der"),
};
const EXPIRED: Presented = Presented {
    certificate: include_bytes!("certificates/expired.der"),
    key: include_bytes!("certificates/expired.key.der"),
};

/// The port of a server that presents this, and how many bytes of requests it was told.
async fn serve(presented: &Presented) -> (u16, Arc<AtomicUsize>) {
    let certificate = CertificateDer::from(presented.certificate);
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(presented.key));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate], key).unwrap()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let told = Arc::new(AtomicUsize::new(0));
    let counted = told.clone();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(socket).await else { continue };
            let mut request = [0; 4096];
            let count = stream.read(&mut request).await.unwrap_or_default();
            counted.fetch_add(count, Ordering::SeqCst);
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });
    (port, told)
}

/// What comes of a request with a token, and how many bytes the server was told.
async fn ask(presented: &Presented, trusted: bool) -> (Result<u16, Error>, usize) {
    let (port, told) = serve(presented).await;
    let server = format!("https://localhost:{port}/mcp");
    let builder = move || {
        let authority = trusted.then(|| reqwest::Certificate::from_der(AUTHORITY).unwrap());
        authority.into_iter().fold(reqwest::Client::builder(), reqwest::ClientBuilder::add_root_certificate)
    };
    let config = Config::new(&server, "Visitor", "http://127.0.0.1:3000/callback");
    let client = served::builder(config).http(builder).build().unwrap();
    let mut request = reqwest::Request::new(http::Method::GET, server.parse().unwrap());
    request.headers_mut().insert(AUTHORIZATION, "Bearer the-callers-own".parse().unwrap());
    let answer = client.send(request).await.map(|answer| answer.status().as_u16());
    (answer, told.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_certificate_that_is_not_good_ends_it_before_anything_is_said() {
    let (answer, told) = ask(&GOOD, true).await;
    assert_eq!(answer.expect("a good certificate is taken"), 204);
    assert!(told > 0);
    for (what, presented, trusted) in [
        ("of an authority that nobody trusts", &GOOD, false),
        ("for another name", &OTHER_NAME, true),
        ("that has expired", &EXPIRED, true),
    ] {
        let (answer, told) = ask(presented, trusted).await;
        let error = answer.expect_err(what);
        assert!(matches!(error, Error::Transport(_)), "{what}: {error:?}");
        assert_eq!(told, 0, "a server with a certificate {what} was told something");
    }
}
