use std::fs;

use postern::fault::codes::ALL;

use super::{root, rust_files};

#[test]
fn every_code_stands_in_the_reference() {
    let page = fs::read_to_string(root().join("proxy/docs/reference/errors.md")).unwrap();
    for code in ALL {
        assert!(page.contains(code.id), "{} is not in reference/errors.md", code.id);
    }
}

#[test]
fn every_code_can_happen() {
    let table = fs::read_to_string(root().join("proxy/src/fault/codes.rs")).unwrap();
    let sources = rust_files(&root().join("proxy/src"));
    for code in ALL {
        let row = table.lines().find(|line| line.contains(code.id)).expect("its row");
        let name = row.split('=').next().unwrap().trim();
        let used = format!("codes::{name}");
        let given = sources.iter().any(|(_, text)| text.contains(&used));
        assert!(given, "{} ({name}) is given by nothing: remove the row or give it", code.id);
    }
}
