//! What a host may choose that no other flow shows: nobody to be asked, credentials for registration, accounts.

use mcp_auth::{Config, Event, Kind, Outcome, Policy};
use mcp_auth_testbed::*;

use crate::ended::{ends, fails};
use crate::stage::Stage;
use crate::{Flow, flow};

const ISSUER: &str = "https://as.example";

fn unattended(config: Config) -> Config {
    config.policy(Policy::with(|it| it.unattended = true))
}

/// A grant of a person, and a process where nobody is.
fn left_alone() -> Stage {
    let mut stage = Stage::plain(Dials::default());
    stage.call("tools/list", None);
    stage.restart_with(unattended);
    stage
}

fn registering(dials: Dials, configure: impl FnOnce(Config) -> Config) -> Stage {
    let dials = Dials { client_id_metadata_documents: false, ..dials };
    let mut stage = Stage::at(Origins::default(), dials, |config, _| configure(config));
    stage.call("tools/list", None);
    stage
}

pub(crate) fn flows() -> Vec<Flow> {
    let mut flows = alone();
    flows.extend(registrations());
    flows.extend(accounts());
    flows
}

fn alone() -> Vec<Flow> {
    vec![
        flow(
            "unattended",
            "Nobody is there to be asked (`Policy::unattended`): a refusal without a grant ends before anything is sent, and so does a login.",
            &["own-unattended"],
            &["unasked", "unasked"],
            || {
                let mut stage =
                    Stage::at(Origins::default(), Dials::default(), |config, _| unattended(config));
                stage.call("tools/list", None);
                let failure = fails(&mut stage, Event::LogIn { scopes: mcp_auth::Scopes::new() });
                assert_eq!(failure.kind(), Kind::Unasked);
                assert_eq!(stage.world.exchanges().len(), stage.world.count(Purpose::Mcp));
                stage
            },
        ),
        flow(
            "unattended.renews",
            "Nobody is there to be asked: the grant that there is is used and renewed, and a step-up is not begun.",
            &["own-unattended", "own-renewal"],
            &["refreshed", "unasked"],
            || {
                let mut stage = left_alone();
                stage.now += 4000;
                stage.call("tools/list", None);
                stage.call("tools/call", Some("write_file"));
                stage.call("tools/list", None);
                assert_eq!((stage.world.count(Purpose::Refresh), stage.opened.len()), (1, 1));
                stage
            },
        ),
        flow(
            "unattended.dead-grant",
            "Nobody is there to be asked, and the grant is dead: the failure says that a person is needed, and why.",
            &["own-unattended", "token-errors"],
            &["kept", "unasked"],
            || {
                let mut stage = left_alone();
                stage.restore();
                stage.world.revoke_everything();
                let refused = stage.refused();
                let failure = fails(&mut stage, refused);
                assert!(format!("{failure:#}").contains("invalid_grant"), "{failure:#}");
                assert_eq!(stage.world.count(Purpose::Registration), 1);
                stage
            },
        ),
    ]
}

/// Servers that register nobody without a token.
fn guarded() -> Dials {
    let registration = Registration::InitialAccessToken("an-initial-access-token".to_owned());
    Dials { registration, ..Dials::default() }
}

fn registrations() -> Vec<Flow> {
    vec![
        flow(
            "registration.initial-access-token",
            "Registration takes a token that was had by other means: it goes to its issuer.",
            &["registration-request"],
            &["logged_in"],
            || registering(guarded(), |it| it.initial_access_token(ISSUER, "an-initial-access-token")),
        ),
        flow(
            "registration.initial-access-token.elsewhere",
            "The token is for another issuer: this one is not shown it.",
            &["credentials-elsewhere", "registration-failure-told"],
            &["registration_rejected"],
            || {
                let elsewhere = "https://as2.example";
                let stage = registering(guarded(), |config| {
                    config.initial_access_token(elsewhere, "an-initial-access-token")
                });
                assert!(!stage.trace().contains("Bearer an-initial-access-token"));
                stage
            },
        ),
        flow(
            "registration.software-statement",
            "Somebody vouches for the software: the statement goes to its issuer with the registration.",
            &["registration-request"],
            &["logged_in"],
            || {
                let stage = registering(Dials::default(), |it| it.software_statement(ISSUER, STATEMENT));
                assert!(registered(&stage).contains(STATEMENT));
                stage
            },
        ),
        flow(
            "registration.software-statement.elsewhere",
            "The statement is for another issuer: this one is not shown it.",
            &["credentials-elsewhere"],
            &["logged_in"],
            || {
                let elsewhere = "https://as2.example";
                let stage = registering(Dials::default(), |it| it.software_statement(elsewhere, STATEMENT));
                assert!(!registered(&stage).contains(STATEMENT));
                stage
            },
        ),
    ]
}

const STATEMENT: &str = "a-signed-statement-of-the-software";

/// The registration that was sent, as the trace has it.
fn registered(stage: &Stage) -> String {
    let text = stage.trace();
    let sent = text.lines().find(|line| line.contains("\"purpose\":\"registration\"")).map(str::to_owned);
    sent.expect("a registration is sent")
}

fn accounts() -> Vec<Flow> {
    vec![flow(
        "accounts",
        "Another account at the same server (`Config::account`) has a record of its own: the first one's is not used for it, and stays.",
        &["own-accounts"],
        &["logged_in"],
        || {
            let mut stage = Stage::at(Origins::default(), Dials::default(), |it, _| it.account("at work"));
            stage.call("tools/list", None);
            let first = stage.records.clone();
            stage.restart_with(|config| config.account("at home"));
            assert_eq!(ends(&mut stage, Event::Restore).unwrap(), Outcome::Anonymous);
            stage.log_in();
            assert_eq!(stage.records.len(), 2);
            assert!(first.iter().all(|(key, record)| stage.records.get(key) == Some(record)));
            stage
        },
    )]
}
