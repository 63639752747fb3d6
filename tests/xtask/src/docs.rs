//! `cargo x docs`: the pages that are generated. A test of the proxy fails when one is stale.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask::run;

/// The pages that `postern reference PAGE` prints.
const PAGES: &[&str] = &["builtins", "config", "errors", "flags"];

/// Writes every generated page anew.
pub(crate) fn everything() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proxy/docs/reference");
    for page in PAGES {
        let text = run::output(
            Command::new("cargo")
                .args(["run", "--quiet", "--package", "postern", "--"])
                .args(["reference", page]),
        )?;
        fs::write(folder.join(format!("{page}.md")), text)?;
        println!("docs: proxy/docs/reference/{page}.md");
    }
    Ok(())
}
