//! Many sessions in one process: what an idle authorized one keeps in memory, how many refreshes one driver makes in a
//! second on one core, and what an input of growing size costs each reader. `many SESSIONS`, by default 100000.

use std::hint::black_box;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use mcp_auth::wire::callback::{Callback, Expected};
use mcp_auth::wire::resource_metadata::ResourceMetadata;
use mcp_auth::wire::server_metadata::{IssuerMatch, ServerMetadata};
use mcp_auth::wire::token::{TokenAnswer, TokenShape};
use mcp_auth::{Action, Authorizer, Challenge, Event, Outcome, Saving, Secret, Seed};
use mcp_auth_benches::{documents, ours, pieces};

fn main() -> std::process::ExitCode {
    let sessions = match std::env::args().nth(1).map(|it| it.parse()) {
        None => 100_000,
        Some(Ok(sessions)) if sessions > 0 => sessions,
        Some(_) => {
            eprintln!("many [SESSIONS]: how many, 100000 unless said");
            return std::process::ExitCode::from(2);
        }
    };
    idle(sessions);
    linear();
    std::process::ExitCode::SUCCESS
}

/// The resident memory of this process, in bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    let kilobytes: usize = line.split_whitespace().nth(1).and_then(|it| it.parse().ok()).expect("a number");
    kilobytes * 1024
}

fn seed(session: u32) -> Seed {
    let mut bits = [7; 32];
    bits[..4].copy_from_slice(&session.to_be_bytes());
    Seed::new(bits)
}

fn idle(sessions: u32) {
    let (config, record) = (ours::config(), ours::record());
    let stored = serde_json::to_vec(&record).expect("a record");
    let before = resident();
    let machine = |session: u32| {
        // As a gateway does it: one configuration, and an account for each session. Each record is read from a store.
        let config = config.clone().account(format!("account-{session}"));
        let record = serde_json::from_slice(&stored).expect("a record");
        let mut auth = ours::restored(config, record, seed(session));
        black_box(auth.poll());
        auth
    };
    let mut machines: Vec<Authorizer> = (0..sessions).map(machine).collect();
    let kept = resident() - before;
    println!("| | |");
    println!("|---|---:|");
    println!("| resident, {sessions} idle authorized sessions | {:.0} MB |", kept as f64 / 1e6);
    println!("| of it each | {} bytes |", kept / sessions as usize);
    println!("| the machine itself, without what it points to | {} bytes |", size_of::<Authorizer>());
    println!("| of that, its configuration | {} bytes |", size_of::<mcp_auth::Config>());
    let answer = documents::answer(200, &documents::token());
    let url = pieces::server();
    println!();
    println!("The fastest of some rounds over so many sessions, nanoseconds for each:");
    println!();
    println!("| sessions | `access` | a refresh | refreshes a second, one driver, one core |");
    println!("|---:|---:|---:|---:|");
    let all = machines.len();
    for count in [1, 100, 10_000, 100_000].into_iter().filter(|count| *count <= all) {
        let machines = &mut machines[..count];
        // The live tokens first, for a refresh is measured with tokens that have run out.
        let access = fastest(count, || {
            for auth in machines.iter() {
                assert!(ours::access(black_box(auth), black_box(&url)));
            }
        });
        let refreshed = fastest(count, || {
            for auth in machines.iter_mut() {
                let mut auth = auth.clone();
                refresh(&mut auth, ours::LATER, &record, &answer);
            }
        });
        let copied = fastest(count, || machines.iter().for_each(|auth| drop(black_box(auth.clone()))));
        let refresh = refreshed.saturating_sub(copied).as_nanos();
        let second = 1e9 / refresh.max(1) as f64;
        println!("| {count} | {} | {refresh} | {second:.0} |", access.as_nanos());
    }
    println!();
}

/// The time for each of so many, the best of some rounds. They are short where they can be, so that some are not interrupted.
fn fastest(count: usize, mut round: impl FnMut()) -> Duration {
    let repeats = (500 / count).max(1);
    let rounds = (100_000 / (repeats * count)).max(5);
    let rounds = (0..rounds).map(|_| {
        let began = Instant::now();
        (0..repeats).for_each(|_| round());
        began.elapsed() / u32::try_from(repeats * count).expect("few")
    });
    rounds.min().unwrap_or_default()
}

fn refresh(
    auth: &mut Authorizer,
    now: mcp_auth::Timestamp,
    record: &mcp_auth::Credential,
    answer: &http::Response<Vec<u8>>,
) {
    auth.handle(now, Event::Restore);
    loop {
        let event = match auth.poll() {
            Action::Load(load) => load.reply(Some(record.clone())),
            Action::Send(send) => {
                black_box(send.request());
                send.reply(answer.clone())
            }
            Action::Store(save) => save.reply(Saving::Kept),
            Action::Release(_) => continue,
            Action::Finish(Ok(Outcome::Authorized(_))) => return,
            other => panic!("{other:?}\n{}", auth.trail()),
        };
        auth.handle(now, event);
    }
}

const SIZES: [usize; 3] = [1 << 10, 64 << 10, 1 << 20];

/// Text of about this size: a beginning, so many times a piece with its number, and an end.
fn filled(size: usize, start: &str, piece: impl Fn(usize) -> String, end: &str) -> String {
    let mut text = start.to_owned();
    let mut number = 0;
    while text.len() + end.len() < size {
        text.push_str(&piece(number));
        number += 1;
    }
    text + end
}

/// Nanoseconds for each byte, the best of some runs. `read` says whether the input was taken.
fn row(name: &str, shape: impl Fn(usize) -> String, read: impl Fn(&str) -> bool) {
    let per_byte = SIZES.map(|size| {
        let text = shape(size);
        let taken = read(&text);
        let best = (0..7).map(|_| {
            let began = Instant::now();
            black_box(read(black_box(&text)));
            began.elapsed()
        });
        let each = best.min().unwrap_or_default().as_nanos() as f64 / text.len() as f64;
        if taken { format!("{each:.2}") } else { format!("{each:.2}, refused") }
    });
    let [small, middle, large] = per_byte;
    println!("| {name} | {small} | {middle} | {large} |");
}

fn linear() {
    println!(
        "Nanoseconds for each byte of input. What is refused is so at a limit, or as it is broken on purpose:"
    );
    println!();
    println!("| | 1 KB | 64 KB | 1 MB |");
    println!("|---|---:|---:|---:|");
    let challenge = |text: &str| {
        let mut fields = HeaderMap::new();
        fields.insert(header::WWW_AUTHENTICATE, HeaderValue::from_str(text).expect("plain text"));
        black_box(Challenge::of(StatusCode::UNAUTHORIZED, &fields, None, 0)).is_some()
    };
    row(
        "challenge (no more than 8 KB is read), parameters",
        |size| filled(size, "Bearer a=b", |n| format!(", p{n}=\"v\""), ""),
        challenge,
    );
    row("challenge, open quotes", |size| filled(size, "Bearer ", |_| "a=\"b,".to_owned(), ""), challenge);
    row("challenge, escapes", |size| filled(size, "Bearer a=\"", |_| "\\\\".to_owned(), "\""), challenge);
    let resource = |text: &str| black_box(ResourceMetadata::read(text.as_bytes())).is_ok();
    let head = "{\"resource\":\"https://mcp.example.com/mcp\",\"authorization_servers\":[\"https://auth.example.com\"]";
    row(
        "resource metadata, other members",
        |size| filled(size, head, |n| format!(",\"member{n}\":\"x\""), "}"),
        resource,
    );
    row(
        "resource metadata, servers",
        |size| {
            filled(
                size,
                "{\"resource\":\"https://mcp.example.com/mcp\",\"authorization_servers\":[\"x\"",
                |n| format!(",\"https://a.example/{n}\""),
                "]}",
            )
        },
        resource,
    );
    row(
        "resource metadata, scopes",
        |size| {
            filled(
                size,
                &format!("{head},\"scopes_supported\":[\"x\""),
                |n| format!(",\"{}{n}\"", "s".repeat(100)),
                "]}",
            )
        },
        resource,
    );
    row(
        "resource metadata, one long text",
        |size| filled(size, &format!("{head},\"x\":\""), |_| "\\u0041".to_owned(), "\"}"),
        resource,
    );
    row("resource metadata, nesting", |size| filled(size, "{\"x\":", |_| "[".to_owned(), ""), resource);
    let server = |text: &str| {
        black_box(ServerMetadata::read(text.as_bytes(), documents::ISSUER, IssuerMatch::Exact)).is_ok()
    };
    let head = "{\"issuer\":\"https://auth.example.com\"";
    row(
        "server metadata, other members",
        |size| filled(size, head, |n| format!(",\"member{n}\":[\"x\"]"), "}"),
        server,
    );
    let token = |text: &str| {
        black_box(TokenAnswer::read(200, None, text.as_bytes(), ours::NOW, TokenShape::default(), false))
            .is_ok()
    };
    row(
        "token answer, scope",
        |size| {
            filled(
                size,
                "{\"access_token\":\"x\",\"token_type\":\"Bearer\",\"scope\":\"",
                |n| format!("{}{n} ", "s".repeat(size / 256)),
                "\"}",
            )
        },
        token,
    );
    row(
        "token answer, form",
        |size| filled(size, "access_token=x&token_type=Bearer", |n| format!("&p{n}=x"), ""),
        token,
    );
    let state = Secret::from("state");
    let expected =
        Expected { state: &state, issuer: documents::ISSUER, iss_required: true, issuer_aliases: &[] };
    row(
        "callback (no more than 64 KB is read), parameters",
        |size| {
            filled(size, "state=state&iss=https%3A%2F%2Fauth.example.com&code=c", |n| format!("&p{n}=x"), "")
        },
        |text| black_box(Callback::new(text).judge(&expected)).is_ok(),
    );
    row(
        "callback, percent",
        |size| {
            filled(size, "state=state&iss=https%3A%2F%2Fauth.example.com&code=c&x=", |_| "%41".to_owned(), "")
        },
        |text| black_box(Callback::new(text).judge(&expected)).is_ok(),
    );
}
