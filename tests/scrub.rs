//! What a scrubbed trace must not show, whatever the spelling in which a server brings it.
use std::ops::ControlFlow::{Break, Continue};
use std::sync::{Arc, Mutex};

use mcp_auth::trace::{Names, Recorder, Trace};
use mcp_auth::{Action, Authorizer, Callback, Config, Event, Purpose, Scopes, Seed, Timestamp};

#[path = "support/driven.rs"]
mod driven;
#[path = "support/recording.rs"]
#[allow(dead_code, reason = "what else a recording can do is for other tests")]
mod recording;
use driven::driven;

struct Server {
    token: Vec<u8>,
    registration: Vec<u8>,
    /// Where the public documents say that there is a page for developers.
    page: &'static str,
    /// Where the answer arrives.
    arrives: &'static str,
    callback: String,
    status: u16,
    fields: Vec<(&'static str, String)>,
    /// That of the MCP server's URL.
    query: &'static str,
    /// That of the authorization endpoint.
    own_query: &'static str,
    account: Option<&'static str>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            token: br#"{"access_token":"plain-access-token","token_type":"Bearer","expires_in":3600}"#
                .to_vec(),
            registration: br#"{"client_id":"c-1","redirect_uris":["http://127.0.0.1:3000/callback"]}"#
                .to_vec(),
            page: "https://as.example/docs",
            arrives: "/callback?",
            callback: String::new(),
            status: 200,
            fields: Vec::new(),
            query: "",
            own_query: "",
            account: None,
        }
    }
}

const PRM: &str = r#"{"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"]}"#;
const AS: &str = r#"{"issuer":"https://as.example","service_documentation":"PAGE","authorization_endpoint":"https://as.example/authorizeQUERY","token_endpoint":"https://as.example/token","registration_endpoint":"https://as.example/register","response_types_supported":["code"],"code_challenge_methods_supported":["S256"],"token_endpoint_auth_methods_supported":["none"]}"#;

/// A recorder, and what it has written so far.
fn recorder(config: &Config) -> (Recorder, Arc<Mutex<String>>) {
    let text = Arc::new(Mutex::new(String::new()));
    let kept = text.clone();
    let sink = move |line: &str| {
        let mut text = kept.lock().unwrap();
        text.push_str(line);
        text.push('\n');
    };
    (Recorder::new(config, &Seed::new([5; 32]), sink), text)
}

/// The original and the scrubbed trace.
fn run(server: &Server) -> (String, String, bool) {
    let (text, fine) = recorded(server);
    let scrubbed = Trace::read(&text).unwrap().scrub(Names::Kept);
    (text, scrubbed.unwrap().to_string(), fine)
}

fn recorded(server: &Server) -> (String, bool) {
    let url = format!("https://mcp.example/mcp{}", server.query);
    let mut config = Config::new(&*url, "Example", "http://127.0.0.1:3000/callback");
    if let Some(account) = server.account {
        config = config.account(account);
    }
    let (mut callback, mut stored, mut fine) = (None, None, Vec::new());
    let (text, _) = driven(config, Event::LogIn { scopes: Scopes::new() }, |action| {
        Continue(match action {
            Action::Load(load) => Some(load.reply(stored.clone())),
            Action::Store(save) => {
                stored = Some(save.credential().clone());
                Some(save.reply(mcp_auth::Saving::Kept))
            }
            Action::Forget(it) => Some(it.reply(true)),
            Action::Send(send) => {
                let (status, body) = match send.purpose() {
                    Purpose::ResourceMetadata => {
                        (200, PRM.replace("https://mcp.example/mcp", &url).into_bytes())
                    }
                    Purpose::ServerMetadata => {
                        (200, AS.replace("PAGE", server.page).replace("QUERY", server.own_query).into_bytes())
                    }
                    Purpose::Registration => (201, server.registration.clone()),
                    Purpose::Token => (server.status, server.token.clone()),
                    _ => (404, Vec::new()),
                };
                let mut response =
                    http::Response::builder().status(status).header("content-type", "application/json");
                if send.purpose() == Purpose::Token {
                    for (name, value) in &server.fields {
                        response = response.header(*name, value);
                    }
                }
                Some(send.reply(response.body(body).unwrap()))
            }
            Action::Open(open) => {
                let state =
                    open.url().query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
                let rest = if server.callback.is_empty() { "code=the-real-code" } else { &server.callback };
                callback = Some(format!("{}state={state}&{rest}", server.arrives));
                None
            }
            Action::Wait(Some(_)) => match callback.take() {
                Some(it) => Some(Event::Called(Callback::new(it))),
                None => Some(Event::Tick),
            },
            Action::Wait(None) => return Break(()),
            Action::Finish(outcome) => {
                fine.push(outcome.is_ok());
                // Once more, with what is stored by now.
                (fine.len() < 2).then_some(Event::LogIn { scopes: Scopes::new() })
            }
            _ => None,
        })
    });
    (text, fine == [true, true])
}

fn hidden(server: &Server, secrets: &[&str]) {
    let (_, scrubbed, _) = run(server);
    let mut shown = Vec::new();
    for secret in secrets {
        if scrubbed.contains(secret) {
            let at = scrubbed.find(secret).unwrap();
            let from = (0..=at.saturating_sub(120)).rev().find(|i| scrubbed.is_char_boundary(*i)).unwrap();
            let to = (at + secret.len() + 60).min(scrubbed.len());
            let to = (to..=scrubbed.len()).find(|i| scrubbed.is_char_boundary(*i)).unwrap();
            shown.push(format!("{secret} in …{}…", &scrubbed[from..to]));
        }
    }
    assert!(shown.is_empty(), "{shown:#?}");
}

fn token(body: &str) -> Server {
    Server { token: body.as_bytes().to_vec(), ..Server::default() }
}

/// The words of the standard that the machine goes by are no secrets where a server calls them its code.
#[test]
fn an_error_that_is_said_twice() {
    for name in ["code", "state", "x"] {
        let body = format!(r#"{{"error":"invalid_grant","{name}":"invalid_grant"}}"#);
        let (_, scrubbed, fine) = run(&Server { status: 400, ..token(&body) });
        assert!(!fine && scrubbed.contains("invalid_grant"));
        Trace::read(&scrubbed).unwrap().replay().unwrap();
    }
}

/// An answer is read in a scrubbed trace as it was read before, be it one or not.
#[test]
fn an_answer_that_arrives_nowhere() {
    let rest = "code=the-real-code".to_owned();
    // The last two are no URLs, so that all of the text is parameters.
    for arrives in ["?", "", "/else?", "x:/y?", "else?code=first&", "\0ttp://x/?code=first&"] {
        let (text, scrubbed, ended) = run(&Server { arrives, callback: rest.clone(), ..Server::default() });
        assert!(ended, "{arrives:?}");
        assert!(text.contains("the-real-code") && !scrubbed.contains("the-real-code"), "{arrives:?}");
        Trace::read(&scrubbed).unwrap().replay().unwrap();
    }
}

#[test]
fn a_token_that_stood_in_public_before() {
    hidden(
        &Server { page: "https://as.example/docs?try=plain-access-token", ..Server::default() },
        &["plain-access"],
    );
}

/// What servers add beside the tokens may be the names of the flow; where those stand elsewhere, they stay.
#[test]
fn members_that_repeat_what_the_record_holds() {
    let server = token(
        r#"{"access_token":"plain-access-token","token_type":"Bearer","expires_in":3600,"a":"https://mcp.example/mcp",
            "b":"https://as.example/token","c":"https://as.example","d":"c-1","e":"none","f":"dynamic"}"#,
    );
    let (_, scrubbed, fine) = run(&server);
    assert!(fine && !scrubbed.contains("plain-access-token"));
    Trace::read(&scrubbed).unwrap().replay().unwrap();
}

/// PHP's json_encode writes `\/`.
#[test]
fn a_solidus_escaped_as_php_does() {
    hidden(
        &token(
            r#"{"access_token":"SECRETa\/SECRETb\/SECRETc","refresh_token":"RSECRET\/RSECRET","token_type":"Bearer","expires_in":3600}"#,
        ),
        &["SECRET"],
    );
}

/// .NET's System.Text.Json writes `\u002B` for `+`.
#[test]
fn a_plus_escaped_as_dotnet_does() {
    hidden(
        &token(
            r#"{"access_token":"SECRETa\u002BSECRETb==","refresh_token":"RSECRET\u002BRSECRET","token_type":"Bearer","expires_in":3600}"#,
        ),
        &["SECRET"],
    );
}

#[test]
fn a_client_secret_in_registration_escaped() {
    hidden(
        &Server {
            registration: br#"{"client_id":"c-1","client_secret":"HUSH\/HUSH","registration_access_token":"HUSH\u002bHUSH","token_endpoint_auth_method":"client_secret_post","redirect_uris":["http://127.0.0.1:3000/callback"]}"#.to_vec(),
            ..Server::default()
        },
        &["HUSH"],
    );
}

#[test]
fn a_member_that_stands_twice() {
    hidden(
        &token(r#"{"access_token":"SECRETone","access_token":"SECRETtwo","token_type":"Bearer"}"#),
        &["SECRETone", "SECRETtwo"],
    );
}

#[test]
fn a_token_that_is_a_number() {
    hidden(&token(r#"{"access_token":90817263549018,"token_type":"Bearer"}"#), &["90817263549018"]);
}

#[test]
fn personal_data_in_numbers() {
    hidden(
        &token(
            r#"{"access_token":"t-123456789","token_type":"Bearer","user":{"phone":4915112345678,"id":7711223344}}"#,
        ),
        &["4915112345678", "7711223344"],
    );
}

#[test]
fn personal_data_in_member_names() {
    hidden(
        &token(
            r#"{"access_token":"t-123456789","token_type":"Bearer","roles":{"alice@corp.example":["x"]}}"#,
        ),
        &["alice@corp.example"],
    );
}

#[test]
fn short_values() {
    hidden(
        &token(r#"{"access_token":"t-123456789","token_type":"Bearer","pin":"Zq9x7","given_name":"Zoë"}"#),
        &["Zq9x7", "Zoë"],
    );
}

#[test]
fn a_jwt_with_numbers() {
    // {"alg":"RS256"} . {"iss":"https://as.example","sub":"u","phone":4915112345678}
    use base64::Engine as _;
    let b = |t: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(t);
    let jwt = format!(
        "{}.{}.{}",
        b(r#"{"alg":"RS256"}"#),
        b(r#"{"iss":"https://as.example","sub":"u","phone":4915112345678,"alice@corp.example":"x"}"#),
        b("sig-sig-sig")
    );
    let (_, scrubbed, _) =
        run(&token(&format!(r#"{{"access_token":"t-123456789","token_type":"Bearer","id_token":"{jwt}"}}"#)));
    // decode every JWT-like
    let mut out = String::new();
    for part in scrubbed.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')) {
        if let Ok(bytes) = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part) {
            out.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    assert!(!out.contains("4915112345678"), "number");
    assert!(!out.contains("alice@corp.example"), "name");
}

#[test]
fn texts_of_other_members() {
    hidden(
        &token(
            r#"{"access_token":"t-123456789","token_type":"Bearer","resource":"SECRETr","registration_client_uri":"https://as.example/register/SECRETu?token=SECRETv"}"#,
        ),
        &["SECRETr", "SECRETu", "SECRETv"],
    );
}

#[test]
fn registration_client_uri_with_a_capability() {
    hidden(
        &Server {
            registration: br#"{"client_id":"c-1","registration_client_uri":"https://as.example/register?client=c-1&secret=SECRETu","redirect_uris":["http://127.0.0.1:3000/callback"]}"#.to_vec(),
            ..Server::default()
        },
        &["SECRETu"],
    );
}

/// A server quotes the code or the verifier in lower-case percent encoding, as .NET's HttpUtility.UrlEncode does.
#[test]
fn a_code_quoted_in_lower_case_percent_encoding() {
    hidden(
        &Server {
            callback: "code=SECRET%2FcodE%2Bx%3D".into(),
            status: 400,
            token: br#"{"error":"invalid_grant","error_description":"bad code SECRET%2fcodE%2bx%3d"}"#
                .to_vec(),
            ..Server::default()
        },
        &["SECRET%2fcodE"],
    );
}

#[test]
fn a_code_quoted_in_html_escapes() {
    hidden(
        &Server {
            callback: "code=SECRET%26codE%2Bx".into(),
            status: 400,
            token: br#"{"error":"invalid_grant","error_description":"bad code SECRET&amp;codE+x"}"#.to_vec(),
            ..Server::default()
        },
        &["SECRET&amp;codE"],
    );
}

#[test]
fn a_location_with_a_session() {
    hidden(
        &Server {
            status: 302,
            fields: vec![
                ("location", "https://as.example/login;jsessionid=SECRETsession?ticket=SECRETticket".into()),
                ("set-cookie", "sid=SECRETcookie".into()),
            ],
            token: Vec::new(),
            ..Server::default()
        },
        &["SECRETsession", "SECRETticket", "SECRETcookie"],
    );
}

/// Of the fields of a private answer those stay that the machine reads; nonces and where it sends on are cut to what is told.
#[test]
fn the_fields_of_a_private_answer() {
    let fields = vec![
        ("content-type", "application/json; charset=utf-8".to_owned()),
        ("dpop-nonce", "the-nonce-of-the-server".to_owned()),
        ("location", "https://as.example/moved?session=s3cr3t".to_owned()),
        ("www-authenticate", "Bearer realm=\"alice\"".to_owned()),
    ];
    let server = Server { fields, ..Server::default() };
    let (recorded, scrubbed, fine) = run(&server);
    assert!(fine && recorded.contains("alice") && recorded.contains("the-nonce-of-the-server"));
    hidden(&server, &["alice", "the-nonce-of-the-server", "s3cr3t", "www-authenticate"]);
    for left in ["application/json; charset=utf-8", "https://as.example/moved\"", "NONCE-1-"] {
        assert!(scrubbed.contains(left), "{left}");
    }
}

#[test]
fn a_bare_base64_token() {
    hidden(&token("U0VDUkVUU0VDUkVUU0VDUkVU=="), &["U0VDUkVUU0VDUkVU"]);
}

#[test]
fn a_form_with_names() {
    hidden(&token("access_token=SECRET%2fabc&token_type=bearer&refresh_token=SECRETr"), &["SECRET"]);
}

#[test]
fn json_in_json() {
    hidden(
        &token(
            r#"{"access_token":"t-123456789","token_type":"Bearer","data":"{\"refresh_token\":\"SECRET\"}"}"#,
        ),
        &["SECRET"],
    );
}

#[test]
fn a_callback_with_names_and_more() {
    hidden(
        &Server { callback: "code=SECRETcode&alice%40corp.example=1&session_state=SECRETs&id_token=SECRETi#access_token=SECRETf".into(), ..Server::default() },
        &["SECRET", "alice%40corp.example"],
    );
}

#[test]
fn a_callback_whose_path_holds_a_secret() {
    hidden(
        &Server { callback: "error=access_denied&error_description=alice%40corp.example+said+no&error_uri=https%3A%2F%2Fas.example%2F%3Fticket%3DSECRETt".into(), ..Server::default() },
        &["SECRETt"],
    );
}

#[test]
fn json_with_a_bom() {
    hidden(&token("\u{feff}{\"access_token\":\"SECRET\\/x\",\"token_type\":\"Bearer\"}"), &["SECRET"]);
}

#[test]
fn json_lines() {
    hidden(&token("{\"access_token\":\"SECRET\",\"token_type\":\"Bearer\"}\n{\"a\":1}"), &["SECRET"]);
}
#[test]
fn deep_json() {
    let body = format!("{}\"SECRETdeep\"{}", "[".repeat(200), "]".repeat(200));
    hidden(&token(&body), &["SECRETdeep"]);
}

#[test]
fn a_kind_that_is_called_as_a_member_is() {
    let (_, scrubbed, fine) =
        run(&token(r#"{"access_token":"t-123456789","token_type":"Bearer","object":"access_token"}"#));
    assert!(fine);
    assert!(!scrubbed.is_empty(), "a login that went well cannot be scrubbed");
}

#[test]
fn an_answer_of_many_texts_is_scrubbed_in_time() {
    let mut body = r#"{"access_token":"t-123456789","token_type":"Bearer","groups":["#.to_owned();
    let mut n = 0;
    while body.len() < 64_000 {
        n += 1;
        body.push_str(&format!("\"{n:06}\","));
    }
    body.pop();
    body.push_str("]}");
    let began = std::time::Instant::now();
    run(&token(&body));
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

#[test]
fn a_login_hint_in_the_configuration() {
    let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback");
    let policy = mcp_auth::policy::IssuerPolicy::with(|it| {
        it.extra = vec![("login_hint".into(), "alice@corp.example".into())]
    });
    let config = config.issuer("https://as.example", policy);
    let text = recorder(&config).1.lock().unwrap().clone();
    for names in [Names::Kept, Names::Replaced] {
        let scrubbed = Trace::read(&text).unwrap().scrub(names).unwrap().to_string();
        assert!(!scrubbed.contains("alice@corp.example"), "{scrubbed}");
    }
}

#[test]
fn names_that_are_replaced_are_replaced_everywhere() {
    let (text, _, _) = run(&Server {
        status: 400,
        fields: vec![("location", "//as.example/x".into()), ("www-authenticate", "Bearer realm=\"as.example\"".into())],
        token: br#"{"error":"invalid_grant","error_description":"as.example does not know it; see as.example/help, HTTPS://AS.EXAMPLE/x, https:\/\/as.example\/y"}"#.to_vec(),
        ..Server::default()
    });
    let scrubbed = Trace::read(&text).unwrap().scrub(Names::Replaced).unwrap().to_string();
    assert!(
        !scrubbed.to_lowercase().contains("as.example"),
        "{}",
        scrubbed
            .lines()
            .filter(|l| l.to_lowercase().contains("as.example"))
            .map(|l| &l[..l.len().min(900)])
            .collect::<Vec<_>>()
            .join("\n")
    );
}

/// The host and the path where an answer arrives are replaced as they are in the configuration.
#[test]
fn where_an_answer_arrives_is_renamed_too() {
    for arrives in ["https://app.tenant-seven.example/signed/in", "/signed/in"] {
        let redirect = "https://app.tenant-seven.example/signed/in";
        let config = Config::new("https://mcp.example/mcp", "Example", redirect);
        let (mut recorder, text) = recorder(&config);
        let mut machine = Authorizer::new(config, Seed::new([5; 32])).unwrap();
        let now = Timestamp::from_secs(1_800_000_000);
        let mut event = Event::LogIn { scopes: Scopes::new() };
        loop {
            recorder.event(now, &event);
            machine.handle(now, event);
            let mut action = machine.poll();
            recorder.action(&action);
            let mut state = None;
            if let Action::Open(open) = &action {
                let pair = open.url().query_pairs().find(|(name, _)| name == "state").unwrap();
                state = Some(pair.1.into_owned());
                action = machine.poll();
                recorder.action(&action);
            }
            event = match (action, state) {
                (Action::Load(load), _) => load.reply(None),
                (Action::Send(send), _) => {
                    let body = match send.purpose() {
                        Purpose::ResourceMetadata => PRM.to_owned(),
                        Purpose::ServerMetadata => AS.to_owned(),
                        _ => r#"{"client_id":"c-1"}"#.to_owned(),
                    };
                    send.reply(http::Response::builder().status(200).body(body).unwrap())
                }
                (Action::Wait(_), Some(state)) => {
                    Event::Called(Callback::new(format!("{arrives}?error=access_denied&state={state}")))
                }
                (Action::Finish(_), _) => break,
                other => panic!("{other:?}"),
            };
        }
        let trace = Trace::read(&text.lock().unwrap()).unwrap();
        assert!(trace.to_string().contains(&format!("{arrives}?error")));
        let scrubbed = trace.scrub(Names::Replaced).unwrap();
        for name in ["tenant-seven", "signed"] {
            assert!(!scrubbed.to_string().contains(name), "{name} in {scrubbed}");
        }
        assert_eq!(scrubbed.scrub(Names::Replaced).unwrap().to_string(), scrubbed.to_string());
        assert!(trace.scrub(Names::Kept).unwrap().to_string().contains(&format!("{arrives}?error")));
    }
}

/// One host may be the end of another.
#[test]
fn a_host_below_another_is_replaced_whole() {
    let (text, _, _) = run(&Server {
        status: 400,
        page: "https://login.as.example/docs",
        token: br#"{"error":"invalid_grant","error_description":"ask login.as.example, not as.example"}"#
            .to_vec(),
        ..Server::default()
    });
    assert!(text.contains("ask login.as.example"));
    let scrubbed = Trace::read(&text).unwrap().scrub(Names::Replaced).unwrap().to_string();
    assert!(scrubbed.contains("ask host-") && !scrubbed.contains("login."), "{scrubbed}");
}

/// Foreign answers, as any page can send them.
#[test]
fn a_flood_of_foreign_answers_leaves_a_bounded_trail() {
    let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback");
    let mut flooded = 0;
    let (text, machine) = driven(config, Event::LogIn { scopes: Scopes::new() }, |action| {
        Continue(Some(match action {
            Action::Load(load) => load.reply(None),
            Action::Send(send) => {
                let (status, body) = match send.purpose() {
                    Purpose::ResourceMetadata => (200, PRM.as_bytes().to_vec()),
                    Purpose::ServerMetadata => (200, AS.as_bytes().to_vec()),
                    Purpose::Registration => (201, br#"{"client_id":"c-1"}"#.to_vec()),
                    _ => (404, Vec::new()),
                };
                send.reply(http::Response::builder().status(status).body(body).unwrap())
            }
            Action::Wait(Some(_)) if flooded < 20_000 => {
                flooded += 1;
                Event::Called(Callback::new(format!("/callback?state=foreign-{flooded}&code=x")))
            }
            Action::Open(_) => return Continue(None),
            Action::Wait(_) => return Break(()),
            Action::Finish(it) => panic!("{it:?}"),
            other => panic!("{other:?}"),
        }))
    });
    assert!(machine.trail().entries().len() < 500);
    Trace::read(&text).unwrap().replay().unwrap();
}

/// A page can send as many answers as it likes to the redirect URI, each with thousands of parameters.
#[test]
fn a_flood_of_parameters_is_scrubbed_in_time() {
    let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback");
    let (mut recorder, text) = recorder(&config);
    let now = Timestamp::from_secs(1_800_000_000);
    for flood in 0..8 {
        let mut callback = "/callback?state=foreign".to_owned();
        let mut n = 0;
        while callback.len() < 16_000 {
            n += 1;
            callback.push_str(&format!("&a={flood}x{n:05}"));
        }
        recorder.event(now, &Event::Called(Callback::new(callback)));
    }
    drop(recorder);
    let text = text.lock().unwrap().clone();
    let began = std::time::Instant::now();
    let _ = Trace::read(&text).unwrap().scrub(Names::Kept);
    assert!(began.elapsed().as_secs() < 5, "{} bytes took {:?}", text.len(), began.elapsed());
}

/// The server's URL holds the secret, as those of some hosted MCP servers do (`https://host/s/SECRET/mcp`).
#[test]
fn a_capability_in_the_path_of_the_server() {
    let secret = "s3cr3tpathsegment0123456789";
    let config = Config::new(
        format!("https://mcp.example/s/{secret}/mcp"),
        "Example",
        "http://127.0.0.1:3000/callback",
    );
    let text = recorder(&config).1.lock().unwrap().clone();
    let trace = Trace::read(&text).unwrap();
    assert!(!trace.scrub(Names::Replaced).unwrap().to_string().contains(secret), "replaced");
}

/// A name that stands under the name of a choice is no choice.
#[test]
fn a_host_that_is_called_an_origin() {
    let page = r#"https://as.example/docs","origin":"https://as.example","method":"as.example/x","algorithm":"as.example"#;
    let (text, kept, _) = run(&Server { page, ..Server::default() });
    assert!(text.contains(r#"\"origin\":\"https://as.example\""#) && kept.contains(r#"\"origin\""#));
    let scrubbed = Trace::read(&text).unwrap().scrub(Names::Replaced).unwrap().to_string();
    assert!(scrubbed.contains(r#"\"origin\""#) && !scrubbed.contains("as.example"), "{scrubbed}");
    // What is one stays, even where a secret is called so.
    let (_, scrubbed, fine) = run(&token(r#"{"access_token":"dynamic","token_type":"Bearer"}"#));
    assert!(
        fine && scrubbed.contains(r#""origin":"dynamic""#)
            && !scrubbed.contains(r#""access_token":"dynamic""#)
    );
}

/// What an answer says of an account is quoted in words that are kept.
#[test]
fn an_account_that_an_error_names() {
    let body = r#"{"error":"invalid_grant","account":"alice/4711","warning":"see alice/4711",
        "error_description":"account alice/4711 (alice%2F4711) is locked"}"#;
    hidden(&Server { status: 400, ..token(body) }, &["alice", "4711"]);
    // What an answer says to this client alone is not what everybody may read.
    hidden(&Server { status: 400, account: Some("alice/4711"), ..token(body) }, &["alice", "4711"]);
}

/// A pseudonym says that a text is of no use, and not what it is made of.
#[test]
fn letters_and_lengths_of_what_is_ill_formed() {
    hidden(&token(r#"{"access_token":"geheim\u20ac","token_type":"Bearer"}"#), &["€", "\\u20ac"]);
    let long = format!(r#"{{"access_token":"{}","token_type":"Bearer"}}"#, "x".repeat(20_000));
    let (_, scrubbed, fine) = run(&token(&long));
    assert!(!fine && scrubbed.contains(&"-".repeat(16_000)) && !scrubbed.contains(&"-".repeat(16_400)));
}

/// A secret that is called as something else in the run is not left there: the trace is not scrubbed, and that is said.
#[test]
fn a_secret_that_is_a_name_of_the_run() {
    for (secret, said) in
        [("https://as.example", "the machine cannot be made"), ("exact", "the header cannot be scrubbed")]
    {
        let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback")
            .preregistered(mcp_auth::Preregistered::new("https://as.example", "c-1").secret(secret))
            .issuer("https://as.example", mcp_auth::policy::IssuerPolicy::default());
        let text = recorder(&config).1.lock().unwrap().clone();
        let why = Trace::read(&text).unwrap().scrub(Names::Kept).unwrap_err();
        assert!(why.to_string().starts_with(said), "{why}");
    }
}

/// An account may be called as something is that everybody may read: there it stays readable. In a query it is not.
#[test]
fn an_account_that_is_no_secret() {
    let shown =
        ["mcp", "mcp.example", "https://mcp.example/mcp", "https://as.example", "register", "S256", "code"];
    for account in shown {
        let server = Server { account: Some(account), ..Server::default() };
        let (_, scrubbed, fine) = run(&server);
        assert!(fine, "{account}");
        let scrubbed = Trace::read(&scrubbed).unwrap();
        assert_eq!(scrubbed.config().key().account.as_deref(), Some(account));
        scrubbed.replay().unwrap();
    }
    // Where names are replaced, so is that of an account.
    let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback");
    let text = recorder(&config.account("mcp.example")).1.lock().unwrap().clone();
    let scrubbed = Trace::read(&text).unwrap().scrub(Names::Replaced).unwrap().to_string();
    assert!(scrubbed.contains("ACCOUNT-1") && !scrubbed.contains("mcp.example"), "{scrubbed}");
    let query = "?user=alice%2F4711";
    hidden(&Server { account: Some("alice/4711"), query, ..Server::default() }, &["alice", "4711"]);
}

/// Of what a callback says to people only what is secret is replaced.
#[test]
fn the_words_of_a_callback() {
    let callback = "error=access_denied&error_description=the+account+alice%2F4711+is+locked".into();
    let (_, scrubbed, _) = run(&Server { account: Some("alice/4711"), callback, ..Server::default() });
    let words = "error_description=the+account+ACCOUNT-1";
    assert!(scrubbed.contains(words) && scrubbed.contains("+is+locked"), "{scrubbed}");
}

/// What is too short to be looked for anywhere is looked for where it stands.
#[test]
fn short_keys_in_the_query_of_the_server() {
    let server = Server { query: "?api_key=k3y&region=z9", ..Server::default() };
    let (text, scrubbed, fine) = run(&server);
    assert!(fine && text.contains("api_key=k3y&region=z9") && text.contains("api_key%3Dk3y%26region%3Dz9"));
    assert!(scrubbed.contains("?api_key=") && scrubbed.contains("%3Fapi_key%3D"), "{scrubbed}");
    hidden(&server, &["k3y", "z9"]);
}

/// However many there are, the last of them is as secret as the first.
#[test]
fn very_many_secrets() {
    let many: Vec<_> = (0..4_500).map(|number| format!("\"hush-{number:05}\"")).collect();
    let body = format!(
        r#"{{"error":"invalid_grant","password":[{}],"error_description":"not hush-00001 nor hush-04499"}}"#,
        many.join(",")
    );
    let page = "https://as.example/docs?try=hush-04498";
    hidden(&Server { status: 400, page, ..token(&body) }, &["hush-0"]);
}

/// What the host did beside names files and people.
#[test]
fn what_the_host_did_is_renamed_too() {
    let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback");
    let (mut recorder, text) = recorder(&config);
    let fields = http::HeaderMap::from_iter([(
        http::header::WWW_AUTHENTICATE,
        http::HeaderValue::from_static(
            "Bearer error=\"invalid_token\", error_description=\"alice@corp.example has no seat\"",
        ),
    )]);
    recorder.request(
        Timestamp::from_secs(1),
        "POST",
        &"https://10.20.30.40:8443/internal/mcp?x=SECRETq".parse().unwrap(),
        "resources/read:file:///srv/alice/SECRETfile",
        true,
    );
    recorder.response(Timestamp::from_secs(1), http::StatusCode::UNAUTHORIZED, &fields);
    let challenge = mcp_auth::Challenge::of(http::StatusCode::UNAUTHORIZED, &http::HeaderMap::new(), None, 0);
    let challenge = challenge.unwrap();
    let challenge = challenge.operation("resources/read:file:///srv/alice/SECRETfile");
    recorder.event(Timestamp::from_secs(1), &Event::Challenged(challenge));
    let url = "https://mcp.example/mcp?key=SECRETquery".parse().unwrap();
    recorder.prove(Timestamp::from_secs(1), "POST", &url);
    drop(recorder);
    let text = text.lock().unwrap().clone();
    assert!(text.contains("SECRETquery"));
    let kept = Trace::read(&text).unwrap().scrub(Names::Kept).unwrap().to_string();
    assert!(!kept.contains("SECRETquery"), "{kept}");
    let scrubbed = Trace::read(&text).unwrap().scrub(Names::Replaced).unwrap().to_string();
    // The same name for the same operation, or nobody could follow it.
    let note: serde_json::Value = serde_json::from_str(scrubbed.lines().nth(1).unwrap()).unwrap();
    let event: serde_json::Value = serde_json::from_str(scrubbed.lines().nth(3).unwrap()).unwrap();
    assert_eq!(note.pointer("/note/request/operation"), event.pointer("/event/challenged/operation"));
    let mut left = Vec::new();
    for hidden in ["alice", ".30.40", "SECRETfile", "SECRETq", "internal", "mcp.example"] {
        if scrubbed.contains(hidden) {
            left.push(hidden);
        }
    }
    assert!(left.is_empty(), "{left:?}");
}

/// JavaScript's `encodeURIComponent` and Go's `PathEscape` leave other letters as they are than forms do.
#[test]
fn a_code_quoted_as_other_languages_encode_it() {
    for said in [
        "HU~SH%2F!('x')*HUSH",
        "HU~SH%2f!('x')*HUSH",
        "HU~SH%2F%21%28%27x%27%29%2AHUSH",
        "HU~SH/!('x')*HUSH",
        "HU~SH/%21%28%27x%27%29%2AHUSH",
        "HU%7eSH%2f!(%27x%27)*HUSH",
        "HU%7eSH%2f%21%28%27x%27%29%2aHUSH",
    ] {
        hidden(&refused("code=HU~SH%2F!('x')*HUSH", said), &["HUSH"]);
    }
}

/// A server that quotes the code that it refuses so.
fn refused(callback: &str, said: &str) -> Server {
    let body = format!(r#"{{"error":"invalid_grant","error_description":"bad code {said}"}}"#);
    Server { callback: callback.to_owned(), status: 400, ..token(&body) }
}

/// What a query sends on to is encoded once more.
#[test]
fn a_code_that_is_encoded_twice() {
    for said in ["SECRET%252FcodE", "SECRET%252fcodE", "SECRET%2FcodE"] {
        hidden(&refused("code=SECRET%2FcodE", said), &["codE"]);
    }
}

/// People and servers leave out the hyphen of a code that is typed (RFC 8628 §6.1).
#[test]
fn a_user_code_without_its_hyphen() {
    hidden(
        &Server {
            status: 400,
            ..token(
                r#"{"user_code":"WDJB-MJHT","error":"invalid_grant","error_description":"WDJBMJHT is not known, see https://as.example/device/WDJBMJHT","verification_uri_complete":"https://as.example/device/WDJBMJHT"}"#,
            )
        },
        &["WDJB"],
    );
}

/// A server that knows how texts are looked for: its trace is not scrubbed, and that is said at once.
#[test]
fn secrets_that_begin_alike_end_the_search() {
    let secrets: Vec<_> = (6..300).map(|length| format!("\"{}a\"", "b".repeat(length))).collect();
    let page = Box::leak("b".repeat(40_000).into_boxed_str());
    let body = format!(r#"{{"error":"invalid_grant","password":[{}]}}"#, secrets.join(","));
    let began = std::time::Instant::now();
    let text = recorded(&Server { status: 400, page, ..token(&body) }).0;
    let why = Trace::read(&text).unwrap().scrub(Names::Kept).unwrap_err().to_string();
    assert!(why.contains("would take too long"), "{why}");
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    // Where what is left out is missed at once, that is the reason all the same.
    let (mut text, _) = recorded(&Server { status: 400, ..token(&body) });
    let url = format!("https://mcp.example/{}", "b".repeat(40_000));
    text.push_str(&format!(r#"{{"at":1800000000,"prove":{{"method":"POST","url":"{url}"}}}}"#));
    let why = Trace::read(&text).unwrap().scrub(Names::Kept).unwrap_err().to_string();
    assert!(why.contains("would take too long"), "{why}");
}

/// Other programs write traces too: fields in other letters, those that nobody reads, and the query of a request.
#[test]
fn a_trace_that_another_program_has_written() {
    let fields = vec![
        ("location", "https://as.example/moved?session=SECRETsession".to_owned()),
        ("dpop-nonce", "SECRET-nonce".to_owned()),
        ("www-authenticate", "Bearer realm=\"SECRETrealm\"".to_owned()),
    ];
    let (text, fine) = recorded(&Server { fields, ..Server::default() });
    let text = text.replace("[\"location\"", "[\"Set-Cookie\",\"sid=SECRETcookie\"],[\"Location\"");
    let mut text = text
        .replace("\"dpop-nonce\"", "\"DPoP-Nonce\"")
        .replace("\"www-authenticate\"", "\"WWW-Authenticate\"");
    text.push_str(r#"{"at":1800000000,"note":{"request":{"method":"POST","url":"https://mcp.example/mcp?sid=SECRETsid","operation":"x","authorized":false}}}"#);
    let trace = Trace::read(&text).unwrap();
    trace.replay().unwrap();
    let scrubbed = trace.scrub(Names::Kept).unwrap();
    scrubbed.replay().unwrap();
    assert!(fine && text.matches("SECRET").count() == 5);
    let left: Vec<_> =
        scrubbed.to_string().lines().filter(|line| line.contains("SECRET")).map(str::to_owned).collect();
    assert!(left.is_empty(), "{left:#?}");
}

/// What an answer may hold is known from what the machine asks for, whatever the trace says of it.
#[test]
fn a_trace_that_calls_a_token_request_something_else() {
    let (text, _) =
        recorded(&token(r#"{"access_token":"t-123456789","token_type":"Bearer","user":"alice-4711"}"#));
    let text = text.replace(r#""purpose":"token""#, r#""purpose":"server_metadata""#);
    let scrubbed = Trace::read(&text).unwrap().scrub(Names::Kept).unwrap().to_string();
    assert!(!scrubbed.contains("t-123456789") && !scrubbed.contains("alice-4711"), "{scrubbed}");
}

/// What is trimmed when it is read is quoted without what stood around it.
#[test]
fn a_code_with_space_around_it() {
    hidden(
        &Server {
            status: 400,
            ..token(
                r#"{"user_code":" WDJB-MJHT ","nonce":"\tSECRET-nonce","error":"invalid_grant","error_description":"WDJB-MJHT or SECRET-nonce is not known"}"#,
            )
        },
        &["WDJB", "SECRET"],
    );
}

/// A parameter of the server's own may be called as a field is, and hold what is a secret later.
#[test]
fn a_token_that_stood_in_the_query_of_an_endpoint() {
    for own_query in ["?dpop=plain-access-token", "?authorization=plain-access-token"] {
        hidden(&Server { own_query, ..Server::default() }, &["plain-access-token"]);
    }
}

/// A flow that was recorded, with more among what its server lists in its metadata.
fn with_text(flow: &str, text: &str) -> String {
    let listed = r#"_supported\":[\"query\""#;
    let changed = flow.replace(listed, &format!(r#"{listed},\"{text}\""#));
    assert_ne!(changed, flow);
    changed
}

/// No text of these is left, in whatever of the flow it stood.
fn none_is_left(flow: &str, texts: &[&str]) {
    let trace = Trace::read(flow).unwrap();
    trace.replay().unwrap();
    for names in [Names::Kept, Names::Replaced] {
        let scrubbed = trace.scrub(names).unwrap();
        for text in texts {
            assert!(flow.contains(text) && !scrubbed.to_string().contains(text), "{text}: {scrubbed}");
        }
        scrubbed.replay().unwrap();
        scrubbed.scrub(names).unwrap();
    }
}

fn flow(name: &str) -> String {
    let path = format!("{}/vectors/flows/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// What others signed may be quoted in parts too, be it a JWT or only look like one.
#[test]
fn a_token_quoted_in_parts() {
    // {"alg":"none"}, and {"sub":"alice"}; no JSON; a signature whose last bits are not zero; space around it.
    for token in [
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl",
        "eyJhbGciOiJub25lIn0.cGxhaW4tcGF5bG9hZA.c2lnbmF0dXJl",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.fake-signature",
        " eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl ",
    ] {
        let [header, claims, signature] = token.trim().split('.').collect::<Vec<_>>().try_into().unwrap();
        for said in [format!("{header}.{claims}"), claims.to_owned(), format!("{signature} of {claims}")] {
            let answer = format!(
                r#"{{"error":"invalid_grant","access_token":"{token}","error_description":"no {said} here"}}"#
            );
            hidden(&Server { status: 400, ..self::token(&answer) }, &[claims, signature]);
        }
    }
}

/// The header of a JWS tells nothing of anybody, and what is called as it is stays.
#[test]
fn a_place_with_the_header_of_a_token() {
    // {"typ":"JWT","alg":"HS256"}: with its members in order it is another.
    let page = "https://as.example/eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";
    let body = r#"{"access_token":"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl",
        "token_type":"Bearer"}"#;
    let (_, scrubbed, fine) = run(&Server { page, ..token(body) });
    assert!(fine && scrubbed.contains(page) && !scrubbed.contains("eyJzdWIiOiJhbGljZSJ9"), "{scrubbed}");
}

/// What is signed is known to the server in parts too, and may be quoted so.
#[test]
fn what_is_signed_quoted_in_parts() {
    for name in ["dpop.nonce", "client-credentials.key"] {
        let text = flow(name);
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let texts = |place: &'static str| {
            let found = lines.clone().filter_map(move |line| Some(line.pointer(place)?.as_str()?.to_owned()));
            found.collect::<Vec<_>>()
        };
        let signed = texts("/action/sign/message").into_iter().zip(texts("/event/replied/answer/signed"));
        let signed: Vec<_> = signed.collect();
        assert!(!signed.is_empty());
        for (message, signature) in signed {
            let (_, claims) = message.split_once('.').unwrap();
            for quoted in [&*message, claims, &signature] {
                none_is_left(&with_text(&text, quoted), &[quoted]);
            }
        }
    }
}

/// What a host has signed for its own requests is not written down; the MCP server may quote it.
#[test]
fn a_proof_of_the_hosts_own_that_is_quoted() {
    let text = flow("dpop.resource-nonce");
    let trace = Trace::read(&text).unwrap();
    let (mut machine, mut events, mut proofs) = (trace.machine().unwrap(), trace.events(), Vec::new());
    for line in text.lines().skip(1).map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()) {
        if line.get("event").is_some() {
            let (at, event) = events.next().unwrap();
            machine.handle(at, event);
        } else if line.get("action").is_some() {
            machine.poll();
        } else if let Some(proof) = line.get("prove") {
            let (at, url) = (line["at"].as_u64().unwrap(), proof["url"].as_str().unwrap().parse().unwrap());
            proofs.extend(machine.prove(Timestamp::from_secs(at), "POST", &url).unwrap());
        }
    }
    assert_eq!(proofs.len(), 2);
    for proof in proofs {
        let proof = String::from_utf8(proof.as_bytes().to_vec()).unwrap();
        let (_, claims) = proof.split_once('.').unwrap();
        for quoted in [format!("{proof}.c2lnbmF0dXJl"), proof.clone(), claims.to_owned()] {
            let said = text.replace("The proof is to have the nonce of this answer.", &quoted);
            none_is_left(&said, &[claims]);
        }
    }
    // Where the machine does not do the same again, nobody knows what it had signed.
    let (begun, rest) = text.split_once("\"seed\":\"").unwrap();
    let other = format!("{begun}\"seed\":\"{}A{}", &rest[..1], &rest[2..]);
    let why = Trace::read(&other).unwrap().scrub(Names::Kept).unwrap_err();
    assert!(matches!(why, mcp_auth::trace::Divergence::Differs { .. }), "{why}");
}

/// A user code is one thing, and an authorization code another.
#[test]
fn a_user_code_has_a_name_of_its_own() {
    let scrubbed = Trace::read(&flow("device")).unwrap().scrub(Names::Kept).unwrap().to_string();
    assert!(
        scrubbed.contains(r#""user_code":"USER-CODE-1""#) && !scrubbed.contains(r#""CODE-1"#),
        "{scrubbed}"
    );
    let scrubbed = Trace::read(&flow("login")).unwrap().scrub(Names::Kept).unwrap().to_string();
    assert!(scrubbed.contains("code=CODE-1---") && !scrubbed.contains("USER-CODE"), "{scrubbed}");
}

/// A login whose requests are not sent, for this reason.
fn unsent(config: Config, why: &str) -> String {
    let begin = Event::LogIn { scopes: Scopes::new() };
    let (text, _) = driven(config, begin, |action| match action {
        Action::Load(load) => Continue(Some(load.fail(why))),
        Action::Send(send) => Continue(Some(send.fail(mcp_auth::SendFailure::NotSent(why.to_owned())))),
        Action::Wait(_) => Break(()),
        _ => Continue(None),
    });
    text
}

/// Why an inspection goes no further is a sentence of this project's own. Nothing else that a host says stays.
#[test]
fn why_an_inspection_goes_no_further() {
    const SENTENCE: &str = "an inspection registers nothing, asks for no token and asks nobody";
    let said = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cli/src/inspect/record.rs");
    assert!(std::fs::read_to_string(said).unwrap().contains(&format!("\"{SENTENCE}\"")));
    let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback");
    let scrubbed = |config: &Config, why: &str| {
        let text = unsent(config.clone(), why);
        assert!(text.contains(why));
        let scrubbed = Trace::read(&text).unwrap().scrub(Names::Kept).unwrap();
        scrubbed.replay().unwrap();
        scrubbed.to_string()
    };
    assert!(scrubbed(&config, SENTENCE).contains(SENTENCE));
    for why in [format!("{SENTENCE} of alice"), SENTENCE.replace("nothing", "alice")] {
        let left = scrubbed(&config, &why);
        assert!(left.contains("(the host's words are scrubbed)") && !left.contains("alice"), "{left}");
    }
    // A secret is one wherever it stands.
    let client = mcp_auth::Preregistered::new("https://as.example", "c-1").secret("inspection");
    let left = scrubbed(&config.preregistered(client), SENTENCE);
    assert!(left.contains("registers nothing") && !left.contains("inspection"), "{left}");
}
