//! Taking secrets out of what a server says about the request that carried them.

use std::fmt;

use super::breach::Breach;
use super::secret::Secret;
use super::spelling::{jws_parts, spellings};
use super::text;

/// What stands where a secret stood.
const MARK: &str = "(secret)";
/// The shortest text that is taken for a secret, and the shortest beginning of one that is taken out where the text was
/// cut. Less could stand anywhere by chance.
const LEAST: usize = 4;

/// The secrets that a request carried, to be taken out of what is told of its answer.
#[derive(Clone, Default)]
pub(crate) struct Redaction(Vec<Secret>);

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redaction(…)")
    }
}

impl Redaction {
    /// Of the value of the request's `Authorization` field, and of the secrets in its body.
    pub(crate) fn of<'a>(
        authorization: Option<&'a Secret>,
        secrets: impl IntoIterator<Item = &'a Secret>,
    ) -> Self {
        let credentials = authorization.and_then(|value| value.expose().split_once(' ')).map(|(_, it)| it);
        let texts = secrets.into_iter().map(Secret::expose).chain(credentials);
        Self(texts.filter(|text| text.len() >= LEAST).map(Secret::from).collect())
    }

    /// The breach without the secrets.
    pub(crate) fn clear(&self, breach: Breach) -> Breach {
        let spellings = Spellings::of(&self.0);
        Breach {
            expected: spellings.cleared(breach.expected),
            got: spellings.cleared(breach.got),
            error: breach.error.map(|error| spellings.cleared(error)),
            ..breach
        }
    }
}

/// What a server says, without the credentials of the `Authorization` field that the request carried, and without its proof
/// (the field `DPoP`), in whatever usual spelling it gives them back. Text that was cut ends in `…`: it may end within one
/// of them.
pub fn without_credentials(
    text: &str,
    authorization: Option<&http::HeaderValue>,
    proof: Option<&http::HeaderValue>,
) -> String {
    let secret =
        |field: &http::HeaderValue| Secret::from(String::from_utf8_lossy(field.as_bytes()).into_owned());
    let (authorization, proof) = (authorization.map(secret), proof.map(secret));
    let Redaction(secrets) = Redaction::of(authorization.as_ref(), &proof);
    Spellings::of(&secrets).cleared(text.to_owned())
}

/// Each secret in every spelling in which an answer may give it back: as it is, form-encoded, percent-encoded, escaped,
/// within Basic credentials (RFC 6749 §2.3.1), without its signature, its claims alone, and as it looks once it is cleaned. The
/// longest come first.
struct Spellings(Vec<Secret>);

impl Spellings {
    fn of(secrets: &[Secret]) -> Self {
        let mut all = Vec::new();
        for text in secrets.iter().map(Secret::expose) {
            all.extend(spellings(text).into_iter().map(Secret::new));
            let cleaned = text::clean(text, usize::MAX);
            if cleaned != text {
                all.push(Secret::new(cleaned));
            }
            if let Some([header, claims, _]) = jws_parts(text) {
                let parts = [format!("{header}.{claims}"), claims.to_owned()];
                let parts = parts.iter().filter(|part| part.len() >= LEAST);
                all.extend(parts.flat_map(|part| spellings(part)).map(Secret::new));
            }
        }
        all.sort_by_key(|spelling| std::cmp::Reverse(spelling.expose().len()));
        Self(all)
    }

    fn cleared(&self, text: String) -> String {
        // Parts come first: one secret may begin with another, and less of it would be left to be known by.
        let mut text = if text.contains('…') { self.without_parts(&text) } else { text };
        for spelling in self.0.iter().map(Secret::expose) {
            if text.contains(spelling) {
                text = text.replace(spelling, MARK);
            }
        }
        text
    }

    /// Text that was cut, wherever it stands in a sentence, may end within a secret.
    fn without_parts(&self, text: &str) -> String {
        let mut cleared = String::with_capacity(text.len());
        for piece in text.split_inclusive('…') {
            let part = piece.strip_suffix('…').and_then(|whole| self.without_part(whole));
            match part {
                Some(kept) => cleared.extend([kept, MARK, "…"]),
                None => cleared.push_str(piece),
            }
        }
        cleared
    }

    /// What stands before the part of a secret that the text ends with, if it does.
    fn without_part<'a>(&self, text: &'a str) -> Option<&'a str> {
        let mut starts = text.char_indices().map(|(start, _)| start);
        let part = |start: &usize| {
            let rest = text.get(*start..).filter(|rest| rest.len() >= LEAST);
            rest.is_some_and(|rest| self.0.iter().any(|spelling| spelling.expose().starts_with(rest)))
        };
        text.get(..starts.find(part)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::breach::Kind;

    fn cleared(got: &str) -> String {
        let basic = Secret::new("Basic aWQ6czNjcmV0JTJGKysmeA==");
        let redaction = Redaction::of(
            Some(&basic),
            [&Secret::new("s3cret/ +&x"), &Secret::new("s3cret"), &Secret::new("id")],
        );
        redaction.clear(Breach::new(Kind::TokenEndpointError, "RFC 6749 §5.2", "a token", got)).got
    }

    #[test]
    fn every_spelling_is_taken_out() {
        for said in [
            "s3cret/ +&x",
            "s3cret",
            "s3cret%2F+%2B%26x",
            "s3cret%2F%20%2B%26x",
            "s3cret%2f%20%2b%26x",
            "s3cret\\/ +&x",
            "s3cret\\u002f \\u002b\\u0026x",
            "s3cret/ +&amp;x",
            "aWQ6czNjcmV0JTJGKysmeA==",
        ] {
            assert_eq!(cleared(&format!("cannot parse <{said}>, id")), "cannot parse <(secret)>, id");
        }
    }

    /// What is shown is cleaned first, and a secret with it.
    #[test]
    fn a_secret_that_is_cleaned_is_taken_out() {
        let odd = Secret::new("s3cret\u{200b}with-odd\u{7}letters");
        let redaction = Redaction::of(None, [&odd]);
        let said = "no s3cret\u{fffd}with-odd\u{fffd}letters here";
        let shown =
            redaction.clear(Breach::new(Kind::TokenEndpointError, "RFC 6749 §5.2", "a token", said)).got;
        assert_eq!(shown, "no (secret) here");
    }

    #[test]
    fn what_is_cut_within_a_secret_ends_before_it() {
        for kept in 0..=11 {
            let said = format!("{}s3cret/ +&x", "x".repeat(300 - kept));
            let shown = cleared(&said);
            assert!(!shown.contains("s3cr"), "{shown}");
            assert!(shown.ends_with('…') || kept == 11, "{shown}");
        }
    }

    /// A URL in a breach is cut to 200 characters, and the sentence goes on.
    #[test]
    fn what_is_cut_within_a_sentence_ends_before_a_secret_too() {
        for (said, shown) in [
            (
                "the URL \"https://a.example/s3cret/…\" is none",
                "the URL \"https://a.example/(secret)…\" is none",
            ),
            ("s3cr… and aWQ6… and s3cr", "(secret)… and (secret)… and s3cr"),
            ("s3c… and so on…", "s3c… and so on…"),
        ] {
            assert_eq!(cleared(said), shown);
        }
    }

    #[test]
    fn all_words_of_a_breach_are_cleared() {
        let secret = Secret::new("a-long-client-secret");
        let said = "it was a-long-client-secret";
        let breach = Breach::new(Kind::Malformed, "-", said, said).with_error("a-long-client-secret");
        let cleared = Redaction::of(None, [&secret]).clear(breach);
        let (expected, got, error) = (cleared.expected, cleared.got, cleared.error.unwrap());
        for text in [expected, got, error] {
            assert!(!text.contains("a-long-client-secret") && text.contains(MARK), "{text}");
        }
        assert_eq!(format!("{:?}", Redaction::of(None, [&secret])), "Redaction(…)");
    }

    /// What a client signs is of use to whoever can have it signed, and what others sign is about somebody.
    #[test]
    fn what_is_signed_is_taken_out_without_its_signature_too() {
        let (claims, jws) = ("eyJzdWIiOiJhbGljZSJ9", Secret::new("eyJhIjoxfQ.eyJzdWIiOiJhbGljZSJ9.c2ln"));
        let bearer = Secret::new("Bearer eyJiIjoyfQ.e30.c2ln");
        let redaction = Redaction::of(Some(&bearer), [&jws]);
        let said = format!("no eyJhIjoxfQ.{claims}, no {claims}. no eyJiIjoyfQ.e30 e30");
        let shown =
            redaction.clear(Breach::new(Kind::TokenEndpointError, "RFC 7523 §3", "a token", &said)).got;
        assert_eq!(shown, "no (secret), no (secret). no (secret) e30");
        // Of what only looks like a JWS, in every spelling.
        let odd = Redaction::of(None, [&Secret::new("e30.cl/aims.c2ln")]);
        let shown =
            odd.clear(Breach::new(Kind::TokenEndpointError, "RFC 6749 §5.2", "a token", "no cl%2Faims")).got;
        assert_eq!(shown, "no (secret)");
    }

    #[test]
    fn credentials_and_proofs_are_taken_out_of_what_a_server_says() {
        let field = http::HeaderValue::from_static("Bearer a-long-access-token");
        let proof = http::HeaderValue::from_static("a-long-proof-of-possession");
        let said = "no a-long-access-token, no a-long-proof-of-possession";
        let cleared = without_credentials(said, Some(&field), Some(&proof));
        assert_eq!(cleared, format!("no {MARK}, no {MARK}"));
        assert_eq!(without_credentials(said, None, None), said);
    }
}
