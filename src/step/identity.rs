//! Awaits the identity provider, which exchanges an identity assertion for an identity assertion grant (RFC 8693; MCP
//! enterprise-managed authorization).

use super::fetch::unanswered;
use super::granting::Vouched;
use super::post::{Letter, Post, Posted};
use super::{Aim, Step, Terms, Turn, World, granting, restore};
use crate::action::Purpose;
use crate::base::breach::Breach;
use crate::base::scope::Scopes;
use crate::base::secret::Secret;
use crate::event::Answer;
use crate::grant_type::IdentityProvider;
use crate::trail::Verdict;
use crate::wire::assertion::{Assertion, ExpectedIdJag};
use crate::wire::client::{Client, Origin};
use crate::wire::token::{ExchangeAnswer, Grant, TokenRequest};

const CLAUSE: &str = "RFC 8693 §2.1";

#[derive(Clone, Debug)]
pub(crate) struct AskingIdentityProvider {
    pub(crate) post: Box<Post>,
    aim: Aim,
    terms: Terms,
    url: String,
    issuer: String,
}

pub(crate) fn begin(
    world: &mut World,
    aim: Aim,
    terms: Terms,
    provider: &IdentityProvider,
    assertion: &Secret,
) -> Turn {
    let client = Client {
        secret: provider.client_secret.clone(),
        method: provider.method,
        // Used where it authenticates with its key.
        algorithm: world.config.key_of_client().and_then(|key| key.algorithms.first().copied()),
        ..Client::new(&provider.client_id, Origin::Preregistered)
    };
    let grant = Grant::TokenExchange {
        subject_token: assertion,
        subject_token_type: provider.subject_token_type,
        audience: &terms.server.issuer,
        scopes: Some(&terms.asked),
    };
    let request = TokenRequest { grant, client: &client, resource: Some(&terms.resource), assertion: None };
    let parameters = request.parameters();
    let (url, issuer) = (provider.token_endpoint.clone(), provider.issuer.clone());
    let to = match world.judge(&url, CLAUSE) {
        Ok(to) => to,
        Err(breach) => return granting::failed(world, aim, breach, None),
    };
    let letter = Letter {
        purpose: Purpose::TokenExchange,
        to,
        clause: CLAUSE,
        issuer: issuer.clone(),
        parameters,
        client,
        binding: None,
    };
    world.note(Verdict::Decided, format!("ask {issuer} for an identity assertion grant"), CLAUSE);
    match Post::begin(world, letter) {
        Ok(post) => {
            let step = AskingIdentityProvider { post, aim, terms, url, issuer };
            Turn::Await(Step::AskingIdentityProvider(Box::new(step)))
        }
        Err(breach) => granting::failed(world, aim, breach, None),
    }
}

impl AskingIdentityProvider {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let Self { post, aim, terms, url, issuer } = self;
        let (answer, carried) = match post.on(world, answer) {
            Posted::Again(post) => {
                let step = Self { post, aim, terms, url, issuer };
                return Turn::Await(Step::AskingIdentityProvider(Box::new(step)));
            }
            Posted::Failed(breach) => return granting::failed(world, aim, breach, None),
            Posted::Answered(answer, carried) => (answer, carried),
        };
        let (status, asked) = (answer.status().map(|status| status.as_u16()), answer.retry_at(world.now));
        match read(world, &terms, &issuer, answer) {
            Ok((assertion, scopes)) => {
                let note = "an identity assertion grant for this server, client and resource";
                world.taken(&url, status.unwrap_or_default(), note, "RFC 8693 §2.2.1");
                let vouched = Vouched { assertion: &assertion, scopes: &scopes };
                granting::begin(world, aim, terms, Some(vouched))
            }
            Err(breach) => {
                let breach = carried.clear(breach);
                world.passed_over(&url, status, &breach);
                if aim.by_record && granting::names_unknown(&breach) {
                    return restore::discover(world, Aim { by_record: false, ..aim });
                }
                granting::failed(world, aim, breach, asked)
            }
        }
    }
}

/// The answer, and what it grants: it must be for this authorization server, this client and this resource. It may be for
/// fewer scopes than were asked for (MCP enterprise-managed authorization §4.2), and then no more can be had with it.
fn read(world: &World, terms: &Terms, issuer: &str, answer: Answer) -> Result<(Secret, Scopes), Breach> {
    let response = answer.response().map_err(|failure| unanswered(&failure, CLAUSE))?;
    let status = response.status.as_u16();
    let exchanged = ExchangeAnswer::read(status, response.content_type(), &response.body, world.now)?;
    let expected = ExpectedIdJag {
        identity_provider: Some(issuer),
        issuer: &terms.server.issuer,
        issuer_match: world.config.issuer_policy(&terms.server.named).issuer_match,
        client_id: &terms.client.id,
        resource: &terms.resource,
    };
    let assertion = Assertion::read(&exchanged.assertion)?;
    assertion.judge_id_jag(&expected, world.now)?;
    let allowed = exchanged.granted.or(assertion.scopes);
    let scopes = allowed.map_or_else(|| terms.asked.clone(), |allowed| within(world, terms, &allowed));
    Ok((exchanged.assertion, scopes))
}

/// What is allowed of what was asked for. Where nothing was, it is the identity provider's to say, but for what the caller
/// never wants.
fn within(world: &World, terms: &Terms, allowed: &Scopes) -> Scopes {
    if terms.asked.is_empty() {
        let policy = world.config.issuer_policy(&terms.server.named);
        return allowed.without(&world.config.scope_rule().never).without(&policy.scopes.never);
    }
    allowed.without(&allowed.without(&terms.asked))
}
