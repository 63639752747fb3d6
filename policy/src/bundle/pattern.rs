//! Patterns with `*` and `?`, as a manifest and a list of excluded files have them.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A name with `*` and `?`, for files and folders that are left out: `*_test.rego`, `.git`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_plain(text) && !text.contains('/') {
            return Ok(Self(text.to_owned()));
        }
        Err("expected one name, with `*` and `?` and no more to match with".to_owned())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pattern {
    /// Whether any of these leaves out a file of this name, or a folder above it.
    pub(crate) fn any(patterns: &[Self], name: &str) -> bool {
        name.split('/').any(|part| patterns.iter().any(|pattern| matches(&pattern.0, part, false)))
    }

    /// The same for a file that was read below one of these paths; a path that was given itself is not left out.
    pub(crate) fn any_below(patterns: &[Self], name: &str, paths: &[impl AsRef<Path>]) -> bool {
        let given = |path: &Path| path.strip_prefix(".").unwrap_or(path).to_owned();
        let below = paths.iter().filter_map(|path| Path::new(name).strip_prefix(given(path.as_ref())).ok());
        let shortest = below.filter_map(Path::to_str).min_by_key(|below| below.len());
        Self::any(patterns, shortest.unwrap_or(name))
    }
}

/// Whether a pattern has no more to it than we match.
pub(super) fn is_plain(pattern: &str) -> bool {
    !pattern.contains(['[', ']', '{', '}', '\\'])
}

/// Whether a plain pattern names all of `text`; with `folders`, a wildcard stands for a slash too.
pub(super) fn matches(pattern: &str, text: &str, folders: bool) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // Where the last star stands and how much of the text it has taken: it takes more when the rest does not fit.
    let (mut at, mut here, mut star) = (0, 0, None);
    while let Some(byte) = text.get(here) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, here));
                at += 1;
            }
            Some(wanted) if wanted == byte || (*wanted == b'?' && (folders || *byte != b'/')) => {
                at += 1;
                here += 1;
            }
            _ => {
                let Some((place, taken)) = star else { return false };
                if !folders && text.get(taken) == Some(&b'/') {
                    return false;
                }
                star = Some((place, taken + 1));
                (at, here) = (place + 1, taken + 1);
            }
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_takes_as_much_as_it_must() {
        for (pattern, text, fits, fits_in_one_folder) in [
            ("/a/*.rego", "/a/b/c.rego", true, false),
            ("/a/*.rego", "/a/c.rego", true, true),
            ("*", "/anything", true, false),
            ("*", "anything", true, true),
            ("/a*b*c", "/aXbYbZc", true, true),
            ("/a*b", "/aXbY", false, false),
            ("*/*.md", "docs/a.md", true, true),
            ("*/*.md", "docs/deep/a.md", true, false),
            ("/a", "/ab", false, false),
            ("/a?", "/a", false, false),
            ("a?b", "a/b", true, false),
        ] {
            assert_eq!(matches(pattern, text, true), fits, "{pattern} {text}");
            assert_eq!(matches(pattern, text, false), fits_in_one_folder, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_left_out_is_named_below_the_paths_that_were_given() {
        let patterns: Vec<Pattern> =
            ["*_test.rego", "old"].iter().map(|text| text.parse().unwrap()).collect();
        for (name, paths, left_out) in [
            ("p/main.rego", &["p"], false),
            ("p/main_test.rego", &["p"], true),
            ("p/old/main.rego", &["p"], true),
            ("old/main.rego", &["./old"], false),
            ("old/old/main.rego", &["./old"], true),
            ("old/a_test.rego", &["old/a_test.rego"], false),
            ("/x/old/a.rego", &["/x"], true),
        ] {
            assert_eq!(Pattern::any_below(&patterns, name, paths), left_out, "{name}");
        }
        for wrong in ["a/b", "{a,b}", "[ab]"] {
            assert!(wrong.parse::<Pattern>().is_err(), "{wrong}");
        }
    }
}
