//! What a pseudonym stands for, and what stays as it is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::octets::Octets;
use super::super::pseudonyms::Pseudonyms;
use super::*;
use crate::wire::callback::Callback;

fn known(names: Names) -> Pseudonyms {
    let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback");
    Pseudonyms::new(&config, names == Names::Replaced)
}

fn body(names: Names, text: &str, private: bool) -> String {
    match known(names).body(&Octets::Text(text.to_owned()), private) {
        Octets::Text(text) => text,
        Octets::Other { .. } => panic!("a text stays one"),
    }
}

#[test]
fn what_is_public_stays_to_the_letter() {
    for text in
        ["{ \"issuer\" : \"https:\\/\\/as.example\\/t\" }", "<p>there is no such page</p>", "so=what", ""]
    {
        assert_eq!(body(Names::Kept, text, false), text);
    }
    assert_eq!(body(Names::Kept, "", true), "");
    // But for hosts, where those are to be replaced, however they are spelled.
    let replaced = body(Names::Replaced, r#"{"issuer":"https:\/\/as.example\/t"}"#, false);
    assert_eq!(replaced, r#"{"issuer":"https://host-1.example/path-1"}"#);
}

#[test]
fn what_cannot_be_taken_apart_is_left_out_whole() {
    for (text, left) in [
        ("only words", "(scrubbed)"),
        ("access_token=a-token\nand more", "(scrubbed)"),
        ("access_token=a-token{", "(scrubbed)"),
        ("<p>access_token=a-token</p>", "<html>(scrubbed)</html>"),
    ] {
        assert_eq!(body(Names::Kept, text, true), left);
    }
    assert_eq!(known(Names::Kept).location("https://as.example/moved;s=1?x=y#z"), "https://as.example/moved");
}

#[test]
fn a_number_in_quotes_stays_where_a_number_is_told_and_nowhere_else() {
    let told = r#"{"expires_in":"3600","expires_at":"at-the-end-of-the-day","phone":"4915112345678"}"#;
    let left = body(Names::Kept, told, true);
    assert!(left.contains(r#""3600""#), "{left}");
    assert!(!left.contains("4915112345678") && !left.contains("at-the-end"), "{left}");
}

#[test]
fn hosts_and_paths_have_names_and_what_the_standards_name_stays() {
    let known = known(Names::Replaced);
    for (text, named) in [
        (
            "https://mcp.example/.well-known/oauth-protected-resource/mcp",
            "https://host-1.example/.well-known/oauth-protected-resource/path-1",
        ),
        ("https://mcp.example//{tenantid}/mcp", "https://host-1.example//{tenantid}/path-1"),
        (
            "go to https://b.example/a and on, or <https://b.example/b>; mcp.example is down",
            "go to https://host-2.example/path-2 and on, or <https://host-2.example/path-3>; host-1.example is down",
        ),
        ("https://b.example/a\u{1}and on", "https://host-2.example/path-2\u{1}and on"),
    ] {
        assert_eq!(known.text(text), named);
    }
}

/// A pseudonym passes where the secret passed, and fails where it failed: for its length, and for its letters.
#[test]
fn a_pseudonym_is_as_fit_as_what_it_stands_for() {
    let mut known = known(Names::Kept);
    assert_eq!(known.alias("access_token", "plain"), "ACCESS-TOKEN-1-----------------------------");
    assert_eq!(known.alias("user_code", "ABCD-EFGH"), "USER-CODE-1");
    assert_eq!(known.alias("member", "surname"), "member-1");
    assert_eq!(known.alias("access_token", &"x".repeat(16 << 10)).len(), 43);
    assert_eq!(known.alias("access_token", &"x".repeat(20 << 10)).len(), (16 << 10) + 1);
    // A letter that none may have is told by one of its kind.
    for (text, letter) in
        [("a b", ' '), ("a b\u{7f}c", '\u{1}'), ("\u{fc}", '\u{e9}'), ("a\\b", '"'), ("a\tb", '\t')]
    {
        let name = known.alias("access_token", text);
        assert_eq!(
            name.chars()
                .filter(|it| !it.is_ascii_uppercase() && !"-0123456789".contains(*it))
                .collect::<String>(),
            letter.to_string(),
            "{text:?}"
        );
    }
}

#[test]
fn a_secret_is_found_within_others_unless_it_could_stand_there_by_chance() {
    let mut names = known(Names::Kept);
    let (short, long) = (names.learn("secret", "12345"), names.learn("secret", "abcdef"));
    assert_eq!(names.text("12345"), short);
    assert_eq!(names.text("x12345yabcdefz"), format!("x12345y{long}z"));
    // The longest is looked for first, whichever was learnt first.
    for order in [["a-token", "a-token-and-more"], ["a-token-and-more", "a-token"]] {
        let mut names = known(Names::Kept);
        for text in order {
            names.learn("secret", text);
        }
        let named = names.alias("secret", "a-token-and-more");
        assert_eq!(names.text("<a-token-and-more>"), format!("<{named}>"));
    }
    names.learn_query("query", "https://mcp.example/mcp?key=the-key-of-the-host#top");
    assert!(!names.text("no the-key-of-the-host, no top").contains("the-key-of"));
}

/// What the second machine drew stands for what the first one drew in the same place, and for nothing else.
#[test]
fn what_is_drawn_anew_is_known_by_its_name() {
    let open = |query: &str| json!({"open": {"url": format!("https://as.example/authorize?{query}")}});
    let mut known = known(Names::Kept);
    known.learn_drawn(&open("challenge=the-first&x=stands-here"), &open("challenge=the-second&y=another"));
    assert_eq!(known.text("<the-first> <stands-here>"), "<the-second> <stands-here>");
}

#[test]
fn an_answer_keeps_its_place_if_it_is_one_and_its_state_if_there_is_one() {
    let mut known = known(Names::Kept);
    let state = known.learn("state", "state-of-the-run");
    let mut scrubbed = |answer: &str| known.callback(&Callback::new(answer));
    assert!(
        scrubbed("/callback?state=state-of-the-run&iss=a").starts_with(&format!("/callback?state={state}"))
    );
    assert!(scrubbed("/of/alice?state=state-of-the-run").starts_with("?state="));
    for foreign in
        ["/callback?state=another", "/callback?state=state-of-the-run&state=another", "/callback?code=x"]
    {
        assert_eq!(scrubbed(foreign), "?state=FOREIGN");
    }
}

/// What a client holds an assertion against stays; the rest is about the person.
#[test]
fn an_assertion_keeps_what_is_judged_and_nothing_of_the_person() {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"iss": "https://idp.example", "email": "alice@corp.example", "groups": ["staff"],
                        "exp": 1_800_000_000_u64, "employee": 4711});
    let jwt =
        format!("{}.{}.{}", part(json!({"alg": "EdDSA"})), part(claims), URL_SAFE_NO_PAD.encode([7; 64]));
    let name = known(Names::Kept).alias("assertion", &jwt);
    let claims = URL_SAFE_NO_PAD.decode(name.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((&claims["iss"], &claims["exp"]), (&json!("https://idp.example"), &json!(1_800_000_000_u64)));
    let left = claims.to_string();
    for hidden in ["alice", "staff", "4711", "groups", "employee"] {
        assert!(!left.contains(hidden), "{hidden} in {left}");
    }
}
