//! The key with which a client authenticates.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::jwk::PublicJwk;
use super::jws::Algorithm;
use crate::base::breach::{Breach, Kind};

/// The key with which the client authenticates (`private_key_jwt`, RFC 7523 §2.2). The private half is with whoever
/// answers [`Action::Sign`](crate::Action::Sign).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClientKey {
    /// What it signs with, best first.
    pub algorithms: Vec<Algorithm>,
    /// Its name, as the server knows it.
    pub key_id: Option<String>,
    /// Its public half, for the client's metadata document.
    pub public: Option<PublicJwk>,
}

impl ClientKey {
    /// A key that signs with these algorithms, best first.
    pub fn new(algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        Self { algorithms: algorithms.into_iter().collect(), key_id: None, public: None }
    }

    /// The same key, with its name.
    #[must_use]
    pub fn key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }

    /// The same key, with its public half.
    #[must_use]
    pub fn public(mut self, public: PublicJwk) -> Self {
        self.public = Some(public);
        self
    }

    /// Judges what the caller says of it.
    pub(crate) fn check(&self) -> Result<(), Breach> {
        Algorithm::choose(&self.algorithms, None, "RFC 7523 §2.2")?;
        if let Some(public) = &self.public {
            self.algorithms.iter().try_for_each(|algorithm| public.check(*algorithm))?;
        }
        let unfit = |key_id: &String| key_id.is_empty() || key_id.chars().any(char::is_control);
        if self.key_id.as_ref().is_some_and(unfit) {
            let expected = "a name of the client's key without control characters";
            return Err(Breach::new(Kind::Configuration, "RFC 7515 §4.1.4", expected, "none, or another"));
        }
        Ok(())
    }

    /// The public half as a server is told of it (RFC 7517 §4): with its name, and that it signs.
    pub(crate) fn jwk(&self) -> Result<Value, Breach> {
        let public = self.public.as_ref().ok_or_else(|| {
            Breach::new(Kind::Configuration, "RFC 7591 §2", "the public half of the client's key", "none")
        })?;
        let mut jwk = public.members_and([("use", "sig")]);
        jwk.extend(self.key_id.iter().map(|key_id| ("kid".to_owned(), Value::from(key_id.as_str()))));
        Ok(Value::Object(jwk))
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientKey")
            .field("algorithms", &self.algorithms)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debug_says_which_key_it_is() {
        let shown = format!("{:?}", ClientKey::new([Algorithm::EdDsa]).key_id("of-today"));
        assert_eq!(shown, "ClientKey { algorithms: [EdDsa], key_id: Some(\"of-today\"), .. }");
    }
}
