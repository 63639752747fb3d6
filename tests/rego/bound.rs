//! What gives names their values, and in which order: what OPA refuses to load is refused, and where the engine would take
//! another order than OPA, nothing else is answered.

use std::fs;
use std::path::Path;
use std::process::Command;

use postern_policy::AskError;
use postern_tests::parts::program;

use crate::{opa, opa_of, ours, ours_of, same};

/// Beside each body; `y` is asked for.
const RULES: &str = r#"
xs := json.unmarshal("[\"adm\", \"bob\"]")
members := json.unmarshal("{\"GET\": true}")
one := json.unmarshal("1")
groups := json.unmarshal("[{\"m\": [1], \"name\": \"a\"}, {\"m\": [2], \"name\": \"a\"}]")
nums := json.unmarshal("[1, 2, 5]")
lists := json.unmarshal("[[1], [2, 3]]")
docs := json.unmarshal("[{\"owner\": \"al\", \"editor\": \"al\"}, {\"owner\": \"al\", \"editor\": \"eve\"}, {\"owner\": \"al\", \"acl\": {\"user\": \"al\"}}]")
pairs := json.unmarshal("{\"adm\": [\"adm\", 1], \"bob\": [\"eve\", 2]}")
named := json.unmarshal("{\"adm\": \"adm\", \"bob\": \"eve\", \"eve\": \"bob\"}")
f(a) := a
g(a, b) if a == b
"#;

/// Answered by both, the same.
const ANSWERED: [&str; 190] = [
    "y if { every x in [v] { x == 1 }; v = 1 }",
    "y if { v = 1; every x in [1 | v := 1] { v := x; v == 1 } }",
    "y if { v := 1; every x in [1 | v] { v := x; v == 1 } }",
    "y if { r := 1; v = r; every x in [v] { x == r } }",
    "y if { r := 1; v = r; zs = [v]; every x in zs { x == r } }",
    "y if { r := 1; zs = [v]; every x in zs { x == 1 }; v = r }",
    "y if { r := 9; every x in xs { x == r }; v = r }",
    "y if { a := 1; b = a; not b == 2 }",
    "y if { a := 1; b := a; not b = 2 }",
    "y if { b = 1; not b = 2 }",
    "y if { [c, d] := [1, 2]; not c = d }",
    "y if { a := 1; c = a + 1; not c = 3 }",
    "y if { some v; v = [1]; every v in v { v == 1 } }",
    "h(v) if { every x in v { v := 1; v == x } }\ny if h([1])",
    "y if { v = [1]; every x in v { every v in [1] { v == x } } }",
    "y := {v | x := 1; v := {x | x := x}} if { x := 2 }",
    "y := {x | x := [v | v := x]} if { x := 1 }",
    "y := v if { x := [1]; v := {x | x := x} }",
    "y := {v | x := [1]; every x in x { x == 1 }; v := 2}",
    "y if { x := 2; every x in [1] { x == 1 } with input.s as {x | x := 1} }",
    "y := v if { {data.a.xs[0]: v} := input }",
    "y := v if { {input.k: v} := named }",
    "y := v if { o := named; {data.a.xs[0]: v} := o }",
    "h([1 | r == 1]) := 1 if { r = 1 }\ny := 1",
    "h([r | some r in [1]]) := 1\ny := 1",
    "h([1 | true]) := 1 if one == 1\ny := 1",
    "held contains [1]\ny if { b = 1; held[[c | c = b]] }",
    "held contains [1]\ny if { b := 1; held[[c | c := b]] }",
    "held contains [1]\ny if { held[[1 | b.x]]; b = {\"x\": 1} }",
    "y if { xs[_] = b; b != \"z\"; b != \"z\" }",
    "y if { b != \"z\"; xs[_] = b; b != \"z\"; true }",
    "y if { b > 0; b < 5; true; b > 0; b = 1 }",
    "y if { lower(b) != \"z\"; lower(b) != \"z\"; xs[_] = b }",
    "y if { xs[_] != b; xs[_] != b; xs[_] = b }",
    "y if { b != \"z\"; b = \"a\"; b != \"z\"; b = \"a\" }",
    "y if { [v | v := b] != []; [v | v := b] != []; xs[_] = b }",
    "h4(i) if { every e in lists { some i; e[i] > 0 } }\ny if h4(\"b\")",
    "y if { xs[i] == \"bob\"; every e in [\"z\"] { count([i | some i; xs[i] == e]) == 0 } }",
    "y := x if { z := 1; x = {\"b\": z, \"a\": z} }",
    "h3(z) := x if { x = {\"b\": z, \"a\": z} }\ny := h3(2)",
    "y := x if { x = {\"msg\": z, \"id\": {\"of\": z}}; z = 1 }",
    "y := [d | d := docs[_]; d = {\"owner\": z, \"editor\": z}]",
    "y := c if { named[k]; c := count([1 | some k; named[k]]) }",
    "y if { xs[i] == \"bob\"; other := {x | some i; x := xs[i]}; \"adm\" in other }",
    "y := \"no\" if { xs[i] == \"bob\"; other := {x | some i; x := xs[i]}; not \"adm\" in other } else := \"yes\"",
    "y := c if { c := count([1 | some k; named[k]]); k = \"A\" }",
    "y := c if { [k, 1] = [\"adm\", 1]; c := [k | some k; named[k]] }",
    "y if { some i; xs[i] == \"bob\"; every e in lists { some i, j; e[i] == nums[j] } }",
    "y if { some i; xs[i] == \"bob\"; every e in [1, 2] { i := e; i > 0 } }",
    "y if { xs[i] == \"bob\"; every e in [1, 2] { some i in [e]; i > 0 } }",
    "h2(k) := [k | some k; named[k]]\ny := h2(\"adm\")",
    "y[k] := [k | some k; nums[k]] if named[k]",
    "y contains k if { some k; lower(k) = k; k = xs[_] }",
    "y contains k if { some k; k = lower(k); named[k] }",
    "y contains k if { some k; [k] = [lower(k)]; named[k] }",
    "y contains k if { some k; f([k]) = [k]; named[k] }",
    "y contains k if { some k; [v | v = k] = [k]; named[k] }",
    "y contains k if { some k; $\"{k}\" = k; named[k] }",
    "y contains i if { some i; i = i + 0; nums[i] }",
    "y contains k if { some k; named[lower(k)] = k; named[k] }",
    "y contains k if { some k; named[f(k)] = named[k]; named[k] }",
    "y contains k if { some k; held[[f(k), k]]; named[k] }\nheld contains [k, k] if some k, _ in named",
    "y := \"yes\" if { not barred } else := \"no\"\nbarred if { some n; lower(n) = n; n = xs[_] }",
    "y := \"yes\" if { not barred } else := \"no\"\nbarred if { some u; {\"owner\": u, \"editor\": u} = docs[_] }",
    "y := [u | some u; {\"owner\": u, \"editor\": u} = docs[_]]",
    "y := [u | {\"owner\": u, \"acl\": {\"user\": u}} = docs[_]]",
    "y contains b if { some b; held[{\"q\": b, \"p\": b}] }\nheld := {{\"q\": 1, \"p\": 1}, {\"q\": 2, \"p\": 3}}",
    "y if { u := \"eve\"; {\"owner\": u, \"editor\": u} = docs[_] }",
    "y if { u := \"al\"; {\"owner\": u, \"editor\": u} = docs[_] }",
    "y if { u := \"al\"; not {\"owner\": u, \"editor\": u} = docs[0] }",
    "y if { u := 1; every e in [1] { some u; u = 2; e == 1 } }",
    "f2(u) := [v | some u; u = xs[_]; v := u]\ny := f2(7)",
    "y := [w, z] if [[1, z], 3] = [w, z]",
    "y := [w, v, z] if [[1, z], v, 3] = [w, z, z]",
    "y := [w, v, z] if { [w, 3, w] = [[z, v], v, [z, 3]]; z = 1 }",
    "y := [w, v] if [{\"a\": v}, [v], 3] = [w, [u], u]",
    "y := [x, z] if { [x, z] = [z, 3] }",
    "y := [x, z] if [x, z] = [z, 3]",
    "y := [x, z, q] if { [x, [z, {\"k\": q}]] = [z, [q, {\"k\": 3}]] }",
    "y := [a, b] if { [a, b] = [xs[b], 1] }",
    "y := [x, z] if { {\"a\": x, \"b\": z} = {\"a\": z, \"b\": 3} }",
    "y := [x, z] if { x = 1; [x, z] = [z, 2] }",
    "y := x if { some x; -1 = x }",
    "y := x if { 1 >= 0\n{\"a\": -0.25, \"b\": x} = {\"a\": x, \"b\": -0.25} }",
    "y := [x, z] if { some z in [1]\n[-1, x, z] = [-1, z, x] }",
    "y := x if { q := 4; [-1 + q, x, 3] = [x, 3, x] }",
    "y[xs[i]] := i if i < 2",
    "y[xs[i]] if i < 2",
    "y[xs[i]] contains i if { i = 1 }",
    "y contains [xs[i], i] if { i < 1 }",
    "y contains f(xs[i]) if i < 1",
    "w := input.a
y := x if { x = w with input.a as xs[i]; i = 1 }",
    "w := input.a
y contains [x, i] if { x = w with input.a as xs[i] }",
    "w := input.a
y := [x | x = w with input.a as {\"k\": xs[_]}]",
    "w := input.a
y if not w == \"bob\" with input.a as xs[_]",
    "y if { i < 5; nums[i] == i + 1; nums[i] }",
    "y if { f(nums[i]) == i + 1 }",
    "y if { i = 1; nums[i] != $\"{i}\" }",
    "y if { i = 1; count(lists[i]) == count([v | v = lists[i][_]]) }",
    "y if { lists[i] = [v | v = lists[i][_]]; i = 1 }",
    "y := z if { z := count([v | v = xs[i]]); i = 1 }",
    "y if { every x in [1] { x; every x in [2] { x == 2 } } }",
    "y contains x if { x = startswith(xs[i], \"a\"); i < 2 }",
    "y if { every u in [\"zed\"] { n := u; {[\"zed\", 1]}[[n, 1]] } }",
    "y if { every u in [\"zed\"] { k := [u, 1]; ms := {[\"zed\", 1]}; ms[k] } }",
    "y if { every u in [\"zed\"] { [u, 1] in {[\"zed\", 1]} } }",
    "y if { some u in [\"zed\"]; {[\"zed\", 1]}[[u, 1]] }",
    "y := z if { x := 1; z := [x | some x in xs] }",
    "y if { _ := one; _ := one; some _ in xs; some _ in xs }",
    "y if { some i; every x in groups[i].m { x > 1 }; groups[i].name == \"a\" }",
    "minus.z := 1\ny := minus.z",
    "y := [z | some [input.s, z] in [[1, 2]]]",
    "y := [z | o := {\"a\": one}; some [o.a, z] in [[1, 2]]]",
    "y := [1 | some [one, z] in [[1, 2]]; z]",
    "y if { some i; i = 9; not xs[i] }",
    "y if { i := 9; not xs[i] }",
    "y if { u = \"DELETE\"; not members[u] }",
    "y if { i = 0; every x in xs { xs[i] == x } }",
    "y if { every x in xs { some j; xs[j] == x } }",
    "y if { every x in xs { xs[j] == x } }",
    "y if { every x in xs { every z in [x] { x == z } } }",
    "y if { z = one; z2 = z; not xs[z2] }",
    "y := x if { x := xs[i]; not xs[i] == \"bob\" }",
    "y contains i if { xs[i]; not xs[i] == \"bob\" }",
    "y if { not f(f(xs[_])) }",
    "y if { not (xs[_] == \"adm\") == true }",
    "y if { not sprintf(\"%v\", [xs[_]]) == \"a\" }",
    "y if { not f([f(xs[_])]) }",
    "y if { not members[f(xs[_])] }",
    "y if { some k, v in xs; not startswith(v, \"a\"); k == 1 }",
    "y if { count([x | x = xs[i]]) == 1; i = 0 }",
    "y := [x | x = xs[i]] if i = 0",
    "y if { xs[i] != \"adm\"; i = 1 }",
    "y := {i: x | some i, x; xs[i] = x}",
    "h(x) if { z := [x | x := 1]; z == [1] }\ny if h(2)",
    "h(x) if every x in [1] { x == 1 }\ny if h(2)",
    "y if { rem := 5; rem > 2 }",
    "contains.x := 1\ny if contains.x == 1",
    "y if { {one, 2} }",
    "y if {{one, 2}}",
    "y if {\"a\": one, \"b\": 2}",
    "y := [1 | {one, 2}]",
    "y contains i if { count([v | v = xs[i]]) == 1; some i in [0, 1] }",
    "y contains i if { count([v | v = xs[i]]) == 2; some i in [0, 1] }",
    "y := [z, v] if { z := [v | v = 2]; v := 1 }",
    "y := [i | z := {i | i = xs[_]}; some i in z]",
    "y := [i, z] if { z := [q | some q in [7]; i = 3]; some i in [8] }",
    "y if { every w in [\"bob\"] { w == xs[i] }; some i in [0] }",
    "y := [[i | xs[i]] | some i in [5]]",
    "y := z if { z := [one | one = 4]; one := 8 }",
    "y := [v | v = 2] if { v := one } else := 3",
    "y := [1 | 2 = v] if { some v, _ in xs } else := 3",
    "y := {\"a\": count([v | v = 2])} if { v := one } else := [v | v = 2] if { v := 3 }",
    "h(a) := {v | v = 2} if { some v in a } else := 3\ny := h([1])",
    "y := x if { a := 1; b := one; n := [a, b]; x := {[1, 1]: 2}[n] }",
    "y := [k | some k; pairs[k] = [k, _]]",
    "y := [[k, r] | [k, r] = pairs[k]]",
    "y := [k | k = named[k]; startswith(k, \"a\")]",
    "y := [k | some k; {\"name\": k} = {\"name\": named[k]}]",
    "y := [k | some k; named[named[k]] = k]",
    "y := [k | some k; [named[k], k] = [k, _]]",
    "y contains k if k = {\"adm\", \"bob\"}[k]",
    "y := [[i, j] | some i, j; [i, j] = lists[i][j]]",
    "y := [k | some k; {\"a\": k} = {\"a\": named[k]} with data.a.named as {\"c\": \"c\"}]",
    "y := \"no\" if { not barred } else := \"yes\"\nbarred if { some k; {\"name\": k} = groups[k] }",
    "y := \"no\" if { not barred } else := \"yes\"\nbarred if { some k; pairs[k] = [k, _] }",
    "y if { every n in [1, 2] { some k; [k, n] = pairs[_] } }",
    "y if { every n in [1] { some k; pairs[k] = [k, n] } }",
    "y contains [n, m] if { a := xs[_]; n := [a]; m := {[\"adm\"]: 2, [\"bob\"]: 3}[n] }",
    "y := [k | some o in docs; {\"owner\": k, \"editor\": lower(k)} = o]",
    "y contains k if { some k; {\"owner\": k, \"editor\": lower(k)} = docs[_]; named[k] }",
    "y contains k if { [lower(k), k] = held[_] }\nheld := [[\"a\", \"A\"], [\"b\", \"a\"]]",
    "y contains k if { [lower(k), 1] = pairs[k] }",
    "y contains [k, j] if { [lower(j), k] = pairs[_]; j = \"ADM\" }",
    "y contains [k, j] if { [lower(j), k] = pairs[_]; j = upper(\"eve\") with input.q as k }",
    "y contains k if { [k, (k | {3})] = [{3}, named2[_]] }\nnamed2 := [{3}]",
    "y contains k if { [k, k + 1] = [1, nums[_]] }",
    "y contains k if [k, k > 1] = [nums[_], true]",
    "y contains k if { some k; nums[k] = k + 1 }",
    "y contains k if nums[k] = k + 1",
    "y contains k if { some k; object.get(named, k, \"\") = named[k] }",
    "y contains [k, v] if { v := held[[k, lower(k)]] }\nheld := {[\"A\", \"a\"]: 1, [\"b\", \"B\"]: 2}",
    "y contains k if held[[k, k + 1, k + 2]]\nheld := {[1, 2, 3], [1, 2, 4]}",
    "y contains k if { some [lower(k), k] in held }\nheld := {[\"a\", \"A\"], [\"B\", \"B\"]}",
    "y contains k if { some [k, (k + 1)] in held }\nheld := {[1, 2], [2, 2]}",
    "y if { every i in [0, 1] { held[i] = [a, a + 1] } }\nheld := [[1, 2], [2, 3]]",
    "y if { every i in [0, 1] { held[i] = [a, a + 1] } }\nheld := [[1, 2], [2, 4]]",
    "y := \"yes\" if { not g3(0) } else := \"no\"\ng3(i) if lists[i] = [a, a - 1]",
    "y := n if { n := count([v | some [lower(j), v] in pairs; j = \"eve\"]) with input.q as 1 }",
    "h5(j) := [v | some [lower(j), v] in pairs; j = \"eve\"]\ny := h5(\"adm\")",
];

/// Refused by both.
const REFUSED: [&str; 114] = [
    "y if { v = [1]; every x in v { v := 1; v == x } }",
    "y if { v = [1]; every v in v { v == 1 } }",
    "h(v) := {1 | every x in v { v := 1; v == x }}\ny := h([1])",
    "h(x) := {x | x := x + 1}\ny := h(1)",
    "y := {v | v := {x | x := x}} if { x := 1 }",
    "y := 1 if { false } else := {1: 1 | x := x} if { some x; [1][_] = x }",
    "y := {v | every x in x { x == 1 }; v := 1} if { x := [1] }",
    "y if { v := 1; every x in [1] { v := x; v == 1 } with input.s as v }",
    "y if { x := 2; every x in [1] { x == 1 } with input.s as {v | v := x} }",
    "y := v if { {input.k: v} := input }",
    "y := v if { [{input.k: v}, 1] := [input.o, 1] }",
    "y := v if { {data.a.one: v} := named }",
    "one2 := {\"k\": \"adm\"}\ny := v if { {one2.k: v} := json.unmarshal(\"{}\") }",
    "h(k) := v if { {k: v} := input }\ny := h(\"a\")",
    "y := w if { k := \"k\"; w := [v | {k: v} := input] }",
    "h([r | _]) := 1\ny := 1",
    "h([1 | r]) := 1\ny := 1",
    "h({\"a\": [r | true]}) := 1\ny := 1",
    "h([1 | one == 1]) := 1\ny := 1",
    "h([1 | one == 1]) := 1 if one\ny := 1",
    "h([1 | r == 1]) := 1 if { r = 1 } else := 2\ny := 1",
    "h([1 | every e in [1] { e == r }]) := 1\ny := 1",
    "held contains [1]\ny if { held[[c | nums[c] != b]]; b = 1 }",
    "held contains [1]\ny if { held[[c | c = b]]; b = 1 }",
    "held contains [1]\ny if { v = held[[c | c = b]]; b = 1 }",
    "held contains [1]\ny if { some v in held[[c | c = b]]; b = 1 }",
    "held contains [1]\ny if { held[[c | c := b]]; b = 1 }",
    "y if { b != \"z\"; b != \"z\"; xs[_] = b }",
    "y if { b != \"z\"; one; b!=(\"z\"); xs[_] = b }",
    "y if { some b; b != {1, 2}; b != {2, 1, 1.0}; xs[_] = b }",
    "y if { b != input.a; b != input[\"a\"]; xs[_] = b }",
    "y if { b = c; b = c; c = 1 }",
    "y if { b > 0; b < 5; true; b > 0; b < 5; true; b = 1 }",
    "y if { startswith(b, \"a\") with input.a as 1; startswith(b, \"a\") with input.a as 1; xs[_] = b }",
    "y if { [v | v = b] != []; [v | v = b] != []; xs[_] = b }",
    "y if { not b == \"z\"; not b == \"z\"; xs[_] = b }",
    "y := [1 | b != \"z\"; b != \"z\"; xs[_] = b]",
    "y if { every n in [1] { n == 1; b != \"z\"; b != \"z\"; xs[_] = b } }",
    "y if { {\"a\": v} := {xs[0]: 1} }",
    "y if { some u; id := u; named[id] }",
    "y if { some u; id := [u]; named[_] = id }",
    "y if { some u, w; id := [u, w]; named[id] = u }",
    "y if { some a; {a: b} = {\"a\": 1}; named[a]; b == 1 }",
    "h(a) := b if {a: b} = {\"a\": 1}\ny := h(\"a\")",
    "y if { some a; [{a: b}] = [{\"a\": 1}]; named[a]; b == 1 }",
    "y if { some i, _; nums[i] == 1 }",
    "y if { some _; nums[_] == 1 }",
    "y := [w, v, z] if [[1, z, q], v, 3] = [w, z, z]",
    "y := [a, b] if { [a, b] = [f(b), 1] }",
    "y := [a, b, c] if { [a, b] = [c, 1]; c = b }",
    "y if { nums[i] == i + 1 }",
    "y if { some i; nums[i] == i + 1 }",
    "y contains i if { nums[i] == f(i) }",
    "y if { [nums[i], f(i)] == [1, 0] }",
    "y if { nums[i] == $\"{i}\" }",
    "y if { lists[i] == [v | v = lists[i][_]] }",
    "y if { lists[i] == [v | v = lists[i][_]]; i = 1 }",
    "y if { i := 1; lists[i] == [v | v = lists[i][_]] }",
    "y if { every x in xs { not xs[i] == x } }",
    "y if { every x in [1] { every x in [2] { x == 2 } } }",
    "y if { every k, x in [1] { x; every k in [2] { k == 2 } } }",
    "y if { some x; every x in [2] { x == 2 } }",
    "y if every x in xs { x := 2 }",
    "y if every x in xs { some x in xs }",
    "y if every k, v in xs { some [v, k] in [[1, 2]] }",
    "y if every x in xs { every x in [2] { one } }",
    "y if { some i; i := one }",
    "y if { some i; some i; i = one }",
    "y if { x := one; x := one }",
    "y if { some x in xs; some x in xs }",
    "y if { some x; some x in xs }",
    "y if { x := one; some x in xs }",
    "y := count([1]) if { count := 3; count > 1 }",
    "y if { not members[u]; u == 1 }",
    "y := [z | some [xs[0], z] in [[\"adm\", 2]]]",
    "y := [z | some {\"k\": members.GET, \"z\": z} in [{\"k\": true, \"z\": 1}]]",
    "y := [z | some {xs[0]: z} in [{\"adm\": 1}]]",
    "y := [z | some [count(xs), z] in [[2, 1]]]",
    "y if not startswith(xs[_], \"adm\")",
    "y if not xs[_] == \"adm\"",
    "y if not one > xs[_]",
    "y if not xs[_] in [\"adm\"]",
    "y if not g(xs[_], 1)",
    "y if not xs[i] != \"adm\"",
    "y if not [xs[_]] == [\"adm\"]",
    "y if not members[xs[_]] == 1",
    "y := [1 | not f(xs[_])]",
    "y if { not f([xs[_], f(xs[_])]) }",
    "h(x) if { some x in [1] }\ny if h(1)",
    "h(x) := 1 if { x > 1 } else := 2 if { x := 3 }\ny := h(1)",
    "h([x, _]) if { x := 1 }\ny if h([1, 2])",
    "y if { some x; one }",
    "y if { some x, z; xs[x] }",
    "y if every k, v in xs { v != 1 }",
    "y if every x in xs { one }",
    "y := [x | some z; x := 1]",
    "y := x if { count := 3; x := count([1]) }",
    "contains(a, b) if a == b\ny if contains(1, 1)",
    "default contains(_, _) := false\ny := 1",
    "y if { one == 1, one == 2 }",
    "y if {one,}",
    "y := 1 if { one == 2 } else := 2 if {one, 2}",
    "y contains 1 if {one, 2} with data.x as 1",
    "h(x) if {x, 2}\ny if h(1)",
    "y := z if { z := [one | true]; some one in [8] }",
    "y := z if { z := [v | v := i]; i := 8 }",
    "y contains k if { some [lower(j), k] in pairs }",
    "y contains k if { j := \"adm\"; some [lower(j), k] in pairs }",
    "f4(j) := [k | some [lower(j), k] in pairs]\ny := f4(\"adm\")",
    "y contains k if { i := 0; some [nums[i], k] in pairs }",
    "y contains k if { {lower(k), k} = pairs }",
    "y contains k if nums[k] == k + 1",
    "y contains k if [lower(j), k] = pairs[_]",
    "y contains k if { {lower(k): k} = named }",
];

/// Refused by both, as something that is written otherwise.
const WRITTEN: [(&str, &str); 9] = [
    ("y := [k | some [f(\"a\"), k] in [[\"a\", 1]]]", "is called in what `some` declares"),
    ("y := [k | some f(\"a\"), k in {\"a\": 1}]", "is called in what `some` declares"),
    ("y := -(3)", "before a parenthesis"),
    ("y if one > -(3)", "before a parenthesis"),
    ("y := count (xs)", "a blank before its parenthesis"),
    ("y if { f (one) }", "a blank before its parenthesis"),
    ("y if { io.jwt.decode\t(one) }", "a blank before its parenthesis"),
    ("count := 3\ny := count([1])", "OPA looks for a function"),
    ("startswith.x := 3\ny := startswith(\"a\", \"a\")", "OPA looks for a function"),
];

/// Answered by OPA alone: the engine would try all values in the first statement.
const LATE: [&str; 18] = [
    "y contains k if { some k, v; {k: v} = docs[_]; named[k] }",
    "y if { {k: 1} = {\"a\": 1}; named[k] }",
    "y if { every x in xs { not xs[i] == x }; i = 1 }",
    "y if { some id, name; name = id; not members[name]; id = \"DELETE\" }",
    "y if { x = z; not xs[x]; z = 9 }",
    "y := [1 | [x, _] = [z, 1]; not xs[x]; z = 9]",
    "y if { x = {\"a\": z}; not xs[x.a]; z = 9 }",
    "y if { not members[u]; u = \"DELETE\" }",
    "y if { some i; not xs[i]; i = 9 }",
    "y if { not xs[i]; [i, _] = [9, 1] }",
    "y if { not xs[i]; split(\"q.r\", \".\", [i, _]) }",
    "y if { not xs[i] == \"q\"; i = 0 }",
    "y if { not xs[i + 1]; i = 9 }",
    "y := [1 | not xs[i]; i = 9]",
    "y if { every x in xs { xs[i] == x }; i = 0 }",
    "y if { some i; every x in xs { xs[i] == x }; i = 0 }",
    "y if { every x in xs { count([z | z = xs[i]; x]) == 2 }; i = 0 }",
    "y if { not g(x, z); [x, z] = [1, 2] }",
];

/// Undefined in OPA, which asks for `every` before the statement that gives what it goes through a value.
const SOON: [&str; 17] = [
    "y if { r := 1; zs = [v]; v = 1; every x in zs { x == r } }",
    "y if { r := 1; zs := [v]; v = 1; every x in zs { x == r } }",
    "y if { zs = [v]; v = 1; r := 1; every x in zs { x == r } }",
    "y if { r := 1; zs = [v]; v = r; every x in zs { x == r } }",
    "y if { r := 1; every x in [v] { x == r }; v = 1 }",
    "y if { r := 1; every _ in [v] { r == 1 }; v = 1 }",
    "y if { some r in [9]; every x in v { x == r }; v = [9] }",
    "y if { r := 1; every x in [v] { every z in [x] { z == r } }; v = 1 }",
    "y if { r := 1; every x in [v] { x == count([q | q := r]) }; v = 1 }",
    "y if { r := 1; every x in [v] { x == r } with input.q as 1; v = 1 }",
    "y if { r := 1; every x in [v] { x == r }; {1}[v] }",
    "y if { r := \"a\"; every x in [v] { x == r }; [v, _] = split(\"a.b\", \".\") }",
    "y if { r := 1; some v; every x in [v] { x == r }; v = 1 }",
    "y if { r := 1; every x in [1 | v == 1] { x == r }; v = 1 }",
    "y if { r := 1; every x in object.get({\"a\": [1]}, v, []) { x == r }; v = \"a\" }",
    "y if { r := 1; zs = [v]; every x in zs { x == r }; v = 1 }",
    "y if { some r; r = 1; every _ in [1 | [a, b] := [v, 1]] { some c; {\"k\": c} = {\"k\": r} }; v = 1 }",
];

/// Answered by both, the same: `every` waits for what its body reads, whatever gives it its value.
const AWAITED: [&str; 20] = [
    "y if { v := \"c\"; w = v; every _ in [1] { named[w] } }",
    "y if { v := \"c\"; w = v; every _ in [1] { not named[w] } }",
    "y if { v := [1, 2]; w = v; every _ in [1] { {\"a\", \"b\"}[w] } }",
    "y if { v := \"c\"; w = v; every _ in [1] { w == \"c\" } }",
    "y if { some v in [\"c\"]; w = v; w2 := w; every _ in xs { named[w2] } }",
    "y if { some v in [\"c\"]; w = v; every _ in xs { count([1 | named[w]]) > 0 } }",
    "y if { z := [\"c\", 1]; [w, _] := z; every _ in [1] { named[w] } }",
    "y if { z := [\"adm\", 1]; [w, _] := z; every _ in [1] { named[w] } }",
    "y if { z := [\"adm\", 1]; [w, _] := z; every _ in [1] { every _ in [2] { named[w] } } }",
    "y if { z := [\"c\", 1]; [w, _] = z; every _ in [1] { named[w] } }",
    "y if { lower(\"C\", w); every _ in [1] { named[w] } }",
    "y if { lower(\"C\", w); every _ in [1] { w == \"c\" } }",
    "y if { walk([\"c\"], [_, w]); every _ in [1] { named[w] } }",
    "y if { walk([\"c\"], [_, w]); w2 := w; every _ in [1] { named[w2] } }",
    "y if { walk([\"c\"], [_, w]); every _ in [1] { w == \"c\" } }",
    "y if { some i; [[1, 2], [\"a\", \"a\"]][i] = v; w = v; every _ in [1] { {\"a\": \"a\", \"b\": \"b\"}[w] } }",
    "y := [1 | v := \"c\"; w = v; every _ in [1] { named[w] }]",
    "y if { v := \"c\"; w = v; count([1 | every _ in [1] { named[w] }]) == 1 }",
    "y if { v := \"c\"; every _ in [1 | w := v; named[w]] { false } }",
    "y if { one := \"c\"; w = one; every _ in [1] { named[w]; named[one] } }",
];

/// Answered by OPA alone: the engine would let the `=` that is denied, or in `every`, give the name a value.
const WEAK: [&str; 10] = [
    "y if { a := 1; b = a; every c in [1, 2] { b = c } }",
    "y if { a := 1; b = a; not b = 2 }",
    "y if { a := 1; [b, d] = [a, 2]; every c in [3, d] { b = c } }",
    "y if { a := input.z; c = [a]; not c = [3] }",
    "y if { [c, d] = input.xs; not c = 77; d }",
    "y if { {\"k\": c} = input; not c = 77 }",
    "y if { a := 1; b = a; c = b + 1; not c = 3 }",
    "y if { a := 1; b = a; c := b + 1; not c = 3 }",
    "y if { walk([1], [_, v]); not v = 77; v == 1 }",
    "y if { v = {1 | every v in {1} { v < 1 }}; every x in [1] { {[1, x]}[v] } }",
];

/// Answered by OPA alone: the engine would walk after it has gone through the last statement, and see its `with`.
const WALKED: [&str; 2] = [
    "y if { walk(input.q, [p, v]); some x in xs with input as {\"q\": 1} }",
    "y if { [p, v] := walk(input.q); some x in xs with input as {\"q\": 1} }",
];

/// Answered by both, the same: the engine would give the name of `every` another value.
const GIVEN: [&str; 23] = [
    "y if { every u in [\"q\"] { {[\"q\", 1]}[[u, 1]] } }",
    "y if { every u in [\"q\"] { not {[\"q\", 1]}[[u, 1]] } }",
    "y if { every v in [1] { f(1, v) } }",
    "y if { every x in members { n = x; n } }",
    "y if { every x in xs { x = 1 } }",
    "y if { every x in [\"adm\"] { x = \"adm\" } }",
    "y if { every k, x in [\"adm\"] { [k, x] = [1, \"adm\"] } }",
    "y if { every x in [\"a\"] { every x in [\"b\"] { x = \"b\" }; x = \"a\" } }",
    "y if { every x in [\"adm\", \"bob\"] { xs[i] = x; i < 1 } }",
    "y if { every x in [\"a\"] { some z in [\"b\", \"c\"]; x = z } }",
    "y if { every x in [\"b\"] { not x = \"b\" } }",
    "y if { every k, v in {\"a\": 1} { o := {\"a\": 2, \"b\": 1}; o[k] = v } }",
    "y if { n = \"adm\"; every x in xs { n = x } }",
    "y if { every x in xs { n = [x]; n == [\"adm\"] } }",
    "y if { every u in [\"zed\"] { {[\"q\", 1]}[[u, 1]] } }",
    "y if { every u in [\"zed\"] { ms := {[\"q\", 1]}; ms[[u, _]] } }",
    "y if { every u in [\"zed\"] { ms := {{\"n\": \"q\"}}; ms[{\"n\": u}] } }",
    "y if { every u in [\"zed\"] { not {[\"q\", 1]}[[u, 1]] } }",
    "y if { every u in [\"zed\"] { count([1 | {[\"q\", 1]}[[u, 1]]]) == 0 } }",
    "y if { every v in [7] { walk([1], [_, v]) } }",
    "y if { every v in [7] { count([1], v) } }",
    "y if { every v in [7] { f(1, v) } }",
    "y if { every v in [7] { split(\"a.b\", \".\", [v, _]) } }",
];

fn module(body: &str) -> String {
    format!("package a\n{RULES}{body}\n")
}

fn refused(body: &str) -> String {
    match ours(&module(body), "data.a.y") {
        Err(AskError::Refused(error)) => error.to_string(),
        other => panic!("{body}: {other:?}"),
    }
}

#[track_caller]
fn alike(bodies: &[&str]) {
    for body in bodies {
        let ours = ours(&module(body), "data.a.y").unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(ours, opa(&module(body), "data.a.y"), "{body}");
    }
}

#[test]
fn what_is_in_order_is_answered_as_by_opa() {
    alike(&ANSWERED);
}

/// Whether OPA loads it.
fn loads(folder: &Path, body: &str) -> bool {
    fs::write(folder.join("a.rego"), module(body)).expect("it can be written");
    let words = ["check", "a.rego"];
    Command::new(program("opa")).current_dir(folder).args(words).output().expect("opa runs").status.success()
}

#[test]
fn what_opa_does_not_load_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (body, why) in WRITTEN {
        assert!(refused(body).contains(why), "{body}");
        assert!(!loads(folder.path(), body), "opa loads {body}");
    }
    for body in REFUSED {
        let error = refused(body);
        let words =
            ["unsafe", "declared", "declare again", "called as a function", "is a keyword", "is a set"];
        assert!(words.iter().any(|word| error.contains(word)), "{body}: {error}");
        assert!(!loads(folder.path(), body), "opa loads {body}");
    }
}

#[test]
fn what_a_negation_or_every_has_from_a_later_statement_is_refused() {
    for body in LATE {
        let error = refused(body);
        assert!(error.contains("from a later statement"), "{body}: {error}");
        // It means something to OPA, or nothing; loaded it is.
        opa(&module(body), "data.a.y");
    }
}

#[test]
fn an_every_that_opa_asks_for_too_soon_is_refused() {
    for body in SOON {
        let error = refused(body);
        assert!(error.contains("OPA asks for it in its own place"), "{body}: {error}");
        assert_eq!(opa(&module(body), "data.a.y"), None, "{body}");
    }
}

/// To OPA what a comprehension takes is all that its statement waits for.
#[test]
fn what_stands_beside_a_comprehension_and_is_given_later_is_refused() {
    let around = "teams := [[\"a\"]]\nlead.a := 1\n";
    for (stmt, given, opas) in [
        ("{k} == {r | some r in u}", "k = lower(\"A\")", "undefined"),
        ("{r | some r in u} = {k}", "k = \"a\"", "undefined"),
        ("[{r | some r in u}, 1] = [{k}, 1]", "lead[k]", "undefined"),
        ("{\"a\": {r | some r in u}} == {\"a\": {k}}", "k = \"a\"", "undefined"),
        ("[r | some r in u] != [k]", "k = \"b\"", "eval_internal_error"),
        ("k in {r | some r in u}", "k = \"a\"", "eval_internal_error"),
        ("{r | some r in u} & {k} == {\"a\"}", "k = \"a\"", "eval_internal_error"),
        ("count([[r | some r in u], [k]]) == 2", "k = \"a\"", "rego_unsafe_var_error"),
    ] {
        let body = |one: &str, other: &str| format!("{around}y if {{ some u in teams; {one}; {other} }}");
        let late = body(stmt, given);
        let error = refused(&late);
        assert!(error.contains("`k`") && error.contains("OPA does not wait there"), "{late}: {error}");
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("a.rego"), module(&late)).expect("it can be written");
        let words = ["eval", "--format", "json", "--data", "a.rego", "data.a.y"];
        let opa = Command::new(program("opa")).current_dir(folder.path()).args(words).output();
        let told = String::from_utf8(opa.expect("opa runs").stdout).expect("text");
        assert!(
            if opas == "undefined" { told.trim() == "{}" } else { told.contains(opas) },
            "{late}: {told}"
        );
        same(&module(&body(given, stmt)), "data.a.y");
    }
    for sane in [
        "y if { some u in [[1]]; count({r | some r in u}) == n; n = 1 }",
        "y if { some u in [[1]]; {r | some r in u}[k]; k = 1 }",
        "y if { some u in [[1]]; {r | some r in u} = k; k = {1} }",
        "y if { some u in [[1]]; n = count({r | some r in u}) + k; k = 1; n == 2 }",
        "y := [k, [r | some r in u]] if { some u in [[1]]; k = j + 1; j = 1 }",
        "y := [abs(k), [r | some r in u]] if { some u in [[1]]; k = j + 1; j = 1 }",
        "y if { {e | e = 1} == {k}; k = 1 }",
        "y := z if { u := [\"a\"]; z := [k, [r | some r in u]]; k = \"a\" }",
        "y if { u := [\"a\"]; [k, [r | some r in u]] == [l, [\"a\"]]; k = j; l = j; j = \"a\" }",
        "y := k if { u := [\"a\"]; [x | some x in u][0] == k; k = \"a\" }",
        "y := fits(3)\nfits(v) if { {e | e = v} == {k}; k = 3 }",
    ] {
        same(&module(sane), "data.a.y");
    }
}

/// OPA leaves such a statement out of the body.
#[test]
fn what_opa_passes_over_is_refused() {
    for body in [
        "y if { held[[7 | b]]; b = 1 }",
        "y if { b := 1; held[[b | b == 7]] }",
        "y if { some b in [1, 2]; held[[b | true]]; b == 2 }",
    ] {
        let body = format!("held contains [1]\n{body}");
        let error = refused(&body);
        assert!(error.contains("OPA passes over the statement"), "{body}: {error}");
        assert_eq!(opa(&module(&body), "data.a.y"), Some(true.into()), "{body}");
    }
}

/// To OPA a statement may read a name that only one behind it gives a value to, by what the first one gives.
#[test]
fn what_is_read_before_it_has_a_value_is_an_error_and_not_nothing() {
    for body in [
        "y if { some n; id := lower(n); named[id] = n }",
        "y if { id := lower(n); named[id] = n }",
        "y if { some u; id := u with input.q as 1; named[id] = u }",
        "y if { nums[k] = j + 1; j = k }",
        "y if { some u; some id in [u]; named[id] = u }",
    ] {
        let module = module(body);
        let error = ours(&module, "data.a.y").unwrap_err().to_string();
        assert!(error.contains("has no value yet where it is read"), "{body}: {error}");
        assert_eq!(opa(&module, "data.a.y"), Some(true.into()), "{body}");
    }
}

#[test]
fn what_is_denied_or_in_every_gives_no_name_a_value() {
    for body in WEAK {
        let error = refused(body);
        let told = ["not waited for before", "does not tell it"].iter().any(|why| error.contains(why));
        assert!(told, "{body}: {error}");
        let folder = tempfile::tempdir().unwrap();
        assert!(loads(folder.path(), body), "{body}");
    }
}

#[test]
fn every_waits_for_what_its_body_reads() {
    alike(&AWAITED);
}

/// Loaded by OPA, which takes each for a comprehension whose body is a union.
#[test]
fn a_union_that_opa_takes_for_a_body_is_refused() {
    for body in [
        "y := {1: input.q | {1} | {1}}",
        "y := {1: {2} | ({1} | {1})}",
        "y := [{2} | {1} | {1}]",
        "y := { {2} | {1} | {1} }",
        "y if count([{2} | {1} | {1}]) == 1",
    ] {
        let error = refused(body);
        assert!(error.contains("begins the body of a comprehension"), "{body}: {error}");
        let folder = tempfile::tempdir().unwrap();
        assert!(loads(folder.path(), body), "{body}");
    }
    alike(&[
        "y := [{2} | {1}]",
        "y := {1: {2} | {1} & {1}}",
        "y := {1: {2} | one; {1} | {1}}",
        "y := [({2} | {1} | {3})]",
        "y := {1: ({2} | {1})}",
        "y := [{2} | {1} | {1}, 3]",
        "y := [3, {2} | {1}]",
        "y := {3: 4, 1: {2} | {1}}",
        "y := {3: {2} | {1}, 4: 5}",
        "sets contains {1, 2}\ny if sets[{2} | {1}]",
        "y := count({2} | {1} | {3})",
        "y := {2} | {1} | {3}",
    ]);
}

/// A package `a.b` is below the package `a`, and no rule of it.
#[test]
fn a_package_below_is_no_name_of_the_one_above() {
    let below = ("b.rego", "package a.w\n\nq := 1\n");
    for body in AWAITED.iter().copied().chain([
        "y if { w = \"eve\"; not w == \"adm\"; named[w] }",
        "y := [w | some w in xs]",
        "y := data.a.w.q",
        "y := w if { w = lists[1][0] }",
    ]) {
        let module = module(body);
        let modules = [("a.rego", module.as_str()), below];
        let ours = ours_of(&modules, "data.a.y").unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(ours, opa_of(&modules, "data.a.y"), "{body}");
    }
    let module = module("y := w.q");
    let unbound = ours_of(&[("a.rego", module.as_str()), below], "data.a.y").expect_err("nothing binds it");
    assert!(unbound.to_string().contains("OPA calls it unsafe"), "{unbound}");
}

#[test]
fn no_name_of_every_gets_another_value() {
    alike(&GIVEN);
}

#[test]
fn no_with_reaches_what_is_walked_before_it() {
    for body in WALKED {
        assert!(refused(body).contains("goes through many values"), "{body}");
        assert_eq!(opa(&module(body), "data.a.y"), None, "{body}");
    }
}

/// What OPA calls for operators.
const OPERATORS: [&str; 15] = [
    "and", "assign", "div", "eq", "equal", "gt", "gte", "lt", "lte", "minus", "mul", "neq", "or", "plus",
    "rem",
];

#[test]
fn nothing_is_called_as_opa_calls_an_operator() {
    for name in OPERATORS {
        for defined in [format!("{name}(a, b) := [a, b]"), format!("default {name} := 1")] {
            let error = refused(&defined);
            assert!(error.contains("is what OPA calls for"), "{name}: {error}");
        }
    }
    let imported = "package a\nimport data.b.gte\ny if input.n >= 2\n";
    assert!(ours(imported, "data.a.y").is_err());
    // To OPA the function stands in the operator's place.
    let taken = "package a\ngte(a, b) if a == b\none := json.unmarshal(\"1\")\ny if one >= 0\n";
    assert_eq!(opa(taken, "data.a.y"), None);
}
