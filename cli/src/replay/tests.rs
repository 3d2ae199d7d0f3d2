//! What is shown of flows that somebody wants to do harm with.

use std::sync::{Arc, Mutex};

use mcp_auth::trace::{Names, Recorder, Trace};
use mcp_auth::{Action, Authorizer, Callback, Config, Event, Scopes, Seed, Timestamp};

use super::flow::{Flow, Going, Lane, Message, Parameter, Party, Remark, Row, Tone, Verdict, What};
use super::{Scrubbed, draw, flow, terminal};

/// Everything that could get out of a text, or make a picture ill-formed.
const HOSTILE: &str =
    "</text><script>alert(1)</script><!-- ]]> & \u{ffff}\u{fffe}\u{1b}[2J\u{202e}\u{0}\"'><a href=\"x\">";

/// A login at servers that answer so, and then a person who does.
fn recorded(answer: impl Fn(&str) -> (u16, String), callback: impl Fn(&str) -> String) -> String {
    recorded_at("https://mcp.example/mcp", answer, callback)
}

fn recorded_at(
    server: &str,
    answer: impl Fn(&str) -> (u16, String),
    callback: impl Fn(&str) -> String,
) -> String {
    let config = Config::new(server, "Example", "http://127.0.0.1:3000/callback");
    let seed = Seed::new([5; 32]);
    let text = Arc::new(Mutex::new(String::new()));
    let kept = text.clone();
    let mut recorder = Recorder::new(&config, &seed, move |line| {
        let mut text = kept.lock().unwrap();
        text.push_str(line);
        text.push('\n');
    });
    let mut machine = Authorizer::new(config, seed).unwrap();
    let now = Timestamp::from_secs(1_800_000_000);
    let (mut next, mut opened) = (Some(Event::LogIn { scopes: Scopes::new() }), None);
    for _ in 0..200 {
        if let Some(event) = next.take() {
            recorder.event(now, &event);
            machine.handle(now, event);
        }
        let action = machine.poll();
        recorder.action(&action);
        next = match action {
            Action::Load(load) => Some(load.reply(None)),
            Action::Store(save) => Some(save.reply(mcp_auth::Saving::Kept)),
            Action::Send(send) => {
                let (status, body) = answer(&send.uri().to_string());
                let answer = http::Response::builder().status(status).body(body.into_bytes()).unwrap();
                Some(send.reply(answer))
            }
            Action::Open(open) => {
                opened = Some(open.url().to_string());
                None
            }
            Action::Wait(_) => match opened.take() {
                Some(url) => Some(Event::Called(Callback::new(callback(&url)))),
                None => break,
            },
            _ => None,
        };
    }
    let text = text.lock().unwrap();
    text.clone()
}

/// Good metadata, and a registration.
fn served(url: &str) -> (u16, String) {
    let body = if url.contains("protected-resource") {
        r#"{"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"]}"#
    } else if url.contains("well-known") {
        r#"{"issuer":"https://as.example","authorization_endpoint":"https://as.example/a","token_endpoint":"https://as.example/t","registration_endpoint":"https://as.example/r","response_types_supported":["code"],"code_challenge_methods_supported":["S256"],"token_endpoint_auth_methods_supported":["none"]}"#
    } else if url.ends_with("/r") {
        return (201, r#"{"client_id":"c"}"#.to_owned());
    } else {
        r#"{"access_token":"hush-hush-hush","token_type":"Bearer"}"#
    };
    (200, body.to_owned())
}

fn seen(text: &str) -> Flow {
    let trace = Trace::read(text).unwrap();
    let replayed = trace.replay();
    flow(&Scrubbed::of(trace, Names::Kept).unwrap(), replayed.as_ref().err(), Names::Kept)
}

/// Both pictures and the story; they are bounded, well-formed, and run nothing.
fn shown(flow: &Flow) -> [String; 3] {
    let (svg, html) = (draw::svg(flow), draw::html(flow));
    let mut told = Vec::new();
    terminal::tell(&mut told, flow, None::<std::io::Empty>).unwrap();
    let told = String::from_utf8(told).unwrap();
    for text in [&svg, &html] {
        assert!(text.len() < 8 << 20, "{} bytes", text.len());
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
        let document = roxmltree::Document::parse_with_options(text, options)
            .unwrap_or_else(|why| panic!("{why}\n{}", text.lines().take(40).collect::<Vec<_>>().join("\n")));
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            let name = node.tag_name().name();
            assert!(
                !["script", "a", "image", "use", "iframe", "link", "foreignObject"].contains(&name),
                "{name}"
            );
            for attribute in node.attributes() {
                assert!(
                    !attribute.name().starts_with("on") && !attribute.name().contains("href"),
                    "{attribute:?}"
                );
            }
        }
        assert!(!text.contains("url(") && !text.contains("@import"));
    }
    assert!(!told.contains("\u{1b}[2J") && !told.contains('\u{202e}'));
    [svg, html, told]
}

#[test]
fn a_login_is_shown_without_its_secrets() {
    let text = recorded(served, |url| format!("http://127.0.0.1:3000/callback?{}", answer(url)));
    let flow = seen(&text);
    assert!(
        flow.rows.iter().any(|row| matches!(&row.what, What::End { title, .. } if title == "Authorized"))
    );
    let numbers: Vec<_> = flow.rows.iter().map(|row| row.number).filter(|number| *number > 0).collect();
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
    for shown in shown(&flow) {
        assert!(!shown.contains("secret-code") && !shown.contains("hush-hush"), "{shown}");
        assert!(shown.contains("CODE-1") && shown.contains("ACCESS-TOKEN-1") && shown.contains("RFC 6749"));
        // The same name stands for the same secret wherever it is.
        assert!(shown.matches("STATE-1").count() >= 2 && !shown.contains("STATE-2"), "{shown}");
    }
}

#[test]
fn hostile_words_stay_words() {
    let hostile =
        serde_json::json!({"error": HOSTILE, "error_description": HOSTILE, HOSTILE: HOSTILE}).to_string();
    for begin in ["protected-resource", "well-known", "/r", "/t"] {
        let answer = |url: &str| if url.contains(begin) { (400, hostile.clone()) } else { served(url) };
        shown(&seen(&recorded(answer, |_| {
            format!("http://127.0.0.1:3000/callback?error={HOSTILE}&state=x")
        })));
    }
    let metadata = serde_json::json!({
        "resource": "https://mcp.example/mcp", "authorization_servers": ["https://as.example"], "resource_name": HOSTILE,
        HOSTILE: [HOSTILE],
    });
    let answer = |url: &str| {
        if url.contains("protected-resource") { (200, metadata.to_string()) } else { served(url) }
    };
    let [svg, html, _] =
        shown(&seen(&recorded(answer, |_| format!("http://127.0.0.1:3000/callback?{HOSTILE}"))));
    assert!(!svg.contains("<script>") && !html.contains("<script>"));
}

#[test]
fn huge_flows_give_bounded_pictures() {
    let large = format!(
        "{{\"a\":\"{}\",{}}}",
        "x".repeat(100_000),
        (0..5000).map(|n| format!("\"m{n}\":\"{n}\"")).collect::<Vec<_>>().join(",")
    );
    let answer =
        |url: &str| if url.contains("protected-resource") { (200, large.clone()) } else { served(url) };
    shown(&seen(&recorded(answer, |_| "x".repeat(60_000))));

    let words = mcp_auth::base::text::clean(&HOSTILE.repeat(10), 400);
    let parameter = Parameter { name: "n".repeat(60), value: words.clone(), secret: true, minor: false };
    let message = Message {
        purpose: words.clone(),
        head: words.clone(),
        url: Some(words.clone()),
        parameters: vec![parameter; 40],
        tone: Tone::Bad,
    };
    let remark = Remark {
        verdict: Verdict::Deviation,
        text: words.clone(),
        clause: words.clone(),
        about: words.clone(),
    };
    let what = What::Exchange { from: 0, to: 1, request: message.clone(), answer: Some(message) };
    let row = Row { at: u64::MAX, number: 12345, what, remarks: vec![remark; 24], going: Going::default() };
    let lanes = (0..7).map(|_| Lane { party: Party::AuthorizationServer, name: words.clone() }).collect();
    let flow = Flow { title: words.clone(), setting: words, lanes, rows: vec![row; 20], left_out: 0 };
    shown(&flow);
}

#[test]
fn thousands_of_lines_are_left_out_of_the_middle() {
    let text = recorded(served, |_| String::new());
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    // A request that the host sends time and again.
    let note = r#"{"at":1800000000,"note":{"request":{"method":"POST","url":"https://mcp.example/mcp","operation":"x","authorized":false}}}"#;
    lines.extend((0..5000).map(|_| note.to_owned()));
    let flow = seen(&lines.join("\n"));
    assert!(flow.left_out > 4000 && flow.rows.len() < 500, "{}", flow.rows.len());
    assert!(shown(&flow).iter().all(|shown| shown.contains("rows are left out here")));
}

#[test]
fn a_trace_that_lacks_members_is_shown_as_far_as_it_goes() {
    let text = recorded(served, |_| "http://127.0.0.1:3000/callback?code=x".to_owned());
    for (place, line) in text.lines().enumerate().skip(1) {
        for odd in [
            "{\"action\":{}}",
            "{\"action\":null}",
            "{\"action\":[1]}",
            "{\"action\":{\"send\":{\"id\":1}}}",
            "",
        ] {
            let changed = text.replacen(line, odd, 1);
            let Ok(trace) = Trace::read(&changed) else { continue };
            let replayed = trace.replay();
            if let Ok(scrubbed) = Scrubbed::of(trace.before(place + 1), Names::Kept) {
                shown(&flow(&scrubbed, replayed.as_ref().err(), Names::Kept));
            }
        }
    }
}

#[test]
fn a_diagram_of_nobody_is_one_too() {
    let nobody = Flow {
        title: String::new(),
        setting: String::new(),
        lanes: Vec::new(),
        rows: Vec::new(),
        left_out: 0,
    };
    shown(&nobody);
}

#[test]
fn what_happens_again_and_again_takes_one_row() {
    let text = recorded(served, |_| String::new());
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    for second in 0..30 {
        lines.push(format!(r#"{{"at":{},"event":{{"nonce":"n-{second}"}}}}"#, 1_800_000_001 + second));
    }
    let flow = seen(&lines.join("\n"));
    let asides = flow.rows.iter().filter_map(|row| match &row.what {
        What::Aside { text, .. } if text.contains("gave a nonce") => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(
        asides.collect::<Vec<_>>(),
        ["the MCP server gave a nonce for the proofs to come (RFC 9449 §8.2) (30 times over 29 s)"]
    );
}

/// A login at a server that is called with a key in its query.
fn with_a_key() -> String {
    const SERVER: &str = "https://mcp.example/mcp?key=QUERY-SECRET-1234";
    let answer = |url: &str| {
        let (status, body) = served(url);
        (status, body.replace("https://mcp.example/mcp", SERVER))
    };
    recorded_at(SERVER, answer, |_| "?state=x".to_owned())
}

#[test]
fn a_key_in_the_query_of_the_server_is_not_shown_where_a_trace_diverges() {
    let text = with_a_key();
    assert!(text.contains("response_type=code"), "{text}");
    let trace = Trace::read(&text.replace("response_type=code", "response_type=cod")).unwrap();
    let told = super::diverged::told(&trace.replay().err().unwrap(), Names::Kept);
    assert!(told.contains("response_type") && !told.contains("QUERY-SECRET"), "{told}");
}

#[test]
fn a_key_in_the_query_of_the_server_is_not_drawn() {
    for shown in shown(&seen(&with_a_key())) {
        assert!(!shown.contains("QUERY-SECRET"), "{shown}");
    }
}

/// The callbacks, and what is remarked at each.
fn callbacks(flow: &Flow) -> impl Iterator<Item = (&Message, &[Remark])> {
    flow.rows.iter().filter_map(|row| match &row.what {
        What::Message { message, .. } if message.purpose == "callback" => {
            Some((message, row.remarks.as_slice()))
        }
        _ => None,
    })
}

#[test]
fn a_callback_that_nobody_waited_for_has_neither_a_place_nor_a_state() {
    for callback in ["garbage", "http://127.0.0.1:3000/callback?state=other&code=x", "?error=x", ""] {
        let flow = seen(&recorded(served, |_| callback.to_owned()));
        let (message, remarks) = callbacks(&flow).next().unwrap();
        assert_eq!((message.head.as_str(), &message.url), ("that nobody waited for", &None), "{callback}");
        assert!(message.parameters.is_empty(), "{callback}: {message:?}");
        let [remark] = remarks else { panic!("{callback}: {remarks:?}") };
        assert!(remark.verdict == Verdict::PassedOver && remark.text.starts_with("it answers no request"));
        let untrue = ["STATE-2", "another one"];
        assert!(shown(&flow).iter().all(|shown| !untrue.iter().any(|it| shown.contains(it))), "{callback}");
    }
}

/// The good answer to an authorization request, as its query.
fn answer(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    let (_, state) = url.query_pairs().find(|(name, _)| name == "state").unwrap();
    format!("code=secret-code&state={state}")
}

#[test]
fn a_callback_without_its_place_is_told_with_what_it_says() {
    for before in ["", "?"] {
        let flow = seen(&recorded(served, |url| format!("{before}{}", answer(url))));
        let message = callbacks(&flow).next().unwrap().0;
        assert_eq!((message.head.as_str(), &message.url), ("without its place", &None));
        let said: Vec<_> = message.parameters.iter().map(|it| format!("{}={}", it.name, it.value)).collect();
        assert_eq!(said, ["code=CODE-1", "state=STATE-1"]);
    }
}

#[test]
fn a_callback_after_the_end_is_told_to_be_late() {
    let text = recorded(served, |url| format!("http://127.0.0.1:3000/callback?{}", answer(url)));
    let called = text.lines().find(|line| line.contains("\"called\"")).unwrap();
    let flow = seen(&format!("{text}{called}\n"));
    let said: Vec<Vec<_>> =
        callbacks(&flow).map(|(_, remarks)| remarks.iter().map(|it| it.text.as_str()).collect()).collect();
    assert_eq!(said.len(), 2);
    assert!(said[0].contains(&"`state` is the one that was sent"), "{said:?}");
    assert_eq!(said[1], ["it answers no request that is waited for, and ends nothing"]);
}

/// The title of a trace with this line after its header.
fn title(line: &str) -> String {
    let text = recorded(served, |_| String::new());
    let header = text.lines().next().unwrap();
    seen(&format!("{header}\n{line}\n")).title
}

#[test]
fn where_nobody_logged_in_the_title_says_what_was_called() {
    let request = r#"{"at":1800000000,"note":{"request":{"method":"POST","url":"https://mcp.example/mcp","operation":"OPERATION","authorized":true}}}"#;
    let of = |operation: &str| request.replace("OPERATION", operation);
    assert_eq!(title(""), "No login · mcp.example/mcp");
    assert_eq!(title(&of("tools/list")), "Request: tools/list · mcp.example/mcp");
    let several = ["initialize", "tools/list", "tools/list"].map(of).join("\n");
    assert_eq!(title(&several), "Requests: initialize, tools/list · mcp.example/mcp");
}
