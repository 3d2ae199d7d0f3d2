//! Server, client and scopes are settled: on to whoever decides.

use super::{Aim, Terms, Turn, World, consent, device, granting, supply};
use crate::grant_type::GrantType;

pub(crate) fn begin(world: &mut World, aim: Aim, terms: Terms) -> Turn {
    match world.config.flow() {
        GrantType::AuthorizationCode => consent::begin(world, aim, terms),
        GrantType::DeviceCode => device::begin(world, terms),
        GrantType::ClientCredentials => granting::begin(world, aim, terms, None),
        GrantType::EnterpriseManaged(_) | GrantType::WorkloadIdentity => supply::begin(world, aim, terms),
    }
}
