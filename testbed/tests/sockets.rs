//! The same login over sockets.

mod login;

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Request, Response};
use login::keys::{Key, hash};
use login::{Answer, Servers, call_tool, get, json_of, post_plain};
use mcp_auth_testbed::call::{self, Wire};
use mcp_auth_testbed::{
    Browsed, Consent, Device, Dials, Dpop, Enterprise, EnterpriseClient, Fault, LoopbackHost, PreRegistered,
    Purpose, Subject, Trouble, serve,
};
use serde_json::json;

/// One connection for each request.
struct Sockets;

impl Sockets {
    fn exchange(request: &Request<Vec<u8>>, host: Option<&str>) -> io::Result<Option<Answer>> {
        let uri = request.uri();
        let authority = uri.authority().unwrap().as_str();
        let mut stream = TcpStream::connect(authority)?;
        let path = uri.path_and_query().unwrap();
        let host = host.unwrap_or(authority);
        let mut head =
            format!("{} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", request.method());
        for (name, value) in request.headers() {
            head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", request.body().len()));
        stream.write_all(head.as_bytes())?;
        stream.write_all(request.body())?;
        let mut answer = Vec::new();
        // A connection closed under the request may be reset.
        let _ = stream.read_to_end(&mut answer);
        if answer.is_empty() {
            return Ok(None);
        }
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status: u16 = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut response = Response::builder().status(status);
        for line in lines {
            let (name, value) = line.split_once(':').unwrap();
            response = response.header(name, value.trim());
        }
        Ok(Some(response.body(answer[end + 4..].to_vec()).unwrap()))
    }
}

impl Servers for Sockets {
    fn send(&mut self, request: Request<Vec<u8>>) -> Answer {
        Self::exchange(&request, None).unwrap().expect("an answer")
    }

    /// A person who presses Allow.
    fn browse(&mut self, url: &str) -> Browsed {
        let page = get(self, url);
        let text = String::from_utf8(page.body().clone()).unwrap();
        let part = |before: &str| text.split_once(before).unwrap().1.split_once('"').unwrap().0.to_owned();
        let ticket = part("name=\"request\" value=\"");
        let form = Request::post(part("<form method=\"post\" action=\""))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("request={ticket}&decision=allow").into_bytes());
        let answer = self.send(form.unwrap());
        assert_eq!(answer.status(), 303);
        Browsed::Callback(answer.headers()["location"].to_str().unwrap().to_owned())
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test]
async fn a_login_over_sockets_by_each_host_name() {
    for host in [LoopbackHost::Address, LoopbackHost::Name] {
        let served = serve(Dials { host, consent: Consent::Page, ..Dials::default() }).await.unwrap();
        let url = served.server_url();
        let status = blocking(move || {
            let (_, _, tokens) = login::login(&mut Sockets, &url, "files:read");
            call_tool(&mut Sockets, &url, "echo", tokens["access_token"].as_str().unwrap()).status()
        });
        assert_eq!(status.await, 200);
        assert_eq!(served.world().count(Purpose::Token), 1);
    }
}

#[tokio::test]
async fn a_dropped_request_and_a_dead_origin_close_the_connection() {
    let fault = Fault { purpose: Purpose::Mcp, nth: 1, what: Trouble::Drop };
    let served = serve(Dials { faults: vec![fault], ..Dials::default() }).await.unwrap();
    let (url, dead) = (served.server_url(), served.origins().dead);
    blocking(move || {
        let ask = |url: &str| Sockets::exchange(&Request::get(url).body(Vec::new()).unwrap(), None).unwrap();
        assert!(ask(&url).is_none());
        assert_eq!(ask(&url).unwrap().status(), 401);
        assert!(ask(&format!("{dead}/")).is_none());
    })
    .await;
}

#[tokio::test]
async fn an_answer_is_cut_off_within_its_body() {
    let fault = Fault { purpose: Purpose::ServerMetadata, nth: 1, what: Trouble::CutOff };
    let served = serve(Dials { faults: vec![fault], ..Dials::default() }).await.unwrap();
    let url = format!("{}/.well-known/oauth-authorization-server", served.world().issuer(0));
    blocking(move || {
        let ask = || Sockets::exchange(&Request::get(&url).body(Vec::new()).unwrap(), None).unwrap().unwrap();
        let (cut, whole) = (ask(), ask());
        assert_eq!((cut.status(), cut.body().len()), (whole.status(), whole.body().len() / 2));
        assert_eq!(cut.headers()["content-length"], whole.headers()["content-length"]);
        assert!(whole.body().starts_with(cut.body()));
    })
    .await;
}

#[tokio::test]
async fn another_host_name_is_refused() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    blocking(move || {
        let request = Request::get(&url).body(Vec::new()).unwrap();
        let answer = Sockets::exchange(&request, Some("rebound.example:80")).unwrap().unwrap();
        assert_eq!(answer.status(), 421);
    })
    .await;
}

#[tokio::test]
async fn nothing_answers_after_the_drop() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    drop(served);
    // The tasks end when the runtime comes round to them.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let request = Request::get(&url).body(Vec::new()).unwrap();
    assert!(blocking(move || Sockets::exchange(&request, None)).await.is_err());
}

#[tokio::test]
async fn the_extensions_over_sockets() {
    let client = EnterpriseClient {
        client_id: "client-there".to_owned(),
        client_secret: None,
        resource_client_id: "client-here".to_owned(),
    };
    let served = serve(Dials {
        clients: vec![PreRegistered::confidential(
            "client-here",
            "secret",
            "client_secret_post",
            login::REDIRECT,
        )],
        enterprise: Some(Enterprise::new(client, "the id token")),
        device: Some(Device::default()),
        dpop: Some(Dpop::default()),
        ..Dials::default()
    });
    let served = served.await.unwrap();
    let (url, resource) = (served.server_url(), served.world().resource());
    let exchange = served.world().token_exchange_endpoint();
    let issuer = served.world().issuer(0);
    blocking(move || {
        let subject = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:id-jag"),
            ("client_id", "client-there"),
            ("audience", issuer.as_str()),
            ("resource", resource.as_str()),
            ("subject_token", "the id token"),
            ("subject_token_type", Subject::ID_TOKEN),
        ];
        let assertion = json_of(&post_plain(&mut Sockets, &exchange, &[], &subject));
        let assertion = assertion["access_token"].as_str().unwrap();

        let key = Key::ed_dsa();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let endpoint = format!("{issuer}/token");
        let proof = key.proof("POST", &endpoint, now, "1", &json!({}));
        let grant = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("client_id", "client-here"),
            ("client_secret", "secret"),
            ("assertion", assertion),
        ];
        let tokens = json_of(&post_plain(&mut Sockets, &endpoint, &[("dpop", &proof)], &grant));
        assert_eq!(tokens["token_type"], "DPoP", "{tokens}");
        let token = tokens["access_token"].as_str().unwrap();
        let proof = key.proof("POST", &url, now, "2", &json!({ "claims": { "ath": hash(token) } }));
        let mut request = call::tool(&url, Wire::Stateless, "echo", "hello").unwrap();
        request.headers_mut().insert("authorization", format!("DPoP {token}").parse().unwrap());
        request.headers_mut().insert("dpop", proof.parse().unwrap());
        assert_eq!(Sockets.send(request).status(), 200);

        let begin =
            [("client_id", "client-here"), ("client_secret", "secret"), ("resource", resource.as_str())];
        let begun =
            json_of(&post_plain(&mut Sockets, &format!("{issuer}/device_authorization"), &[], &begin));
        let page = get(&mut Sockets, begun["verification_uri_complete"].as_str().unwrap());
        assert!(page.status() == 200 && page.body().windows(5).any(|part| part == b"Allow"));
    })
    .await;
    assert_eq!(served.world().count(Purpose::TokenExchange), 1);
}
