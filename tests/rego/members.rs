//! An object has exactly the members that its pattern names, as with OPA.

use crate::{opa, ours};

/// What is asked of: objects as their patterns say, with a member more, one less, and others in their place.
const RULES: &str = r#"
o := json.unmarshal("{\"a\": 1}")
more := json.unmarshal("{\"a\": 1, \"b\": 2}")
deep := json.unmarshal("{\"r\": {\"p\": 1}, \"s\": 2}")
deeper := json.unmarshal("{\"r\": {\"p\": 1, \"q\": 3}, \"s\": 2}")
list := json.unmarshal("[{\"a\": 1}, {\"a\": 1, \"b\": 2}, {}, {\"b\": 3}, 4, \"a\", null, [{\"a\": 1}], {\"a\": 5}]")
set := {member | member := list[_]}
named := json.unmarshal(`{"k": {"a": 1}, "l": {"a": 1, "b": 2}, "m": {"a": 3}, "n": "a"}`)
keyed := {{"a": 1}: 1, {"a": 1, "b": 2}: 2}
pairs := json.unmarshal("[[{\"a\": 1}, 2], [{\"a\": 1, \"b\": 2}, 3], [{\"a\": 1}]]")
number := json.unmarshal("3")
"#;

/// A body each, beside the rules above; `y` is asked for.
const BODIES: &[&str] = &[
    // By `:=`.
    r#"y := x if { {"a": x} := o }"#,
    r#"y := x if { {"a": x} := more }"#,
    r#"y := 1 if { {"a": _} := more }"#,
    r#"y := x if { {"a": x, "b": _} := more }"#,
    r#"y := x if { {"a": x, "b": _} := o }"#,
    r#"y := x if { {"a": x} := number }"#,
    r#"y := x if { {"a": x} := o.none }"#,
    r#"y := x if { {"r": {"p": x}, "s": _} := deep }"#,
    r#"y := x if { {"r": {"p": x}, "s": _} := deeper }"#,
    r#"y := x if { {"r": {"p": 1}, "s": x} = deeper }"#,
    r#"y := x if { {"r": x, "s": _} := deeper }"#,
    r#"y := x if { [{"a": x}, _] := pairs[0] }"#,
    r#"y := x if { [{"a": x}, z] := pairs[1] }"#,
    r#"y := [x | [{"a": x}, z] := pairs[_]]"#,
    r#"y := [x | {"a": x} := list[_]]"#,
    r#"y := [[i, x] | {"a": x} := list[i]]"#,
    r#"y := [x | {} = list[x]; {"a": _} := o]"#,
    r"y := [x | [{}, x] := [list[_], 1]]",
    r#"y := x if { z := more; {"a": x} := z }"#,
    r#"y := x if { {"a": x} := object.remove(more, ["b"]) }"#,
    r#"y := x if { {"a": x} := input with input as {"a": 1, "b": 2} }"#,
    r#"y := x if { {"a": x} := input with input as {"a": 1} }"#,
    // By `=`, from either side.
    r#"y := x if { {"a": x} = o }"#,
    r#"y := x if { {"a": x} = more }"#,
    r#"y := x if { more = {"a": x} }"#,
    r#"y := x if more = {"a": x}"#,
    r#"y := x if o = {"a": x}"#,
    r#"y := x if named.l = {"a": x}"#,
    "y := x if {\n\t(more) = {\"a\": x} # both\n\tx == 1\n}",
    "y := x if {\n\t(o) = { # one\n\t\t\"a\": x,\n\t}\n\tx == 1\n}",
    r#"y if { {"a": 1} = more }"#,
    r#"y if { {"a": 1} = o }"#,
    r#"y if { z := 1; {"a": z} = more }"#,
    r#"y if { z := 1; {"a": z} = o }"#,
    r#"y if { {"a": _} = more }"#,
    r#"y if { {"a": _} = o }"#,
    r#"y := x if { z := more; {"a": x} = z }"#,
    r#"y := x if { z := o; {"a": x} = z }"#,
    r#"y := x if { some z in list; {"a": x} = z; x == 5 }"#,
    r#"y := [x | some z in list; {"a": x} = z]"#,
    r#"y := [x | some z in list; z = {"a": x}]"#,
    r#"y := [x | {"a": x} = list[_]]"#,
    r#"y := [i | {"a": 1} = list[i]]"#,
    r#"y := {x | {"a": x} = set[_]}"#,
    r#"y := {k: x | named[k] = {"a": x}}"#,
    r#"y := z if { x := 1; {"a": x} = z }"#,
    r#"y := z if { x := 1; z = {"a": x} }"#,
    r#"y := z if { some x; {"a": x} = z; x = 1; z == o }"#,
    r#"y := [z, w] if { x := 1; [{"a": x}, w] = [z, 2] }"#,
    r#"y := [x, w] if { [{"a": x}, w] = [more, 2] }"#,
    r#"y := [x, w] if { [{"a": x}, 2] = [o, w] }"#,
    r#"y := [x, w] if { [w, {"a": x}] = [2, more] }"#,
    r#"y := [x, w] if { {"r": {"a": x}, "s": 2} = {"r": more, "s": w} }"#,
    r#"y := [x, w] if { {"r": {"a": x}, "s": 2} = {"s": w, "r": o} }"#,
    r#"y := x if { {"s": x, "r": {"a": 1}} = {"s": 2, "r": more} }"#,
    r#"y := x if { {"s": x, "r": {"a": 1}} = {"s": 2, "r": o} }"#,
    r#"y := x if { {"a": x} = same(more) }
same(z) := z"#,
    r#"y if { not holds }
holds if { {"a": x} = more; x == 1 }"#,
    r#"y if { k := "a"; {k: x} = more; x == 1 }"#,
    r#"y := x if { k := "a"; {k: x} = o }"#,
    r"y := x if { {named.n: x} = o }",
    r"y := x if { {named.n: x} = more }",
    r"y := x if { z := {1: 2}; {1: x} = z }",
    r#"y if { every z in [more, o] { {"a": x} := z; x == 1 } }"#,
    r#"y if { every z in [o, o] { {"a": x} := z; x == 1 } }"#,
    r#"y := x if { x := 1; {"a": [x]} = {"a": [1]} }"#,
    r#"y := x if { k := "a"; {k: [x]} = {k: [1]} }"#,
    r#"y := x if { k := "a"; {k: {"a": x}} = {k: more} }"#,
    r#"y := x if { k := "a"; {k: {"a": x}} = {k: o} }"#,
    r#"y := x if { x = {"a": 1}; x = o }"#,
    r#"y := 1 if { x = {"a": 1}; x = more }"#,
    // By `some … in`.
    r#"y := [x | some {"a": x} in list]"#,
    r#"y := [k | some k, {"a": _} in list]"#,
    r#"y := [k | some k, {"a": 1} in list]"#,
    r"y := [k | some k, {} in list]",
    r#"y := [k | some k, [{"a": 1}] in list]"#,
    r#"y := {x | some {"a": x} in set}"#,
    r#"y := {x | some {"a": x}, _ in set}"#,
    r#"y := {x | some x, {"a": 1} in set}"#,
    r#"y := {k | some k, {"a": _} in named}"#,
    r#"y := {x | some {"a": 1}, x in keyed}"#,
    r#"y := {x | some {"a": _}, x in keyed}"#,
    r#"y := [x | some [{"a": _}, x] in pairs]"#,
    r#"y := [x | some {"a": x} in [{"a": 1}, {"a": 2, "b": 3}]]"#,
    r#"y := [x | some {"a": x} in number]"#,
    r#"y := [x | some {"a": x} in o.none]"#,
    r#"y := [x | k := "a"; some {k: x} in list]"#,
    r#"y := z if { z := [x | some {"a": x} in input] with input as [{"a": 1}, {"a": 2, "b": 3}] }"#,
    r#"y if { some {"a": 5} in list }"#,
    r#"y if some {"b": 2} in list"#,
    r#"y if some {"b": 3} in list"#,
    // By the arguments of a function.
    r#"f({"a": x}) := x
y := f(o)"#,
    r#"f({"a": x}) := x
y := f(more)"#,
    r#"f({"a": x}) := x if x == 1
y := [f(o), 1]"#,
    r#"f({"a": x}) := x if x == 1
y := f(more)"#,
    r#"f({"a": x}) := x if 1 == x
y := f(more)"#,
    r#"f({"b": x}) := x if "c" == x
y := f({"b": "c"})"#,
    r#"f({"b": x}) := x if { "c" == x; x != "d" }
y := f({"b": "c"})"#,
    r#"f({"b": x}) := x if { ("c") == x }
y := f({"b": "c"})"#,
    r#"f({"b": x}) := x if ("c" == "c") == x
y := f({"b": true})"#,
    "f({\"b\": x}) := x if { # why\n\tx == \"c\" # so\n}\ny := f({\"b\": \"c\"})",
    "f({\n\t\"b\": x,\n}, z) := x if {\n\tx == z\n}\ny := f({\"b\": \"c\"}, \"c\")",
    r#"f({"b": x}) := [x] if { not x == 1 } else := [x, x] if x == 1 else := 7
y := [f({"b": 0}), f({"b": 1})]"#,
    r#"f({"b": x}) := [x] if { not x == 1 } else := [x, x] if x == 1 else := 7
y := f(json.unmarshal(`{"b": 0, "c": 1}`))"#,
    r#"f({"a": x}) := x if x == 2 else := [x]
y := f(o)"#,
    r#"f({"a": x}) := x if x == 2 else := [x]
y := f(more)"#,
    r#"f({"a": 1}) := 1
f({"a": 1, "b": 2}) := 2
y := [f(o), f(more)]"#,
    r#"f({"a": 1}) if true
y if f(more)"#,
    r#"f({"a": 1}) if true
y if f(o)"#,
    r#"f({"a": 1}) := true
y if not f(more)"#,
    r"f({}) := 1
y := [f(x) | some x in list]",
    r#"f({"a": _}) := 1
y := [f(x) | some x in list]"#,
    r#"f([{"a": x}, z], w) := [x, z, w]
y := [f(x, 0) | some x in pairs]"#,
    r#"f({"r": {"p": x}, "s": s}) := [x, s]
y := [f(deep), 1]"#,
    r#"f({"r": {"p": x}, "s": s}) := [x, s]
y := f(deeper)"#,
    r#"f({"a": o}) := o if o == 1
y := f({"a": 1})"#,
    r#"f({"a": x}) := [z | some z in list; z == {"a": x}]
y := f(o)"#,
    r#"f({"a": x}) := {z | some z in set; {"a": x} = z} if { some z in list; z == 4 }
y := f(o)"#,
    r#"default f(_) := 0
f({"a": x}) := x
y := [f(o), f(more)]"#,
    r#"f({"a": x}, {"b": z}) := [x, z]
y := [f(o, {"b": 2}), 1]"#,
    r#"f({"a": x}, {"b": z}) := [x, z]
y := f(o, more)"#,
    // In brackets.
    r#"y := [x | set[{"a": x}]]"#,
    r#"y := [[x, z] | z := set[{"a": x}].a]"#,
    r#"y := [z | z := set[{"a": _}]]"#,
    r#"y := [z | z := data.a.set[{"a": _}]]"#,
    r#"y := {[x, z] | z := keyed[{"a": x}]}"#,
    r#"y := {z | z := pairs_set[[{"a": _}, _]]}
pairs_set := {z | z := pairs[_]}"#,
    r#"y if { not has_five }
has_five if set[{"a": 6, "b": _}]"#,
    r#"y := [x | list[{"a": x}]]"#,
    r#"y := [x | nested := {"s": set}; nested.s[{"a": x}].a > 1]"#,
    // What is compared, and takes nothing apart.
    r#"y if { x := 1; set[{"a": x}] }"#,
    r#"y if { x := 2; set[{"a": x}] }"#,
    r#"y if { {"a": 1} in list }"#,
    r#"y if { {"b": 2} in list }"#,
    r#"y if more == {"a": 1}"#,
];

#[test]
fn an_object_has_the_members_of_its_pattern_and_no_others() {
    let mut wrong = Vec::new();
    for body in BODIES {
        let module = format!("package a\n{RULES}{body}\n");
        let theirs = opa(&module, "data.a.y");
        match ours(&module, "data.a.y") {
            Err(error) => wrong.push(format!("{body}\n   opa {theirs:?}\n   {error}")),
            Ok(ours) if ours != theirs => wrong.push(format!("{body}\n   opa {theirs:?}\n   ours {ours:?}")),
            Ok(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_path_that_is_no_text_at_all_leads_nowhere() {
    let module = r#"package a
o := {"": {"": 1}, "a": 2}
x := [[json.filter(o, [p, "b"]), json.remove(o, [p, "b"])] | some p in ["", "/", "//", "/a", "a/"]]
"#;
    let all = crate::same(module, "data.a.x");
    assert_eq!(all[0], serde_json::json!([{}, {"": {"": 1}, "a": 2}]));
}

/// Operations on [`PATCHED`], `y` gathers what comes of each.
const PATCHES: &[&str] = &[
    r#"{"op": "replace", "path": p, "value": 9}"#,
    r#"{"op": "add", "path": p, "value": 9}"#,
    r#"{"op": "remove", "path": p}"#,
    r#"{"op": "test", "path": p, "value": 20}"#,
    r#"{"op": "copy", "from": p, "path": "/z"}"#,
    r#"{"op": "copy", "from": "/x/0", "path": p}"#,
    r#"{"op": "move", "from": p, "path": "/z"}"#,
    r#"{"op": "move", "from": "/x/0", "path": p}"#,
    r#"{"op": "move", "from": "/n/2", "path": p}"#,
    r#"{"op": "add", "path": "/o/1", "value": [1, [2, 3]]}, {"op": "add", "path": p, "value": 9}"#,
    r#"{"op": "remove", "path": "/x/2."}, {"op": "add", "path": p, "value": 9}"#,
];

/// A list, and objects whose members look like indexes.
const PATCHED: &str = r#"{"x": [10, 20, 30], "o": {"1.0": 1, "1": 2, "01": 3}, "n": [[1, 2], [3, 4], {"1.0": [5, 6]}], "s": {"1.0"}}"#;

#[test]
fn an_index_with_a_point_is_one_to_json_patch_where_it_meets_a_list() {
    let paths = r#"["/x/1.0", "/x/1.", "/x/1.00", "/x/.0", "/x/+1.0", "/x/-0.0", "/x/3.0", "/x/4.0", "/x/01.0", "/x/0.0",
        "/x/0.", "/x/.", "/x/1.5", "/x/1e0", "/x/-1.0", "/x/1.0/", "x/1.0", "/x/+.0", "/x/-.", "/x/-00.0", "/x/+01.0", "/x/1.0.0", "/x/99999999999999999999.0",
        "/o/1.0", "/o/1.", "/o/01", "/n/1.0/0", "/n/1/1.0", "/n/1.0/1.0", "/n/2.0/1.0", "/n/2.0/1.0/1.0", "/o/1.0/1.0",
        "/o/1/1.0", "/o/1/1.0/1.0", "/s/1.0", ["x", "1.0"], ["x", 1], ["x", 1.0], ["x", input.i], ["n", input.i, input.i],
        ["o", "1.0"], ["x", 1.5], ["x", -1], ["x", null], "/n/0.0/1.0", "/"]"#;
    let mut module = format!("package a\n\nd := {PATCHED}\n\npaths := {paths}\n");
    let asked = PATCHES.iter().enumerate().map(|(at, patch)| {
        format!(
            "\nx contains [{at}, i, json.patch(d, [{patch}])] if some i, p in paths\n\n\
             x contains [{at}, i] if {{ some i, p in paths; not json.patch(d, [{patch}]) }}\n"
        )
    });
    module.extend(asked);
    module += "\ny := v if v := x with input as {\"i\": 1.0}\n";
    let all = crate::same(&module, "data.a.y");
    let patched = all.as_array().expect("a set").iter().filter(|result| result.get(2).is_some()).count();
    assert!(patched > 150, "{patched}");
}

#[test]
fn a_version_4_network_in_version_6_is_no_network_to_merge() {
    let merged = |networks: &str| format!("package a\n\nx := net.cidr_merge([n | some n in {networks}])\n");
    for networks in [r#"["::ffff:10.0.0.0/104", "10.128.0.0/9"]"#, r#"["::ffff:11.0.0.0/104", "10.0.0.0/8"]"#]
    {
        let theirs = opa(&merged(networks), "data.a.x").expect("OPA keeps both");
        assert_eq!(theirs.as_array().map(Vec::len), Some(2), "{networks}");
        let denied = ours(&merged(networks), "data.a.x").expect_err(networks).to_string();
        assert!(denied.contains("without `::ffff:`"), "{denied}");
    }
    crate::same(
        &merged(
            r#"["10.0.0.0/9", "10.128.0.0/9", "::fffe:a00:0/104", "::ffff:11.0.0.1", "fd00::/9", "fd80::/9"]"#,
        ),
        "data.a.x",
    );
}
