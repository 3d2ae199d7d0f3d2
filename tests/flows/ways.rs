//! What can become of an exchange, and of whatever else a host is asked.

use std::time::{Duration, UNIX_EPOCH};

use mcp_auth::{Action, Callback, Event, Saving, Send, SendFailure, Timestamp};

use crate::book::Canned;
use crate::cuts::Cut;

/// What becomes of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    NotSent,
    Interrupted,
    TimedOut,
    TooLarge,
    AddressRefused,
    /// No answer comes, and nobody says so.
    Dropped,
    /// The answer comes when the machine has given up waiting for it.
    Late,
    Cut(Cut),
    NotUtf8,
    Status500,
    TooManyRequests(RetryAfter),
    RedirectHere,
    RedirectElsewhere,
    Html,
    /// More than the request allows, by a driver that reads on.
    Oversized,
    /// The answer that another flow has to the same question.
    OfAnotherFlow,
    /// The answer that the same flow has to another question.
    OfAnotherQuestion,
    Twice,
    Cancelled,
    Abandoned,
    LoggedOut,
    /// The host cannot do what it is asked: a store, a key, a person.
    HostFails,
    /// The host does something odd: the record is held by another, a signature is none, an answer is to another request.
    HostIsOdd,
}

/// When to come again, as a server says it that is asked too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RetryAfter {
    Seconds,
    /// It says nothing of it.
    Bare,
    /// More seconds than any number holds.
    Huge,
    /// A date that is yet to come.
    Date,
    /// A date that is long past.
    PastDate,
}

impl Fault {
    /// What may become of an exchange.
    pub(crate) fn of_exchanges() -> Vec<Self> {
        let mut all = vec![
            Self::NotSent,
            Self::Interrupted,
            Self::TimedOut,
            Self::TooLarge,
            Self::AddressRefused,
            Self::Dropped,
            Self::Late,
        ];
        all.extend(Cut::ALL.map(Self::Cut));
        all.extend([Self::NotUtf8, Self::Status500]);
        let afters =
            [RetryAfter::Seconds, RetryAfter::Bare, RetryAfter::Huge, RetryAfter::Date, RetryAfter::PastDate];
        all.extend(afters.map(Self::TooManyRequests));
        all.extend([
            Self::RedirectHere,
            Self::RedirectElsewhere,
            Self::Html,
            Self::Oversized,
            Self::OfAnotherFlow,
            Self::OfAnotherQuestion,
            Self::Twice,
            Self::Cancelled,
            Self::Abandoned,
            Self::LoggedOut,
        ]);
        all
    }

    /// What may become of anything else that is asked.
    pub(crate) fn of_others() -> Vec<Self> {
        vec![
            Self::HostFails,
            Self::HostIsOdd,
            Self::Dropped,
            Self::Late,
            Self::Twice,
            Self::Cancelled,
            Self::Abandoned,
            Self::LoggedOut,
        ]
    }
}

/// What other flows, or other places of this one, have to say.
pub(crate) struct Others<'a> {
    pub(crate) flow: Option<&'a Canned>,
    pub(crate) question: Option<&'a Canned>,
}

impl Fault {
    /// What is answered instead at this time; `None` where something else than an answer is wrong, or there is nothing to
    /// spoil.
    pub(crate) fn instead(
        self,
        now: Timestamp,
        send: &Send,
        recorded: &Canned,
        others: &Others<'_>,
    ) -> Option<Canned> {
        let failed = |failure| Some(Canned::Failed(failure));
        let words = || "by a fault".to_owned();
        let answer = |status, field: Option<(&str, &str)>, body: &str| {
            let field = field.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
            let fields = field.into_iter().collect();
            Some(Canned::Response { status, fields, body: body.as_bytes().to_vec() })
        };
        let spoiled = |spoil: &dyn Fn(&[u8]) -> Option<Vec<u8>>| match recorded {
            Canned::Response { status, fields, body } if !body.is_empty() => {
                Some(Canned::Response { status: *status, fields: fields.clone(), body: spoil(body)? })
            }
            _ => None,
        };
        match self {
            Self::NotSent => failed(SendFailure::NotSent(words())),
            Self::Interrupted => failed(SendFailure::Interrupted(words())),
            Self::TimedOut => failed(SendFailure::TimedOut),
            Self::TooLarge => failed(SendFailure::TooLarge),
            Self::AddressRefused => failed(SendFailure::AddressRefused(words())),
            Self::Cut(cut) => spoiled(&|body| cut.of(body)),
            Self::NotUtf8 => spoiled(&|body| {
                // Within the last text of the body, which stays whole otherwise.
                let place = body.iter().rposition(u8::is_ascii_alphanumeric).unwrap_or_default();
                let mut body = body.to_vec();
                body[place] = 0xc3;
                Some(body)
            }),
            Self::Status500 => answer(500, Some(("content-type", "text/plain")), "Something went wrong."),
            Self::TooManyRequests(after) => {
                let after = after.value(now);
                answer(429, after.as_deref().map(|value| ("retry-after", value)), "")
            }
            Self::RedirectHere => answer(302, Some(("location", "/elsewhere")), ""),
            Self::RedirectElsewhere => answer(307, Some(("location", "https://other.example/here")), ""),
            Self::Html => {
                answer(200, Some(("content-type", "text/html")), "<!DOCTYPE html><title>Hello</title>")
            }
            Self::Oversized => {
                let more = send.max_bytes() + 1;
                spoiled(&|body| Some([body, &vec![b' '; more]].concat()))
            }
            Self::OfAnotherFlow => others.flow.cloned(),
            Self::OfAnotherQuestion => others.question.cloned(),
            Self::Dropped
            | Self::Late
            | Self::Twice
            | Self::Cancelled
            | Self::Abandoned
            | Self::LoggedOut
            | Self::HostFails
            | Self::HostIsOdd => None,
        }
    }
}

impl RetryAfter {
    fn value(self, now: Timestamp) -> Option<String> {
        let date = |at| httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(at));
        match self {
            Self::Seconds => Some("30".to_owned()),
            Self::Bare => None,
            Self::Huge => Some("9".repeat(40)),
            Self::Date => Some(date(now.as_secs() + 30)),
            Self::PastDate => Some(date(now.as_secs() - 86_400)),
        }
    }
}

/// What a host says that cannot do it, or something odd.
pub(crate) fn unlike(action: &Action, odd: bool) -> Option<Event> {
    let why = "by a fault";
    Some(match (action, odd) {
        (Action::Load(load), false) => load.fail(why),
        (Action::Load(load), true) => load.busy(),
        (Action::Store(save), false) => save.reply(Saving::Failed(why.to_owned())),
        (Action::Store(save), true) => save.reply(Saving::Conflict(None)),
        (Action::Forget(forget), false) => forget.fail(why),
        (Action::Forget(forget), true) => forget.reply(false),
        (Action::Open(open), false) => open.fail(why),
        (Action::Open(_), true) => Event::Called(Callback::new("?code=another-code&state=another-state")),
        (Action::Ask(ask), false) => ask.decline(),
        (Action::Ask(ask), true) => ask.reply("", None),
        (Action::Sign(sign), false) => sign.fail(why),
        (Action::Sign(sign), true) => sign.reply(vec![0x30; 70]),
        (Action::Supply(supply), false) => supply.fail(why),
        (Action::Supply(supply), true) => supply.reply("an-assertion-by-a-fault"),
        _ => return None,
    })
}

/// Until when what is asked may be answered.
pub(crate) fn due(action: &Action) -> Option<Timestamp> {
    Some(match action {
        Action::Load(load) => load.deadline(),
        Action::Store(save) => save.deadline(),
        Action::Forget(forget) => forget.deadline(),
        Action::Send(send) => send.deadline(),
        Action::Open(open) => open.until(),
        Action::Ask(ask) => ask.until(),
        Action::Show(show) => show.until(),
        Action::Sign(sign) => sign.deadline(),
        Action::Supply(supply) => supply.until(),
        Action::Release(_) | Action::Renewed(_) | Action::Wait(_) | Action::Finish(_) => return None,
    })
}

/// What the documentation says of the number of ways.
#[test]
fn the_number_of_ways_is_told_as_it_is() {
    let text = include_str!("../../CONTRIBUTING.md");
    let told = format!("goes wrong in {} ways", Fault::of_exchanges().len());
    assert!(text.contains(&told), "CONTRIBUTING.md does not say {told:?}");
}
