//! Many processes with one file store, some of which are killed or hang.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mcp_auth::{Credential, Saving, Secret};
use mcp_auth_store::{FileStore, Lease, Store};
use support::{Place, key, record};

/// Says to the test `in_a_process_of_its_own` what it is.
const ROLE: &str = "MCP_AUTH_STORE_ROLE";
const DIRECTORY: &str = "MCP_AUTH_STORE_DIRECTORY";

/// More than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// What a busy machine may take longer than it should.
const SLACK: Duration = Duration::from_secs(10);

/// This program once more, killed at the latest when it is dropped.
struct Process {
    child: Child,
    said: BufReader<ChildStdout>,
    told: ChildStdin,
}

impl Process {
    fn new(role: &str, directory: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["in_a_process_of_its_own", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let told = child.stdin.take().unwrap();
        Self { child, said, told }
    }

    /// Waits until it says so.
    fn says(&mut self, word: &str) {
        let mut line = String::new();
        while !line.ends_with(&format!("{word}\n")) {
            line.clear();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "it ended without a {word}");
        }
    }

    fn goes_on(&mut self) {
        self.told.write_all(b"on\n").unwrap();
    }

    /// `SIGKILL` on Unix.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(word: &str) {
    println!("{word}");
    std::io::stdout().flush().unwrap();
}

fn wait_for_word() {
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
#[ignore = "the other tests run it"]
fn in_a_process_of_its_own() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let store = FileStore::new(std::env::var_os(DIRECTORY).unwrap()).unwrap();
    match role.as_str() {
        "writes" => {
            say("ready");
            loop {
                write_next(&store);
            }
        }
        "renews" => {
            say("ready");
            wait_for_word();
            for _ in 0..20 {
                let lease = store.lease(&key(), LONG, LONG).unwrap().unwrap();
                write_next(&store);
                drop(lease);
            }
        }
        "holds" | "hangs" => {
            let span = if role == "holds" { LONG } else { Duration::from_millis(700) };
            let lease = store.lease(&key(), span, Duration::ZERO).unwrap().unwrap();
            say("leased");
            wait_for_word();
            drop(lease);
            say("freed");
            wait_for_word();
        }
        other => panic!("no role: {other}"),
    }
}

/// A record whose token can only be whole: long, and of one letter that the generation says.
fn whole(generation: u64) -> Credential {
    record(generation, &token(generation))
}

fn token(generation: u64) -> String {
    let letters = b"abcdefghijklmnopqrstuvwxyz";
    let letter = letters[usize::try_from(generation).unwrap() % letters.len()];
    char::from(letter).to_string().repeat(100_000)
}

fn write_next(store: &FileStore) {
    let found = store.load(&key()).unwrap().unwrap();
    let next = whole(found.generation.as_u64() + 1);
    let saving = store.put(&key(), &next, Some(found.generation));
    assert!(matches!(saving, Saving::Kept), "{saving:?}");
}

fn begun(place: &Place) -> FileStore {
    let store = place.store();
    assert!(matches!(store.put(&key(), &whole(0), None), Saving::Kept));
    store
}

/// The generation of the record, which is whole.
fn generation(store: &FileStore) -> u64 {
    let found = store.load(&key()).unwrap().unwrap();
    let generation = found.generation.as_u64();
    assert!(found.access_token == Secret::new(token(generation)), "the record of {generation} is torn");
    generation
}

fn lease(store: &FileStore, patience: Duration) -> Option<Lease> {
    store.lease(&key(), LONG, patience).unwrap()
}

#[test]
fn a_writer_that_is_killed_leaves_a_whole_record() {
    let place = Place::new();
    let store = begun(&place);
    let began = Instant::now();
    let (mut kills, mut drafts, mut last) = (0_u32, 0, 0);
    while began.elapsed() < Duration::from_secs(2) {
        let mut writer = Process::new("writes", store.directory());
        writer.says("ready");
        // Read while it writes, once at least, then kill it somewhere else each time.
        while generation(&store) == last {
            assert!(writer.child.try_wait().unwrap().is_none(), "the writer ended by itself");
        }
        let until = Instant::now() + Duration::from_micros(u64::from(kills * 7919 % 20_000));
        while Instant::now() < until {
            generation(&store);
        }
        writer.kill();
        kills += 1;
        let files = place.files();
        drafts += u32::from(files.iter().any(|file| file.extension().is_some_and(|ending| ending == "tmp")));
        assert!(files.iter().all(|file| !file.to_str().unwrap().contains("corrupt")), "{files:?}");
        let now = generation(&store);
        assert!(now > last, "the record went back from {last} to {now}");
        // Its locks are free.
        write_next(&store);
        last = now + 1;
    }
    println!("{kills} writers killed in {last} writes, {drafts} of them with a record half written");
}

#[test]
fn the_lease_of_a_holder_that_is_killed_is_free_at_once() {
    let place = Place::new();
    let store = begun(&place);
    let mut holder = Process::new("holds", store.directory());
    holder.says("leased");
    assert!(lease(&store, Duration::from_millis(200)).is_none());
    holder.kill();
    let began = Instant::now();
    assert!(lease(&store, SLACK).is_some());
    assert!(began.elapsed() < SLACK, "{:?}", began.elapsed());
}

#[test]
fn the_lease_of_a_holder_that_hangs_goes_to_the_next_after_its_span() {
    let place = Place::new();
    let store = begun(&place);
    let began = Instant::now();
    let mut holder = Process::new("hangs", store.directory());
    holder.says("leased");
    let leased = Instant::now();
    let taken = lease(&store, SLACK);
    assert!(taken.is_some());
    assert!(began.elapsed() >= Duration::from_millis(700), "{:?}", began.elapsed());
    assert!(leased.elapsed() < SLACK, "{:?}", leased.elapsed());
    assert!(holder.child.try_wait().unwrap().is_none(), "the holder lives");
    // It wakes, and gives back what is no longer its own.
    holder.goes_on();
    holder.says("freed");
    assert!(lease(&store, Duration::from_millis(100)).is_none());
    drop(taken);
    assert!(lease(&store, Duration::ZERO).is_some());
}

#[test]
fn eight_processes_take_turns() {
    let place = Place::new();
    let store = begun(&place);
    let mut processes: Vec<_> = (0..8).map(|_| Process::new("renews", store.directory())).collect();
    for process in &mut processes {
        process.says("ready");
    }
    for process in &mut processes {
        process.goes_on();
    }
    for mut process in processes {
        while process.child.try_wait().unwrap().is_none() {
            // Readers never wait, and never see half a record.
            generation(&store);
            thread::sleep(Duration::from_millis(1));
        }
        assert!(process.child.wait().unwrap().success());
    }
    assert_eq!(generation(&store), 160);
    assert!(lease(&store, Duration::ZERO).is_some());
}
