//! What a response asks for, taken from the challenges that this crate can answer.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Challenge;
use crate::base::guard::Shown;
use crate::base::scope::Scopes;
use crate::base::text;

/// The longest `error` that is kept, in characters.
const MAX_ERROR: usize = 64;
/// The most algorithms that are kept.
const MAX_ALGORITHMS: usize = 32;
/// The longest `error_description` that is kept, in characters.
const MAX_DESCRIPTION: usize = 300;

/// What the challenges of one response ask for, taken together from the Bearer (RFC 6750 §3) and DPoP
/// (RFC 9449 §7.1) challenges only. Empty values count as absent.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Demand {
    /// Where the resource metadata is said to be (RFC 9728 §5.1): every distinct value, in order, unchecked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_metadata: Vec<String>,
    /// The challenged scope: the first well-formed `scope`. One that breaks RFC 6749 §3.3 is left out whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scopes>,
    /// The first `error` that RFC 6750 §3 allows and that has at most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The description that goes with the error, fit to be shown, of at most 300 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
    /// Whether a Bearer challenge was among them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub bearer: bool,
    /// Whether a DPoP challenge was among them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dpop: bool,
    /// Whether a DPoP challenge asks for the nonce of the response in the proof (RFC 9449 §9).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dpop_nonce: bool,
    /// The algorithms that the first DPoP challenge with `algs` takes for proofs, at most 32 (RFC 9449 §7.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dpop_algorithms: Vec<String>,
}

/// Without queries: the URL of the metadata has that of the resource (RFC 9728 §3.1), which may hold a key.
impl fmt::Debug for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: Vec<_> = self.resource_metadata.iter().map(|url| Shown(url)).collect();
        f.debug_struct("Demand")
            .field("resource_metadata", &places)
            .field("scope", &self.scope)
            .field("error", &self.error)
            .field("error_description", &self.error_description)
            .field("bearer", &self.bearer)
            .field("dpop", &self.dpop)
            .field("dpop_nonce", &self.dpop_nonce)
            .field("dpop_algorithms", &self.dpop_algorithms)
            .finish()
    }
}

impl Demand {
    /// Takes the challenges of one response together.
    pub fn of(challenges: &[Challenge<'_>]) -> Self {
        let mut demand = Self::default();
        let mut described = None;
        for challenge in challenges {
            let (bearer, dpop) = (challenge.is("Bearer"), challenge.is("DPoP"));
            if !bearer && !dpop {
                continue;
            }
            demand.bearer |= bearer;
            demand.dpop |= dpop;
            for place in challenge.params("resource_metadata").filter(|place| !place.is_empty()) {
                if !demand.resource_metadata.iter().any(|known| known == place) {
                    demand.resource_metadata.push(place.to_owned());
                }
            }
            demand.scope = demand.scope.or_else(|| scope(challenge));
            if dpop {
                demand.dpop_nonce |= challenge.params("error").any(|code| code == "use_dpop_nonce");
                if demand.dpop_algorithms.is_empty() {
                    demand.dpop_algorithms = algorithms(challenge);
                }
            }
            let description = challenge.params("error_description").find(|text| !text.is_empty());
            if demand.error.is_none() {
                demand.error = challenge.params("error").find(|code| is_error(code)).map(str::to_owned);
                // Words from another challenge would explain another error.
                described = if demand.error.is_some() { description } else { described.or(description) };
            }
        }
        demand.error_description = described.map(|words| text::clean(words, MAX_DESCRIPTION));
        demand
    }

    /// Whether the token is good but its scope too small (RFC 6750 §3.1).
    pub fn insufficient_scope(&self) -> bool {
        self.error.as_deref() == Some("insufficient_scope")
    }
}

fn scope(challenge: &Challenge<'_>) -> Option<Scopes> {
    challenge.params("scope").filter_map(|value| Scopes::parse(value).ok()).find(|scopes| !scopes.is_empty())
}

fn algorithms(challenge: &Challenge<'_>) -> Vec<String> {
    let listed = challenge.params("algs").flat_map(|value| value.split(' '));
    listed
        .filter(|name| !name.is_empty())
        .take(MAX_ALGORITHMS)
        .map(|name| text::clean(name, MAX_ERROR))
        .collect()
}

/// The characters that RFC 6750 §3 allows in an error code.
fn is_error(code: &str) -> bool {
    (1..=MAX_ERROR).contains(&code.len())
        && code.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demand_shows_where_metadata_is_without_the_query() {
        let place = "https://mcp.example/.well-known/oauth-protected-resource?key=hidden".to_owned();
        let demand = Demand { resource_metadata: vec![place], bearer: true, ..Demand::default() };
        let shown = format!("{demand:?}");
        assert!(shown.contains("https://mcp.example/.well-known/oauth-protected-resource\"]"), "{shown}");
        assert!(shown.contains("bearer: true") && !shown.contains("hidden"), "{shown}");
    }
}
