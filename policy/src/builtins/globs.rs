//! `regex.globs_match(one, other)`: whether some text is matched by both. A glob is text with `.`, sets in brackets, `*`
//! and `+`, the last two for what stands before them; `\` takes what follows as it is.
//!
//! OPA does not find all such texts. Where there is none, OPA finds none, and where a search that is narrower than
//! OPA's finds one, OPA finds it too; between the two is an error.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{BOOL, TEXT};
use super::{Fail, text};

pub(super) const ROWS: &[Builtin] =
    &[Builtin::new("regex.globs_match", &[TEXT, TEXT], BOOL, By::Added(globs_match))];

/// Longest glob, in characters.
const LONGEST: usize = 256;

/// One character, and how often.
struct Token {
    /// First and last character of each range.
    ranges: Vec<(char, char)>,
    /// Whether it may be left out.
    optional: bool,
    /// Whether it may come again.
    again: bool,
}

fn globs_match(args: &[Value]) -> Result<Value, Fail> {
    let [one, other] = args else { return Err(Fail::Argument("takes two globs")) };
    let (one, other) = (tokens(text(one)?)?, tokens(text(other)?)?);
    let mut steps = STEPS;
    if !meet_at_all(&one, &other) {
        return Ok(Value::Bool(false));
    }
    if walk(&one, &other, &mut steps).ok_or(Fail::Limit("globs that are compared in 100000 steps"))? {
        Ok(Value::Bool(true))
    } else {
        Err(Fail::Argument("takes globs of which OPA finds what they share"))
    }
}

/// Whether any text is matched by both: each pair of places is looked at once.
fn meet_at_all(one: &[Token], other: &[Token]) -> bool {
    let width = other.len() + 1;
    let mut seen = vec![false; (one.len() + 1) * width];
    let mut open = vec![(0, 0)];
    while let Some((i, j)) = open.pop() {
        match seen.get_mut(i * width + j) {
            Some(seen) if !*seen => *seen = true,
            _ => continue,
        }
        let (left, right) = (one.get(i), other.get(j));
        if left.is_none() && right.is_none() {
            return true;
        }
        if left.is_some_and(|token| token.optional) {
            open.push((i + 1, j));
        }
        if right.is_some_and(|token| token.optional) {
            open.push((i, j + 1));
        }
        if let Some((left, right)) = left.zip(right).filter(|(left, right)| meet(left, right)) {
            open.push((i + 1, j + 1));
            open.extend(left.again.then_some((i, j + 1)));
            open.extend(right.again.then_some((i + 1, j)));
        }
    }
    false
}

/// Most comparisons of one call.
const STEPS: usize = 100_000;

/// Both from here on; none when the steps are used up. What is repeated takes as little as it can, and each token of
/// the other glob once, as OPA has it: and fewer texts are found than there are.
fn walk(one: &[Token], other: &[Token], steps: &mut usize) -> Option<bool> {
    let (mut one, mut other) = (one, other);
    loop {
        *steps = steps.checked_sub(1)?;
        match (one, other) {
            ([left, below @ ..], [right, beside @ ..]) => {
                if left.again {
                    return repeated(left, below, other, steps);
                }
                if right.again {
                    return repeated(right, beside, one, steps);
                }
                if !meet(left, right) {
                    return Some(false);
                }
                (one, other) = (below, beside);
            }
            _ => return Some(one.is_empty() && other.is_empty()),
        }
    }
}

/// A repetition and what follows it, against the other glob.
fn repeated(token: &Token, after: &[Token], other: &[Token], steps: &mut usize) -> Option<bool> {
    let mut other = other;
    if !token.optional {
        let [first, rest @ ..] = other else { return Some(false) };
        if !meet(token, first) {
            return Some(false);
        }
        other = rest;
    }
    while let [first, rest @ ..] = other {
        *steps = steps.checked_sub(1)?;
        if after.first().is_some_and(|next| meet(first, next)) && walk(after, other, steps)? {
            return Some(true);
        }
        if !meet(first, token) {
            return Some(false);
        }
        other = rest;
    }
    Some(after.is_empty())
}

fn meet(one: &Token, other: &Token) -> bool {
    one.ranges.iter().any(|(a, b)| other.ranges.iter().any(|(c, d)| a.max(c) <= b.min(d)))
}

fn tokens(glob: &str) -> Result<Vec<Token>, Fail> {
    const WANT: Fail = Fail::Argument("takes globs of characters, `.`, sets in brackets, `*` and `+`");
    if glob.chars().count() > LONGEST {
        return Err(Fail::Limit("globs of at most 256 characters"));
    }
    let mut tokens: Vec<Token> = Vec::new();
    let mut rest = glob.chars().peekable();
    while let Some(c) = rest.next() {
        let ranges = match c {
            '.' => vec![('\0', char::MAX)],
            '[' => {
                if rest.peek() == Some(&'^') {
                    return Err(WANT);
                }
                let mut ranges: Vec<(char, char)> = Vec::new();
                loop {
                    let first = match rest.next().ok_or(WANT)? {
                        ']' => break,
                        '\\' => rest.next().ok_or(WANT)?,
                        '-' | '[' | '.' | '*' | '+' => return Err(WANT),
                        c => c,
                    };
                    let last = if rest.next_if_eq(&'-').is_some() { rest.next().ok_or(WANT)? } else { first };
                    let kind = |c: char| (c.is_ascii_digit(), c.is_ascii_lowercase(), c.is_ascii_uppercase());
                    let range = first == last || (kind(first) == kind(last) && first < last);
                    if !range || (first != last && !first.is_ascii_alphanumeric()) {
                        return Err(WANT);
                    }
                    ranges.push((first, last));
                }
                if ranges.is_empty() {
                    return Err(WANT);
                }
                ranges
            }
            ']' | '*' | '+' => return Err(WANT),
            '\\' => rest.next().map(|c| vec![(c, c)]).ok_or(WANT)?,
            c => vec![(c, c)],
        };
        let often = rest.next_if(|c| matches!(c, '*' | '+'));
        tokens.push(Token { ranges, optional: often == Some('*'), again: often.is_some() });
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(one: &str, other: &str) -> Option<bool> {
        globs_match(&[one.into(), other.into()]).ok().and_then(|value| value.as_bool().ok().copied())
    }

    #[test]
    fn what_opa_finds_is_found_and_what_it_may_not_find_is_an_error() {
        for (one, other, wanted) in [
            ("a.a.[0-9]+z", ".b.b2359825792*594823z", Some(true)),
            ("[a-z]+", "[0-9]*", Some(false)),
            ("b.*", "bcd", Some(true)),
            ("\\[1\\]", "[a-z\\[]1.", Some(true)),
            ("ab", "abc", Some(false)),
            ("b.*", "[a-c]", None),
            ("a*", "", None),
            ("*a", "a", None),
            ("[a", "a", None),
            ("[^a]", "b", None),
        ] {
            assert_eq!(given(one, other), wanted, "{one} {other}");
        }
    }

    #[test]
    fn globs_that_fit_in_many_ways_end_in_time() {
        let (one, other) = (format!("{}b", "a*".repeat(100)), format!("{}c", "a*".repeat(100)));
        assert_eq!(given(&one, &other), Some(false));
        let (one, other) = (format!("{}b", "a*c*".repeat(60)), format!("{}.b", "c*a*".repeat(60)));
        let watch = crate::evaluate::Stopwatch::start();
        let _either = given(&one, &other);
        assert!(watch.elapsed().as_secs() < 5);
    }
}
