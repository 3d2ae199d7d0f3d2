//! What a scrubbed trace must not show where names are replaced too: the server's own URL may be the secret.
use std::ops::ControlFlow::{Break, Continue};

use http::Response;
use mcp_auth::policy::Policy;
use mcp_auth::trace::{Names, Trace};
use mcp_auth::{Action, Callback, Config, Event, Purpose, Saving, Scopes};

#[path = "support/driven.rs"]
mod driven;
#[path = "support/recording.rs"]
#[allow(dead_code, reason = "what else a recording can do is for other tests")]
mod recording;
use driven::driven;

const PRM: &str = r#"{"resource":"https://mcp.tenant-seven.example/s/k3y0f7h3host/mcp","authorization_servers":["https://as.example"]}"#;
const AS: &str = r#"{"issuer":"https://as.example","authorization_endpoint":"https://as.example/authorize","token_endpoint":"https://as.example/token","registration_endpoint":"https://as.example/register","response_types_supported":["code"],"code_challenge_methods_supported":["S256"],"token_endpoint_auth_methods_supported":["none"]}"#;
const TOKEN: &str = r#"{"access_token":"plain-access-token","token_type":"Bearer","expires_in":3600}"#;

type Answer = Response<Vec<u8>>;

fn answer(status: u16, body: &str) -> Answer {
    Response::builder().status(status).body(body.as_bytes().to_vec()).unwrap()
}

/// A login at a server whose path is a secret, with another answer where `odd` has one; as it was, and with names replaced.
fn run(scopes: &str, odd: impl Fn(Purpose, &str) -> Option<Answer>) -> (String, String, bool) {
    let url = "https://mcp.tenant-seven.example/s/k3y0f7h3host/mcp";
    let config = Config::new(url, "Example", "http://127.0.0.1:3000/callback");
    let config = config.policy(Policy::with(|it| it.ask_for_client = true));
    let (mut callback, mut fine) = (None, false);
    let begin = Event::LogIn { scopes: Scopes::parse(scopes).unwrap() };
    let (text, _) = driven(config, begin, |action| {
        Continue(match action {
            Action::Load(load) => Some(load.reply(None)),
            Action::Store(save) => Some(save.reply(Saving::Kept)),
            Action::Forget(it) => Some(it.reply(true)),
            Action::Send(send) => {
                let own = || match send.purpose() {
                    Purpose::ResourceMetadata => answer(200, PRM),
                    Purpose::ServerMetadata => answer(200, AS),
                    Purpose::Registration => answer(201, r#"{"client_id":"c-1"}"#),
                    _ => answer(200, TOKEN),
                };
                let answer = odd(send.purpose(), send.request().uri().path()).unwrap_or_else(own);
                Some(send.reply(answer))
            }
            Action::Ask(ask) => Some(ask.reply("https://app.tenant-ten.example/client.json", None)),
            Action::Open(open) => {
                let state = open.url().query_pairs().find(|(name, _)| name == "state");
                callback = state.map(|(_, state)| format!("/callback?state={state}&code=the-code"));
                None
            }
            Action::Wait(Some(_)) => {
                Some(callback.take().map_or(Event::Tick, |it| Event::Called(Callback::new(it))))
            }
            Action::Wait(None) => unreachable!(),
            Action::Finish(outcome) => {
                fine = outcome.is_ok();
                return Break(());
            }
            _ => None,
        })
    });
    let scrubbed = Trace::read(&text).unwrap().scrub(Names::Replaced).unwrap();
    scrubbed.replay().unwrap();
    (text, scrubbed.to_string(), fine)
}

fn hidden((text, scrubbed, _): &(String, String, bool), names: &[&str]) {
    for name in names {
        assert!(text.contains(name), "{name} is not there to be hidden");
        let line = scrubbed.lines().find(|line| line.contains(name));
        assert!(line.is_none(), "{name} in {}", line.unwrap());
    }
}

const SECRET: [&str; 2] = ["k3y0f7h3host", "tenant-seven"];

/// Whether it is the first place where metadata is looked for.
fn is_first(purpose: Purpose, path: &str) -> bool {
    purpose == Purpose::ResourceMetadata && path.ends_with("/mcp")
}

fn first_miss(body: &'static str) -> impl Fn(Purpose, &str) -> Option<Answer> {
    move |purpose, path| is_first(purpose, path).then(|| answer(404, body))
}

#[test]
fn by_the_book() {
    let run = run("", |_, _| None);
    assert!(run.2);
    hidden(&run, &SECRET);
}

/// Express says what it could not get.
#[test]
fn a_page_that_quotes_the_path() {
    hidden(
        &run(
            "",
            first_miss("<pre>Cannot GET /.well-known/oauth-protected-resource/s/k3y0f7h3host/mcp</pre>"),
        ),
        &SECRET,
    );
}

#[test]
fn a_text_that_quotes_the_path() {
    hidden(&run("", first_miss("no such page: /s/k3y0f7h3host/mcp")), &SECRET);
}

/// Spring Boot does the same in JSON.
#[test]
fn a_document_that_quotes_the_path() {
    hidden(
        &run(
            "",
            first_miss(
                r#"{"status":404,"error":"Not Found","path":"/.well-known/oauth-protected-resource/s/k3y0f7h3host/mcp"}"#,
            ),
        ),
        &SECRET,
    );
}

#[test]
fn a_page_of_scripts() {
    hidden(
        &run(
            "",
            first_miss(
                r#"<html><script src="//cdn.tenant-eight.example/a.js"></script><script>x={"api":"https:\/\/api.tenant-nine.example\/v1"}</script></html>"#,
            ),
        ),
        &["k3y0f7h3host", "tenant-seven", "tenant-eight", "tenant-nine"],
    );
}

#[test]
fn names_of_members() {
    hidden(
        &run(
            "",
            first_miss(r#"{"https://x.tenant-eight.example/claims":1,"claims":{"/s/k3y0f7h3host/mcp":2}}"#),
        ),
        &["k3y0f7h3host", "tenant-seven", "tenant-eight"],
    );
}

/// The first place of metadata sends on to another.
fn first_moved(status: u16, place: &str) -> impl Fn(Purpose, &str) -> Option<Answer> {
    move |purpose, path| {
        let moved = || Response::builder().status(status).header("location", place);
        is_first(purpose, path).then(|| moved().body(Vec::new()).unwrap())
    }
}

/// A redirect to the same with a slash, as frameworks send it.
#[test]
fn a_relative_location() {
    let run = run("", first_moved(307, "/.well-known/oauth-protected-resource/s/k3y0f7h3host/mcp/"));
    assert!(run.2);
    hidden(&run, &SECRET);
}

#[test]
fn a_location_that_quotes_the_path() {
    let place = "https://mcp.tenant-seven.example/login?next=%2Fs%2Fk3y0f7h3host%2Fmcp&at=https%3A%2F%2Fwww.tenant-eight.example%2F";
    let run = run("", first_moved(302, place));
    hidden(&run, &SECRET);
}

#[test]
fn an_error_that_quotes_the_path() {
    let run = run("", |purpose, _| {
        let body = r#"{"error":"invalid_target","error_description":"/s/k3y0f7h3host/mcp is not known, nor k3y0f7h3host"}"#;
        (purpose == Purpose::Token).then(|| answer(400, body))
    });
    hidden(&run, &SECRET);
}

#[test]
fn scopes_that_are_urls() {
    let run = run("https://api.tenant-eight.example/k3y0f7h3host/read", |_, _| None);
    assert!(run.2);
    hidden(&run, &["k3y0f7h3host", "tenant-eight"]);
}

#[test]
fn a_client_that_a_person_names() {
    let run = run("", |purpose, _| {
        (purpose == Purpose::ServerMetadata)
            .then(|| answer(200, &AS.replace("registration_endpoint", "x_endpoint")))
    });
    hidden(&run, &["k3y0f7h3host", "tenant-seven", "tenant-ten"]);
}

#[test]
fn hosts_in_other_letters() {
    for (host, said) in [
        ("b\u{fc}cher.tenant-eight.example", "b\u{fc}cher.tenant-eight.example"),
        ("www.tenant-eight.example.", "www.tenant-eight.example"),
        ("www.tenant-eight.example:443", "WWW.TENANT-EIGHT.EXAMPLE"),
        ("www%2Etenant-eight.example", "www%2Etenant-eight.example"),
    ] {
        let run = run("", |purpose, _| {
            let body = format!(
                r#"{{"error":"invalid_target","error_description":"ask https://{host}/x ({said})"}}"#
            );
            (purpose == Purpose::Token).then(|| answer(400, &body))
        });
        let left = run.1.to_lowercase();
        assert!(!left.contains("tenant-eight"), "{said} in {}", run.1.lines().last().unwrap());
    }
}

/// However many hosts there are.
#[test]
fn very_many_hosts_are_replaced_in_time() {
    let hosts: Vec<_> = (0..12_000).map(|n| format!("https://h{n}.x.example")).collect();
    let text = format!("{{\"a\":\"{}\"}}", hosts.join(" "));
    let list =
        format!("{{\"a\":[{}]}}", hosts.iter().map(|it| format!("\"{it}\"")).collect::<Vec<_>>().join(","));
    for body in [text, list] {
        let began = std::time::Instant::now();
        run("", |purpose, path| is_first(purpose, path).then(|| answer(404, &body)));
        assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    }
}

/// A segment may be called as a half of a media type is, or as a word of the protocol.
#[test]
fn segments_that_are_words_of_the_protocol() {
    for word in
        ["x-www-form-urlencoded", "json", "html", "authorization_code", "openid", "S256", "none", "client_id"]
    {
        let (text, scrubbed, fine) = run("openid", |purpose, _| match purpose {
            Purpose::ServerMetadata => {
                Some(answer(200, &AS.replace("https://as.example/", &format!("https://as.example/{word}/"))))
            }
            Purpose::Token => {
                let kind = "application/x-www-form-urlencoded; charset=utf-8";
                let body = b"access_token=plain-access-token&token_type=Bearer&scope=openid".to_vec();
                Some(Response::builder().header("content-type", kind).body(body).unwrap())
            }
            _ => None,
        });
        assert!(fine && text.contains(word), "{word}");
        assert!(scrubbed.contains("\"authorized\"") && !scrubbed.contains("charset"), "{word}: {scrubbed}");
    }
}

/// A token may be called as a member of a document is; the member keeps its name.
#[test]
fn a_token_that_is_called_as_a_member() {
    let run = run("", |purpose, _| {
        let body = r#"{"access_token":"token_endpoint","token_type":"Bearer","expires_in":3600}"#;
        (purpose == Purpose::Token).then(|| answer(200, body))
    });
    assert!(
        run.2 && run.1.contains(r#"\"token_endpoint\":"#) && !run.1.contains(r#"\"token_endpoint\","#),
        "{}",
        run.1
    );
}
