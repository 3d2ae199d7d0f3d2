//! Because the machine is a value, all that can happen to a few of them can be tried.
//!
//! Some processes share a store and a grant whose access token is of no use any more; in each a few callers want to send a
//! request. Whatever crosses the border of a process takes its turn in every order: the store acts, the server acts, an
//! answer arrives. Within a budget of faults, everything that can go wrong does, at every point. What is local happens
//! at once; so do documents, which change nothing and are the same for all.
//!
//! A state is known again by what each machine was told, and when, and by all that is outside of them: as a machine is
//! a function of its configuration, its seed and its events, that is exact, up to a collision of 64 bits.

mod drive;
mod end;
mod faults;
mod lines;
mod moves;
mod process;
mod search;
mod server;
mod state;
mod store;
mod tell;
mod walk;
mod wrong;

use std::collections::BTreeMap;
use std::time::Instant;

use search::{Figures, Search};
use server::Rotation;
use state::{Setup, Start, Wrong};

/// A number that the environment gives.
fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Explores each setup to its end, and gives the figures by rotation.
fn explore(setups: impl IntoIterator<Item = Setup>) {
    let search = Search { limit: usize::MAX, only: None };
    let mut table = BTreeMap::<String, Figures>::new();
    let begun = Instant::now();
    for setup in setups {
        match search.explore(setup) {
            Ok(figures) => {
                println!("{:?}, {:?}: {} states", setup.rotation, setup.start, figures.states);
                table.entry(format!("{:?}", setup.rotation)).or_default().add(figures);
            }
            Err(way) => panic!("{way:?}"),
        }
    }
    print(&table, begun);
}

fn print(table: &BTreeMap<String, Figures>, begun: Instant) {
    let mut all = Figures::default();
    println!("| server    |     states | transitions |     runs | steps after | longest |");
    println!("|-----------|-----------:|------------:|---------:|------------:|--------:|");
    let line = |name: &str, it: &Figures| {
        let Figures { states, transitions, runs, after, deepest } = it;
        println!("| {name:9} | {states:10} | {transitions:11} | {runs:8} | {after:11} | {deepest:7} |");
    };
    for (name, figures) in table {
        line(name, figures);
        all.add(*figures);
    }
    line("all", &all);
    println!("in {} s", begun.elapsed().as_secs());
}

fn setup(rotation: Rotation, start: Start, faults: u8) -> Setup {
    Setup { rotation, start, processes: 2, requests: 1, faults, wrong: Wrong::Nothing }
}

const STARTS: [Start; 3] = [Start::Expired, Start::Refused, Start::Expiring];

fn every(faults: u8) -> impl Iterator<Item = Setup> {
    STARTS.into_iter().flat_map(move |start| Rotation::ALL.map(|rotation| setup(rotation, start, faults)))
}

#[test]
fn without_faults_there_is_one_refresh_in_every_order() {
    explore(every(0));
    let more = |(rotation, start)| setup(rotation, start, 0);
    let more = Rotation::ALL.into_iter().zip(STARTS.into_iter().cycle()).map(more);
    explore(more.map(|setup| Setup { processes: 3, ..setup }));
    explore([Setup { requests: 2, ..setup(Rotation::Strict, Start::Refused, 0) }]);
}

#[test]
fn one_fault_at_every_point() {
    explore(
        Rotation::ALL
            .into_iter()
            .zip(STARTS.into_iter().cycle())
            .map(|(rotation, start)| setup(rotation, start, 1)),
    );
}

/// `EXPLORE_DEPTH` says how many faults a run may have, `EXPLORE_ONLY` which server or start is tried.
#[test]
#[ignore = "minutes; to be run with --release -- --nocapture"]
fn two_faults_at_every_point() {
    let depth = given("EXPLORE_DEPTH").and_then(|depth| u8::try_from(depth).ok()).unwrap_or(2);
    let only = std::env::var("EXPLORE_ONLY").unwrap_or_default();
    explore(every(depth).filter(|setup| format!("{:?} {:?}", setup.rotation, setup.start).contains(&only)));
}

fn walk(walks: u64) {
    let search = Search { limit: usize::MAX, only: None };
    let mut table = BTreeMap::<String, Figures>::new();
    let begun = Instant::now();
    for rotation in Rotation::ALL {
        for seed in 0..walks {
            let start = STARTS[usize::from(seed % 3 == 0) + usize::from(seed % 3 == 1)];
            let processes = 3 + usize::from(seed % 2 == 1);
            let requests = 2 + usize::from(seed % 4 > 1);
            let setup = Setup { rotation, start, processes, requests, faults: 6, wrong: Wrong::Nothing };
            match search.walk(setup, seed) {
                Ok(figures) => table.entry(format!("{rotation:?}")).or_default().add(figures),
                Err(way) => panic!("walk {seed}: {way:?}"),
            }
        }
    }
    print(&table, begun);
}

#[test]
fn six_faults_by_chance() {
    walk(50);
}

/// `EXPLORE_WALKS` says how many walks for each kind of server.
#[test]
#[ignore = "minutes; to be run with --release -- --nocapture"]
fn six_faults_by_chance_many_times() {
    walk(given("EXPLORE_WALKS").unwrap_or(20_000));
}
