//! `cargo x check`: what must hold before anything is tested.

use std::error::Error;
use std::process::Command;
use xtask::run;

/// Crates that must not be in the tree: one crypto library, and it is aws-lc-rs.
const UNWANTED: &[&str] = &["ring", "openssl", "openssl-sys", "native-tls", "boring", "boring-sys"];

/// Formatting, lints, and the crypto libraries in the tree.
pub(crate) fn everything() -> Result<(), Box<dyn Error>> {
    run::shown_to_the_reader(cargo().args(["fmt", "--all", "--check"]))?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    run::shown_to_the_reader(cargo().args(clippy))?;
    let tree = ["tree", "--workspace", "--edges", "all", "--prefix", "none", "--format", "{p}"];
    let found = unwanted_in(&run::output(cargo().args(tree))?)?;
    if found.is_empty() {
        println!("check: formatting, clippy and the crypto libraries are as they should be");
        return Ok(());
    }
    Err(format!("in the tree, and must not be: {} (`cargo tree -i NAME` says why)", found.join(", ")).into())
}

fn unwanted_in(tree: &str) -> Result<Vec<&'static str>, String> {
    let names: Vec<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    if !names.contains(&"rustls") {
        return Err("`cargo tree` does not even list rustls: its form has changed".into());
    }
    Ok(UNWANTED.iter().copied().filter(|name| names.contains(name)).collect())
}

fn cargo() -> Command {
    Command::new("cargo")
}

#[cfg(test)]
mod tests {
    use super::unwanted_in;

    #[test]
    fn a_second_crypto_library_is_found_and_a_similar_name_is_not() {
        assert_eq!(unwanted_in("rustls v0.23\nring v0.17.8\n").unwrap(), ["ring"]);
        assert_eq!(unwanted_in("rustls v0.23\nring-buffer v0.1.0\nopenssl-probe v0.2\n").unwrap(), [""; 0]);
    }

    #[test]
    fn a_tree_that_cannot_be_read_is_not_taken_for_a_clean_one() {
        assert!(unwanted_in("").is_err());
    }
}
