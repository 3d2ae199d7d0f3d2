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
mod faults;
mod moves;
mod process;
mod search;
mod server;
mod state;
mod store;
mod tell;

use search::{Figures, Search};
use server::Rotation;
use state::{Setup, Start, Wrong};

fn setup(rotation: Rotation, start: Start, faults: u8) -> Setup {
    Setup { rotation, start, processes: 2, requests: 1, faults, wrong: Wrong::Nothing }
}

#[test]
fn all_that_can_happen_to_two_processes() {
    let search = Search { limit: usize::MAX, only: None };
    let depth = std::env::var("EXPLORE_DEPTH").ok().and_then(|it| it.parse().ok()).unwrap_or(1);
    for rotation in Rotation::ALL {
        for start in [Start::Expired, Start::Refused, Start::Expiring] {
            let begun = std::time::Instant::now();
            let mut figures = Figures::default();
            match search.explore(setup(rotation, start, depth)) {
                Ok(more) => figures.add(more),
                Err(way) => panic!("{way:?}"),
            }
            println!("{rotation:?} {start:?} {figures:?} {:?}", begun.elapsed());
        }
    }
}
