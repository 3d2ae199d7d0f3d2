//! Flows of the testbed, recorded with a fixed seed and clock, run again and drawn by `mcp-auth replay`. The pictures in
//! `docs/pictures` come from here; `docs/pictures/make` writes them anew. So are those of `vectors/flows`.

mod drawn;
mod expected;
mod files;
mod flows;
mod recorded;
mod rig;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The pictures that the documentation shows.
const KEPT: [&str; 6] = ["login", "refused-consent", "step-up", "refresh-recovers", "mix-up", "device"];

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mcp-auth-pictures-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn replay(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    command.arg("replay").args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Every secret that stands in a trace, by the names of members and parameters.
fn secrets(trace: &str) -> Vec<String> {
    const NAMES: [&str; 16] = [
        "access_token",
        "refresh_token",
        "code",
        "code_verifier",
        "state",
        "seed",
        "device_code",
        "user_code",
        "request_uri",
        "assertion",
        "client_assertion",
        "client_secret",
        "id_token",
        "registration_access_token",
        "subject_token",
        "signature",
    ];
    /// The header fields that hold credentials.
    const FIELDS: [&str; 2] = ["authorization", "dpop"];
    fn seek(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    if let (Some(text), true) = (member.as_str(), NAMES.contains(&name.as_str())) {
                        found.push(text.to_owned());
                    }
                    seek(member, found);
                }
            }
            Value::Array(items) => {
                if let [Value::String(name), Value::String(value)] = items.as_slice() {
                    let credentials = FIELDS.contains(&name.as_str()).then(|| value.rsplit(' ').next());
                    found.extend(credentials.flatten().map(str::to_owned));
                }
                items.iter().for_each(|item| seek(item, found));
            }
            Value::String(text) => {
                if let Ok(inner @ Value::Object(_)) = serde_json::from_str::<Value>(text) {
                    seek(&inner, found);
                }
                let query = text.split_once('?').map_or(text.as_str(), |(_, query)| query);
                if query.contains('=') && !query.contains(' ') {
                    let pairs = url::form_urlencoded::parse(query.as_bytes());
                    let pairs = pairs.filter(|(name, _)| NAMES.contains(&name.as_ref()));
                    found.extend(pairs.map(|(_, value)| value.into_owned()));
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    for line in trace.lines() {
        seek(&serde_json::from_str(line).unwrap(), &mut found);
    }
    // A word that somebody made up for a `state` may stand in any sentence.
    found.retain(|secret| secret.len() >= 6 && secret.bytes().any(|byte| !byte.is_ascii_lowercase()));
    found.sort();
    found.dedup();
    found
}

fn well_formed(text: &str) {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    roxmltree::Document::parse_with_options(text, options).unwrap();
}

#[test]
fn every_flow_is_shown_and_nothing_secret_of_it() {
    let folder = Folder::new("all");
    for (name, trace) in flows::all() {
        let (flow, svg, html) = (
            folder.file("flow.jsonl"),
            folder.file(&format!("{name}.svg")),
            folder.file(&format!("{name}.html")),
        );
        fs::write(&flow, &trace).unwrap();
        let secrets = secrets(&trace);
        assert!(secrets.len() >= 2, "{name}: {secrets:?}");
        let drawn = replay(&[&flow, "--svg", &svg, "--html", &html]);
        assert!(drawn.status.success(), "{name}: {}", said(&drawn));
        let told = replay(&[&flow]);
        assert!(told.status.success() && said(&told).contains("replays: "), "{}", said(&told));
        let (svg, html) = (fs::read_to_string(&svg).unwrap(), fs::read_to_string(&html).unwrap());
        well_formed(&svg);
        well_formed(&html);
        for shown in [&svg, &html, &said(&told)] {
            for secret in &secrets {
                assert!(!shown.contains(secret.as_str()), "{name} shows {secret}");
            }
            assert!(!shown.contains('\u{1b}'), "colours in what is no terminal");
        }
    }
}

/// What each picture is there to show.
#[test]
fn what_matters_of_a_flow_is_in_its_picture() {
    let folder = Folder::new("said");
    let words: [(&str, &[&str]); 10] = [
        (
            "login",
            &["registration", "STATE-1", "CODE-VERIFIER-1", "RFC 9207", "Authorized", "with the token"],
        ),
        ("refused-consent", &["access_denied", "Failed: access was denied"]),
        ("step-up", &["Step-up", "insufficient_scope", "files:read files:write"]),
        ("refresh-recovers", &["Renewal", "503", "Failed: the server failed", "Authorized"]),
        ("mix-up", &["https://evil.example", "RFC 9207 §2.4", "Failed: the issuer is another one"]),
        ("device", &["user code", "DEVICE-CODE-1", "authorization_pending", "RFC 8628"]),
        (
            "bound-and-pushed",
            &["pushed authorization", "REQUEST-URI-1", "use_dpop_nonce", "PROOF-1", "bound to a key"],
        ),
        ("restart", &["the token that is kept serves", "Logout", "revocation", "Logged out"]),
        ("beside", &["beside the login", "Renewal beside the login: Authorized"]),
        ("deviation", &["DEVIATION BY POLICY"]),
    ];
    for ((name, trace), (known, words)) in flows::all().into_iter().zip(words) {
        assert_eq!(name, known);
        let (flow, svg) = (folder.file("flow.jsonl"), folder.file(&format!("{name}.svg")));
        fs::write(&flow, trace).unwrap();
        assert!(replay(&[&flow, "--svg", &svg]).status.success());
        let svg = fs::read_to_string(&svg).unwrap();
        for word in words {
            assert!(svg.contains(word), "{name} does not show {word}");
        }
    }
}

#[test]
fn the_pictures_of_the_documentation_are_up_to_date() {
    let folder = Folder::new("kept");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures");
    let writes = std::env::var_os("MCP_AUTH_WRITE_PICTURES").is_some();
    for (name, trace) in flows::all().into_iter().filter(|(name, _)| KEPT.contains(name)) {
        let (flow, svg) = (folder.file("flow.jsonl"), folder.file(&format!("{name}.svg")));
        fs::write(&flow, trace).unwrap();
        assert!(replay(&[&flow, "--svg", &svg]).status.success());
        let (drawn, place) = (fs::read_to_string(&svg).unwrap(), kept.join(format!("{name}.svg")));
        if writes {
            fs::create_dir_all(&kept).unwrap();
            fs::write(&place, &drawn).unwrap();
        }
        let known = fs::read_to_string(&place).unwrap_or_default();
        assert!(known == drawn, "docs/pictures/{name}.svg is not what is drawn now: run docs/pictures/make");
        assert!(drawn.len() < 100_000, "{name}: {} bytes", drawn.len());
    }
}

#[test]
fn a_scrubbed_trace_replays_and_is_for_its_owner_alone() {
    let folder = Folder::new("scrub");
    let (flow, out) = (folder.file("flow.jsonl"), folder.file("out.jsonl"));
    let trace = flows::login();
    fs::write(&flow, &trace).unwrap();
    assert!(replay(&[&flow, "--scrub", &out]).status.success());
    let scrubbed = fs::read_to_string(&out).unwrap();
    assert!(secrets(&trace).iter().all(|secret| !scrubbed.contains(secret.as_str())));
    assert!(scrubbed.contains("https://mcp.example/mcp"));
    assert!(replay(&[&out]).status.success());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // Nothing is written over.
    let again = replay(&[&flow, "--scrub", &out, "--names"]);
    assert!(!again.status.success() && said(&again).contains("is there already"), "{}", said(&again));
    assert_eq!(fs::read_to_string(&out).unwrap(), scrubbed);
    let renamed = folder.file("renamed.jsonl");
    assert!(replay(&[&flow, "--scrub", &renamed, "--names"]).status.success());
    assert!(!fs::read_to_string(&renamed).unwrap().contains("mcp.example"));
    assert!(replay(&[&renamed]).status.success());
}

#[test]
fn what_does_not_replay_says_where_and_shows_both_sides() {
    let folder = Folder::new("diverged");
    let (flow, svg) = (folder.file("flow.jsonl"), folder.file("flow.svg"));
    let trace = flows::login();
    for (before, now, said_then) in [
        ("\"max_bytes\":65536", "\"max_bytes\":1", ["/send/max_bytes", "65536"]),
        ("grant_type=authorization_code", "grant_type=something", ["/send/body", "grant_type=something"]),
        ("{\"action\":{\"open\"", "{\"action\":{\"show\"", ["the trace says show", "asks for open"]),
    ] {
        let changed = trace.replacen(before, now, 1);
        assert_ne!(changed, trace, "{before}");
        fs::write(&flow, &changed).unwrap();
        let _ = fs::remove_file(&svg);
        let told = replay(&[&flow, "--svg", &svg]);
        assert_eq!(told.status.code(), Some(1));
        let told = said(&told);
        for word in said_then {
            assert!(told.contains(word), "{word}: {told}");
        }
        let svg = fs::read_to_string(&svg).unwrap();
        well_formed(&svg);
        assert!(svg.contains("The machine does something else now"));
        for secret in secrets(&trace) {
            assert!(!told.contains(&secret) && !svg.contains(&secret), "{secret} is shown: {told}");
        }
    }
}

/// Both sides come from the trace as it was read, where names stand.
#[test]
fn what_does_not_replay_shows_no_name_that_is_to_be_replaced() {
    let folder = Folder::new("diverged-names");
    let (flow, html) = (folder.file("flow.jsonl"), folder.file("flow.html"));
    let changed =
        flows::login().replacen("oauth-protected-resource/mcp\"", "oauth-protected-resource/x\"", 1);
    fs::write(&flow, &changed).unwrap();
    let told = replay(&[&flow, "--html", &html, "--names"]);
    assert_eq!(told.status.code(), Some(1));
    let told = said(&told);
    assert!(told.contains("/send/url") && !told.contains("mcp.example"), "{told}");
    assert!(!fs::read_to_string(&html).unwrap().contains("mcp.example"));
    let told = said(&replay(&[&flow]));
    assert!(told.contains("https://mcp.example/.well-known/oauth-protected-resource/x"), "{told}");
}

#[test]
fn what_is_no_trace_says_so() {
    let folder = Folder::new("none");
    let flow = folder.file("flow.jsonl");
    for (bytes, why) in [
        (&b""[..], "there is none"),
        (b"hush\n", "it is no JSON"),
        (b"{\"trace\":99}", "version 99"),
        (b"\xff\xfe", "no UTF-8"),
    ] {
        fs::write(&flow, bytes).unwrap();
        let told = replay(&[&flow]);
        assert!(!told.status.success() && said(&told).contains(why), "{}", said(&told));
        assert!(!said(&told).contains("hush"));
    }
    let told = replay(&[&folder.file("nothing")]);
    assert!(!told.status.success() && said(&told).contains("cannot be read"));
}
