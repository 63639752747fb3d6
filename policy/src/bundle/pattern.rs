//! Patterns with `*` and `?`, as a manifest and a list of excluded files have them.

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
}
