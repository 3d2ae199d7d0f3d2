use std::time::{Duration, Instant};

use super::*;

const GOOD: &str = "Bearer resource_metadata=\"https://rs.example/.well-known/x\", scope=\"a b\"";

fn read_one<T: AsRef<[u8]> + ?Sized>(field: &T) -> Vec<Challenge<'_>> {
    read([field.as_ref()])
}

/// Whether the good challenge came through, with nothing before its own values.
fn has_good(challenges: &[Challenge]) -> bool {
    challenges.iter().any(|challenge| {
        challenge.is("Bearer")
            && challenge.param("resource_metadata") == Some("https://rs.example/.well-known/x")
            && challenge.param("scope") == Some("a b")
    })
}

const GARBAGE: &[&str] = &[
    "",
    ",",
    " , ,, ",
    "Basic realm=\"x\"",
    "Negotiate",
    "Negotiate YII/+w==",
    "Digest realm=\"a, b\", qop=\"auth,auth-int\", nonce=\"x\\\"y\"",
    "Basic realm=\"x",
    "Basic realm=\"x, y",
    "Basic realm=\"x\\",
    "Basic realm='x",
    "Basic realm=",
    "Basic realm = ",
    "Basic realm",
    "\"",
    "\"\"\"",
    "'",
    "\\",
    "\\\"",
    "=",
    "====",
    "a=",
    "a==",
    "a==b",
    "=a",
    "a=\"",
    "a='",
    "a=b=c",
    "@[]{}()<>?:;/",
    "///==",
    "<html><body class=\"x\">no</body></html>",
    "{\"error\":\"x\"}",
    "caf\u{e9} \u{202e}\u{0}\u{1}\u{7f}",
];

#[test]
fn names_and_schemes_have_no_case() {
    let challenges = read_one("BeArEr SCOPE=a, Scope=b");
    let challenge = challenges.first().unwrap();
    assert_eq!(challenge.scheme(), "BeArEr");
    assert!(challenge.is("bearer") && !challenge.is("beare"));
    assert_eq!(challenge.param("sCoPe"), Some("a"));
    assert_eq!(challenge.params("SCOPE").collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(challenge.all_params().collect::<Vec<_>>(), [("scope", "a"), ("scope", "b")]);
    assert_eq!(challenge.param("realm"), None);
}

#[test]
fn a_good_challenge_survives_garbage_around_it() {
    for before in GARBAGE {
        for after in GARBAGE {
            let field = format!("{before}, {GOOD}, {after}");
            assert!(has_good(&read_one(&field)), "{field}");
            let fields = [before.as_bytes(), GOOD.as_bytes(), after.as_bytes()];
            assert!(has_good(&read(fields)), "{fields:?}");
        }
    }
}

#[test]
fn a_good_challenge_survives_any_two_bytes_around_it() {
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            let before = [&[first, second], b", ".as_slice(), GOOD.as_bytes()].concat();
            assert!(has_good(&read_one(&before)), "{first:#x} {second:#x} before");
            let after = [GOOD.as_bytes(), b", ", &[first, second]].concat();
            assert!(has_good(&read_one(&after)), "{first:#x} {second:#x} after");
        }
    }
}

#[test]
fn every_prefix_is_read_and_invents_no_value() {
    let long = format!(
        "Negotiate YII/+w==, Basic realm='x y', {GOOD}, error=invalid_token, re = \"a\\\"b, c\", \u{e9}=\"\u{e9}\""
    );
    let whole = read_one(&long);
    assert_eq!(whole.len(), 3);
    let mut reads = 0;
    for length in 0..=long.len() {
        for challenge in read_one(&long.as_bytes()[..length]) {
            for value in challenge.params("resource_metadata") {
                assert_eq!(value, "https://rs.example/.well-known/x");
                reads += 1;
            }
        }
    }
    assert!(reads > 50);
}

#[test]
fn every_string_of_awkward_bytes_is_read() {
    const BYTES: &[u8] = b"a=\"',\\ \xff";
    const LENGTH: u32 = 6;
    for number in 0..BYTES.len().pow(LENGTH) {
        let field: Vec<u8> =
            (0..LENGTH).map(|place| BYTES[number / BYTES.len().pow(place) % BYTES.len()]).collect();
        for challenge in read_one(&field) {
            assert!(is_token(challenge.scheme.as_bytes()), "{field:?}");
            assert!(challenge.all_params().all(|(name, _)| is_token(name.as_bytes())), "{field:?}");
        }
    }
}

/// Far beyond the limit on bytes: work that grows with the square of the length would take minutes for each.
#[test]
fn hostile_fields_take_linear_time() {
    let shapes: &[&str] = &[
        "\"",
        "'",
        ",",
        " ",
        "=",
        "\\",
        "\\\"",
        "a",
        "a ",
        "a=",
        "a =",
        "a = ",
        "a=\"",
        "a='",
        "a=\",",
        "a=',",
        "a=\"\\",
        ",a=\"",
        ", a=\" b='",
        "a=\"b=",
        "a=\"x,b=",
        "a='x,b=\"",
        "=\"",
        "='",
        ";a=\"\\\",",
        "\\\"a='\\'",
        " \" ",
        "a\t",
        "Bearer ",
        "Bearer,",
        "Bearer a=",
        "\u{e9}",
        "a==",
        "/",
        "@ ",
    ];
    for shape in shapes {
        for prefix in ["", "Bearer a=\"x, ", "Bearer a='x, "] {
            let mut field = prefix.to_owned();
            field.push_str(&shape.repeat(250_000 / shape.len()));
            let begun = Instant::now();
            let items = Lexer::of(field.as_bytes()).count();
            assert!(items <= field.len());
            assert!(begun.elapsed() < Duration::from_secs(5), "{prefix}{shape}");
        }
    }
}

#[test]
fn no_more_than_the_limit_is_read() {
    let blanks = |count| " ".repeat(count);
    let reach = MAX_BYTES - GOOD.len();
    assert!(has_good(&read_one(&(blanks(reach) + GOOD))));
    assert!(!has_good(&read_one(&(blanks(reach + 1) + GOOD))));
    assert!(has_good(&read_one(&(GOOD.to_owned() + "," + &blanks(1_000_000) + ", Basic"))));
    // The fields count together, with a comma between them.
    let fits = blanks(reach - 1);
    assert!(has_good(&read([fits.as_bytes(), GOOD.as_bytes()])));
    let over = blanks(reach);
    assert!(!has_good(&read([over.as_bytes(), GOOD.as_bytes()])));
    assert!(read(std::iter::repeat(b"".as_slice())).is_empty());
}

#[test]
fn a_value_cut_by_the_limit_is_left_out() {
    let fill = |text: &str, beyond: &str| {
        let start = format!("Bearer realm=x{}", " ".repeat(MAX_BYTES - 14 - text.len())) + text;
        assert_eq!(start.len(), MAX_BYTES);
        let start = start + beyond;
        let read = read_one(&start);
        read.iter().flat_map(Challenge::all_params).map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(fill(" scope=read", "write"), ["realm"]);
    assert_eq!(fill(" scope=\"read wri", "te\""), ["realm"]);
    assert_eq!(fill(" scope='read wri", "te'"), ["realm"]);
    assert_eq!(fill(" scope=\"read\" ", "error=x"), ["realm", "scope"]);
    // Words in a string that was cut are words still.
    assert_eq!(fill(" error_description=\"x, Bearer scope=admin, y", " \""), ["realm"]);
    assert!(read_one(&"Bearer".repeat(MAX_BYTES)).is_empty());
}

#[test]
fn challenges_and_parameters_are_bounded() {
    let many = (0..100).map(|n| format!("S{n} p={n}")).collect::<Vec<_>>().join(", ");
    let challenges = read_one(&many);
    assert_eq!(challenges.len(), MAX_CHALLENGES);
    assert_eq!(challenges.last().unwrap().all_params().collect::<Vec<_>>(), [("p", "31")]);
    let wide = (0..100).map(|n| format!("p{n}={n}")).collect::<Vec<_>>().join(", ");
    let wide = format!("Basic {wide}, {GOOD}");
    let challenges = read_one(&wide);
    assert_eq!(challenges.first().unwrap().all_params().count(), MAX_PARAMS);
    assert!(has_good(&challenges));
}

#[test]
fn a_demand_is_kept_as_it_is() {
    let demand = Demand::of(&read_one(&format!("{GOOD}, error=insufficient_scope, DPoP")));
    assert!(demand.insufficient_scope() && demand.bearer && demand.dpop);
    let kept = serde_json::to_string(&demand).unwrap();
    assert_eq!(serde_json::from_str::<Demand>(&kept).unwrap(), demand);
    assert_eq!(serde_json::from_str::<Demand>("{}").unwrap(), Demand::default());
    assert!(!Demand::default().insufficient_scope());
}

#[test]
fn a_long_description_is_cut() {
    let demand = Demand::of(&read_one(&format!("Bearer error_description=\"{}\"", "ä".repeat(400))));
    assert_eq!(demand.error_description.unwrap().chars().count(), 301);
}

#[test]
fn a_token68_is_of_its_letters_and_ends_in_pads() {
    for (field, expected) in [
        ("Negotiate YII/+w==", Some("YII/+w==")),
        ("Negotiate -._~/+", Some("-._~/+")),
        ("Negotiate x!y", None),
        ("Negotiate x!y==", None),
        ("Negotiate ====", None),
    ] {
        let challenges = read_one(field);
        assert_eq!(challenges.first().and_then(Challenge::token68), expected, "{field}");
    }
}
