//! What OPA does not load is not answered here either, and what it reads otherwise is refused.

use std::fs;
use std::process::{Command, Stdio};

use postern_policy::AskError;
use postern_tests::parts::program;

use crate::{opa_of, ours_of};

/// Beside each module.
const LIB: &str = "package lib\nf(x) if x\nr := 1\n";

/// Answered by both, the same.
const ANSWERED: [&str; 63] = [
    "p[100000000000000000000] := 1\ny := p[50000000000000000000 * 2]",
    "p[-9223372036854775809] := 1\ny := p[-9223372036854775808 - 1]",
    "p[0.5] := 1\ny := p[1 / 2]",
    "p[1] := 5\ny := [v | some 1, v in p]",
    "y if 1, 4 in [3, 4]",
    "o := {\"a\": 3}\ny := 1 if false else := z if { {\"a\": z} = o }",
    "y := 1 if false else := 2 if ({\"a\": 3, \"b\": 4}) == {\"b\": 4, \"a\": 3}",
    "y if { x with count as 0.1 }\nx if count(json.unmarshal(\"[1]\")) * 3 == 0.3",
    "y if { x with input as {\"now\": 0.1} }\nx if input.now * 3 == 0.3",
    "y := sprintf(\"%v %v %.2f %v\", [0.39 * 0.623, 0.39 - 0.623, 0.7 - 0.3, 0.7 - 0.3])",
    "y := sprintf(\"%v %v\", [1 / 8, 2 / 5 * 100])",
    "import future.keywords\ny if { 1 in [1] }",
    "import rego.v1\nimport future.keywords\ny if 1 in [1]",
    "import future.keywords\ny if not input.a.b",
    "import future.keywords\ny if { x := {\"a\": false}; not x.a }",
    "import future.keywords\ny if not data.lib.r\nz if not data.lib.none",
    "import future.keywords.not\ny if { a := false; not a; not data.lib.none }",
    "import future.keywords.not\ny := 1",
    "import future.keywords.and\nimport future.keywords.or\ny if not data.lib.r == 2",
    "import future.keywords.if\nimport future.keywords.in\nimport future.keywords.every\n\
     import future.keywords.contains\ny if not 1 == 2",
    "f(x) := x\ny if { f := 1; f == 1 }",
    "f(x) := x\nh(f) := f\ny := h(1)",
    "f(x) := x\ny := [f | some f in [1]]",
    "f(x) := x\ny if every f in [1] { f }",
    "y := [1 | data.lib[_]]",
    "y := data.lib",
    "y := o.part1__ if o := {\"part1__\": 3}",
    "y := a__ if a__ := 1",
    "p contains 1\ny if p == {1}",
    "p contains 1\ny if not p == set()",
    "p contains 1\ny if p != \"x\"",
    "p contains 1\ny if p == \"x\" with data.a.p as \"x\"",
    "p contains 1\nf(p) if p == \"x\"\ny if f(\"x\")",
    "p contains 1\ny if { some p in [\"x\"]; p == \"x\" }",
    "p[x] := 1 if some x in [\"a\"]\ny if p == {\"a\": 1}",
    "p contains 1\ny := x if x = p",
    "y contains [[1], 2][0]",
    "y contains\n[1]",
    "y contains \"x\"",
    "y[1] := 2",
    "y if print(\"a\")",
    "y if { data.lib.r == 2 with data.lib.r as 2; data.a.z == 1 with data.a.z as 1 }\nz := 3",
    "y.q if { data.lib.r == 1 with data.a.y.z as {} }",
    "y := {1: 2}[1]",
    "y := {1: 2, true: 3}[true]",
    "y := {1: 2, data.lib.r: 2}[2]",
    "y := {0.5: 2}[0.5]",
    "y := [[1], [2]][1][0]",
    "p[1.5] := 2\ny := p[1.5]",
    "# METADATA\n# scope: document\n# title: a\n\n# METADATA\n# title: b\n# scope: rule\ny := 1\nf(x) := x",
    "import input\nimport data\ny := data.lib.r",
    "d := {\"a\": 1}\nget(k) := v if { v := data.none[k] } else := v if { v := d[k] } else := 7\ny := [get(\"a\"), get(\"k\")]",
    "d := {\"a\": 1}\ny := [1 | k := \"b\"; d[k]]",
    "y if { z with input as {\"x\": \"lib\"} }\nz if not data[input.x].nope",
    "y if { z with input as {\"x\": \"lib\"} }\nz if not data[input.x].r",
    "y if z\nz if not data[input.x].r",
    "y if { x := set(); k := \"a\"; not x[k] }",
    "y if { x := {}; not x[data.lib.r].z }",
    "x := set()\ny if not x[data.lib.r]",
    "y if { x := {}; some k; x[k] }",
    "y := [-# c\n1]",
    "x := 3\ny := -# d\n x",
    "y := 3 -# e\n(1)",
];

/// Refused by both.
const REFUSED: [&str; 72] = [
    "o := {\"a\": 3}\ny := 1 if false else := z if {\"a\": z} = o",
    "y := 1 if false else := 2 if {\"a\": 3, \"b\": 4} with input as 1",
    "y := 1 if false else := 2 if {}",
    "y := 1 if false else if {3 | true} == {3}",
    "y if every a, a in [0] { a == 0 }",
    "y if { some a, a; a = 1 }",
    "y if { some a, b, a; a = 1; b = 2 }",
    "y := 1 # \0",
    "y := 1\n\0",
    "#\0\ny := 1",
    "import future.keywords.and\ny if { and := 1; and == 1 }",
    "import rego.v3\ny := 1",
    "import rego.foo\ny := 1",
    "import future.keywords.foo\ny := 1",
    "f(x) if x\ny if not f",
    "f(x) := x\ny if not f == 1",
    "f(x) := x\ny := f.z",
    "f(x) := x\ny[f] := 1",
    "y := data.lib.f",
    "import data.lib.f\ny if not f",
    "import data.lib\ny := count([1 | lib.f])",
    "import data.lib.f as g\ny := {\"a\": g}",
    "y[1]",
    "y[\"x\"]",
    "f() := 1\ny := f()",
    "f() if true\ny if not f()",
    "y := print(\"a\")",
    "y if { x := print(\"a\"); x }",
    "y if { print(\"a\") == true }",
    "y := [1 | true with data as 1]",
    "y if { data.lib.r == 1 with data.a as {} }",
    "z if { y with data.a as {\"y\": 3} }\ny := 1",
    "y[x] if { x := data.lib.r; x == 1 with data.a.y.z as {} }",
    "y := 1 if { z with data.a.z.q as 2 }\nz := 1",
    "# METADATA\n# scope: package\ny := 1",
    "# METADATA\n# title: a\nimport data.lib\ny := 1",
    "y := 1\n# METADATA\n# scope: rule",
    "y := 1 if {\n# METADATA\n# title: rule\ntrue }",
    "p contains x if some x in [\"a\"]\ny if not p == true",
    "p contains 1\ny if not \"x\" == p",
    "p contains 1\ny if not data.a.p = null",
    "p[x] := 1 if some x in [\"a\"]\ny if not p == true",
    "p.q contains 1\ny if not p.q == {}",
    "p contains 1\ny := [p | p = \"x\"]",
    "y := [1, 2][0.0]",
    "y := [1, 2][1e0]",
    "y := [1, 2][-1]",
    "y := [1, 2][2]",
    "y := [1, 2][1.5]",
    "y := [1, 2][true]",
    "y := [1, 2][\"a\"]",
    "y := [1, 2].a",
    "y := x[1.0] if x := [1, 2]",
    "y := {1: 2}[\"1\"]",
    "y := {1: 2}[2]",
    "y := {\"1\": 2}[1]",
    "y := {\"1\": 2}[1][2]",
    "y := {\"a\": [1]}.a[1]",
    "y := x[\"1\"] if x := {1: 2}",
    "y := split(\"a.b\", \".\")[1.0]",
    "import input\nimport input\ny := 1",
    "d := {\"a\": 1}\ny := d[\"b\"]",
    "r := 1\ny if { r := 2; x with r as 3 }\nx if r == 3",
    "y if { some r; r = 2; x with r as 3 }\nr := 1\nx if r == 3",
    "r := 1\nx if r == 3\ny(r) if { r; x with r as 3 }",
    "r := 1\nx if r == 3\ny if { every r in [1] { r; x with r as 3 } }",
    "g(x) := upper(x)\ny if { g(\"A\") with g as lower; lower = 3 }",
    "y := -# c\n(1)",
    "x := {\"b\": 2}\ny if { x.b.c with x as {\"a\": 1} }",
    "x := {\"b\": 2}\ny if { x.a with x as {\"a\": 1}; x.a }",
    "y if { x := {\"b\": 2}; x.a with data.a.z as {\"a\": 1} }\nz := 1",
    "x := {\"b\": 2}\ny if not x.c with x as {\"a\": 1}",
];

/// Answered by OPA alone.
const THEIRS: [&str; 32] = [
    "w := {input.zz: 1}\ny := $\"{w}\"",
    "r.b if false else := true\nr[id] := true if some id in [\"c\"]\ny if r.b",
    "import input.o as upper\nf(x) := \"u\"\ny := x if { x := f(\"a\") with f as upper }",
    "import future.keywords\ny if not startswith(input.a, \"x\")",
    "import rego.v1\nimport future.keywords\ny if not startswith(input.a, \"x\")",
    "import future[ \"keywords\" ]\ny if not startswith(input.a, \"x\")",
    "import future.keywords.not\ny := [x | some x in [1]; every z in [1] { not z == 2 }]",
    "import future.keywords\ny := $\"{[1 | not 1 == 2]}\"",
    "import rego.v2\ny := 1",
    "n if { not startswith(input.zz, \"b\"); not0_0_0__ = \"c\" }\ny if not n",
    "given15__ := 1\ny := 1",
    "f(arg1__) := arg1__\ny := f(1)",
    "import data.lib as part1__\ny := part1__.r",
    "y := x__12_local if x__12_local := 1",
    "y if { now__ := 1; now__ }",
    "y := [1 | {1: 2}[1.0]]",
    "p[1e+20] := 2\ny := [1 | p[100000000000000000000]]",
    "p[0.000001] := 2\ny := [1 | p[1 / 1000000]]",
    "p[1e-7] := 2\ny := [1 | p[1 / 10000000]]",
    "p[-0.0] := 2\ny := [1 | p[0]]",
    "p[0] := 2\ny := [1 | p[-0]]",
    "p[1] := 2\ny := [v | some 1.0, v in p]",
    "y := [v | some 1e0, v in input.l]",
    "p := [3, 4]\ny if 1e0, 4 in p",
    "p[1] := 2\ny := [1 | p[1.0]]",
    "p[1.0] := 2\ny := [1 | p[1]]",
    "y := [1 | data.lib[1e0]]",
    "f() := data.lib.r\ny := 1",
    "f() if true\ny := 1",
    "f() := data.lib.r\ny := f",
    "y := plus(1, 2)",
    "y if equal(1, 1)",
];

fn modules(module: &str) -> [(&'static str, &str); 2] {
    [("a.rego", module), ("lib.rego", LIB)]
}

pub(crate) fn opa_loads(modules: &[(&str, &str)]) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in modules {
        fs::write(folder.path().join(name), text).expect("it can be written");
    }
    let mut check = Command::new(program("opa"));
    let check = check.current_dir(folder.path()).args(["check", "."]).stderr(Stdio::null()).status();
    check.expect("opa runs").success()
}

#[track_caller]
fn refused(module: &str) {
    match ours_of(&modules(module), "data.a.y") {
        Err(AskError::Refused(_)) => {}
        other => panic!("{module}: {other:?}"),
    }
}

#[test]
fn what_opa_loads_is_answered_as_by_opa() {
    for body in ANSWERED {
        let module = format!("package a\n{body}\n");
        let ours = ours_of(&modules(&module), "data.a.y").unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(ours, opa_of(&modules(&module), "data.a.y"), "{body}");
    }
}

#[test]
fn what_opa_does_not_load_is_refused() {
    for body in REFUSED {
        let module = format!("package a\n{body}\n");
        refused(&module);
        assert!(!opa_loads(&modules(&module)), "opa loads {body}");
    }
}

#[test]
fn what_opa_reads_otherwise_is_refused() {
    for body in THEIRS {
        let module = format!("package a\n{body}\n");
        refused(&module);
        opa_of(&modules(&module), "data.a.y");
    }
}

#[test]
fn of_a_package_that_the_input_names_only_the_rules_of_that_name_are_read() {
    let framework = "package fw\ndefault v := null\nv := data[input.ns].fv\nerrors contains \"x\" if v == null\n\
                     listed := data[input.ns].st\nobject := data[input.ns].obj\nwritten := data[input.ns].el\n";
    let other = "package other\nfv := 3 if input.ok\nst contains x if some x in [1, 2]\n\
                 obj[k] := v if some k, v in {\"a\": 1}\ndefault el := 7\nel := 8 if input.ok\nback := data.fw.v\n";
    let third = "package third\nfv := {\"a\": data.other.fv}\n";
    let all = "package all\ncases := [{\"ns\": \"other\", \"ok\": true}, {\"ns\": \"other\"}, {\"ns\": \"third\", \"ok\": true}, \
               {\"ns\": \"third\"}, {\"ns\": \"fw\"}, {\"ns\": \"zz\"}, {\"ns\": 1}, {}]\n\
               v := [v | some c in cases; v := data.fw.v with input as c]\n\
               errors := [v | some c in cases; v := data.fw.errors with input as c]\n\
               listed := [v | some c in cases; v := data.fw.listed with input as c]\n\
               object := [v | some c in cases; v := data.fw.object with input as c]\n\
               written := [v | some c in cases; v := data.fw.written with input as c]\n\
               back := [v | some c in cases; v := data.other.back with input as c]\n";
    let modules = [("fw.rego", framework), ("other.rego", other), ("third.rego", third), ("all.rego", all)];
    for rule in ["v", "errors", "listed", "object", "written", "back"] {
        let rule = format!("data.all.{rule}");
        let ours = ours_of(&modules, &rule).unwrap_or_else(|error| panic!("{rule}: {error}"));
        assert_eq!(ours, opa_of(&modules, &rule), "{rule}");
    }
    // The first two read themselves in OPA too; of the last the engine would not have evaluated any.
    for read in ["v := data[input.ns].v", "v := data[input.ns]", "v if { some x; data[x].back }"] {
        let module = format!("package a\n{read}\n");
        let modules = [("a.rego", module.as_str()), ("other.rego", "package other\nback := 1\n")];
        assert!(matches!(ours_of(&modules, "data.a.v"), Err(AskError::Refused(_))), "{read}");
    }
}
