//! `mcp-auth inspect` as a person runs it, against servers with dials and against hostile ones.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use mcp_auth_testbed::{
    AuthorizationServers, Challenge, ChallengeMethods, Dials, Dpop, Fault, InvalidToken, Iss, IssuerValue,
    MetadataRedirect, Purpose, Registration, ResourceMetadata, ResourceValue, ServerMetadata, Trouble,
    UnknownPath, serve,
};
use serde_json::Value;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR"] {
        command.env_remove(name);
    }
    command.arg("inspect");
    command
}

fn inspect(url: &str, arguments: &[&str]) -> Output {
    program().arg(url).args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + std::str::from_utf8(&output.stderr).unwrap()
}

/// What was found, as `id verdict`; without what is as it should be.
fn found(report: &Value, least: &[&str]) -> BTreeSet<String> {
    let checks =
        report["documents"].as_array().unwrap().iter().flat_map(|it| it["checks"].as_array().unwrap());
    let told = checks.map(|it| (it["id"].as_str().unwrap(), it["verdict"].as_str().unwrap()));
    told.filter(|(_, verdict)| least.contains(verdict))
        .map(|(id, verdict)| format!("{id} {verdict}"))
        .collect()
}

/// Servers with these dials, looked at with these arguments. What runs the servers is not kept waiting.
fn looked_at(dials: Dials, arguments: &'static [&'static str]) -> Output {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let served = runtime.block_on(serve(dials)).unwrap();
    let output = inspect(&served.server_url(), arguments);
    let world = served.world();
    for purpose in [Purpose::Registration, Purpose::Authorize, Purpose::Token, Purpose::Revoke] {
        assert_eq!(world.count(purpose), 0, "{purpose:?} was asked for");
    }
    output
}

/// A deviation, what is to be said of it, the exit code, and what a client would do.
struct Case {
    name: &'static str,
    dials: Dials,
    said: &'static [&'static str],
    code: i32,
    client: &'static str,
}

fn case(
    name: &'static str,
    change: impl FnOnce(&mut Dials),
    said: &'static [&'static str],
    code: i32,
    client: &'static str,
) -> Case {
    let mut dials = Dials::default();
    change(&mut dials);
    Case { name, dials, said, code, client }
}

const LOGIN: &str =
    "A client would identify itself by its metadata document, or else register by RFC 7591, at http://";

fn list(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn fault(purpose: Purpose, what: Trouble) -> Vec<Fault> {
    vec![Fault { purpose, nth: 0, what }]
}

fn server_cases() -> Vec<Case> {
    vec![
        case("as it should be", |_| {}, &[], 0, LOGIN),
        case(
            "no challenge",
            |it| it.challenge = Challenge::None,
            &["challenge-present wrong", "bad-token-challenge wrong"],
            1,
            LOGIN,
        ),
        case(
            "a bare challenge",
            |it| it.challenge = Challenge::Bare,
            &["challenge-scope odd", "bad-token-error odd"],
            0,
            LOGIN,
        ),
        case("Bearer last", |it| it.challenge = Challenge::Several, &["challenge-order odd"], 0, LOGIN),
        case(
            "Bearer second in one field",
            |it| it.challenge = Challenge::Joined,
            &["challenge-order odd"],
            0,
            LOGIN,
        ),
        case(
            "a parameter twice",
            |it| it.challenge = Challenge::DuplicatedMetadata,
            &["challenge-parameter-once wrong", "challenge-resource-metadata odd", "prm-advertised wrong"],
            1,
            LOGIN,
        ),
        case(
            "single quotes",
            |it| it.challenge = Challenge::Raw("Bearer scope='files:read', error='invalid_token'".to_owned()),
            &["challenge-grammar wrong", "challenge-error odd"],
            1,
            LOGIN,
        ),
        case(
            "a scope with a quote",
            |it| it.challenge = Challenge::Raw("Bearer scope=\"a\\\"b\", error=\"invalid_token\"".to_owned()),
            &["challenge-scope-grammar wrong", "challenge-scope odd", "challenge-error odd"],
            1,
            LOGIN,
        ),
        case(
            "another scheme",
            |it| it.challenge = Challenge::Raw("Negotiate".to_owned()),
            &["challenge-scheme wrong", "bad-token-challenge wrong"],
            1,
            LOGIN,
        ),
        case("an error at once", |it| it.challenge_error = true, &["challenge-error odd"], 0, LOGIN),
        case("no scope", |it| it.challenge_scope = false, &["challenge-scope odd"], 0, "for `files:read`"),
        case(
            "500 to a bad token",
            |it| it.invalid_token = InvalidToken::InternalError,
            &["bad-token-status wrong"],
            1,
            LOGIN,
        ),
        case(
            "no error for a bad token",
            |it| it.invalid_token = InvalidToken::UnauthorizedPlain,
            &["bad-token-error odd"],
            0,
            LOGIN,
        ),
        case(
            "initialize is open",
            |it| it.unprotected = list(&["initialize"]),
            &["server-open-methods odd"],
            0,
            LOGIN,
        ),
        case(
            "both are open",
            |it| it.unprotected = list(&["initialize", "tools/list"]),
            &["server-status odd"],
            0,
            "A client would connect without a login.",
        ),
        case(
            "403 instead of 401",
            |it| it.faults = fault(Purpose::Mcp, Trouble::Status(403)),
            &["server-status wrong"],
            1,
            "A client would stop at the first request: status 403",
        ),
        case(
            "a redirect",
            |it| {
                it.faults = fault(Purpose::Mcp, Trouble::RedirectTo("https://10.0.0.1/mcp?k=hush".to_owned()))
            },
            &["server-status wrong"],
            1,
            "A client would stop at the first request: status 307",
        ),
        case("tokens that are bound", |it| it.dpop = Some(Dpop::default()), &[], 0, "with a key for DPoP"),
        case(
            "bound by nobody",
            |it| it.dpop = Some(Dpop { advertised: false, ..Dpop::default() }),
            &["as-dpop wrong"],
            1,
            "with a key for DPoP",
        ),
    ]
}

fn resource_cases() -> Vec<Case> {
    vec![
        case(
            "the metadata of another",
            |it| it.resource = ResourceValue::OtherOrigin,
            &["prm-resource-matches wrong"],
            1,
            "A client would stop at the protected resource metadata",
        ),
        case(
            "a sibling",
            |it| it.resource = ResourceValue::SiblingPrefix,
            &["prm-resource-matches wrong"],
            1,
            "A client would stop at the protected resource metadata",
        ),
        case("a parent", |it| it.resource = ResourceValue::Root, &["prm-resource-matches odd"], 0, LOGIN),
        case("at both places", |it| it.resource_metadata = ResourceMetadata::PathAndRoot, &[], 0, LOGIN),
        case(
            "only where the challenge says",
            |it| it.resource_metadata = ResourceMetadata::Custom("/about".to_owned()),
            &["prm-well-known odd"],
            0,
            LOGIN,
        ),
        case(
            "nowhere",
            |it| it.resource_metadata = ResourceMetadata::Nowhere,
            &["prm-found wrong", "legacy-fallback odd"],
            1,
            "by the fallbacks of MCP 2025-03-26",
        ),
        case(
            "a redirect near by",
            |it| it.resource_metadata_redirect = MetadataRedirect::SameOrigin,
            &["prm-status odd"],
            0,
            LOGIN,
        ),
        case(
            "a redirect away",
            |it| it.resource_metadata_redirect = MetadataRedirect::OtherOrigin,
            &["prm-found wrong", "prm-advertised wrong"],
            1,
            "A client would",
        ),
        case(
            "no servers",
            |it| it.authorization_servers = AuthorizationServers::Absent,
            &["prm-authorization-servers wrong"],
            1,
            "A client would stop at the protected resource metadata",
        ),
        case(
            "an empty list of servers",
            |it| it.authorization_servers = AuthorizationServers::Empty,
            &["prm-authorization-servers wrong", "prm-empty wrong"],
            1,
            "A client would stop at the protected resource metadata",
        ),
        case(
            "a private server",
            |it| it.authorization_servers = AuthorizationServers::Raw(list(&["http://169.254.169.254/x"])),
            &["prm-authorization-servers-usable wrong", "as-issuer-url wrong"],
            1,
            "A client would stop at the authorization server metadata",
        ),
        case(
            "offline_access as a need",
            |it| {
                it.resource_scopes = Some(list(&["files:read", "offline_access"]));
                it.required_scopes = list(&["files:read", "offline_access"]);
            },
            &["challenge-scope-offline odd", "prm-scopes-offline odd"],
            0,
            LOGIN,
        ),
        case(
            "no scope token",
            |it| it.resource_scopes = Some(list(&["files:read files:write"])),
            &["prm-scopes-grammar wrong"],
            1,
            LOGIN,
        ),
        case(
            "a page for every path",
            |it| it.unknown_path = UnknownPath::Page,
            &["prm-miss odd", "as-miss odd"],
            0,
            LOGIN,
        ),
        case(
            "too large",
            |it| it.faults = fault(Purpose::ResourceMetadata, Trouble::Oversized(1 << 20)),
            &["prm-found wrong", "prm-advertised wrong"],
            1,
            "A client would",
        ),
        case(
            "half a document",
            |it| it.faults = fault(Purpose::ResourceMetadata, Trouble::Truncated),
            &["prm-found wrong", "prm-advertised wrong", "prm-json wrong"],
            1,
            "A client would",
        ),
        case(
            "ill-typed",
            |it| {
                let body = br#"{"resource":7,"authorization_servers":"x","scopes_supported":[1],"resource_name":null}"#;
                it.faults =
                    fault(Purpose::ResourceMetadata, Trouble::Answer(200, "text/html", body.to_vec()));
            },
            &[
                "prm-resource wrong",
                "prm-types wrong",
                "prm-empty odd",
                "prm-content-type wrong",
                "prm-authorization-servers wrong",
            ],
            1,
            "A client would stop at the protected resource metadata",
        ),
    ]
}

fn authorization_cases() -> Vec<Case> {
    vec![
        case(
            "a dead server first",
            |it| it.authorization_servers = AuthorizationServers::DeadThenFirst,
            &["as-found wrong"],
            1,
            LOGIN,
        ),
        case(
            "OpenID behind a path",
            |it| {
                it.server_metadata = ServerMetadata::OpenidAppended;
                it.issuer_path = "/tenant".to_owned();
            },
            &[],
            0,
            LOGIN,
        ),
        case(
            "no metadata",
            |it| it.server_metadata = ServerMetadata::Nowhere,
            &["as-found wrong"],
            1,
            "A client would stop at the authorization server metadata",
        ),
        case(
            "a slash too many",
            |it| it.issuer = IssuerValue::TrailingSlash,
            &["as-issuer wrong"],
            1,
            "A client would stop at the authorization server metadata",
        ),
        case(
            "another issuer",
            |it| it.issuer = IssuerValue::Other,
            &["as-issuer wrong"],
            1,
            "A client would stop at the authorization server metadata",
        ),
        case(
            "PKCE unsaid",
            |it| it.challenge_methods = ChallengeMethods::Absent,
            &["as-pkce wrong"],
            1,
            "does not advertise PKCE with S256",
        ),
        case(
            "plain only",
            |it| it.challenge_methods = ChallengeMethods::PlainOnly,
            &["as-pkce wrong"],
            1,
            "does not advertise PKCE with S256",
        ),
        case(
            "plain too",
            |it| it.challenge_methods = ChallengeMethods::PlainAndS256,
            &["as-pkce-plain odd"],
            0,
            LOGIN,
        ),
        case("no iss", |it| it.iss = Iss::Absent, &["as-iss odd"], 0, LOGIN),
        case("endpoints elsewhere", |it| it.endpoints_elsewhere = true, &[], 0, LOGIN),
        case(
            "registration only",
            |it| it.client_id_metadata_documents = false,
            &["as-client-id-metadata-document odd"],
            0,
            "A client would register by RFC 7591 at http://",
        ),
        case(
            "by hand",
            |it| {
                it.client_id_metadata_documents = false;
                it.registration = Registration::Absent;
            },
            &["as-client-id-metadata-document odd", "as-registration odd"],
            0,
            "A client would need a client identifier that was registered by hand",
        ),
        case("no list of methods", |it| it.auth_methods = None, &["as-auth-none odd"], 0, LOGIN),
        case(
            "keys only",
            |it| it.auth_methods = Some(list(&["tls_client_auth"])),
            &["as-auth-methods odd", "as-auth-none odd"],
            0,
            LOGIN,
        ),
        case(
            "a scope that is not listed",
            |it| it.server_scopes = Some(list(&["files:write"])),
            &["as-scopes odd"],
            0,
            LOGIN,
        ),
        case(
            "an empty list",
            |it| it.server_scopes = Some(Vec::new()),
            &["as-empty wrong", "as-scopes odd"],
            1,
            LOGIN,
        ),
        case(
            "a redirect away",
            |it| it.server_metadata_redirect = MetadataRedirect::OtherOrigin,
            &["as-found wrong"],
            1,
            "A client would stop at the authorization server metadata",
        ),
        case(
            "503",
            |it| it.faults = fault(Purpose::ServerMetadata, Trouble::Status(503)),
            &["as-found wrong"],
            1,
            "A client would stop at the authorization server metadata",
        ),
        case(
            "503 where clients look first",
            |it| {
                it.server_metadata = ServerMetadata::Everywhere;
                it.faults =
                    vec![Fault { purpose: Purpose::ServerMetadata, nth: 1, what: Trouble::Status(503) }];
            },
            &["as-miss wrong"],
            1,
            LOGIN,
        ),
    ]
}

fn check(cases: Vec<Case>) {
    let mut failed = Vec::new();
    for Case { name, dials, said, code, client } in cases {
        let output = looked_at(dials, &["--json"]);
        let report = json(&output);
        let told = found(&report, &["odd", "wrong"]);
        let expected: BTreeSet<_> = said.iter().map(|said| (*said).to_owned()).collect();
        let summary = report["client"]["summary"].as_str().unwrap();
        let whole = text(&output);
        if told != expected
            || output.status.code() != Some(code)
            || !summary.contains(client)
            || !output.stderr.is_empty()
            || whole.contains("hush")
        {
            failed.push(format!("{name}: {told:?}, {:?}, {summary}", output.status.code()));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn each_deviation_of_the_mcp_server_is_named() {
    check(server_cases());
}

#[test]
fn each_deviation_of_the_resource_metadata_is_named() {
    check(resource_cases());
}

#[test]
fn each_deviation_of_the_authorization_server_is_named() {
    check(authorization_cases());
}

#[test]
fn what_is_worth_knowing_is_noted() {
    let cases = [
        case(
            "bound",
            |it| it.dpop = Some(Dpop::default()),
            &["prm-dpop note", "bad-token-error skipped"],
            0,
            "",
        ),
        case("elsewhere", |it| it.endpoints_elsewhere = true, &["as-endpoint-origins note"], 0, ""),
        case("OpenID", |it| it.server_metadata = ServerMetadata::OpenidAppended, &["as-place note"], 0, ""),
        case("no revocation", |it| it.revocation = false, &["as-revocation note"], 0, ""),
        case("no scopes", |it| it.resource_scopes = None, &["prm-scopes note"], 0, ""),
        case(
            "many servers",
            |it| {
                let servers = (0..6).map(|n| format!("http://localhost:1/{n}")).collect();
                it.authorization_servers = AuthorizationServers::Raw(servers);
            },
            &["as-inspected skipped"],
            1,
            "",
        ),
    ];
    for Case { name, dials, said, code, .. } in cases {
        let output = looked_at(dials, &["--json"]);
        let told = found(&json(&output), &["note", "skipped"]);
        for said in said {
            assert!(told.contains(*said), "{name}: {told:?}");
        }
        assert_eq!(output.status.code(), Some(code), "{name}");
    }
}

#[test]
fn a_person_reads_what_is_wrong_and_what_to_do() {
    let shown = |arguments| {
        let dials = Dials { issuer: IssuerValue::TrailingSlash, iss: Iss::Absent, ..Dials::default() };
        let output = looked_at(dials, arguments);
        assert_eq!(output.status.code(), Some(1));
        text(&output)
    };
    let quiet = shown(&[]);
    for expected in [
        "\nAuthorization server http://127.0.0.1:",
        "\n  ✓ 14 checks passed\n",
        "\n  ✗ the document names the issuer that the resource named, byte for byte",
        "RFC 8414 §3.3\n    as-issuer: http://127.0.0.1:",
        "by a slash at its end\n    → Make authorization_servers and issuer the same text",
        "\n✗ MCP 2026-07-28 is not satisfied: as-issuer\n",
        "\nwrong: 1 wrong, 1 odd, ",
        "\nA client would stop at the authorization server metadata: ",
    ] {
        assert!(quiet.contains(expected), "{expected:?} is missing in\n{quiet}");
    }
    // The worst comes first, and what is well is only counted.
    assert!(quiet.find("as-issuer:") < quiet.find("as-iss:"), "{quiet}");
    assert!(!quiet.contains("prm-found") && !quiet.contains("GET"), "{quiet}");
    assert!(!quiet.contains('\u{1b}'), "colours where nobody sees them");
    let all = shown(&["--verbose"]);
    for expected in
        ["✓ the server publishes protected resource metadata", "prm-found: http://", "GET http://127"]
    {
        assert!(all.contains(expected), "{expected:?} is missing in\n{all}");
    }
}

#[test]
fn endpoints_are_asked_on_demand() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let served = runtime.block_on(serve(Dials::default())).unwrap();
    let output = inspect(&served.server_url(), &["--probe", "--json"]);
    let told = found(&json(&output), &["ok"]);
    for id in ["token-error ok", "authorize-answers ok", "authorize-redirect ok"] {
        assert!(told.contains(id), "{id} is missing in {told:?}");
    }
    assert_eq!(output.status.code(), Some(0));
    let world = served.world();
    let counted = [Purpose::Token, Purpose::Authorize, Purpose::Registration].map(|it| world.count(it));
    assert_eq!(counted, [1, 1, 0]);
}

#[test]
fn the_exit_code_is_for_scripts() {
    let odd = || Dials { iss: Iss::Absent, ..Dials::default() };
    assert_eq!(looked_at(odd(), &[]).status.code(), Some(0));
    assert_eq!(looked_at(odd(), &["--strict"]).status.code(), Some(1));
    assert_eq!(looked_at(Dials::default(), &["--strict"]).status.code(), Some(0));
    for (url, why) in [
        ("mcp.example", "is no absolute URL"),
        ("http://mcp.example/mcp", "is not https"),
        ("https://user:hush@mcp.example/mcp", "carries user info"),
        ("http://127.0.0.1:1/mcp?key=hush", "the MCP server did not answer: no connection: "),
    ] {
        let output = inspect(url, &["--json"]);
        assert_eq!(output.status.code(), Some(2), "{url}");
        let report = json(&output);
        assert_eq!((&report["result"], &report["version"]), (&"error".into(), &1.into()), "{url}");
        assert!(report["error"].as_str().unwrap().contains(why), "{url}: {report}");
        assert!(text(&output).contains("error: ") && !text(&output).contains("hush"), "{url}");
        assert!(inspect(url, &[]).stdout.is_empty(), "{url}");
    }
    assert_eq!(inspect("https://mcp.example/mcp", &["--timeout", "0"]).status.code(), Some(2));
}

/// The members of the report, with their places; the entries of a list count as one.
fn members(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                members(value, &format!("{at}.{name}"), found);
            }
        }
        Value::Array(list) => {
            list.iter().for_each(|value| members(value, &format!("{at}[]"), found));
        }
        _ => {
            found.insert(at.to_owned());
        }
    }
}

#[test]
fn the_form_of_the_report_is_stable() {
    let dials =
        Dials { resource_metadata: ResourceMetadata::PathAndRoot, iss: Iss::Absent, ..Dials::default() };
    let report = json(&looked_at(dials, &["--json"]));
    let mut found = BTreeSet::new();
    members(&report, "", &mut found);
    let found: Vec<_> = found.into_iter().collect();
    let expected = [
        ".client.authorization_server",
        ".client.dpop",
        ".client.legacy",
        ".client.outcome",
        ".client.registration[]",
        ".client.resource",
        ".client.scopes[]",
        ".client.summary",
        ".client.token_endpoint_auth_method",
        ".counts.note",
        ".counts.odd",
        ".counts.ok",
        ".counts.skipped",
        ".counts.wrong",
        ".documents[].checks[].advice",
        ".documents[].checks[].clauses[]",
        ".documents[].checks[].expected",
        ".documents[].checks[].got",
        ".documents[].checks[].id",
        ".documents[].checks[].verdict",
        ".documents[].document",
        ".documents[].exchanges[].bytes",
        ".documents[].exchanges[].content_type",
        ".documents[].exchanges[].failure",
        ".documents[].exchanges[].method",
        ".documents[].exchanges[].milliseconds",
        ".documents[].exchanges[].status",
        ".documents[].exchanges[].url",
        ".documents[].exchanges[].what",
        ".documents[].subject",
        ".format",
        ".result",
        ".revisions[].left_undone[]",
        ".revisions[].revision",
        ".revisions[].satisfied",
        ".url",
        ".version",
    ];
    assert_eq!(found, expected);
    assert_eq!((&report["format"], &report["version"]), (&"mcp-auth-inspect".into(), &1.into()));
    assert_eq!(report["revisions"][1]["left_undone"], serde_json::json!(["as-iss"]));
    assert_eq!(report["revisions"][0]["left_undone"], serde_json::json!([]));
}

/// A server that answers each request, given by its first line, with these bytes; then it waits that long.
fn hostile(answer: impl Fn(&str, &str) -> (Vec<u8>, Duration) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (own, answer) = (origin.clone(), std::sync::Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (own, answer) = (own.clone(), answer.clone());
            std::thread::spawn(move || answered(stream.unwrap(), |line| answer(line, &own)));
        }
    });
    format!("{origin}/mcp")
}

fn answered(mut stream: TcpStream, answer: impl Fn(&str) -> (Vec<u8>, Duration)) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let (bytes, wait) = answer(head.lines().next().unwrap_or_default());
    let _ = stream.write_all(&bytes);
    std::thread::sleep(wait);
}

fn answer(status: &str, fields: &str, body: &[u8]) -> (Vec<u8>, Duration) {
    let head =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{fields}\r\n", body.len());
    ([head.as_bytes(), body].concat(), Duration::ZERO)
}

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn a_slow_server_is_given_up() {
    let url = hostile(|_, _| (b"HTTP/1.1 401 Unauth".to_vec(), Duration::from_secs(30)));
    let began = Instant::now();
    let output = inspect(&url, &["--timeout", "1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("no whole answer in time"), "{}", text(&output));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_slow_document_is_given_up() {
    let url = hostile(|line, _| match line.starts_with("POST") {
        true => answer("401 Unauthorized", "WWW-Authenticate: Bearer\r\n", b""),
        false => (b"HTTP/1.1 200 OK\r\n\r\n{".to_vec(), Duration::from_secs(30)),
    });
    let output = inspect(&url, &["--timeout", "1", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    assert!(found(&report, &["wrong"]).contains("prm-found wrong"));
    assert_eq!(report["documents"][1]["exchanges"][0]["failure"], "no whole answer in time");
}

#[test]
fn an_endless_document_is_given_up() {
    let url = hostile(|line, _| match line.starts_with("POST") {
        true => answer("401 Unauthorized", "WWW-Authenticate: Bearer\r\n", b""),
        false => answer("200 OK", JSON, &[b' '; 2 << 20]),
    });
    let report = json(&inspect(&url, &["--json"]));
    assert_eq!(report["documents"][1]["exchanges"][0]["failure"], "an answer that is too large");
}

/// An answer to the first request that never ends says all that is wanted in its header.
#[test]
fn a_stream_without_end_is_not_waited_for() {
    let url = hostile(|line, _| match line.starts_with("POST") {
        true => (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hi\n\n".to_vec(),
            Duration::from_secs(20),
        ),
        false => answer("404 Not Found", "", b""),
    });
    let began = Instant::now();
    let output = inspect(&url, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(json(&output)["client"]["outcome"], "no_login");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn garbage_does_nothing_to_the_terminal() {
    let long = "x".repeat(5000);
    let url = hostile(move |line, origin| {
        if line.starts_with("POST") {
            let bad = format!(
                "WWW-Authenticate: Bearer scope=\"a\t\u{9b}31m\", x=\"{long}\", error=\"\u{202e}\"\r\n"
            );
            return answer("401 Unauthorized", &bad, b"");
        }
        if line.contains("oauth-protected-resource/mcp") {
            let document = format!(
                "{{\"resource\":\"{origin}/mcp\",\"authorization_servers\":[\"{origin}/\\u001b[2J\\u202e\", \"{origin}\"],\
                 \"scopes_supported\":[\"\\u001b[31m\"],\"resource_name\":\"{}\"}}",
                "y".repeat(2000)
            );
            return answer("200 OK", JSON, document.as_bytes());
        }
        if line.contains("oauth-authorization-server") {
            let document = "{\"issuer\":\"\\u001b]0;hi\\u0007\",\"token_endpoint\":\"javascript:\\u001b[2J\",\
                            \"grant_types_supported\":[\"\\u202e\\r\\n\"]}";
            return answer("200 OK", "Content-Type: \u{9b}2J\u{202e}\r\n", document.as_bytes());
        }
        answer("302 Found", "Location: http://169.254.169.254/\u{9b}2J\u{202e}\r\n", b"")
    });
    for arguments in [&["-v"][..], &[], &["--json"]] {
        let output = program().arg(&url).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        let text = text(&output);
        for hidden in ["\u{1b}", "\u{202e}", "\u{9b}", "\r", "\u{7}"] {
            assert!(!text.contains(hidden), "{hidden:?} is in {text}");
        }
        assert!(text.lines().all(|line| line.chars().count() < 1200), "{text}");
    }
}

#[test]
fn a_redirect_to_a_private_address_is_not_followed() {
    let url = hostile(|line, _| match line.starts_with("POST") {
        true => answer("401 Unauthorized", "WWW-Authenticate: Bearer\r\n", b""),
        false => answer("302 Found", "Location: http://169.254.169.254/latest?token=hush\r\n", b""),
    });
    let output = inspect(&url, &["--json"]);
    let report = json(&output);
    assert_eq!(report["documents"][1]["exchanges"].as_array().unwrap().len(), 2);
    let got = report["documents"][1]["checks"][0]["got"].as_str().unwrap();
    assert!(got.starts_with("302 to http://169.254.169.254/latest at http://127.0.0.1:"), "{got}");
    assert!(!text(&output).contains("hush"));
}

/// A server may send a client in circles.
#[test]
fn circles_are_left() {
    let url = hostile(|line, _| match line.starts_with("POST") {
        true => answer("401 Unauthorized", "WWW-Authenticate: Bearer\r\n", b""),
        false => answer("302 Found", "Location: /again\r\n", b""),
    });
    let report = json(&inspect(&url, &["--json"]));
    assert_eq!(report["documents"][1]["exchanges"].as_array().unwrap().len(), 8);
}
