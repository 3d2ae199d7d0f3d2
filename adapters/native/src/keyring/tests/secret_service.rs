//! A real Secret Service, as `tests/secret-service` starts one. What a test needs is in its name: a service that is
//! unlocked, one that is locked, or none. What needs none at all runs every time.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use super::*;

/// Says to the test `in_a_process_of_its_own` what it is, and where.
const ROLE: &str = "MCP_AUTH_NATIVE_ROLE";
const DIRECTORY: &str = "MCP_AUTH_NATIVE_DIRECTORY";

/// What a busy machine may take longer than it should.
const SLACK: Duration = Duration::from_secs(10);

/// A store whose entries no other test has.
fn store(place: &Place, limit: Option<usize>) -> KeyringStore {
    let name = place.0.file_name().unwrap().to_str().unwrap();
    opened(&format!("test {name}"), &place.0, limit)
}

fn opened(service: &str, directory: &Path, limit: Option<usize>) -> KeyringStore {
    let keyring = Keyring { limit, ..Keyring::new(service) };
    keyring.locks(directory).open().unwrap()
}

#[test]
#[ignore = "needs a Secret Service that is unlocked"]
fn unlocked_it_keeps_the_contract() {
    // Once as it is, and once as if its entries were as small as those of Windows, and smaller.
    for limit in [None, Some(600)] {
        let mut places = Vec::new();
        contract::check(|| {
            let place = Place::new();
            let pair = (store(&place, limit), store(&place, limit));
            places.push(place);
            pair
        });
    }
}

#[test]
#[ignore = "needs a Secret Service that is unlocked"]
fn unlocked_it_leaves_alone_and_sets_aside() {
    let place = Place::new();
    let store = store(&place, None);
    let name = Locks::name(&key());
    let sound = record::write(&key(), &record(1, TOKEN)).unwrap();
    let strange = std::str::from_utf8(&sound).unwrap().replace("\"version\":1", "\"version\":99");
    store.inner.entries.set(&name, strange.as_bytes()).unwrap();
    let refusal = store.load(&key()).unwrap_err();
    assert!(refusal.contains("left alone") && !refusal.contains(TOKEN), "{refusal}");
    assert_eq!(store.inner.entries.entry(&name).unwrap().unwrap().as_slice(), strange.as_bytes());
    store.inner.entries.set(&name, TOKEN.as_bytes()).unwrap();
    let refusal = store.load(&key()).unwrap_err();
    assert!(refusal.contains(".corrupt-1") && !refusal.contains(TOKEN), "{refusal}");
    assert_eq!(store.load(&key()), Ok(None));
    // Nothing of it is on the disk but empty files.
    for file in fs::read_dir(&place.0).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().len(), 0);
    }
}

#[test]
#[ignore = "needs a Secret Service that is unlocked"]
fn unlocked_it_takes_a_record_of_any_size() {
    let place = Place::new();
    let store = store(&place, None);
    let long = record(1, &"x".repeat(1_000_000));
    assert!(matches!(store.put(&key(), &long, None), Saving::Kept));
    assert!(store.load(&key()).unwrap().unwrap() == long);
    assert_eq!(store.forget(&key(), long.generation), Ok(true));
}

#[test]
#[ignore = "needs a Secret Service that is unlocked"]
fn unlocked_it_is_what_open_or_file_takes() {
    let place = Place::new();
    let opened =
        Keyring::new("test of both").locks(place.0.join("locks")).open_or_file(place.0.join("files"));
    assert!(matches!(opened, Ok(Opened::Keyring(_))), "{opened:?}");
    assert!(!place.0.join("files").exists());
}

/// The token of a record of this generation: long, and of one letter.
fn token(generation: u64) -> String {
    let letter = b'a' + u8::try_from(generation % 26).unwrap();
    char::from(letter).to_string().repeat(5000)
}

fn write_next(store: &KeyringStore) -> u64 {
    let found = store.load(&key()).unwrap().unwrap();
    let next = found.generation.as_u64() + 1;
    let saving = store.put(&key(), &record(next, &token(next)), Some(found.generation));
    assert!(matches!(saving, Saving::Kept), "{saving:?}");
    next
}

/// The generation of the record, which is whole.
fn generation(store: &KeyringStore) -> u64 {
    let found = store.load(&key()).unwrap().unwrap();
    let generation = found.generation.as_u64();
    assert!(found == record(generation, &token(generation)), "the record of {generation} is torn");
    generation
}

/// Small entries, so that a record has a dozen parts.
const PARTS: Option<usize> = Some(500);
const SERVICE: &str = "test of processes";

#[test]
#[ignore = "the other tests run it"]
fn in_a_process_of_its_own() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let store = opened(SERVICE, Path::new(&std::env::var_os(DIRECTORY).unwrap()), PARTS);
    println!("ready");
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let long = Duration::from_secs(600);
    match role.as_str() {
        "writes" => loop {
            write_next(&store);
        },
        "renews" => {
            for _ in 0..10 {
                let lease = store.lease(&key(), long, long).unwrap().unwrap();
                write_next(&store);
                drop(lease);
            }
        }
        "holds" => {
            let _lease = store.lease(&key(), long, Duration::ZERO).unwrap().unwrap();
            println!("leased");
            std::io::stdout().flush().unwrap();
            std::io::stdin().read_line(&mut String::new()).unwrap();
        }
        other => panic!("no role: {other}"),
    }
}

/// This program once more, killed at the latest when it is dropped.
struct Process {
    child: Child,
    said: BufReader<ChildStdout>,
    told: ChildStdin,
}

impl Process {
    fn new(role: &str, directory: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["in_a_process_of_its_own", "--ignored", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let told = child.stdin.take().unwrap();
        let mut process = Self { child, said, told };
        process.says("ready");
        process
    }

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
}

impl Drop for Process {
    /// `SIGKILL`.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs a Secret Service that is unlocked"]
fn unlocked_it_serves_many_processes_some_of_which_are_killed() {
    let place = Place::new();
    let store = opened(SERVICE, &place.0, PARTS);
    assert!(matches!(store.put(&key(), &record(0, &token(0)), None), Saving::Kept));
    // Killed while they write, each at another moment.
    let mut kills = 0;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(8) {
        let mut writer = Process::new("writes", &place.0);
        let before = generation(&store);
        writer.goes_on();
        while generation(&store) == before {}
        thread::sleep(Duration::from_millis(kills * 37 % 90));
        drop(writer);
        kills += 1;
        let after = generation(&store);
        assert!(after > before, "the record went back from {before} to {after}");
        // Its locks are free.
        write_next(&store);
    }
    // A lease of one that is killed is free at once.
    let mut holder = Process::new("holds", &place.0);
    holder.goes_on();
    holder.says("leased");
    assert!(store.lease(&key(), SLACK, Duration::ZERO).unwrap().is_none());
    drop(holder);
    assert!(store.lease(&key(), SLACK, SLACK).unwrap().is_some());
    // In turns, none is lost.
    let before = generation(&store);
    let mut processes: Vec<_> = (0..4).map(|_| Process::new("renews", &place.0)).collect();
    processes.iter_mut().for_each(Process::goes_on);
    for mut process in processes {
        assert!(process.child.wait().unwrap().success());
    }
    assert_eq!(generation(&store), before + 40);
    println!("{kills} writers killed; {} writes in all", before + 40);
    assert_eq!(store.forget(&key(), record(before + 40, "").generation), Ok(true));
}

/// What opening says, which must not take long.
fn refusal(patience: Duration) -> KeyringError {
    let place = Place::new();
    let began = Instant::now();
    let refused = Keyring::new("test").locks(&place.0).patience(patience).open().expect_err("it opened");
    assert!(began.elapsed() < patience + SLACK, "{:?}", began.elapsed());
    println!("after {:?}: {refused}", began.elapsed());
    refused
}

#[test]
#[ignore = "needs a session without a Secret Service"]
fn absent_it_is_said_and_files_are_taken_only_if_asked() {
    let refused = refusal(Duration::from_secs(30));
    assert!(matches!(refused, KeyringError::Absent(_)), "{refused:?}");
    let place = Place::new();
    let files = place.0.join("files");
    let opened = Keyring::new("test").locks(place.0.join("locks")).open_or_file(&files).unwrap();
    let Opened::File(store, why) = &opened else { panic!("{opened:?}") };
    assert_eq!((store.directory(), why.to_string()), (files.as_path(), refused.to_string()));
    assert!(matches!(opened.put(&key(), &record(1, TOKEN), None), Saving::Kept));
    assert_eq!(store.load(&key()).unwrap().unwrap(), record(1, TOKEN));
}

#[test]
#[ignore = "needs a Secret Service that is locked"]
fn locked_it_is_said() {
    let refused = refusal(Duration::from_secs(5));
    assert!(matches!(refused, KeyringError::Locked(_) | KeyringError::Silent(_)), "{refused:?}");
}

#[test]
#[ignore = "the other tests run it"]
fn silent_it_is_said() {
    let refused = refusal(Duration::from_secs(2));
    assert!(matches!(refused, KeyringError::Silent(_)), "{refused:?}");
}

/// Runs another test of these on this bus.
#[cfg(all(unix, not(target_os = "macos")))]
fn on_bus(address: &str, test: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--ignored", "--nocapture", "--test-threads=1"])
        .env("DBUS_SESSION_BUS_ADDRESS", address)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[cfg(all(unix, not(target_os = "macos")))]
#[test]
fn a_bus_that_is_not_there_or_never_answers_keeps_nobody() {
    let place = Place::new();
    fs::create_dir(&place.0).unwrap();
    let socket = place.0.join("bus");
    let address = format!("unix:path={}", socket.display());
    on_bus(&address, "absent_it_is_said_and_files_are_taken_only_if_asked");
    // It takes connections, and that is all.
    let _silent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    on_bus(&address, "silent_it_is_said");
}
