use std::collections::BTreeMap;
use std::fs;

use super::{root, rust_files};

/// Module to its layer's rank, as the table in the architecture page has it.
fn layers() -> BTreeMap<String, (usize, String)> {
    let page = fs::read_to_string(root().join("proxy/docs/architecture.md")).unwrap();
    let table = page.split("| layer | modules |").nth(1).expect("the table of layers");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut layers = BTreeMap::new();
    for (rank, row) in rows.enumerate() {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        for module in cells[2].split(',') {
            layers.insert(module.trim().trim_matches('`').to_owned(), (rank, cells[1].to_owned()));
        }
    }
    layers
}

#[test]
fn a_module_uses_only_its_own_layer_and_those_before_it() {
    let layers = layers();
    let source = root().join("proxy/src");
    let mut wrong = Vec::new();
    let mut arrows = 0;
    for (path, text) in rust_files(&source) {
        let inside = path.strip_prefix(&source).unwrap();
        let module = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_owned();
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let (rank, layer) = layers.get(&module).unwrap_or_else(|| panic!("`{module}` stands in no layer"));
        // Unit tests at the foot of a file may build what they need.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for used in text.split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            let Some((below, _)) = layers.get(&used) else { continue };
            arrows += 1;
            let sideways = below == rank && used != module && layer == "verbs";
            if below > rank || sideways {
                wrong.push(format!("{}: uses {used}", inside.display()));
            }
        }
    }
    assert!(arrows > 50, "the arrows were not found: {arrows}");
    assert!(wrong.is_empty(), "arrows against the layers:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_of_the_library_stands_in_one_layer() {
    let text = fs::read_to_string(root().join("proxy/src/lib.rs")).unwrap();
    let layers = layers();
    let modules: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(modules.len() > 10);
    for module in modules {
        assert!(layers.contains_key(module), "{module}");
    }
}
