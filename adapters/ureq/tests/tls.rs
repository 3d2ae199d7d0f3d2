//! A server whose certificate is not good is told nothing: RFC 6750 §5.3, RFC 8414 §6.2, RFC 9728 §7.3.

mod served;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use http::header::AUTHORIZATION;
use mcp_auth::Config;
use mcp_auth_ureq::ureq::tls::{Certificate, RootCerts, TlsConfig};
use mcp_auth_ureq::{Error, ureq};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A certificate, and its key.
type Presented = (&'static [u8], &'static [u8]);

macro_rules! certificate {
    ($name:literal) => {
        include_bytes!(concat!("../../reqwest/tests/certificates/", $name, ".der"))
    };
}

const AUTHORITY: &[u8] = certificate!("authority");
const GOOD: Presented = (certificate!("good"), certificate!("good.key"));
const OTHER_NAME: Presented = (certificate!("other"), certificate!("other.key"));
const EXPIRED: Presented = (certificate!("expired"), certificate!("expired.key"));

/// The port of a server that presents this, and how many bytes of requests it was told.
fn serve((certificate, key): Presented) -> (u16, Arc<AtomicUsize>) {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = config.with_single_cert(vec![CertificateDer::from(certificate)], key).unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    let told = Arc::new(AtomicUsize::new(0));
    let counted = told.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut stream =
                StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), socket.unwrap());
            let mut request = [0; 4096];
            // A handshake that fails is an error here.
            let Ok(count) = stream.read(&mut request) else { continue };
            counted.fetch_add(count, Ordering::SeqCst);
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    (port, told)
}

/// What comes of a request with a token, and how many bytes the server was told.
fn ask(presented: Presented, trusted: bool) -> (Result<u16, Error>, usize) {
    let (port, told) = serve(presented);
    let server = format!("https://localhost:{port}/mcp");
    let builder = move || match trusted {
        false => ureq::Agent::config_builder(),
        true => {
            let authority = Certificate::from_der(AUTHORITY).to_owned();
            let roots = RootCerts::new_with_certs(&[authority]);
            ureq::Agent::config_builder().tls_config(TlsConfig::builder().root_certs(roots).build())
        }
    };
    let config = Config::new(&server, "Visitor", "http://127.0.0.1:3000/callback");
    let client = served::builder(config).http(builder).build().unwrap();
    let mut request = Request::get(&server).body(Vec::new()).unwrap();
    request.headers_mut().insert(AUTHORIZATION, "Bearer the-callers-own".parse().unwrap());
    let answer = client.send(request).map(|answer| answer.status().as_u16());
    (answer, told.load(Ordering::SeqCst))
}

#[test]
fn a_certificate_that_is_not_good_ends_it_before_anything_is_said() {
    let (answer, told) = ask(GOOD, true);
    assert_eq!(answer.expect("a good certificate is taken"), 204);
    assert!(told > 0);
    for (what, presented, trusted) in [
        ("of an authority that nobody trusts", GOOD, false),
        ("for another name", OTHER_NAME, true),
        ("that has expired", EXPIRED, true),
    ] {
        let (answer, told) = ask(presented, trusted);
        let error = answer.expect_err(what);
        assert!(matches!(error, Error::Transport { .. }), "{what}: {error:?}");
        assert_eq!(told, 0, "a server with a certificate {what} was told something");
    }
}
