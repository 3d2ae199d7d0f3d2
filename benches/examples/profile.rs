//! Runs one piece a hundred times, to be run under a profiler: `valgrind --tool=dhat …/profile login`.

use mcp_auth_benches::ours;

fn main() {
    let piece = std::env::args().nth(1).unwrap_or_default();
    for _ in 0..100 {
        match piece.as_str() {
            "login" => drop(std::hint::black_box(ours::login(ours::Told::new()))),
            "refresh" => drop(std::hint::black_box(ours::refresh(ours::expired()))),
            other => panic!("{other:?} is not login or refresh"),
        }
    }
}
