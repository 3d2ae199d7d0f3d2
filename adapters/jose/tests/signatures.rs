//! What is signed verifies: by the examples of the standards, by ring, and by OpenSSL where there is one.

mod common;

use common::{ALL, base64url, der, key, openssl_verifies, pem, verifies};
use mcp_auth::Timestamp;
use mcp_auth::wire::assertion::{ClientAssertion, DEFAULT_LIFETIME};
use mcp_auth::wire::jws::Algorithm;
use mcp_auth_jose::{FnSigner, Key, KeyError, Signer, public_from_pem, raw_from_der};

/// RFC 7515 appendices A.2.1 and A.3.1: header and payload.
const PAYLOAD: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

#[test]
fn rfc_7515_a_2_is_reproduced() {
    let key = Key::from_jwk(pem("rfc7515-a2.jwk")).unwrap();
    assert_eq!(key.algorithms(), [Algorithm::Ps256, Algorithm::Rs256]);
    let message = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}");
    let expected = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7\
                    AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4\
                    BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K\
                    0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv\
                    hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrB\
                    p0igcN_IoypGlUPQGe77Rw";
    assert_eq!(key.sign(Algorithm::Rs256, message.as_bytes()).unwrap(), base64url(expected));
}

#[test]
fn rfc_7515_a_3_verifies() {
    let key = Key::from_jwk(pem("rfc7515-a3.jwk")).unwrap();
    let message = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}");
    let example =
        base64url("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    assert!(verifies(&key, Algorithm::Es256, message.as_bytes(), &example));
    let made = key.sign(Algorithm::Es256, message.as_bytes()).unwrap();
    assert!(verifies(&key, Algorithm::Es256, message.as_bytes(), &made));
    assert!(!verifies(&key, Algorithm::Es256, b"another", &made));
}

#[test]
fn rfc_8037_a_4_is_reproduced() {
    let key = Key::from_jwk(pem("rfc8037-a1.jwk")).unwrap();
    // RFC 8037 appendix A.3, by RFC 7638.
    assert_eq!(key.public().thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let expected =
        base64url("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
    assert_eq!(key.sign(Algorithm::EdDsa, message).unwrap(), expected);
    assert_eq!(key.sign(Algorithm::Ed25519, message).unwrap(), expected);
}

#[test]
fn every_form_of_a_key_gives_the_same_signer() {
    for (forms, public) in [
        (&["ec-sec1.pem", "ec-pkcs8.pem"][..], "ec-public.pem"),
        (&["rsa-pkcs1.pem", "rsa-pkcs8.pem"], "rsa-public.pem"),
        (&["ed25519.pem"], "ed25519-public.pem"),
    ] {
        let public = public_from_pem(pem(public)).unwrap();
        for form in forms {
            assert_eq!(key(form).public(), &public, "{form}");
        }
    }
}

#[test]
fn every_algorithm_of_every_key_verifies_and_no_other_is_signed_with() {
    let message = b"header.claims";
    let mut judged = 0;
    for (name, public) in [
        ("ec-sec1.pem", Some("ec-public.pem")),
        ("rsa-pkcs8.pem", Some("rsa-public.pem")),
        ("ed25519.pem", Some("ed25519-public.pem")),
        ("rsa-3072.pem", None),
        ("rsa-4096.pem", None),
    ] {
        let key = key(name);
        assert_eq!(key.algorithms(), key.public().algorithms());
        for algorithm in ALL {
            let shown = format!("{name} {}", algorithm.as_str());
            if !key.algorithms().contains(&algorithm) {
                let why = key.sign(algorithm, message).unwrap_err();
                assert!(why.contains(algorithm.as_str()), "{shown}: {why}");
                continue;
            }
            let signature = key.sign(algorithm, message).unwrap();
            assert!(verifies(&key, algorithm, message, &signature), "{shown}");
            assert!(!verifies(&key, algorithm, b"header.other", &signature), "{shown}");
            let Some(public) = public.map(pem) else { continue };
            if let Some(verdict) = openssl_verifies(&public, algorithm, message, &signature) {
                assert!(verdict, "OpenSSL: {shown}");
                let wrong = openssl_verifies(&public, algorithm, b"header.other", &signature);
                assert_eq!(wrong, Some(false), "OpenSSL: {shown}");
                judged += 1;
            }
        }
    }
    println!("OpenSSL judged {judged} signatures");
    assert!([0, 5].contains(&judged));
}

#[test]
fn a_made_key_is_the_same_after_a_restart() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ed25519] {
        let (made, pem) = Key::generate(algorithm).unwrap();
        assert!(pem.expose().lines().all(|line| (1..=64).contains(&line.len())), "RFC 7468 §2");
        let read = Key::from_pem(pem.expose()).unwrap();
        assert_eq!(read.public(), made.public());
        let signature = read.sign(algorithm, b"message").unwrap();
        assert!(verifies(&made, algorithm, b"message", &signature));
        assert_ne!(openssl_verifies(pem.expose(), algorithm, b"message", &signature), Some(false));
        assert_ne!(Key::generate(algorithm).unwrap().0.public(), made.public());
    }
    for asked in [Algorithm::Ps256, Algorithm::Rs256] {
        assert_eq!(Key::generate(asked).unwrap_err(), KeyError::NotMade { asked });
    }
}

#[test]
fn a_client_assertion_is_completed() {
    let key = key("ec-sec1.pem").with_key_id("k1");
    let assertion = ClientAssertion {
        client_id: "client",
        issuer: "https://as.example",
        algorithm: Algorithm::choose(key.algorithms(), None, "RFC 8414 §2").unwrap(),
        key_id: key.key_id(),
        jti: "j1",
        issued_at: Timestamp::from_secs(1_800_000_000),
        lifetime: DEFAULT_LIFETIME,
    };
    let input = assertion.signing_input().unwrap();
    let signature = key.sign(input.algorithm(), input.as_bytes()).unwrap();
    let jws = input.complete(&signature).unwrap();
    let header = base64url(jws.expose().split('.').next().unwrap());
    assert_eq!(String::from_utf8(header).unwrap(), r#"{"alg":"ES256","kid":"k1","typ":"JWT"}"#);
}

#[test]
fn an_algorithm_can_be_all_that_is_left() {
    let key = key("rsa-pkcs8.pem").with_algorithm(Algorithm::Rs256).unwrap();
    assert_eq!(key.algorithms(), [Algorithm::Rs256]);
    assert!(key.sign(Algorithm::Ps256, b"").is_err());
    let asked = Algorithm::Ps256;
    assert_eq!(key.with_algorithm(asked).unwrap_err(), KeyError::Algorithm { asked });
}

/// A signer over a key that stands for a key service.
fn external(
    sign: impl Fn(&Key, Algorithm, &[u8]) -> Result<Vec<u8>, String> + Send + Sync + 'static,
) -> impl Signer {
    let service = key("ec-sec1.pem");
    let public = public_from_pem(pem("ec-public.pem")).unwrap();
    let signer = FnSigner::new(public, &[Algorithm::Es256], move |algorithm, message| {
        sign(&service, algorithm, message)
    });
    signer.unwrap().with_key_id("version 7")
}

#[test]
fn a_key_service_signs() {
    let signer = external(|key, algorithm, message| raw_from_der(&der(&key.sign(algorithm, message)?)));
    assert_eq!(signer.key_id(), Some("version 7"));
    for message in 0..64_u8 {
        let signature = signer.sign(Algorithm::Es256, &[message]).unwrap();
        assert_eq!(signature.len(), 64);
        assert!(verifies(&signer, Algorithm::Es256, &[message], &signature));
    }
    assert!(signer.sign(Algorithm::Rs256, b"").unwrap_err().contains("RS256"));
}

#[test]
fn what_a_key_service_does_wrong_is_found_here() {
    let signer = external(|key, algorithm, message| Ok(der(&key.sign(algorithm, message)?)));
    let why = signer.sign(Algorithm::Es256, b"message").unwrap_err();
    assert!(why.contains("raw_from_der"), "{why}");
    let signer = external(|key, algorithm, _| key.sign(algorithm, b"what was not asked"));
    assert!(signer.sign(Algorithm::Es256, b"message").unwrap_err().contains("hashed again"));
    let signer = external(|_, _, _| Ok(Vec::new()));
    assert!(signer.sign(Algorithm::Es256, b"message").unwrap_err().contains("0 bytes"));
    let signer = external(|_, _, _| Err("the service is down".to_owned()));
    assert_eq!(signer.sign(Algorithm::Es256, b"message").unwrap_err(), "the service is down");
    let public = public_from_pem(pem("ec-public.pem")).unwrap();
    let asked = Algorithm::Rs256;
    let refused = FnSigner::new(public, &[asked], |_, _| Ok(Vec::new())).unwrap_err();
    assert_eq!(refused, KeyError::Algorithm { asked });
}
