//! Every exchange of every recorded flow goes wrong in every way, and so does whatever else the host is asked. However it does, the attempt ends with a token or a typed
//! failure, nothing that must never happen does, and the machine serves afterwards.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use mcp_auth::trace::{Entry, Trace};
use mcp_auth::watch::Watch;
use mcp_auth::{Action, Callback, Event, Saving, Send, SendFailure};

use crate::book::{Book, Canned, Run};
use crate::{files, folder};

/// What becomes of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    NotSent,
    Interrupted,
    TimedOut,
    TooLarge,
    AddressRefused,
    /// The answer comes when the machine has given up waiting for it.
    Late,
    Empty,
    OneByte,
    CutInMember,
    CutBeforeLast,
    CutInCharacter,
    NotUtf8,
    Status500,
    TooManyRequests,
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

/// What may become of an exchange.
const OF_EXCHANGES: [Fault; 24] = [
    Fault::NotSent,
    Fault::Interrupted,
    Fault::TimedOut,
    Fault::TooLarge,
    Fault::AddressRefused,
    Fault::Late,
    Fault::Empty,
    Fault::OneByte,
    Fault::CutInMember,
    Fault::CutBeforeLast,
    Fault::CutInCharacter,
    Fault::NotUtf8,
    Fault::Status500,
    Fault::TooManyRequests,
    Fault::RedirectHere,
    Fault::RedirectElsewhere,
    Fault::Html,
    Fault::Oversized,
    Fault::OfAnotherFlow,
    Fault::OfAnotherQuestion,
    Fault::Twice,
    Fault::Cancelled,
    Fault::Abandoned,
    Fault::LoggedOut,
];

/// What may become of anything else that is asked.
const OF_OTHERS: [Fault; 7] = [
    Fault::HostFails,
    Fault::HostIsOdd,
    Fault::Late,
    Fault::Twice,
    Fault::Cancelled,
    Fault::Abandoned,
    Fault::LoggedOut,
];

/// What other flows, or other places of this one, have to say.
struct Others<'a> {
    flow: Option<&'a Canned>,
    question: Option<&'a Canned>,
}

impl Fault {
    /// What is answered instead; `None` where something else than an answer is wrong, or there is nothing to spoil.
    fn instead(self, send: &Send, recorded: &Canned, others: &Others<'_>) -> Option<Canned> {
        let failed = |failure| Some(Canned::Failed(failure));
        let words = || "by a fault".to_owned();
        let status = |status, name: &str, value: &str, body: &str| {
            let fields = vec![(name.to_owned(), value.as_bytes().to_vec())];
            Some(Canned::Response { status, fields, body: body.as_bytes().to_vec() })
        };
        let cut = |keep: &dyn Fn(&[u8]) -> Vec<u8>| match recorded {
            Canned::Response { status, fields, body } if !body.is_empty() => {
                Some(Canned::Response { status: *status, fields: fields.clone(), body: keep(body) })
            }
            _ => None,
        };
        match self {
            Self::NotSent => failed(SendFailure::NotSent(words())),
            Self::Interrupted => failed(SendFailure::Interrupted(words())),
            Self::TimedOut => failed(SendFailure::TimedOut),
            Self::TooLarge => failed(SendFailure::TooLarge),
            Self::AddressRefused => failed(SendFailure::AddressRefused(words())),
            Self::Empty => cut(&|_| Vec::new()),
            Self::OneByte => cut(&|body| body[..1].to_vec()),
            Self::CutInMember => cut(&|body| body[..body.len() / 2].to_vec()),
            Self::CutBeforeLast => cut(&|body| body[..body.len() - 1].to_vec()),
            Self::CutInCharacter => cut(&|body| [&body[..body.len() / 2], b"\xc3"].concat()),
            Self::NotUtf8 => cut(&|body| {
                // Within the last text of the body, which stays whole otherwise.
                let place = body.iter().rposition(u8::is_ascii_alphanumeric).unwrap_or_default();
                let mut body = body.to_vec();
                body[place] = 0xc3;
                body
            }),
            Self::Status500 => status(500, "content-type", "text/plain", "Something went wrong."),
            Self::TooManyRequests => status(429, "retry-after", "30", ""),
            Self::RedirectHere => status(302, "location", "/elsewhere", ""),
            Self::RedirectElsewhere => status(307, "location", "https://other.example/here", ""),
            Self::Html => status(200, "content-type", "text/html", "<!DOCTYPE html><title>Hello</title>"),
            Self::Oversized => {
                let more = send.max_bytes() + 1;
                cut(&|body| [body, &vec![b' '; more]].concat())
            }
            Self::OfAnotherFlow => others.flow.cloned(),
            Self::OfAnotherQuestion => others.question.cloned(),
            Self::Late
            | Self::Twice
            | Self::Cancelled
            | Self::Abandoned
            | Self::LoggedOut
            | Self::HostFails
            | Self::HostIsOdd => None,
        }
    }
}

/// What a host says that cannot do it, or something odd.
fn unlike(action: &Action, odd: bool) -> Option<Event> {
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

/// One thing that is asked in a flow: the run up to its answer, and the event that answers it.
struct Exchange<'a> {
    before: Run<'a>,
    place: usize,
    asked: Action,
    /// The answer, where the world was asked.
    answer: Option<Canned>,
    told: (mcp_auth::Timestamp, Event),
}

/// The exchanges of a flow, and the run to its end.
fn exchanges(book: &Book) -> (Vec<Exchange<'_>>, Run<'_>) {
    let (mut run, mut events, mut found) = (Run::new(book), book.trace.events(), Vec::new());
    for (place, entry) in book.trace.entries().enumerate() {
        let told = matches!(entry, Entry::Event { .. }).then(|| events.next().unwrap());
        if let Entry::Event { event, .. } = &entry {
            let replied = event["replied"]["id"].as_u64().and_then(|id| run.asked.get(&id));
            let called = run.shown.as_ref().filter(|_| event.get("called").is_some());
            if let Some(asked) = replied.or(called).cloned() {
                let answer = Canned::read(&event["replied"]["answer"]);
                found.push(Exchange {
                    before: run.clone(),
                    place,
                    asked,
                    answer,
                    told: told.clone().unwrap(),
                });
            }
        }
        run.follow(&entry, told);
    }
    (found, run)
}

/// What begins an attempt, in what is left of a flow after a line.
fn begins(book: &Book, place: usize) -> Vec<(mcp_auth::Timestamp, Event)> {
    let mut events = book.trace.events();
    let entries = book.trace.entries().enumerate();
    let told = entries.filter_map(|(line, entry)| {
        let event = matches!(entry, Entry::Event { .. }).then(|| events.next().unwrap())?;
        Some((line, event))
    });
    let begins = |event: &Event| {
        matches!(event, Event::Restore | Event::LogIn { .. } | Event::Challenged(_) | Event::LogOut)
    };
    told.filter(|(line, (_, event))| *line > place && begins(event)).map(|(_, told)| told).collect()
}

/// What runs have come to.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    runs: usize,
    /// The attempt that met the fault ended without failure.
    good: usize,
    /// It ended with a typed failure.
    failed: usize,
    /// The login afterwards brought a token.
    after: usize,
}

/// One run: this exchange goes wrong so. Gives whether there was anything to spoil, and what came of it.
fn spoiled(
    book: &Book,
    exchange: &Exchange<'_>,
    fault: Fault,
    others: &Others<'_>,
    good: bool,
) -> Result<Option<Figures>, String> {
    let mut run = exchange.before.clone();
    run.ends.clear();
    if let Action::Send(send) = &exchange.asked {
        run.is_said(send);
    }
    let (at, told) = exchange.told.clone();
    run.now = at;
    let instead = match (&exchange.asked, &exchange.answer, fault) {
        (asked, _, Fault::HostFails | Fault::HostIsOdd) => unlike(asked, fault == Fault::HostIsOdd),
        (Action::Send(send), Some(answer), _) => {
            fault.instead(send, answer, others).map(|canned| canned.event(send))
        }
        _ => None,
    };
    match fault {
        Fault::Twice => {
            run.tell(told.clone());
            run.settle();
            run.tell(told);
        }
        Fault::Late => {
            if let Some(until) = run.settle() {
                run.now = run.now.max(until);
            }
            run.tell(Event::Tick);
            run.tell(told);
        }
        Fault::Cancelled | Fault::Abandoned | Fault::LoggedOut => {
            run.tell(match fault {
                Fault::Cancelled => Event::Cancelled,
                Fault::Abandoned => Event::Abandoned,
                _ => Event::LogOut,
            });
            run.settle();
            run.tell(told);
        }
        _ => match instead {
            Some(instead) => run.tell(instead),
            None => return Ok(None),
        },
    }
    run.go_on();
    let met = run.ends.first().cloned();
    for (at, begin) in begins(book, exchange.place) {
        run.now = run.now.max(at);
        run.tell(begin);
        run.go_on();
    }
    let after = run.log_in();
    let trail = run.machine.trail().to_string();
    run.watch.shown("the trail", &trail);
    if !run.watch.breaches().is_empty() {
        return Err(format!("{:?}\n{trail}", run.watch.breaches()));
    }
    if good && after != Ok("authorized".to_owned()) {
        return Err(format!("the login afterwards: {after:?}\n{trail}"));
    }
    Ok(Some(Figures {
        runs: 1,
        good: usize::from(met.as_ref().is_some_and(Result::is_ok)),
        failed: usize::from(met.is_some_and(|it| it.is_err())),
        after: usize::from(after.is_ok()),
    }))
}

/// Runs one of every `stride` runs.
fn run_all(stride: usize) {
    let begun = Instant::now();
    let books: Vec<_> = files()
        .into_iter()
        .map(|name| {
            let text = fs::read_to_string(folder().join(format!("{name}.jsonl"))).unwrap();
            (name, Book::of(Trace::read(&text).unwrap()))
        })
        .collect();
    let (next, counter) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (table, wrong) = (Mutex::new(BTreeMap::<Fault, Figures>::new()), Mutex::new(Vec::new()));
    let work = || {
        while let Some((name, book)) = books.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (exchanges, end) = exchanges(book);
            let good = book.has_discovery() && end.clone().log_in() == Ok("authorized".to_owned());
            for exchange in &exchanges {
                let purpose = match &exchange.asked {
                    Action::Send(send) => format!("{:?}", send.purpose()),
                    _ => String::new(),
                };
                let flow = books.iter().filter(|(other, _)| other != name).find_map(|(_, other)| {
                    let same = |(place, canned): &(&(String, String), &Canned)| {
                        place.0 == purpose && exchange.answer.as_ref() != Some(*canned)
                    };
                    other.answers().find(same).map(|(_, canned)| canned)
                });
                let question = book.answers().find(|(place, _)| place.0 != purpose);
                let others = Others { flow, question: question.map(|(_, canned)| canned) };
                let faults = if purpose.is_empty() { &OF_OTHERS[..] } else { &OF_EXCHANGES[..] };
                for fault in faults.iter().copied() {
                    if counter.fetch_add(1, Ordering::Relaxed) % stride != 0 {
                        continue;
                    }
                    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        spoiled(book, exchange, fault, &others, good)
                    }));
                    let what = || format!("{name}, line {}, {fault:?}", exchange.place + 2);
                    match ran {
                        Ok(Ok(None)) => {}
                        Ok(Ok(Some(figures))) => {
                            let mut table = table.lock().unwrap();
                            let sum = table.entry(fault).or_default();
                            sum.runs += figures.runs;
                            sum.good += figures.good;
                            sum.failed += figures.failed;
                            sum.after += figures.after;
                        }
                        Ok(Err(why)) => wrong.lock().unwrap().push(format!("{}: {why}", what())),
                        Err(_) => wrong.lock().unwrap().push(format!("{}: it panicked", what())),
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    let mut shown = String::new();
    let mut all = Figures::default();
    for (fault, it) in table.into_inner().unwrap() {
        writeln!(
            shown,
            "{:18} {:6} {:6} {:6} {:6}",
            format!("{fault:?}"),
            it.runs,
            it.good,
            it.failed,
            it.after
        )
        .unwrap();
        all = Figures {
            runs: all.runs + it.runs,
            good: all.good + it.good,
            failed: all.failed + it.failed,
            after: all.after + it.after,
        };
    }
    println!("what goes wrong      runs   good failed  after\n{shown}");
    println!(
        "{} flows, {} runs, {} served, {} failed with a kind, {} authorized or answered by the login afterwards, in {} s",
        books.len(),
        all.runs,
        all.good,
        all.failed,
        all.after,
        begun.elapsed().as_secs()
    );
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{} runs went wrong\n{}",
        wrong.len(),
        wrong[..wrong.len().min(12)].join("\n\n")
    );
    assert!(all.runs > 500);
}

#[test]
fn some_exchanges_go_wrong() {
    run_all(7);
}

#[test]
#[ignore = "a minute or more; to be run with --release -- --nocapture"]
fn every_exchange_goes_wrong_in_every_way() {
    run_all(1);
}

/// Runs a trace again under the watch.
pub(crate) fn watched(trace: &Trace) -> Result<Watch, Vec<String>> {
    let book = Book::of(trace.clone());
    let (mut run, mut events) = (Run::new(&book), trace.events());
    for entry in trace.entries() {
        let told = matches!(entry, Entry::Event { .. }).then(|| events.next().unwrap());
        run.follow(&entry, told);
        run.watch.shown("the trail", &run.machine.trail().to_string());
    }
    if run.watch.breaches().is_empty() { Ok(run.watch) } else { Err(run.watch.breaches().to_vec()) }
}
