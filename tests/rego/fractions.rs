//! Arithmetic with fractions decides comparisons as it does by OPA. `POSTERN_FRACTIONS=20000 cargo test -p postern-tests
//! --test rego fractions -- --nocapture` makes so many of each kind and tells how many differ.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{opa, ours};

/// Comparisons in one module.
const AT_ONCE: usize = 2_000;
/// Of so many comparisons of deeper arithmetic one may come out otherwise.
const OF: usize = 100;

struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).expect("an index")]
    }
}

/// An expression, its exact value as a quotient, and the statements before it.
#[derive(Clone)]
struct Term {
    text: String,
    over: i128,
    under: i128,
    before: String,
}

impl Term {
    fn decimal(number: u64, places: u32) -> Self {
        let under = 10_u64.pow(places);
        let (whole, behind) = (number / under, number % under);
        let text = format!("{whole}.{behind:0width$}", width = places as usize);
        let text = if places == 0 {
            whole.to_string()
        } else {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        Self { text, over: number.into(), under: under.into(), before: String::new() }
    }

    fn price(random: &mut Random) -> Self {
        let most = random.one_of(&[1_000, 10_000, 200_000]);
        Self::decimal(random.below(most) + 1, 2)
    }

    fn whole(random: &mut Random) -> Self {
        let number = random.below(500) + 1;
        Self::decimal(random.one_of(&[number, number % 12 + 1, 10, 100, 1_000]), 0)
    }

    fn share(random: &mut Random) -> Self {
        Self::decimal(random.below(99) + 1, 2)
    }

    /// None where it would not be exact here.
    fn with(self, sign: char, other: Self) -> Option<Self> {
        let (a, b, c, d) = (self.over, self.under, other.over, other.under);
        let (over, under) = match sign {
            '+' => (a.checked_mul(d)?.checked_add(c.checked_mul(b)?)?, b.checked_mul(d)?),
            '-' => (a.checked_mul(d)?.checked_sub(c.checked_mul(b)?)?, b.checked_mul(d)?),
            '*' => (a.checked_mul(c)?, b.checked_mul(d)?),
            _ => (a.checked_mul(d)?.checked_mul(c.signum())?, b.checked_mul(c.checked_abs()?)?),
        };
        let within = |text: String| if text.contains(' ') { format!("({text})") } else { text };
        let text = format!("{} {sign} {}", within(self.text), within(other.text));
        let small = over.unsigned_abs() < 1 << 80 && under > 0 && under < 1 << 80;
        small.then_some(Self { text, over, under, before: self.before + &other.before })
    }

    fn called(self, name: &str) -> Self {
        let before = format!("{}{name} := {}; ", self.before, self.text);
        Self { text: name.to_owned(), before, ..self }
    }

    fn sum(terms: Vec<Self>) -> Option<Self> {
        let text = terms.iter().map(|term| term.text.as_str()).collect::<Vec<_>>().join(", ");
        let sum = terms.into_iter().map(Some).reduce(|sum, term| sum?.with('+', term?))??;
        Some(Self { text: format!("sum([{text}])"), ..sum })
    }

    /// A decimal number that it is, or is nearly.
    fn near(&self, random: &mut Random) -> String {
        let exact = 1_000_000 % self.under == 0
            || self.over.checked_mul(1_000_000).is_some_and(|over| over % self.under == 0);
        let places: u32 = if exact { 6 } else { random.one_of(&[2, 2, 3, 1]) };
        let scaled = self.over.saturating_mul(10_i128.pow(places)) / self.under;
        let aside =
            if random.below(10) < 7 { 0 } else { random.one_of(&[-1, 1]) * 10_i128.pow(places) / 100 };
        let number = scaled + aside;
        let digits = u64::try_from(number.unsigned_abs()).expect("a small number");
        let sign = if number < 0 { "-" } else { "" };
        format!("{sign}{}", Self::decimal(digits, places).text)
    }
}

/// What authors write: prices, shares, averages, in one expression and by names.
fn common(random: &mut Random) -> Option<Term> {
    let (p, q, r) = (Term::price(random), Term::price(random), Term::price(random));
    let (n, many, share) = (Term::whole(random), Term::whole(random), Term::share(random));
    let number = |number| Term::decimal(number, 0);
    match random.below(16) {
        0 => p.with('*', n),
        1 => n.with('*', share),
        2 => n.with('/', many)?.with('*', number(100)),
        3 => p.with('+', q)?.with('+', r),
        4 => p.with('-', q),
        5 => p.with('*', n)?.with('+', q),
        6 => n.with('/', many),
        7 => p.with('*', Term::decimal(random.one_of(&[119, 107, 81, 120, 90]), 2)),
        8 => Term::sum(vec![p, q, r]),
        9 => n.with('*', number(1).with('-', share)?),
        10 => p.with('+', q)?.with('/', number(2)),
        11 => Some(p.with('*', n)?.called("x")),
        12 => n.with('/', many.clone())?.called("x").with('*', many),
        13 => p.with('+', q)?.called("x").with('+', r),
        14 => n.with('*', share)?.called("x").with('-', p),
        _ => Term::sum(vec![p, q, r])?.with('/', number(3)),
    }
}

/// Anything, up to four operations in one another.
fn deep(random: &mut Random, depth: u64) -> Option<Term> {
    if depth == 0 || random.below(7) == 0 {
        let leaves = [Term::price(random), Term::whole(random), Term::share(random)];
        return leaves.into_iter().nth(usize::try_from(random.below(3)).expect("an index"));
    }
    let (one, other) = (deep(random, depth - 1)?, deep(random, depth - 1)?);
    let sign = random.one_of(&['+', '-', '*', '*', '/', '+']);
    one.with(sign, other)
}

/// How many of so many comparisons come out otherwise than by OPA.
fn differ(seed: u64, make: impl Fn(&mut Random) -> Option<Term>) -> (usize, usize) {
    let wanted =
        std::env::var("POSTERN_FRACTIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(AT_ONCE);
    let (mut random, mut made, mut differing) = (Random(seed), 0, 0);
    while made < wanted {
        let mut module = "package t\n\n".to_owned();
        let last = (made + AT_ONCE).min(wanted);
        while made < last {
            let Some(term) = make(&mut random) else { continue };
            if term.over / term.under > 1_000_000_000 || term.over / term.under < -1_000_000_000 {
                continue;
            }
            let sign = random.one_of(&[">=", "<=", "==", "<", ">", "!="]);
            let near = term.near(&mut random);
            let rule = format!("p contains {made} if {{ {}{} {sign} {near} }}\n", term.before, term.text);
            module.push_str(&rule);
            made += 1;
        }
        let held = |answer: Option<Value>| -> BTreeSet<u64> {
            answer.iter().filter_map(Value::as_array).flatten().filter_map(Value::as_u64).collect()
        };
        let theirs = held(opa(&module, "data.t.p"));
        let ours = held(ours(&module, "data.t.p").expect("an answer"));
        assert!(theirs.len() > AT_ONCE.min(wanted) / 10, "{}", theirs.len());
        for case in theirs.symmetric_difference(&ours) {
            let case = format!("p contains {case} if");
            println!("{}", module.lines().find(|line| line.starts_with(&case)).expect("a rule"));
        }
        differing += theirs.symmetric_difference(&ours).count();
    }
    println!("{differing} of {made} differ");
    (differing, made)
}

#[test]
fn comparisons_that_authors_write_come_out_as_by_opa() {
    assert_eq!(differ(1, common).0, 0);
}

#[test]
fn comparisons_of_deeper_arithmetic_come_out_as_by_opa_but_for_few() {
    let (differing, made) = differ(2, |random| deep(random, 4));
    assert!(differing * OF <= made, "{differing}");
}

/// Each holds, or does not, as by OPA: with names, rules, functions, in sets and as members.
#[test]
fn what_is_computed_is_equal_where_opa_says_so() {
    let statements = [
        "0.1 + 0.2 == 0.3",
        "x := 1 / 3; x * 3 == 1",
        "0.29 * 100 >= 29",
        "57 <= 100 * 0.57",
        "1.1 * 1.1 == 1.21",
        "1.1 - 1 == 0.1",
        "1 - 0.9 == 0.1",
        "0.1 * 0.7 == 0.07",
        "third * 3 == 1",
        "taxed(10) == 11.9",
        "taxed(10) > 11.9",
        "taxed(100) == 119",
        "sum([0.1, 0.2]) == 0.3",
        "sum({0.1, 0.2, 0.3}) == 0.6",
        "product([0.1, 3]) == 0.3",
        "product([0.29, 100]) < 29",
        "floor(0.57 * 100) == 57",
        "ceil(0.1 * 3 * 10) == 3",
        "0.1 + 0.2 in {0.3}",
        "{0.3: 1}[0.1 + 0.2] == 1",
        "[x | some y in [0.1, 0.2]; x := y * 3] == [0.3, 0.6]",
        "[7, 8][0.5 * 2] == 8",
        "-0.1 - 0.2 == -0.3",
        "0.1 + 0.2 - 0.3 == 0",
        "10 / 4 == 2.5",
        "7 / 7 == 1",
        "1e109 / 1e100 == 1000000000",
        "99999999999 * 99999999999 + 0.5 == 9999999999800000000000",
        "2 * 1.5 % 2 == 1",
        "{1, 2} - {1} == {2}",
        "0.1 + 0.2 - 0.1 - 0.2 == 0",
        "1e308 * 10 > 1e308",
    ];
    for statement in statements {
        let module = format!(
            "package a\n\nthird := 1 / 3\n\ntaxed(x) := x * 1.19\n\ndefault y := false\n\ny if {{ {statement} }}\n"
        );
        crate::same(&module, "data.a.y");
    }
}
