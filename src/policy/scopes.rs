//! Which scopes are asked for: the caller's rule, what one issuer needs besides, and what the documents name.

use serde::{Deserialize, Serialize};

use crate::base::scope::Scopes;

/// Which scopes are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ScopeRule {
    /// Exactly these, whatever the server says. A step-up adds what it is challenged for, and what was asked before; but
    /// not where nobody is asked for consent ([`GrantType`](crate::GrantType)), for there this is the only bound.
    pub only: Option<Scopes>,
    /// These besides what the server says.
    pub also: Scopes,
    /// Never these.
    pub never: Scopes,
    /// Whether the caller wants to stay logged in: adds `offline_access` where the authorization server lists it. The
    /// person is then asked for consent each time (`prompt=consent`, OpenID Connect Core §11), unless
    /// [`IssuerPolicy::extra`](super::IssuerPolicy::extra) names another `prompt`.
    pub stay_logged_in: bool,
    /// What is asked for when neither the challenge nor the resource metadata names scopes.
    pub fallback: ScopeFallback,
}

/// What one authorization server needs, besides the caller's [`ScopeRule`]. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct IssuerScopes {
    /// These in any case, but where the caller asks for exactly some ([`ScopeRule::only`]).
    pub also: Scopes,
    /// Never these, whatever the documents, the caller and [`ScopeRule::stay_logged_in`] say.
    pub never: Scopes,
    /// What is asked for when nothing else is, for a server that refuses a request without `scope`.
    pub fallback: Scopes,
    /// What is asked for where the caller wants to stay logged in, in the place of `offline_access` and whether or not the
    /// server lists it.
    pub stay_logged_in: Option<Scopes>,
}

impl IssuerScopes {
    /// The default, and what `change` makes of it.
    #[must_use]
    pub fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut it = Self::default();
        change(&mut it);
        it
    }
}

impl ScopeRule {
    /// The default, and what `change` makes of it.
    #[must_use]
    pub fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut it = Self::default();
        change(&mut it);
        it
    }
}

/// What is asked for when neither the challenge nor the resource metadata names scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScopeFallback {
    /// Nothing: `scope` is left out (MCP 2026-07-28, scope selection strategy).
    #[default]
    Omit,
    /// The scopes that the authorization server's metadata lists, or else these.
    ServerMetadata(Scopes),
}

/// What is known when scopes are chosen.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ScopeSources<'a> {
    /// The `scope` of the challenge.
    pub challenged: Option<&'a Scopes>,
    /// `scopes_supported` of the protected resource metadata.
    pub resource: Option<&'a Scopes>,
    /// `scopes_supported` of the authorization server metadata.
    pub server: Option<&'a Scopes>,
    /// What was asked for before, from the same authorization server.
    pub asked: Option<&'a Scopes>,
    /// What the caller wants this time besides.
    pub wanted: Option<&'a Scopes>,
    /// Whether this is a step-up: the challenge came for a grant that lacks what it names.
    pub step_up: bool,
    /// Whether nobody is asked for consent, so that the server alone would decide what is asked for.
    pub nobody: bool,
}

impl ScopeRule {
    /// The scopes to ask for of an issuer that needs more than the rule says, or less.
    pub fn select_at(&self, issuer: &IssuerScopes, sources: ScopeSources<'_>) -> Scopes {
        if *issuer == IssuerScopes::default() {
            return self.select(sources);
        }
        let exact = self.only.is_some();
        let mut rule = self.clone();
        if !exact {
            rule.also = rule.also.union(&issuer.also);
        }
        if let Some(instead) = issuer.stay_logged_in.as_ref().filter(|_| rule.stay_logged_in && !exact) {
            rule.also = rule.also.union(instead);
            rule.stay_logged_in = false;
        }
        // One after the other: a union of what is never asked for might lose some of it.
        let allowed = |scopes: Scopes| scopes.without(&issuer.never);
        let chosen = allowed(rule.select(sources));
        if chosen.is_empty() && !exact { allowed(issuer.fallback.without(&rule.never)) } else { chosen }
    }

    /// The scopes to ask for: the challenge's, else the resource metadata's, else the fallback, each with what was
    /// asked before (MCP 2026-07-28, scope selection strategy and step-up authorization flow), and what the caller
    /// wants besides.
    pub fn select(&self, sources: ScopeSources<'_>) -> Scopes {
        let none = Scopes::new();
        let (asked, wanted) = (sources.asked.unwrap_or(&none), sources.wanted.unwrap_or(&none));
        let chosen = match &self.only {
            Some(only) if sources.step_up && !sources.nobody => {
                only.union(asked).and(sources.challenged.unwrap_or(&none))
            }
            Some(only) => only.clone(),
            None if asked.is_empty() => self.named(sources).and(&self.also).and(&self.offline(sources)),
            None => asked.union(&self.named(sources)).and(&self.also).and(&self.offline(sources)),
        };
        let chosen = chosen.and(wanted);
        if self.never.is_empty() { chosen } else { chosen.without(&self.never) }
    }

    fn named(&self, sources: ScopeSources<'_>) -> Scopes {
        let fallback = || match &self.fallback {
            ScopeFallback::Omit => Scopes::new(),
            ScopeFallback::ServerMetadata(defaults) => {
                let listed = sources.server.map(without_offline);
                listed.filter(|listed| !listed.is_empty()).unwrap_or_else(|| defaults.clone())
            }
        };
        // What a resource supports says nothing about whether the caller wants to stay logged in (MCP 2026-07-28, refresh
        // tokens); a challenge that names the scope does.
        let resource = || sources.resource.map(without_offline);
        sources.challenged.cloned().or_else(resource).unwrap_or_else(fallback)
    }

    fn offline(&self, sources: ScopeSources<'_>) -> Scopes {
        let listed = || sources.server.is_some_and(|listed| listed.contains(OFFLINE_ACCESS));
        if self.stay_logged_in && listed() { offline_access() } else { Scopes::new() }
    }
}

const OFFLINE_ACCESS: &str = "offline_access";

fn without_offline(listed: &Scopes) -> Scopes {
    listed.without(&offline_access())
}

fn offline_access() -> Scopes {
    Scopes::from_tokens([OFFLINE_ACCESS]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However many they are: a set of scopes has a bound, and two of them together may be beyond it.
    #[test]
    fn what_is_never_asked_for_is_not_asked_for() {
        let names = |letter: &str| (0..256).map(|n| format!("{letter}{n}")).collect::<Vec<_>>().join(" ");
        let scopes = |text: &str| Scopes::parse(text).unwrap();
        let rule = ScopeRule::with(|it| it.never = scopes(&names("a")));
        let issuer = IssuerScopes::with(|it| it.never = scopes(&names("b")));
        let challenged = scopes("a0 b0 c");
        let sources = ScopeSources { challenged: Some(&challenged), ..ScopeSources::default() };
        assert_eq!(rule.select_at(&issuer, sources), scopes("c"));
        let issuer = IssuerScopes { fallback: challenged.clone(), ..issuer };
        assert_eq!(rule.select_at(&issuer, ScopeSources::default()), scopes("c"));
    }
}
