//! Awaits an assertion from the host: the person's identity assertion, or what a platform says of the workload. It is
//! asked for each time, because neither is kept.

use super::granting::Vouched;
use super::{Aim, Pending, Step, Terms, Turn, World, granting, identity};
use crate::action::AssertionKind;
use crate::base::breach::{Breach, Kind};
use crate::base::secret::Secret;
use crate::event::Answer;
use crate::grant_type::GrantType;
use crate::trail::Verdict;
use crate::wire::assertion::{Assertion, Expected};
use crate::wire::token::SubjectTokenType;

const WORKLOAD: &str = "RFC 7523 §3";

#[derive(Clone, Debug)]
pub(crate) struct Supplying {
    pub(crate) pending: Pending,
    aim: Aim,
    terms: Terms,
}

pub(crate) fn begin(world: &mut World, aim: Aim, terms: Terms) -> Turn {
    let kind = match world.config.flow() {
        GrantType::EnterpriseManaged(provider) => match provider.subject_token_type {
            SubjectTokenType::Saml2 => AssertionKind::Saml2,
            SubjectTokenType::IdToken => AssertionKind::IdToken,
        },
        GrantType::AuthorizationCode
        | GrantType::DeviceCode
        | GrantType::ClientCredentials
        | GrantType::WorkloadIdentity => AssertionKind::Workload,
    };
    let pending = world.supply(kind, &terms);
    Turn::Await(Step::Supplying(Box::new(Supplying { pending, aim, terms })))
}

impl Supplying {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let Self { aim, terms, .. } = self;
        let assertion = match answer.supplied() {
            Ok(assertion) => assertion,
            Err(why) => {
                let exchanged = matches!(world.config.flow(), GrantType::EnterpriseManaged(_));
                let clause = if exchanged { "RFC 8693 §2.1" } else { WORKLOAD };
                let breach = Breach::new(Kind::Unsupplied, clause, "an assertion", why);
                return granting::failed(world, aim, breach, None);
            }
        };
        if let GrantType::EnterpriseManaged(provider) = world.config.flow() {
            let provider = provider.clone();
            return identity::begin(world, aim, terms, &provider, &assertion);
        }
        match judge(world, &terms, &assertion) {
            Ok(()) => {
                let scopes = terms.asked.clone();
                let vouched = Vouched { assertion: &assertion, scopes: &scopes };
                granting::begin(world, aim, terms, Some(vouched))
            }
            Err(breach) => granting::failed(world, aim, breach, None),
        }
    }
}

/// What can be seen to be in vain is not sent, and an assertion for somebody else is not shown to this server.
fn judge(world: &mut World, terms: &Terms, assertion: &Secret) -> Result<(), Breach> {
    let policy = world.config.issuer_policy(&terms.server.named);
    let own = [terms.server.issuer.as_str(), &terms.server.named, &terms.server.token_endpoint];
    let named: Vec<&str> = policy.assertion_audiences.iter().map(String::as_str).chain(own).collect();
    Assertion::read(assertion)?.judge(&Expected { issuer: None, audiences: &named }, world.now)?;
    if !policy.assertion_audiences.is_empty() {
        world.note(Verdict::Deviation, "audiences are taken by `assertion_audiences`", WORKLOAD);
    }
    world.note(Verdict::Checked, "the workload's JWT is for this server and has not expired", WORKLOAD);
    Ok(())
}
