//! A key that cannot be used is refused with words that help, and that hold none of it.

mod common;

use common::{key, pem};
use mcp_auth::wire::jws::Algorithm;
use mcp_auth_jose::{FnSigner, Key, KeyError, Signer, public_from_pem};
use serde_json::{Value, json};

/// Every file of keys, private or not.
const FILES: [&str; 28] = [
    "ec-certificate.pem",
    "ec-compressed.pem",
    "ec-encrypted-sec1.pem",
    "ec-encrypted.pem",
    "ec-explicit.pem",
    "ec-p384.pem",
    "ec-p521.pem",
    "ec-pkcs8.pem",
    "ec-public.pem",
    "ec-sec1.pem",
    "ec-secp256k1.pem",
    "ec-without-public.pem",
    "ed25519-public.pem",
    "ed25519.pem",
    "ed448.pem",
    "openssh.pem",
    "rfc7515-a2.jwk",
    "rfc7515-a3.jwk",
    "rsa-1024.pem",
    "rsa-3072.pem",
    "rsa-4096.pem",
    "rsa-exponent-3.pem",
    "rsa-pkcs1.pem",
    "rsa-pkcs8.pem",
    "rsa-pss.pem",
    "rsa-public.pem",
    "rsa-three-primes.pem",
    "x25519.pem",
];

fn refused(text: &str) -> KeyError {
    Key::from_pem(text).expect_err("a refusal")
}

fn jwk(name: &str) -> Value {
    serde_json::from_str(&pem(name)).unwrap()
}

/// What becomes of a JWK when some of its members are others; `null`: not there.
fn changed(name: &str, members: Value) -> Result<Key, KeyError> {
    let mut jwk = jwk(name);
    for (name, value) in members.as_object().unwrap() {
        jwk[name] = value.clone();
    }
    jwk.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    Key::from_jwk(jwk.to_string())
}

#[test]
fn a_pem_that_cannot_be_used_says_what_it_is() {
    for (name, kind, words) in [
        ("ec-certificate.pem", "NotPrivate", "a certificate"),
        ("ec-public.pem", "NotPrivate", "a public key"),
        ("rsa-public.pem", "NotPrivate", "a public key"),
        ("ec-encrypted.pem", "Encrypted", "openssl pkey"),
        ("ec-encrypted-sec1.pem", "Encrypted", "openssl pkey"),
        ("ec-p384.pem", "Unsupported", "P-384"),
        ("ec-p521.pem", "Unsupported", "P-521"),
        ("ec-secp256k1.pem", "Unsupported", "secp256k1"),
        ("ec-explicit.pem", "Unsupported", "spells out its curve"),
        ("ec-without-public.pem", "Incomplete", "openssl ec -in key.pem"),
        ("ec-compressed.pem", "Incomplete", "uncompressed"),
        ("ed448.pem", "Unsupported", "Ed448"),
        ("x25519.pem", "Unsupported", "key agreement"),
        ("openssh.pem", "Unsupported", "ssh-keygen"),
        ("rsa-1024.pem", "ModulusSize", "1024 bits"),
        ("rsa-exponent-3.pem", "Unsupported", "65537"),
        ("rsa-pss.pem", "Unsupported", "RSASSA-PSS"),
        ("rsa-three-primes.pem", "Unsupported", "two primes"),
        ("rfc7515-a3.jwk", "Malformed", "from_jwk"),
    ] {
        let why = refused(&pem(name));
        assert!(format!("{why:?}").starts_with(kind), "{name}: {why:?}");
        assert!(why.to_string().contains(words), "{name}: {why}");
    }
}

#[test]
fn a_text_that_is_no_pem_says_what_is_wrong_with_it() {
    let whole = pem("ec-pkcs8.pem");
    let lines: Vec<_> = whole.lines().collect();
    let with = |index: usize, line: &str| {
        let mut lines = lines.clone();
        lines[index] = line;
        lines.join("\n")
    };
    let last = lines.len() - 1;
    for (text, words) in [
        (String::new(), "nothing"),
        ("hello".to_owned(), "without any section"),
        (with(last, ""), "without its last line"),
        (with(last, "-----END EC PRIVATE KEY-----"), "another label"),
        (with(1, "-----BEGIN PRIVATE KEY-----"), "within a section"),
        (with(1, "not base64!"), "no base64"),
        (with(1, &lines[1][1..]), "no base64"),
        (with(1, ""), "PKCS#8 in DER"),
        ("x".repeat(65 << 10), "64 KiB"),
        ("-----BEGIN DH PARAMETERS-----\n-----END DH PARAMETERS-----".to_owned(), "another kind"),
        ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----".to_owned(), "PKCS#8 in DER"),
    ] {
        let why = refused(&text).to_string();
        assert!(why.contains(words), "{words}: {why}");
    }
    let why = Key::from_pem([0x30, 0x81, 0x87, 2, 1, 0]).unwrap_err().to_string();
    assert!(why.contains("-inform DER"), "{why}");
}

#[test]
fn what_stands_beside_a_key_does_no_harm() {
    let [key, certificate, public] = ["ec-pkcs8.pem", "ec-certificate.pem", "ec-public.pem"].map(pem);
    for text in [
        format!("{certificate}{key}{certificate}"),
        format!("{public}\n{key}"),
        format!("Bag Attributes\n    friendlyName: test\n{key}"),
        key.replace('\n', "\r\n"),
        key.replace('\n', " \n\n"),
        key.trim_end().to_owned(),
    ] {
        assert!(Key::from_pem(&text).is_ok(), "{text}");
    }
    let both = format!("{key}{}", pem("rsa-pkcs8.pem"));
    assert_eq!(refused(&both), KeyError::Several { count: 2 });
    assert_eq!(refused(&key.repeat(3)), KeyError::Several { count: 3 });
    assert_eq!(refused(&format!("{key}{}", pem("ec-encrypted.pem"))), KeyError::Several { count: 2 });
}

#[test]
fn a_public_key_is_one_and_nothing_else() {
    assert_eq!(
        public_from_pem(pem("ec-pkcs8.pem")).unwrap_err(),
        KeyError::NotPublic { got: "a private key" }
    );
    let why = public_from_pem(pem("ec-certificate.pem")).unwrap_err().to_string();
    assert!(why.contains("a certificate"), "{why}");
    let both = format!("{}{}", pem("ec-public.pem"), pem("rsa-public.pem"));
    assert_eq!(public_from_pem(both).unwrap_err(), KeyError::Several { count: 2 });
    assert!(public_from_pem("").unwrap_err().to_string().contains("nothing"));
}

#[test]
fn a_jwk_that_cannot_be_used_says_what_is_wrong_with_it() {
    let a2 = jwk("rfc7515-a2.jwk");
    let other = jwk("rfc8037-a1.jwk")["x"].clone();
    let short = json!("AAAA");
    for (name, members, kind, words) in [
        ("rfc7515-a3.jwk", json!({"d": null}), "NotPrivate", "public key"),
        ("rfc7515-a2.jwk", json!({"d": null}), "NotPrivate", "public key"),
        ("rfc8037-a1.jwk", json!({"d": null}), "NotPrivate", "public key"),
        ("rfc7515-a3.jwk", json!({"kty": null}), "Malformed", "kty"),
        ("rfc7515-a3.jwk", json!({"kty": "oct", "k": "AA"}), "Unsupported", "shared secret"),
        ("rfc7515-a3.jwk", json!({"kty": "AKP"}), "Unsupported", "another kind"),
        ("rfc7515-a3.jwk", json!({"crv": "P-384"}), "Unsupported", "P-384"),
        ("rfc7515-a3.jwk", json!({"crv": null}), "Malformed", "crv"),
        ("rfc8037-a1.jwk", json!({"crv": "X25519"}), "Unsupported", "key agreement"),
        ("rfc8037-a1.jwk", json!({"crv": "Ed448"}), "Unsupported", "Ed448"),
        ("rfc7515-a3.jwk", json!({"y": null}), "Malformed", "public half"),
        ("rfc7515-a3.jwk", json!({"x": short}), "Malformed", "another length"),
        ("rfc7515-a3.jwk", json!({"d": short}), "Malformed", "another length"),
        ("rfc8037-a1.jwk", json!({"d": "AA=="}), "Malformed", "base64url"),
        ("rfc7515-a3.jwk", json!({"d": 1}), "Malformed", "ill-typed"),
        ("rfc7515-a3.jwk", json!({"kid": 1}), "Malformed", "ill-typed"),
        ("rfc7515-a3.jwk", json!({"x": other}), "Mismatched", "do not belong together"),
        ("rfc7515-a3.jwk", json!({"d": other}), "Mismatched", "do not belong together"),
        ("rfc8037-a1.jwk", json!({"d": other}), "Mismatched", "do not belong together"),
        ("rfc7515-a2.jwk", json!({"p": a2["q"]}), "Mismatched", "do not belong together"),
        ("rfc7515-a2.jwk", json!({"dp": a2["dq"]}), "Mismatched", "do not belong together"),
        ("rfc7515-a2.jwk", json!({"qi": a2["dp"]}), "Mismatched", "do not belong together"),
        ("rfc7515-a2.jwk", json!({"qi": null}), "Incomplete", "qi"),
        ("rfc7515-a2.jwk", json!({"n": a2["p"]}), "ModulusSize", "1024 bits"),
        ("rfc7515-a2.jwk", json!({"oth": []}), "Unsupported", "two primes"),
        ("rfc7515-a2.jwk", json!({"use": "enc"}), "Restricted", "use"),
        ("rfc7515-a2.jwk", json!({"key_ops": ["decrypt"]}), "Restricted", "key_ops"),
        ("rfc7515-a2.jwk", json!({"alg": "RS512"}), "Restricted", "alg"),
        ("rfc7515-a2.jwk", json!({"alg": "RSA-OAEP"}), "Restricted", "alg"),
        ("rfc7515-a2.jwk", json!({"alg": "ES256"}), "Algorithm", "ES256"),
    ] {
        let why = changed(name, members.clone()).expect_err(&format!("{name} {members}"));
        assert!(format!("{why:?}").starts_with(kind), "{name} {members}: {why:?}");
        assert!(why.to_string().contains(words), "{name} {members}: {why}");
    }
    for (text, words) in [
        (String::new(), "nothing"),
        (pem("ec-pkcs8.pem"), "from_pem"),
        ("{".to_owned(), "broken JSON"),
        ("[]".to_owned(), "no JSON object"),
        (json!({"keys": [a2]}).to_string(), "JWK Set"),
        (r#"{"kty":"EC","kty":"EC"}"#.to_owned(), "doubled"),
        (format!("{{{}}}", " ".repeat(17 << 10)), "16 KiB"),
    ] {
        let why = Key::from_jwk(&text).unwrap_err().to_string();
        assert!(why.contains(words), "{words}: {why}");
    }
}

#[test]
fn what_a_jwk_says_of_itself_is_kept() {
    let key = changed("rfc7515-a2.jwk", json!({"kid": "k1", "alg": "RS256", "use": "sig", "x5c": []}));
    let key = key.unwrap();
    assert_eq!(key.key_id(), Some("k1"));
    assert_eq!(key.algorithms(), [Algorithm::Rs256]);
    let key = changed("rfc8037-a1.jwk", json!({"alg": "Ed25519", "key_ops": ["verify", "sign"]})).unwrap();
    assert_eq!((key.key_id(), key.algorithms()), (None, &[Algorithm::Ed25519][..]));
    let key = changed("rfc8037-a1.jwk", json!({})).unwrap();
    assert_eq!(key.algorithms(), [Algorithm::EdDsa, Algorithm::Ed25519]);
}

#[test]
fn no_beginning_of_a_key_panics_or_is_one() {
    for name in FILES {
        let text = pem(name);
        let whole = text.trim_end().len();
        for end in 0..whole {
            assert!(Key::from_pem(&text[..end]).is_err(), "{name} cut to {end}");
            assert!(Key::from_jwk(&text[..end]).is_err(), "{name} cut to {end}");
            assert!(public_from_pem(&text[..end]).is_err(), "{name} cut to {end}");
        }
    }
}

/// The one section of a PEM, decoded, and a way back.
fn section(text: &str) -> (String, Vec<u8>) {
    use base64::Engine as _;
    let label = text.rsplit("-----END ").next().unwrap().split("-----").next().unwrap().to_owned();
    let body = text.rsplit_once("-----BEGIN ").unwrap().1;
    let body: String = body.lines().skip(1).take_while(|line| !line.starts_with('-')).collect();
    (label, base64::engine::general_purpose::STANDARD.decode(body).unwrap())
}

fn in_pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

#[test]
fn a_damaged_structure_panics_nowhere_and_never_becomes_another_key() {
    for name in ["ec-sec1.pem", "ec-pkcs8.pem", "ed25519.pem", "rsa-pkcs1.pem", "rsa-pkcs8.pem"] {
        let (label, der) = section(&pem(name));
        let right = key(name);
        for end in 0..der.len() {
            assert!(Key::from_pem(in_pem(&label, &der[..end])).is_err(), "{name} cut to {end}");
        }
        assert!(Key::from_pem(in_pem(&label, &[&der[..], &[0]].concat())).is_err(), "{name}");
        // The seed of an Ed25519 key without its public half may be any.
        let free = if name == "ed25519.pem" { der.len() - 32 } else { der.len() };
        for index in (0..free).step_by(if name.starts_with("rsa") { 7 } else { 1 }) {
            for bit in [0x01, 0x80] {
                let mut damaged = der.clone();
                damaged[index] ^= bit;
                if let Ok(key) = Key::from_pem(in_pem(&label, &damaged)) {
                    assert_eq!(key.public(), right.public(), "{name} at {index}");
                }
            }
        }
    }
    for name in ["ec-public.pem", "rsa-public.pem", "ed25519-public.pem"] {
        let (label, der) = section(&pem(name));
        for end in 0..der.len() {
            assert!(public_from_pem(in_pem(&label, &der[..end])).is_err(), "{name} cut to {end}");
        }
    }
}

#[test]
fn halves_of_two_keys_in_one_structure_are_refused() {
    let (label, der) = section(&pem("ec-pkcs8.pem"));
    let other = Key::generate(Algorithm::Es256).unwrap().1;
    let (_, other) = section(other.expose());
    let mut mixed = der.clone();
    let start = mixed.len() - 64;
    mixed[start..].copy_from_slice(&other[other.len() - 64..]);
    assert_eq!(refused(&in_pem(&label, &mixed)), KeyError::Mismatched);

    // An EC key that has its public half inside and, as version 2 may, around it.
    let twice = |public: &[u8]| {
        let inner = [&[2, 1, 1], &der[6..], &[0x81, 66, 0], public].concat();
        in_pem(&label, &[vec![0x30, 0x81, u8::try_from(inner.len()).unwrap()], inner].concat())
    };
    let own = &der[der.len() - 65..];
    assert_eq!(Key::from_pem(twice(own)).unwrap().public(), key("ec-pkcs8.pem").public());
    assert_eq!(refused(&twice(&mixed[der.len() - 65..])), KeyError::Mismatched);

    // Ed25519, version 2 (RFC 5958 §2), with its own public half and with another.
    let (label, seed) = section(&pem("ed25519.pem"));
    let (_, public) = section(&pem("ed25519-public.pem"));
    let version_2 = |public: &[u8]| {
        let inner = [&[2, 1, 1], &seed[5..], &[0x81, 33, 0], public].concat();
        in_pem(&label, &[vec![0x30, u8::try_from(inner.len()).unwrap()], inner].concat())
    };
    let own = &public[public.len() - 32..];
    assert_eq!(Key::from_pem(version_2(own)).unwrap().public(), key("ed25519.pem").public());
    assert_eq!(refused(&version_2(&[7; 32])), KeyError::Mismatched);

    // Something after all that belongs there.
    let inner = [&seed[2..], &[5, 0]].concat();
    let longer = [vec![0x30, u8::try_from(inner.len()).unwrap()], inner].concat();
    assert!(refused(&in_pem(&label, &longer)).to_string().contains("PKCS#8"));
}

#[test]
fn nothing_that_is_shown_holds_any_of_a_key() {
    let mut shown = Vec::new();
    let mut secrets = Vec::new();
    for name in FILES {
        let text = pem(name);
        // Each line of a PEM that is not a boundary, and each value of a JWK, but for its name and curve.
        if let Ok(jwk) = serde_json::from_str::<Value>(&text) {
            let private = ["d", "p", "q", "dp", "dq", "qi"];
            secrets.extend(private.iter().filter_map(|it| jwk[it].as_str().map(str::to_owned)));
        } else {
            secrets.extend(text.lines().filter(|it| it.len() > 20 && !it.contains('-')).map(str::to_owned));
        }
        // Whole, cut, damaged, and read as what it is not.
        for text in [text.clone(), text[..text.len() / 2].to_owned(), text.replace('A', "!")] {
            let replaced = text.replace("\"kty\"", "\"kid\": 7, \"kty\"");
            for read in [Key::from_pem(&text), Key::from_jwk(&text), Key::from_jwk(&replaced)] {
                match read {
                    Ok(key) => {
                        shown.push(format!("{key:?} {key:#?}"));
                        shown.extend(key.sign(Algorithm::Es256, b"").err());
                    }
                    Err(why) => shown.push(format!("{why} {why:?}")),
                }
            }
            shown.extend(public_from_pem(&text).err().map(|why| format!("{why} {why:?}")));
        }
    }
    let (made, pem) = Key::generate(Algorithm::EdDsa).unwrap();
    secrets.extend(pem.expose().lines().filter(|it| !it.contains('-')).map(str::to_owned));
    shown.push(format!("{made:?} {pem:?}"));
    let captured = pem.clone();
    let signer =
        FnSigner::new(made.public().clone(), &[Algorithm::EdDsa], move |_, _| Ok(captured.expose().into()));
    let signer = signer.unwrap();
    shown.push(format!("{signer:?} {}", signer.sign(Algorithm::EdDsa, b"").unwrap_err()));

    assert!(shown.len() > 200 && secrets.len() > 150, "{} {}", shown.len(), secrets.len());
    for text in &shown {
        for secret in &secrets {
            // A part of it is too much as well.
            let part = &secret[..secret.len().min(20)];
            assert!(!text.contains(part), "{text} shows {part}");
        }
    }
}
