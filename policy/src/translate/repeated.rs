//! `import rego.v1` beside `import future.keywords` or `import future.keywords.in`: to OPA these are several names, which
//! bring the same keywords; the engine takes the second for one that hides the first. Each keyword is there anyway, so
//! all but one are written as blanks. One name twice OPA refuses too. `import input` and `import data` say nothing new.

use std::collections::BTreeSet;

use super::{Translated, place};
use crate::problem::Problem;

/// The keywords that may be imported one by one.
const KEYWORDS: [&str; 4] = ["contains", "every", "if", "in"];

/// The documents, which every module has without an import.
const DOCUMENTS: [&str; 2] = ["data", "input"];

/// Leaves one import of keywords of a module; gives the problem of one that stands there twice.
pub(crate) fn imports(module: &str, translated: &mut Translated) -> Option<Problem> {
    let found = without_alias(&translated.text);
    let mut names = BTreeSet::new();
    if let Some((from, _, name)) = found.iter().find(|(_, _, name)| !names.insert(name)) {
        let (line, column) = place(&translated.text, *from);
        let problem = Problem::of(module, &format!("import {name}"), "stands there twice", "one of the two");
        return Some(problem.at(line, column, &translated.text));
    }
    let (documents, keywords): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(_, _, name)| DOCUMENTS.contains(&name.as_str()));
    // What brings more than these is left for the gate.
    let more = keywords.iter().position(|(_, _, name)| name == "future.keywords").unwrap_or_default();
    let others = keywords.into_iter().enumerate().filter(|(at, _)| *at != more).map(|(_, found)| found);
    for (from, to, _) in documents.into_iter().chain(others) {
        let blank = |c: char| if c == '\n' { "\n".to_owned() } else { " ".repeat(c.len_utf8()) };
        let blanks: String = translated.text.get(from..to).unwrap_or_default().chars().map(blank).collect();
        translated.text.replace_range(from..to, &blanks);
    }
    None
}

/// From where to where each import of keywords or of a document stands above the rules of a module, and its name.
fn without_alias(text: &str) -> Vec<(usize, usize, String)> {
    let mut found = Vec::new();
    let mut words = Words { text, at: 0 };
    let package = words.next().is_some_and(|(from, to)| text.get(from..to) == Some("package"));
    let mut next = if package { words.nth(1) } else { None };
    while let Some((from, to)) = next
        && text.get(from..to) == Some("import")
        && let Some((begin, end)) = words.next()
    {
        next = words.next();
        let alias = next.is_some_and(|(from, to)| text.get(from..to) == Some("as"));
        if alias {
            next = words.nth(1);
        }
        let name = text.get(begin..end).unwrap_or_default().replace("[\"", ".").replace("\"]", "");
        let keywords = name.strip_prefix("future.keywords").map(|rest| rest.strip_prefix('.'));
        let known = match keywords {
            Some(Some(keyword)) => KEYWORDS.contains(&keyword),
            Some(None) => name == "future.keywords",
            None => name == "rego.v1" || DOCUMENTS.contains(&name.as_str()),
        };
        if known && !alias {
            found.push((from, end, name));
        }
    }
    found
}

/// What stands between blanks and comments; from where to where.
struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl Iterator for Words<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.text.get(self.at..)?;
            let first = rest.find(|c: char| !c.is_whitespace())?;
            self.at += first;
            let rest = rest.get(first..)?;
            if !rest.starts_with('#') {
                let mut quote = None;
                let end = rest.find(|c: char| {
                    if let Some(open) = quote {
                        quote = (c != open && c != '\n').then_some(open);
                        return false;
                    }
                    quote = matches!(c, '"' | '`').then_some(c);
                    c.is_whitespace() || c == '#'
                });
                let from = self.at;
                self.at += end.unwrap_or(rest.len());
                return Some((from, self.at));
            }
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_one_import_of_keywords_are_blanks() {
        for (author, wanted) in [
            ("import rego.v1\nimport future.keywords", "              \nimport future.keywords"),
            ("import rego.v1\nimport future.keywords.if", "import rego.v1\n                         "),
            (
                "import data[\"a # b\"] as c # import rego.v1\nimport future.keywords.in\nimport data.b\nimport rego.v1 # d",
                "import data[\"a # b\"] as c # import rego.v1\nimport future.keywords.in\nimport data.b\n               # d",
            ),
            ("import rego.v1 import future.keywords.if", "import rego.v1                          "),
            (
                "import\nrego.v1\nimport\n\tfuture.keywords[\"every\"]",
                "import\nrego.v1\n      \n                         ",
            ),
        ] {
            let text = |imports: &str| format!("# METADATA\npackage a[\"b\"]\n\n{imports}\nx := 1\n");
            let mut translated = Translated { text: text(author), ..Translated::default() };
            assert_eq!(imports("a.rego", &mut translated), None);
            assert_eq!(translated.text, text(wanted));
        }
    }

    #[test]
    fn one_name_twice_is_a_problem() {
        for (text, line, name) in [
            ("package a\nimport rego.v1\n\nimport future.keywords\nimport rego.v1\n", 5, "import rego.v1"),
            (
                "package a\nimport future.keywords.in\nimport future.keywords[\"in\"]",
                3,
                "import future.keywords.in",
            ),
        ] {
            let mut translated = Translated { text: text.to_owned(), ..Translated::default() };
            let problem = imports("a.rego", &mut translated).unwrap();
            assert_eq!((problem.line, problem.construct.as_str()), (line, name));
        }
    }

    #[test]
    fn what_opa_refuses_or_is_no_import_stays() {
        for text in [
            "package a\nimport rego.v1\nimport future.keywords as k\n",
            "package a\nimport rego.v1\nimport future.keywords.nope\nimport rego.v1.x\n",
            "package a\nimport rego.v1\nx := `\nimport future.keywords`\n",
            "package a\nimport rego.v1\nx := 1\nimport future.keywords\n",
            "import rego.v1\nimport future.keywords\n",
            "package a\nimport rego.v1 import",
            "",
        ] {
            let mut translated = Translated { text: text.to_owned(), ..Translated::default() };
            assert_eq!(imports("a.rego", &mut translated), None);
            assert_eq!(translated.text, text);
        }
    }
}
