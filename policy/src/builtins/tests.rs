use super::*;

fn call(name: &str, args: &str) -> anyhow::Result<Value> {
    let mut engine = Engine::new();
    install(&mut engine)?;
    turn::begin(Some(1_795_300_123));
    engine.add_policy("a.rego".to_owned(), format!("package a\nx := {name}({args})"))?;
    engine.eval_rule("data.a.x".to_owned())
}

#[track_caller]
fn assert_gives(name: &str, args: &str, want: &str) {
    let want = Value::from_json_str(want).unwrap();
    assert_eq!(call(name, args).unwrap_or_else(|error| panic!("{name}: {error}")), want, "{name}({args})");
}

#[test]
fn the_table_names_every_builtin_of_the_engine_once_and_in_order() {
    for name in ENGINE.keys() {
        assert!(known(name).is_some(), "{name} is not in the table");
    }
    assert!(TABLE.is_sorted_by(|(one, _), (next, _)| one < next));
}

#[test]
fn a_guarded_builtin_still_answers() {
    assert_gives("base64.encode", "\"abc\"", "\"YWJj\"");
    assert_gives("net.cidr_expand", "\"10.0.0.0/30\"", r#"["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3"]"#);
    assert_gives("regex.replace", r#""abc", "b", "x""#, "\"axc\"");
    assert_gives("units.parse", "\"1K\"", "1000");
    assert_gives("product", "[2, 3]", "6");
}

#[test]
fn our_own_builtins_answer_as_opa_does() {
    assert_gives("strings.count", r#""aaaa", "aa""#, "2");
    assert_gives("indexof", r#""héllo", "l""#, "2");
    assert_gives("indexof_n", r#""héééé", "éé""#, "[1, 2, 3]");
    assert_gives("replace", r#""aba", "a", "cc""#, "\"ccbcc\"");
    assert_gives("strings.replace_n", r#"{"a": "b", "b": "c"}, "ab""#, "\"bc\"");
    assert_gives("split", r#""a.b.", ".""#, r#"["a", "b", ""]"#);
    assert_gives("split", r#""ab", """#, r#"["a", "b"]"#);
    assert_gives("concat", r#"", ", ["a", "b"]"#, "\"a, b\"");
    assert_gives("numbers.range", "3, 1", "[3, 2, 1]");
    assert_gives("numbers.range_step", "1, 8, 3", "[1, 4, 7]");
    assert_gives("numbers.range_step", "8, 1, 3", "[8, 5, 2]");
    assert_gives(
        "numbers.range",
        "9223372036854775806, 9223372036854775807",
        "[9223372036854775806, 9223372036854775807]",
    );
    assert_gives("time.now_ns", "", "1795300123000000000");
}

#[test]
fn what_costs_too_much_hits_the_cap_before_it_is_done() {
    let many = "numbers.range(1, 10000)";
    let text = "concat(\"\", [\"aaaaaaaaaa\" | some _ in numbers.range(1, 10000)])";
    for (name, args) in [
        ("net.cidr_expand", "\"10.0.0.0/8\"".to_owned()),
        ("net.cidr_expand", "\"::/64\"".to_owned()),
        ("sprintf", "\"%100000000d\", [1]".to_owned()),
        ("numbers.range", "1, 5000000".to_owned()),
        ("numbers.range", "-9223372036854775807, 9223372036854775807".to_owned()),
        ("numbers.range_step", "1, 1000000000000, 1".to_owned()),
        ("strings.count", "\"abc\", \"\"".to_owned()),
        ("bits.lsh", "1, 1000000000".to_owned()),
        ("product", many.to_owned()),
        ("units.parse", "\"1e999999999\"".to_owned()),
        ("units.parse_bytes", "\"1e99999999\"".to_owned()),
        ("replace", format!("{text}, \"a\", {text}")),
        ("strings.replace_n", format!("{{\"a\": {text}}}, {text}")),
        ("concat", format!("{text}, [\"a\" | some _ in {many}]")),
        ("split", format!("{text}, \"\"")),
        ("indexof_n", format!("{text}, \"a\"")),
        ("regex.find_n", format!("\"a.*[^a]|a\", {text}, -1")),
        ("regex.match", format!("{text}, \"a\"")),
        ("regex.replace", format!("\"{}\", \"a\", {text}", "a".repeat(500))),
        ("glob.match", format!("{text}, [], {text}")),
        ("json.marshal_with_options", format!("[1], {{\"pretty\": true, \"indent\": {text}}}")),
        ("walk", format!("[{many}, {many}]")),
        (
            "json.patch",
            format!(
                "{{\"a\": {many}}}, [o | some i in numbers.range(1, 9); o := {{\"op\": \"copy\", \"from\": \"\", \"path\": sprintf(\"/%d\", [i])}}]"
            ),
        ),
    ] {
        let error = call(name, &args).map(|value| value.to_string().len()).unwrap_err();
        let excess = turn::end().unwrap_or_else(|| panic!("{name}: {error}"));
        assert_eq!(excess.builtin, name);
    }
}

#[test]
fn values_that_share_their_parts_are_weighed_as_if_they_did_not() {
    let mut laughs = Value::from("ha");
    for _ in 0..30 {
        laughs = Value::from(vec![laughs.clone(), laughs]);
    }
    turn::begin(None);
    assert!(matches!(weigh::deep(&[laughs]), Err(Fail::Limit(_))));
}

#[test]
fn one_decision_cannot_build_more_than_its_purse() {
    turn::begin(None);
    let text = Value::from("a".repeat(200_000));
    let spent = (0..1_000).take_while(|_| weigh::linear(std::slice::from_ref(&text)).is_ok()).count();
    assert_eq!(spent, 41);
}
