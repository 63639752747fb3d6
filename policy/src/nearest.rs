//! What was probably meant.

/// The option that is least keystrokes away from `word`, if it is near enough to be a slip.
#[must_use]
pub fn nearest<'a>(word: &str, options: &'a [impl AsRef<str>]) -> Option<&'a str> {
    // Long words are no slips, and the distance costs the product of both lengths.
    if word.len() > 64 {
        return None;
    }
    let most = |option: &str| (option.len().max(word.len()) / 3).max(1);
    let letters = word.chars().count();
    options
        .iter()
        .map(AsRef::as_ref)
        // It is no nearer than the lengths are, which cost less to compare.
        .filter(|option| option.chars().count().abs_diff(letters) <= most(option))
        .map(|option| (distance(word, option), option))
        .filter(|(away, option)| *away < word.len() && *away <= most(option))
        .min_by_key(|(away, _)| *away)
        .map(|(_, option)| option)
}

/// Insertions, removals, replacements and swaps of neighbours (Damerau and Levenshtein, without overlaps).
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let mut least =
                (cell(&above, j) + usize::from(a != b)).min(cell(&above, j + 1) + 1).min(cell(&row, j) + 1);
            let swapped = i > 0 && j > 0 && from.get(i - 1) == Some(b) && to.get(j - 1) == Some(a);
            if swapped {
                least = least.min(cell(&before, j - 1) + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let options = ["listeners", "upstreams", "bind", "path"];
        assert_eq!(nearest("listners", &options), Some("listeners"));
        assert_eq!(nearest("lsiteners", &options), Some("listeners"));
        assert_eq!(nearest("upstream", &options), Some("upstreams"));
        assert_eq!(nearest("bnid", &options), Some("bind"));
        assert_eq!(nearest("workload", &options), None);
        assert_eq!(nearest("", &options), None);
        assert_eq!(nearest("b", &["a"]), None);
    }
}
