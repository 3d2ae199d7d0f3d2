//! Each property can fail: a store, a driver or a server that does one thing wrong breaks it.

use crate::search::Search;
use crate::server::Rotation;
use crate::state::{Property, Setup, Start, Wrong};

const SETUP: Setup = Setup {
    rotation: Rotation::Single,
    start: Start::Expired,
    processes: 2,
    requests: 1,
    faults: 0,
    wrong: Wrong::Nothing,
};

/// With this setup the property fails, and without what is wrong in it it does not.
fn breaks(property: Property, setup: Setup) {
    let search = Search { limit: 200_000, only: Some(property) };
    let way = search.explore(setup).expect_err("it is seen");
    assert_eq!(way.violation.property, property);
    if setup.start != Start::Live {
        search.explore(Setup { wrong: Wrong::Nothing, ..setup }).expect("nothing is wrong");
    }
}

#[test]
fn without_leases_a_token_is_used_twice() {
    let setup = Setup { rotation: Rotation::Strict, wrong: Wrong::NoLeases, ..SETUP };
    breaks(Property::UsedOnce, setup);
}

#[test]
fn without_leases_there_is_more_than_one_refresh() {
    let setup = Setup { rotation: Rotation::TimeGrace, wrong: Wrong::NoLeases, ..SETUP };
    breaks(Property::OneRefresh, setup);
}

#[test]
fn a_driver_that_drops_an_answer_loses_the_token() {
    breaks(Property::NeverLost, Setup { wrong: Wrong::DropsTokens, ..SETUP });
}

#[test]
fn without_comparison_a_dead_record_takes_the_place_of_a_live_one() {
    breaks(Property::NotOverwritten, Setup { wrong: Wrong::NoComparison, ..SETUP });
}

#[test]
fn a_driver_that_does_not_take_no_for_an_answer_opens_two_browsers() {
    let setup = Setup { wrong: Wrong::Impatient, processes: 1, faults: 2, ..SETUP };
    breaks(Property::OneBrowser, setup);
}

#[test]
fn a_driver_that_logs_in_first_opens_a_browser_for_nothing() {
    let setup = Setup { wrong: Wrong::LogsInFirst, start: Start::Live, processes: 1, ..SETUP };
    breaks(Property::NoNeedlessBrowser, setup);
}

#[test]
fn a_driver_that_forgets_who_waits_leaves_somebody_waiting() {
    let setup = Setup { wrong: Wrong::ForgetsWaiters, processes: 1, requests: 2, ..SETUP };
    breaks(Property::Quiesces, setup);
}

#[test]
fn a_driver_without_a_clock_waits_for_ever() {
    let setup = Setup { wrong: Wrong::NeverTicks, processes: 1, faults: 1, ..SETUP };
    breaks(Property::Quiesces, setup);
}

#[test]
fn a_server_that_speaks_otherwise_ends_a_run_otherwise() {
    breaks(Property::TypedEnd, Setup { wrong: Wrong::OtherType, ..SETUP });
}

#[test]
fn a_store_that_is_not_told_keeps_the_lease() {
    breaks(Property::Released, Setup { wrong: Wrong::NoReleases, ..SETUP });
}

#[test]
fn a_server_that_stays_down_keeps_requests_from_succeeding() {
    breaks(Property::Recovers, Setup { wrong: Wrong::Outage, ..SETUP });
}

#[test]
fn a_driver_that_tells_of_no_end_is_seen() {
    breaks(Property::Watched, Setup { wrong: Wrong::Unwatched, processes: 1, ..SETUP });
}
