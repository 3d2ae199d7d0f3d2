//! The documents and messages on the wire, one file each: pure functions that build or read them.
//!
//! They know neither a clock nor a state, and never panic. What they find wrong is a
//! [`Breach`](crate::Breach).

pub mod authorization;
pub mod callback;
pub mod challenge;
pub mod client;
pub mod form;
pub mod json;
pub mod registration;
pub mod resource_metadata;
pub mod server_metadata;
pub mod token;

use crate::base::breach::Breach;
use crate::base::scope::Scopes;

/// The member `scopes_supported`. Entries that are no scope tokens cannot be asked for and are passed over.
fn scopes_supported(object: &json::Object, clause: &'static str) -> Result<Option<Scopes>, Breach> {
    let Some(tokens) = object.texts("scopes_supported", clause)? else { return Ok(None) };
    let one = |token: &String| Scopes::from_tokens([token.as_str()]).ok();
    let scopes = tokens.iter().take(crate::base::scope::MAX_SCOPES).filter_map(one);
    Ok(Some(scopes.fold(Scopes::new(), |all, one| all.union(&one))))
}
