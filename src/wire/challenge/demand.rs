//! What the challenges of one response ask for.

use serde::{Deserialize, Serialize};

use super::Challenge;
use crate::base::scope::Scopes;
use crate::base::text;

/// What the Bearer and DPoP challenges of one response ask for, taken together. Challenges of other schemes have no
/// part in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Every distinct `resource_metadata`, in order (RFC 9728 §5.1).
    pub resource_metadata: Vec<String>,
    /// The first `scope` that is well-formed and not empty (RFC 6750 §3).
    pub scope: Option<Scopes>,
    /// The first `error` within the characters of RFC 6750 §3, at most 64 of them.
    pub error: Option<String>,
    /// The first `error_description`, cleaned and cut to 300 characters.
    pub error_description: Option<String>,
    /// Whether Bearer is offered.
    pub bearer: bool,
    /// Whether DPoP is offered (RFC 9449 §7.1).
    pub dpop: bool,
}

impl Demand {
    /// Takes the challenges together.
    pub fn of(challenges: &[Challenge]) -> Self {
        let mut demand = Self::default();
        for challenge in challenges {
            let (bearer, dpop) = (challenge.is("Bearer"), challenge.is("DPoP"));
            if !bearer && !dpop {
                continue;
            }
            demand.bearer |= bearer;
            demand.dpop |= dpop;
            for url in challenge.params("resource_metadata").filter(|url| !url.is_empty()) {
                if !demand.resource_metadata.iter().any(|known| known == url) {
                    demand.resource_metadata.push(url.to_owned());
                }
            }
            let scope = challenge.params("scope").filter_map(|value| Scopes::parse(value).ok());
            demand.scope = demand.scope.or_else(|| scope.into_iter().find(|scope| !scope.is_empty()));
            let error = challenge.params("error").find(|error| is_error(error)).map(str::to_owned);
            demand.error = demand.error.or(error);
            let described = challenge.param("error_description").map(|described| text::clean(described, 300));
            demand.error_description = demand.error_description.or(described);
        }
        demand
    }

    /// Whether more scope is what is asked for (RFC 6750 §3.1).
    pub fn insufficient_scope(&self) -> bool {
        self.error.as_deref() == Some("insufficient_scope")
    }
}

fn is_error(error: &str) -> bool {
    let allowed = |byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    (1..=64).contains(&error.len()) && error.bytes().all(allowed)
}
