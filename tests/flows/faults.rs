//! Every exchange of every recorded flow goes wrong in every way, and so does whatever else the host is asked. However it does,
//! the attempt ends with a token or a typed failure, nothing that must never happen does, and the machine serves afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use mcp_auth::trace::{Entry, Trace};
use mcp_auth::watch::Watch;
use mcp_auth::{Action, Event};

use crate::book::{Book, Canned, Run};
use crate::ways::{Fault, Others, due, unlike};
use crate::{files, folder};

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

/// What runs have come to. Each is in one column of `met` and in one of `after`.
#[derive(Clone, Debug, Default)]
struct Figures {
    /// How often there was nothing to spoil: the answer has no body, or no other flow has an answer to this question.
    nothing: usize,
    runs: usize,
    met: BTreeMap<&'static str, usize>,
    after: BTreeMap<&'static str, usize>,
}

/// How the attempt ended that met the fault. In the last no attempt ran when the answer came, for it is the answer to one that was
/// called off or is over; such an answer begins none.
const MET: [&str; 5] = ["authorized", "anonymous", "logged out", "failed", "no attempt"];

/// How the login afterwards ended: with a token; or as it does after the flow's own run, unspoiled, because its server is refused or
/// its person says no; or with another typed failure where that one fails too, or because the flow knows no authorization server,
/// and what the fault took from the record nobody can give again.
const AFTER: [&str; 4] = ["authorized", "as unspoiled", "fails too", "nobody there"];

impl Figures {
    fn add(&mut self, other: &Self) {
        self.nothing += other.nothing;
        self.runs += other.runs;
        for (sums, more) in [(&mut self.met, &other.met), (&mut self.after, &other.after)] {
            for (name, count) in more {
                *sums.entry(name).or_default() += count;
            }
        }
    }

    /// A line of the table, which adds up.
    fn line(&self, name: &str) -> String {
        let columns = |sums: &BTreeMap<&str, usize>, names: &[&str]| {
            let counts: Vec<_> =
                names.iter().map(|name| sums.get(name).copied().unwrap_or_default()).collect();
            assert_eq!(counts.iter().sum::<usize>(), self.runs, "{name}: {sums:?}");
            counts.iter().map(|count| format!(" {count:>12}")).collect::<String>()
        };
        let tried = self.nothing + self.runs;
        let (met, after) = (columns(&self.met, &MET), columns(&self.after, &AFTER));
        format!("{name:26} {tried:>8} {:>8} {:>8} |{met} |{after}", self.nothing, self.runs)
    }

    fn heading() -> String {
        let columns = |names: &[&str]| names.iter().map(|name| format!(" {name:>12}")).collect::<String>();
        let (met, after) = (columns(&MET), columns(&AFTER));
        format!("{:26} {:>8} {:>8} {:>8} |{met} |{after}", "what goes wrong", "tried", "nothing", "runs")
    }
}

/// One run: this exchange goes wrong so. Gives what came of it; nothing, where there was nothing to spoil. `usual` is how a login
/// after the unspoiled flow ends.
fn spoiled(
    book: &Book,
    exchange: &Exchange<'_>,
    fault: Fault,
    others: &Others<'_>,
    usual: &Result<&'static str, String>,
) -> Result<Figures, String> {
    let mut run = exchange.before.clone();
    run.ends.clear();
    let ran = run.runs();
    if let Action::Send(send) = &exchange.asked {
        run.is_said(send);
    }
    let (at, told) = exchange.told.clone();
    run.now = at;
    let instead = match (&exchange.asked, &exchange.answer, fault) {
        (asked, _, Fault::HostFails | Fault::HostIsOdd) => unlike(asked, fault == Fault::HostIsOdd),
        (Action::Send(send), Some(answer), _) => {
            fault.instead(at, send, answer, others).map(|canned| canned.event(send))
        }
        _ => None,
    };
    match fault {
        Fault::Twice => {
            run.tell(told.clone());
            run.settle();
            run.tell(told);
        }
        Fault::Dropped | Fault::Late => {
            run.pass(due(&exchange.asked).expect("whatever is answered has a deadline"));
            if fault == Fault::Late {
                run.tell(told);
            }
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
            None => return Ok(Figures { nothing: 1, ..Figures::default() }),
        },
    }
    run.go_on();
    let met = match run.ends.first() {
        Some(Ok(good)) => *good,
        Some(Err(_)) => "failed",
        None if ran => return Err(format!("the attempt has no end\n{}", run.machine.trail())),
        None => "no attempt",
    };
    for (at, begin) in begins(book, exchange.place) {
        let before = run.ends.len();
        run.now = run.now.max(at);
        run.tell(begin);
        run.go_on();
        if run.ends.len() == before {
            return Err(format!("an attempt that the flow begins has no end\n{}", run.machine.trail()));
        }
    }
    let after = run.log_in();
    let trail = run.machine.trail().to_string();
    run.watch.shown("the trail", &trail);
    if !run.watch.breaches().is_empty() {
        return Err(format!("{:?}\n{trail}", run.watch.breaches()));
    }
    let after = match &after {
        Ok("authorized") => "authorized",
        other if other == usual => "as unspoiled",
        Err(_) if usual.is_err() => "fails too",
        Err(_) if !book.has_discovery() => "nobody there",
        other => {
            return Err(format!("the login afterwards: {other:?}, and without the fault {usual:?}\n{trail}"));
        }
    };
    Ok(Figures { runs: 1, met: [(met, 1)].into(), after: [(after, 1)].into(), nothing: 0 })
}

/// Why it panicked.
fn caught<T>(runs: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(runs)).map_err(|why| {
        let text = why.downcast_ref::<String>().cloned();
        let text = text.or_else(|| why.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        format!("it panicked: {}", text.unwrap_or_default())
    })
}

/// Runs one of every `stride` runs. It has no common factor with the numbers of ways, so that every way has its turn.
fn run_all(stride: usize) {
    let ways = [Fault::of_exchanges().len(), Fault::of_others().len()];
    let is_common =
        |factor: usize| stride.is_multiple_of(factor) && ways.iter().any(|ways| ways.is_multiple_of(factor));
    assert!(!(2..=stride).any(is_common), "some ways would never have their turn");
    let begun = Instant::now();
    let books: Vec<_> = files()
        .into_iter()
        .map(|name| {
            let text = fs::read_to_string(folder().join(format!("{name}.jsonl"))).unwrap();
            (name, Book::of(Trace::read(&text).unwrap()))
        })
        .collect();
    let next = AtomicUsize::new(0);
    let (table, wrong) = (Mutex::new(BTreeMap::<Fault, Figures>::new()), Mutex::new(Vec::new()));
    let (unlike, idle) = (Mutex::new(BTreeMap::<String, Vec<String>>::new()), Mutex::new(BTreeSet::new()));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some((name, book)) = books.get(number) else { break };
            let (exchanges, end) = exchanges(book);
            let usual = match caught(|| end.clone().log_in()) {
                Ok(usual) => usual,
                Err(why) => {
                    wrong.lock().unwrap().push(format!("{name}, a login after it: {why}"));
                    continue;
                }
            };
            if usual != Ok("authorized") {
                unlike.lock().unwrap().entry(format!("{usual:?}")).or_default().push(name.clone());
            }
            // So that which runs are chosen does not depend on who is first, and is not the same of each flow.
            let mut count = number;
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
                let faults = if purpose.is_empty() { Fault::of_others() } else { Fault::of_exchanges() };
                for fault in faults {
                    count += 1;
                    if !count.is_multiple_of(stride) {
                        continue;
                    }
                    let place = format!("{name}, line {}", exchange.place + 2);
                    let ran = caught(|| spoiled(book, exchange, fault, &others, &usual));
                    match ran.and_then(|ran| ran) {
                        Ok(figures) => {
                            table.lock().unwrap().entry(fault).or_default().add(&figures);
                            if figures.met.contains_key("no attempt") {
                                idle.lock().unwrap().insert(place);
                            }
                        }
                        Err(why) => wrong.lock().unwrap().push(format!("{place}, {fault:?}: {why}")),
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    let (table, unlike) = (table.into_inner().unwrap(), unlike.into_inner().unwrap());
    let mut all = Figures::default();
    println!("{}", Figures::heading());
    for (fault, figures) in &table {
        println!("{}", figures.line(&format!("{fault:?}")));
        all.add(figures);
    }
    println!("{}", all.line("all"));
    let others: usize = unlike.values().map(Vec::len).sum();
    println!(
        "a login after the unspoiled flow is authorized in {} flows of {}",
        books.len() - others,
        books.len()
    );
    for (usual, names) in &unlike {
        println!("  in {} it is {usual}: {}", names.len(), names.join(", "));
    }
    for place in idle.into_inner().unwrap() {
        println!("no attempt runs when the answer comes: {place}");
    }
    println!("in {} s", begun.elapsed().as_secs());
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{} runs went wrong\n{}",
        wrong.len(),
        wrong[..wrong.len().min(12)].join("\n\n")
    );
    let mut ways = Fault::of_exchanges();
    ways.extend(Fault::of_others());
    for fault in ways {
        assert!(table.get(&fault).is_some_and(|figures| figures.runs > 0), "nothing ran with {fault:?}");
    }
}

#[test]
fn some_exchanges_go_wrong() {
    run_all(9);
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
