//! Types, literals, and the documents that policies are asked about.

use crate::random::Random;
use crate::tree::{Tree, leaf, text};

/// What an expression is meant to be; inputs do not always keep to it.
#[derive(Clone, Debug, PartialEq)]
pub enum Ty {
    Any,
    Num,
    Str,
    Bool,
    List(Box<Ty>),
    Set(Box<Ty>),
    /// Members by text.
    Object(Box<Ty>),
}

impl Ty {
    /// Written with one letter each: `n`, `s`, `b`, `x`, and `[`, `<`, `{` before the type inside.
    pub fn of(code: &str) -> Self {
        let inside = || Box::new(Self::of(&code[1..]));
        match code.as_bytes()[0] {
            b'n' => Self::Num,
            b's' => Self::Str,
            b'b' => Self::Bool,
            b'[' => Self::List(inside()),
            b'<' => Self::Set(inside()),
            b'{' => Self::Object(inside()),
            _ => Self::Any,
        }
    }

    pub fn element(&self) -> Self {
        match self {
            Self::List(inside) | Self::Set(inside) | Self::Object(inside) => (**inside).clone(),
            _ => Self::Any,
        }
    }
}

/// As they are written shortest: the engine does not keep how a number was written.
pub const NUMBERS: &[&str] = &["0", "1", "2", "3", "5", "10", "-1", "-2", "100", "7", "42", "255", "1000000"];
/// Fractions that are the same in any width; not beside large numbers, where a width counts.
pub const FRACTIONS: &[&str] = &["0.5", "2.5", "-0.25", "0.125", "0.0625", "1", "3"];
pub const EDGES: &[&str] = &[
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "4294967296",
    "2147483648",
    "-2147483649",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "-9223372036854775808",
    // Beyond 64 bits, and given back by a double.
    "100000000000000000000",
    "-30000000000000000000",
    "10000000000",
];
/// Texts as Rego writes them.
pub const TEXTS: &[&str] = &[
    r#""a""#,
    r#""b""#,
    r#""ab""#,
    r#""alice""#,
    r#""bob""#,
    r#""admin""#,
    r#""read""#,
    r#""write""#,
    r#""GET""#,
    r#""""#,
    r#""/api/v1/orders""#,
    r#""a,b,,c""#,
    r#""A b""#,
    // OPA's server takes a text for the index of a list of data.
    r#""12""#,
    r#""12.5""#,
    r#""user@example.org""#,
    r#""spiffe://example.org/ns/a""#,
    r#""10.1.2.3""#,
    r#""aaa""#,
];
pub const TEXT_EDGES: &[&str] = &[
    r#""é""#,
    r#""日本語""#,
    r#""e\u0301""#,
    r#""\ud83d\ude00""#,
    r#""😀b""#,
    r#""ß""#,
    r#""İ""#,
    r#""a\tb\nc""#,
    r#""\"q\"""#,
    r#""\\d""#,
    r#""\/""#,
    r#""%d""#,
    r#""\u0000""#,
    r#"" a ""#,
    r#""\u00a0x\u2003""#,
    r#""ǅ""#,
    r#""<a&b>""#,
    r#""\u2028""#,
    r#""\b\f\r""#,
    "`a\\nb`",
    "`\"raw\"`",
    "`a\nb`",
    r#""a b+c%20""#,
    r#""ΑΣ""#,
];

pub fn number(random: &mut Random) -> &'static str {
    if random.percent(85) {
        random.pick(NUMBERS)
    } else if random.fractions {
        random.pick(FRACTIONS)
    } else {
        random.pick(EDGES)
    }
}

pub fn string(random: &mut Random) -> &'static str {
    if random.percent(20) { random.pick(TEXT_EDGES) } else { random.pick(TEXTS) }
}

/// Where input and data are expected to have what.
pub const PATHS: &[(&str, &str)] = &[
    ("input.n", "n"),
    ("input.m", "n"),
    ("input.deep.a.b", "n"),
    ("input.obj.a", "n"),
    ("input[\"n\"]", "n"),
    ("input.s", "s"),
    ("input.t", "s"),
    ("input.method", "s"),
    ("input.users[0].name", "s"),
    ("input.strs[1]", "s"),
    ("input.b", "b"),
    ("input.off", "b"),
    ("input.nums", "[n"),
    ("input.strs", "[s"),
    ("input.mixed", "[x"),
    ("input.obj", "{n"),
    ("input.grants", "{[s"),
    ("input.grants.admin", "[s"),
    ("input.users", "[{x"),
    ("input.users[1]", "{x"),
    ("input.z", "x"),
    ("input.missing", "x"),
    ("input.deep", "{x"),
    ("input", "{x"),
    ("data.d.limit", "n"),
    ("data.d.name", "s"),
    ("data.d.list", "[s"),
    ("data.d.perms", "{[s"),
    ("data.d.levels", "{n"),
    ("data.d.on", "b"),
    ("data.d.rows", "[{x"),
    ("data.d.perms[input.s]", "[s"),
    ("data.d.levels[input.t]", "n"),
    ("data.d.absent", "x"),
    ("data.d[\"name\"]", "s"),
    ("input.nums[0]", "n"),
    ("input.grants[input.s]", "[s"),
];

const MEMBERS: &[(&str, &str)] = &[
    ("n", "n"),
    ("m", "n"),
    ("deep", "deep"),
    ("obj", "{n"),
    ("s", "s"),
    ("t", "s"),
    ("method", "s"),
    ("b", "b"),
    ("off", "b"),
    ("nums", "[n"),
    ("strs", "[s"),
    ("mixed", "[x"),
    ("grants", "{[s"),
    ("users", "users"),
    ("z", "x"),
];
const DATA: &[(&str, &str)] = &[
    ("limit", "n"),
    ("name", "s"),
    ("list", "[s"),
    ("perms", "{[s"),
    ("levels", "{n"),
    ("on", "b"),
    ("rows", "users"),
];
const NAMES: &[&str] = &["a", "b", "alice", "bob", "admin", "read"];

/// An input: now and then without a member, or with another type there.
pub fn input(random: &mut Random) -> Tree {
    document(random, MEMBERS)
}

/// What stands under `data.d`.
pub fn data(random: &mut Random) -> Tree {
    document(random, DATA)
}

fn document(random: &mut Random, members: &[(&str, &str)]) -> Tree {
    let mut all = Vec::new();
    for (name, code) in members {
        if random.percent(93) {
            let code = if random.percent(95) { code } else { "x" };
            all.push(member(name, json(random, code, 2)));
        }
    }
    Tree::Group(vec![text("{"), Tree::List(all, ", "), text("}")])
}

fn member(name: &str, value: Tree) -> Tree {
    Tree::Group(vec![text(format!("\"{name}\": ")), value])
}

fn json(random: &mut Random, code: &str, depth: usize) -> Tree {
    let many = random.below(4);
    match code.as_bytes()[0] {
        b'n' => leaf(number(random)),
        b's' => {
            let mut written = string(random);
            while written.starts_with('`') {
                written = string(random);
            }
            leaf(written)
        }
        b'b' => leaf(random.pick(&["true", "true", "false"])),
        b'[' => {
            let items = (0..many).map(|_| json(random, &code[1..], depth)).collect();
            Tree::Expr(vec![text("["), Tree::List(items, ", "), text("]")])
        }
        b'{' => {
            let mut names: Vec<&str> = (0..many).map(|_| random.pick(NAMES)).collect();
            names.sort_unstable();
            names.dedup();
            let members = names.iter().map(|name| member(name, json(random, &code[1..], depth))).collect();
            Tree::Expr(vec![text("{"), Tree::List(members, ", "), text("}")])
        }
        b'd' => Tree::Expr(vec![text("{\"a\": {\"b\": "), json(random, "n", depth), text("}}")]),
        b'u' => {
            let user = |random: &mut Random| {
                let members = [("name", "s"), ("age", "n"), ("roles", "[s"), ("on", "b")];
                let members =
                    members.iter().map(|(name, code)| member(name, json(random, code, depth))).collect();
                Tree::Expr(vec![text("{"), Tree::List(members, ", "), text("}")])
            };
            let items = (0..many).map(|_| user(random)).collect();
            Tree::Expr(vec![text("["), Tree::List(items, ", "), text("]")])
        }
        _ if depth == 0 => leaf(random.pick(&["null", "1", "\"a\"", "false"])),
        _ => {
            let code = random.pick(&["n", "s", "b", "[n", "[s", "{n", "[x", "null"]);
            if code == "null" { leaf("null") } else { json(random, code, depth - 1) }
        }
    }
}
