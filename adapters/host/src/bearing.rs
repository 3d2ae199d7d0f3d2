//! What a request bore, for the sake of what is told of its answer.

use std::fmt;

use http::{HeaderMap, HeaderValue, header};
use mcp_auth::base::redaction;

/// The credentials that a request bore, and its proof (RFC 9449 §7.1), kept with its answer (in its extensions) for one
/// purpose: to take them out of what a server says.
#[derive(Clone)]
pub struct Bearing {
    authorization: Option<HeaderValue>,
    proof: Option<HeaderValue>,
}

impl Bearing {
    /// Of a request with these fields; `None`: it bore none.
    pub fn of(fields: &HeaderMap) -> Option<Self> {
        let (authorization, proof) = (fields.get(header::AUTHORIZATION), fields.get("dpop"));
        let bore = authorization.is_some() || proof.is_some();
        bore.then(|| Self { authorization: authorization.cloned(), proof: proof.cloned() })
    }

    /// The text without them, in whatever usual spelling they are quoted. One that was cut is to end in `…`, for it may end
    /// within one of them.
    pub fn cleared(&self, text: &str) -> String {
        redaction::without_credentials(text, self.authorization.as_ref(), self.proof.as_ref())
    }
}

impl fmt::Debug for Bearing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearing(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_borne_is_in_no_text() {
        let fields = HeaderMap::from_iter([(header::AUTHORIZATION, "Bearer s3/cret+x".parse().unwrap())]);
        let bearing = Bearing::of(&fields).unwrap();
        for said in ["Bearer s3/cret+x", "s3/cret+x", "s3%2fcret%2bx", "s3\\/cret+x"] {
            let told = bearing.cleared(&format!("I cannot read <{said}>"));
            assert!(!told.contains("cret") || told.contains("(secret)"), "{told}");
            assert!(!told.contains(said), "{told}");
        }
        assert_eq!(bearing.cleared("I cannot read s3/cre…"), "I cannot read (secret)…");
        assert_eq!(format!("{bearing:?}"), "Bearing(…)");
        let proof =
            HeaderMap::from_iter([(header::HeaderName::from_static("dpop"), "ey.pro.of".parse().unwrap())]);
        assert_eq!(Bearing::of(&proof).unwrap().cleared("DPoP: ey.pro.of"), "DPoP: (secret)");
        assert!(Bearing::of(&HeaderMap::new()).is_none());
    }
}
