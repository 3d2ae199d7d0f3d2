//! The flows of the pictures.

use mcp_auth::wire::jwk::PublicJwk;
use mcp_auth::wire::server_metadata::Pkce;
use mcp_auth::{Config, Event, GrantType, IssuerPolicy, ProofKey};
use mcp_auth_testbed::{
    ChallengeMethods, Confirmation, Device, Dials, Dpop, Fault, Iss, Nonces, Person, Purpose, Pushed,
    SigningKey, Trouble,
};

use crate::rig::Rig;

/// The name of each picture, and the trace that it is drawn of.
pub(crate) fn all() -> Vec<(&'static str, String)> {
    vec![
        ("login", login()),
        ("refused-consent", refused_consent()),
        ("step-up", step_up()),
        ("refresh-recovers", refresh_recovers()),
        ("mix-up", mix_up()),
        ("device", device()),
        ("bound-and-pushed", bound_and_pushed()),
        ("restart", restart()),
        ("beside", beside()),
        ("deviation", deviation()),
    ]
}

/// A request is refused, a person logs in by a client that is registered on the way, and the request succeeds.
pub(crate) fn login() -> String {
    let mut rig = Rig::new(Dials::default(), |config| config);
    rig.call("tools/list", None).unwrap();
    rig.trace()
}

fn refused_consent() -> String {
    let mut rig = Rig::new(Dials { person: Person::Denies, ..Dials::default() }, |config| config);
    rig.call("tools/list", None).unwrap_err();
    rig.trace()
}

fn step_up() -> String {
    let mut rig = Rig::new(Dials::default(), |config| config);
    rig.log_in().unwrap();
    rig.now += 60;
    rig.call("tools/call", Some("write_file")).unwrap();
    rig.trace()
}

/// The server is down when the token must be renewed; later it is up again.
fn refresh_recovers() -> String {
    let faults = vec![Fault { purpose: Purpose::Refresh, nth: 1, what: Trouble::Status(503) }];
    let mut rig = Rig::new(Dials { faults, ..Dials::default() }, |config| config);
    rig.log_in().unwrap();
    rig.restart();
    rig.now += 3600;
    let failure = rig.call("tools/list", None).unwrap_err();
    rig.now = failure.retry_at.unwrap().as_secs();
    rig.call("tools/list", None).unwrap();
    rig.trace()
}

/// The answer comes from another authorization server than the one that was asked.
fn mix_up() -> String {
    let mut rig = Rig::new(Dials { iss: Iss::Wrong, ..Dials::default() }, |config| config);
    rig.call("tools/list", None).unwrap_err();
    rig.trace()
}

fn device() -> String {
    let device = Some(Device { confirmation: Confirmation::AtPoll(3), ..Device::default() });
    let mut rig =
        Rig::new(Dials { device, ..Dials::default() }, |config| config.grant_type(GrantType::DeviceCode));
    rig.call("tools/list", None).unwrap();
    rig.trace()
}

fn with_proof_key(config: Config) -> Config {
    let public = PublicJwk::read(SigningKey::numbered(12).public_jwk().to_string().as_bytes()).unwrap();
    config.proof_key(ProofKey::new(public))
}

fn bound_and_pushed() -> String {
    let (server_nonces, resource_nonces) = (Nonces::Required, Nonces::Required);
    let dpop = Some(Dpop { server_nonces, resource_nonces, ..Dpop::default() });
    let pushed = Some(Pushed { required: true, ..Pushed::default() });
    let mut rig = Rig::new(Dials { dpop, pushed, ..Dials::default() }, with_proof_key);
    rig.call("tools/list", None).unwrap();
    rig.trace()
}

/// Another process finds the tokens of the one before, and logs out.
fn restart() -> String {
    let mut rig = Rig::new(Dials::default(), |config| config);
    rig.log_in().unwrap();
    rig.restart();
    rig.now += 1200;
    rig.call("tools/list", None).unwrap();
    rig.run(Event::LogOut).unwrap();
    rig.trace()
}

/// While the person thinks about more scope, the present token runs out and is renewed.
fn beside() -> String {
    let mut rig = Rig::new(Dials { access_lifetime: 300, ..Dials::default() }, |config| config);
    rig.log_in().unwrap();
    let scopes = mcp_auth::Scopes::parse("files:write").unwrap();
    rig.until_the_person(Event::LogIn { scopes });
    rig.now += 295;
    rig.until_the_person(Event::Restore);
    rig.finish().unwrap();
    rig.trace()
}

/// A server that does not say that it knows PKCE, and is known to.
fn deviation() -> String {
    let dials = Dials { challenge_methods: ChallengeMethods::Absent, ..Dials::default() };
    let mut rig = Rig::new(dials, |config| {
        config.issuer("https://as.example", IssuerPolicy::with(|it| it.pkce = Pkce::AssumeS256))
    });
    rig.call("tools/list", None).unwrap();
    rig.trace()
}
