use std::fs;
use std::path::{Path, PathBuf};

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
    let sources = rust_files(&root().join("proxy/src"));
    for (id, name) in table() {
        let used = format!("codes::{name}");
        let given = sources.iter().any(|(path, text)| product_code(path, text).contains(&used));
        assert!(given, "{id} ({name}) is given by nothing: remove the row or give it");
    }
}

#[test]
fn every_code_is_provoked_by_a_test() {
    let folders =
        ["proxy/src", "tests/story", "tests/peers", "tests/credential", "tests/identity", "tests/bundles"];
    let sources: Vec<_> = folders.iter().flat_map(|folder| rust_files(&root().join(folder))).collect();
    let tests: String = sources.iter().map(|(path, text)| test_code(path, text)).collect();
    let unprovoked: Vec<_> = table().into_iter().filter(|(id, name)| !expects(&tests, id, name)).collect();
    assert!(unprovoked.is_empty(), "no test makes these happen and looks for them: {unprovoked:#?}");
}

#[test]
fn only_what_a_test_expects_counts_as_provoked() {
    let sample = r#"
fn given() -> &'static Code { codes::IN_THE_PRODUCT }
#[cfg(test)]
mod tests {
    /// codes::IN_A_DOC and "PST-XX-001"
    fn a_test() { // codes::AT_THE_END
        ender.now(codes::HANDED_IN);
        let broken = Fault::of(codes::HANDED_IN);
        let line = "{\"code\":\"PST-XX-002\"}";
        assert_eq!(record.code, codes::CONSTANT);
        assert!(body.contains("PST-XX-003"));
    }
}
fn after() { codes::AFTER_THE_TESTS }
"#;
    let tests = test_code(Path::new("proxy/src/accept.rs"), sample);
    let counts = |id: &str, name: &str| expects(&tests, id, name);

    assert!(counts("PST-XX-000", "CONSTANT") && counts("PST-XX-003", "NONE"));
    for name in ["IN_THE_PRODUCT", "IN_A_DOC", "AT_THE_END", "HANDED_IN", "CONST", "AFTER_THE_TESTS"] {
        assert!(!counts("PST-XX-000", name), "{name}");
    }
    assert!(!counts("PST-XX-001", "NONE") && !counts("PST-XX-002", "NONE"));
    assert!(expects(&test_code(Path::new("tests/story/main.rs"), sample), "PST-XX-000", "IN_THE_PRODUCT"));
    let product = product_code(Path::new("proxy/src/accept.rs"), sample);
    assert!(product.contains("IN_THE_PRODUCT") && !product.contains("CONSTANT"));
}

#[test]
fn no_test_is_left_out() {
    let mark = ["#[", "ignore"].concat();
    for (path, text) in rust_files(&root().join("tests")).into_iter().chain(rust_files(&root().join("proxy")))
    {
        assert!(!text.contains(&mark), "{} holds a test that nobody runs", path.display());
    }
}

/// Each code's id and the name of its constant.
fn table() -> Vec<(&'static str, String)> {
    let table = fs::read_to_string(root().join("proxy/src/fault/codes.rs")).unwrap();
    let row = |id: &str| table.lines().find(|line| line.contains(id)).expect("its row");
    ALL.iter().map(|code| (code.id, row(code.id).split('=').next().unwrap().trim().to_owned())).collect()
}

/// The lines of a file that are run as a test: all of a test's file, else those of its `#[cfg(test)]` modules. Comments
/// are left out.
fn test_code(path: &Path, text: &str) -> String {
    sorted(path, text).into_iter().filter(|(test, _)| *test).flat_map(|(_, line)| [line, "\n"]).collect()
}

/// The other lines.
fn product_code(path: &Path, text: &str) -> String {
    sorted(path, text).into_iter().filter(|(test, _)| !*test).flat_map(|(_, line)| [line, "\n"]).collect()
}

fn sorted<'t>(path: &Path, text: &'t str) -> Vec<(bool, &'t str)> {
    let is_test = |part: &std::ffi::OsStr| part == "tests" || part == "tests.rs";
    let relative: PathBuf = path.strip_prefix(root()).unwrap_or(path).to_owned();
    let whole = relative.iter().any(is_test);
    let mut inside = false;
    let line = |line: &'t str| {
        // What rustfmt leaves at the margin opens and closes a module.
        inside = (inside || line == "#[cfg(test)]") && line != "}";
        let code = line.split("// ").next().unwrap_or_default();
        let comment = ["//", "/*", "*"].iter().any(|mark| line.trim_start().starts_with(mark));
        (whole || inside, if comment { "" } else { code })
    };
    text.lines().map(line).collect()
}

/// Whether a code is looked for: its id as a string of its own, or its constant, unless that is handed in.
fn expects(tests: &str, id: &str, name: &str) -> bool {
    let constant = format!("codes::{name}");
    let looked_for = |(at, found): (usize, &str)| {
        let handed_in = ["Fault::of(", ".now("].iter().any(|by| tests[..at].ends_with(by));
        let longer =
            tests[at + found.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_');
        !handed_in && !longer
    };
    tests.contains(&format!("\"{id}\"")) || tests.match_indices(&constant).any(looked_for)
}
