//! The list of every builtin in the reference, from the rows.

use std::fmt::Write as _;

use super::TABLE;
use super::row::{Builtin, By};

/// Writes out what the reference lists: Postern's own with their examples, OPA's, and what is refused.
pub(crate) fn list(page: &mut String) {
    page.push_str("## Postern's own\n\n");
    for row in TABLE.values() {
        if let By::Own(_, own) = row.by {
            let _written = write!(page, "### `{}({})`\n\n{}\n\n```rego\n", row.name, own.arguments, own.what);
            for (call, value) in own.examples {
                let _written = writeln!(page, "{call} == {value}");
            }
            page.push_str("```\n\n");
        }
    }
    page.push_str("## OPA's\n\n| builtin | answered by |\n|---|---|\n");
    for Builtin { name, by, .. } in TABLE.values().filter(|row| !row.is_operator()) {
        let by = match by {
            By::Engine | By::Guard(_) => "the engine",
            By::Ours(_) => "Postern",
            By::Added(_) => "Postern, added",
            By::Own(..) | By::Within(..) | By::Before(_) | By::Refused(_) => continue,
        };
        let _written = writeln!(page, "| `{name}` | {by} |");
    }
    page.push_str("\n## Refused at load\n\n| builtin | instead |\n|---|---|\n");
    for Builtin { name, by, .. } in TABLE.values() {
        if let By::Refused(instead) | By::Within(_, instead) = by {
            let _written = writeln!(page, "| `{name}` | {} |", instead.replace('|', "\\|"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_stands_on_the_page() {
        let mut page = String::new();
        list(&mut page);
        for Builtin { name, by, .. } in TABLE.values().filter(|row| !row.is_operator()) {
            let stands = page.contains(&format!("`{name}`")) || page.contains(&format!("`{name}("));
            assert_eq!(stands, !matches!(by, By::Before(_)), "{name}");
        }
    }
}
