//! Posting to an endpoint that knows its clients: what has to be signed is signed first, then the message goes out,
//! and once more if the server wants a nonce of its own in the proof.

use std::borrow::Cow;
use std::fmt;

use super::world::{Order, Sent};
use super::{Pending, World};
use crate::action::{Purpose, SigningKey};
use crate::base::breach::{Breach, Kind};
use crate::base::guard::{Endpoint, Shown};
use crate::base::redaction::Redaction;
use crate::base::secret::Secret;
use crate::base::seed::Draw;
use crate::event::Answer;
use crate::grant_type::Binding;
use crate::trail::Verdict;
use crate::wire::assertion::{ClientAssertion, DEFAULT_LIFETIME};
use crate::wire::authentication::Message;
use crate::wire::client::{AuthMethod, Client};
use crate::wire::json::Object;
use crate::wire::jws::SigningInput;

const FORM: &str = "application/x-www-form-urlencoded";
const ASSERTION: &str = "RFC 7523 §2.2";
const PROOF: &str = "RFC 9449 §5";

/// Parameters whose values are secret.
const SECRET: [&str; 8] =
    ["assertion", "code", "code_verifier", "device_code", "refresh_token", "state", "subject_token", "token"];

/// What is to be posted. It is kept until there is an answer, because it may have to go out twice.
#[derive(Clone)]
pub(crate) struct Letter {
    pub(crate) purpose: Purpose,
    pub(crate) to: Endpoint,
    pub(crate) clause: &'static str,
    /// Whose endpoint it is: what an assertion of the client is for.
    pub(crate) issuer: String,
    pub(crate) client: Client,
    pub(crate) parameters: Vec<(Cow<'static, str>, Secret)>,
    /// The key that is to be proven.
    pub(crate) binding: Option<Binding>,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter")
            .field("purpose", &self.purpose)
            .field("to", &Shown(self.to.as_given()))
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) pending: Pending,
    letter: Letter,
    phase: Phase,
    /// The client's assertion, once it is signed.
    assertion: Option<Secret>,
    /// The server has asked for its nonce once already.
    again: bool,
}

#[derive(Clone, Debug)]
enum Phase {
    Asserting(SigningInput),
    Proving(SigningInput),
    /// What went out has these secrets.
    Sent(Redaction),
}

/// What came of it.
pub(crate) enum Posted {
    /// The next thing is awaited.
    Again(Box<Post>),
    /// What the server said, or that it said nothing; and what is to be taken out of its words.
    Answered(Answer, Redaction),
    /// The message did not go out.
    Failed(Breach),
}

impl Post {
    pub(crate) fn begin(world: &mut World, letter: Letter) -> Result<Box<Self>, Breach> {
        Self::assert(world, letter, false)
    }

    /// Whether the message is on its way.
    pub(crate) fn is_sent(&self) -> bool {
        matches!(self.phase, Phase::Sent(_))
    }

    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Posted {
        let Self { letter, phase, assertion, again, .. } = self;
        let next = match phase {
            Phase::Asserting(input) => signed(&input, answer, ASSERTION)
                .and_then(|assertion| Self::prove(world, letter, Some(assertion), again)),
            Phase::Proving(input) => signed(&input, answer, PROOF)
                .and_then(|proof| Self::send(world, letter, assertion, Some(&proof), again)),
            Phase::Sent(carried) => return Self::answered(world, letter, again, answer, carried),
        };
        next.map_or_else(Posted::Failed, Posted::Again)
    }

    fn assert(world: &mut World, letter: Letter, again: bool) -> Result<Box<Self>, Breach> {
        if letter.client.method != AuthMethod::PrivateKeyJwt {
            return Self::prove(world, letter, None, again);
        }
        let jti = world.draws.token(Draw::Jti);
        let key = world.config.key_of_client().cloned();
        let key_id = key.as_ref().and_then(|key| key.key_id.as_deref());
        let algorithm = letter.client.algorithm.ok_or_else(|| {
            Breach::new(Kind::Configuration, ASSERTION, "a key of the client to sign with", "none")
        })?;
        let input = ClientAssertion {
            client_id: &letter.client.id,
            issuer: &letter.issuer,
            algorithm,
            key_id,
            jti: &jti,
            issued_at: world.now,
            lifetime: DEFAULT_LIFETIME,
        }
        .signing_input()?;
        let pending = world.sign(SigningKey::Client { key_id: key_id.map(str::to_owned) }, input.clone());
        Ok(Box::new(Self { pending, letter, phase: Phase::Asserting(input), assertion: None, again }))
    }

    fn prove(
        world: &mut World,
        letter: Letter,
        assertion: Option<Secret>,
        again: bool,
    ) -> Result<Box<Self>, Breach> {
        let Some(binding) = &letter.binding else {
            return Self::send(world, letter, assertion, None, again);
        };
        let input = world.proof(binding, "POST", letter.to.url(), None)?;
        let pending = world.sign(SigningKey::Proof, input.clone());
        Ok(Box::new(Self { pending, letter, phase: Phase::Proving(input), assertion, again }))
    }

    fn send(
        world: &mut World,
        letter: Letter,
        assertion: Option<Secret>,
        proof: Option<&Secret>,
        again: bool,
    ) -> Result<Box<Self>, Breach> {
        let pairs = letter.parameters.iter().map(|(name, value)| (name.as_ref(), value.expose())).collect();
        let message = Message::of(pairs, &letter.client, assertion.as_ref())?;
        let named = letter.parameters.iter().filter(|(name, _)| SECRET.contains(&name.as_ref()));
        let secrets =
            named.map(|(_, value)| value).chain(&letter.client.secret).chain(&assertion).chain(proof);
        let Sent { pending, carried } = world.send(Order {
            purpose: letter.purpose,
            to: &letter.to,
            clause: letter.clause,
            authorization: message.authorization.as_ref(),
            proof,
            content: Some((FORM, message.body)),
            secrets: secrets.collect(),
        })?;
        Ok(Box::new(Self { pending, letter, phase: Phase::Sent(carried), assertion: None, again }))
    }

    /// A nonce is kept with whatever answer it comes (RFC 9449 §8.2); if it is what was missing, the message goes out
    /// once more, signed anew.
    fn answered(
        world: &mut World,
        letter: Letter,
        again: bool,
        answer: Answer,
        carried: Redaction,
    ) -> Posted {
        let Some(response) = answer.as_response().filter(|_| letter.binding.is_some()) else {
            return Posted::Answered(answer, carried);
        };
        let came = world.keep_nonce(letter.to.url(), &response.fields);
        let wanted = response.status.is_client_error() && {
            let error = Object::read(&response.body).ok();
            let error = error.as_ref().and_then(|it| it.text("error", PROOF).ok().flatten());
            error == Some("use_dpop_nonce")
        };
        if !wanted || !came || again {
            return Posted::Answered(answer, carried);
        }
        world.note(Verdict::Decided, "the server wants its nonce in the proof", "RFC 9449 §8");
        Self::assert(world, letter, true).map_or_else(Posted::Failed, Posted::Again)
    }
}

fn signed(input: &SigningInput, answer: Answer, clause: &'static str) -> Result<Secret, Breach> {
    match answer.signature() {
        Ok(signature) => input.complete(&signature),
        Err(why) => Err(Breach::new(Kind::SigningFailed, clause, "a signature", why)),
    }
}
