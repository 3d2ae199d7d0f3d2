//! Flows of the testbed as pictures.

mod flows;
mod rig;

use std::path::PathBuf;

#[test]
fn dump() {
    let folder = PathBuf::from(std::env::var("PICTURES").unwrap_or("/tmp/pictures".to_owned()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, trace) in flows::all() {
        std::fs::write(folder.join(format!("{name}.jsonl")), trace).unwrap();
    }
}
