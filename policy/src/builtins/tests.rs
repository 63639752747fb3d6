use super::row::Page;
use super::*;

fn call(name: &str, args: &str) -> anyhow::Result<Value> {
    call_at(Some(1_795_300_123), name, args)
}

fn call_at(now: Option<u64>, name: &str, args: &str) -> anyhow::Result<Value> {
    let mut engine = Engine::new();
    install(&mut engine)?;
    turn::begin(now);
    engine.add_policy("a.rego".to_owned(), format!("package a\nx := {name}({args})"))?;
    engine.eval_rule("data.a.x".to_owned())
}

#[track_caller]
pub(super) fn assert_gives(name: &str, args: &str, want: &str) {
    // A set compares as the list it is written as.
    let given = call(name, args).unwrap_or_else(|error| panic!("{name}: {error}")).to_json_str().unwrap();
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(json(&given), json(want), "{name}({args})");
}

#[test]
fn the_table_has_one_row_for_every_builtin_of_the_engine() {
    for name in ENGINE.keys() {
        assert!(known(name).is_some(), "{name} is not in the table");
    }
    let rows: usize = FILES.iter().map(|rows| rows.len()).sum();
    assert_eq!(rows, TABLE.len(), "a name stands in two rows");
}

/// What a row lacks; none when it is whole.
fn lacks(row: &Builtin) -> Option<String> {
    let engines = ENGINE.get(row.name).map(|(_, arity)| *arity);
    match (row.by, engines) {
        (By::Refused(instead), _) => return instead.is_empty().then(|| "what to write instead".to_owned()),
        (By::Engine | By::Guard(_) | By::Ours(_), None) => return Some("what the engine has".to_owned()),
        (By::Added(_) | By::Own(..) | By::Within(..) | By::Before(_), Some(_)) => {
            return Some("a name that the engine does not have".to_owned());
        }
        (_, Some(arity)) if arity != row.arity() => return Some(format!("kinds of {arity} arguments")),
        _ => {}
    }
    if row.constants.iter().any(|(at, _)| *at >= usize::from(row.arity())) {
        return Some("an argument whose constants it asks about".to_owned());
    }
    let By::Own(_, page) = row.by else { return None };
    let names = page.arguments.split(", ").filter(|name| !name.is_empty()).count();
    if names != usize::from(row.arity()) {
        return Some("a name for each argument".to_owned());
    }
    if !page.what.ends_with('.') {
        return Some("a sentence for the reference".to_owned());
    }
    if page.examples.is_empty() {
        return Some("an example".to_owned());
    }
    page.examples.iter().find_map(|(example, value)| {
        let args = example.strip_prefix(row.name).and_then(|args| args.strip_prefix('(')?.strip_suffix(')'));
        let Some(args) = args else { return Some(format!("a call of it in {example}")) };
        let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
        let answer = call(row.name, args).ok().and_then(|answer| json(&answer.to_json_str().ok()?));
        if answer.is_none() || answer != json(value) {
            return Some(format!("a true value of {example}"));
        }
        (call_at(None, row.name, args).is_err() && !reads_now(row.name))
            .then(|| "a row internal.now.… beside it, for it answers by the clock".to_owned())
    })
}

#[test]
fn every_row_is_whole() {
    for row in TABLE.values() {
        assert_eq!(lacks(row), None, "{}", row.name);
    }
}

#[test]
fn a_row_that_lacks_something_is_found() {
    use signatures::{BOOL, TEXT, TEXTS};
    #[expect(clippy::unnecessary_wraps, reason = "the shape of every answer")]
    fn answer(_: &[Value]) -> Result<Value, Fail> {
        Ok(Value::Bool(true))
    }
    const fn page(what: &'static str, examples: &'static [(&'static str, &'static str)]) -> Page {
        Page { arguments: "windows", what, examples }
    }
    const TRUE: &[(&str, &str)] = &[("time.within(\"00:00-24:00\")", "true")];
    const WHOLE: Page = page("A.", TRUE);
    const SILENT: Page = page("", TRUE);
    const BARE: Page = page("A.", &[]);
    const FALSE: Page = page("A.", &[("time.within(\"00:00-24:00\")", "false")]);
    const OTHER: Page = page("A.", &[("time.now_ns()", "true")]);
    const FAILING: Page = page("A.", &[("time.within(\"never\")", "null")]);
    let own = |page| Builtin::new("time.within", &[TEXTS], BOOL, By::Own(answer, page));
    assert_eq!(lacks(&own(&WHOLE)), None);
    for (row, want) in [
        (own(&SILENT), "a sentence"),
        (own(&BARE), "an example"),
        (own(&FALSE), "a true value"),
        (own(&FAILING), "a true value"),
        (own(&OTHER), "a call of it"),
        (own(&WHOLE).constants(&[(1, |_| None)]), "an argument"),
        (Builtin::new("time.within", &[TEXTS, TEXT], BOOL, By::Own(answer, &WHOLE)), "a name for each"),
        (Builtin::new("startswith", &[TEXT], BOOL, By::Engine), "kinds of 2 arguments"),
        (Builtin::new("startswith", &[TEXT, TEXT], BOOL, By::Own(answer, &WHOLE)), "a name that"),
        (Builtin::new("time.within", &[TEXTS], BOOL, By::Ours(answer)), "what the engine has"),
        (Builtin::refused("http.send", ""), "what to write instead"),
    ] {
        let found = lacks(&row).unwrap_or_default();
        assert!(found.starts_with(want), "{want}: {found}");
    }
}

#[test]
fn a_guarded_builtin_still_answers() {
    assert_gives("base64.encode", "\"abc\"", "\"YWJj\"");
    assert_gives("net.cidr_expand", "\"10.0.0.0/30\"", r#"["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3"]"#);
    assert_gives("regex.replace", r#""abc", "b", "x""#, "\"axc\"");
    assert_gives("units.parse", "\"1K\"", "1000");
    assert_gives("format_int", "-0.25, 8", "\"0\"");
    assert_gives(
        "json.marshal",
        "[10000000000 * 10000000000 + 1, 0 * -1, -0.0]",
        "\"[100000000000000000001,0,0]\"",
    );
    assert_gives("json.marshal", "{18446744073709551615 + 7: 0.5}", "\"{\\\"18446744073709551622\\\":0.5}\"");
    assert_gives(
        "json.marshal",
        r#"{10: 1, 2: 1, "a": 3, true: 4}"#,
        r#""{\"10\":1,\"2\":1,\"a\":3,\"true\":4}""#,
    );
    assert_gives(
        "json.marshal",
        r#"[{"10": 1, 10: 2, [{3: 1}]: {[{"x"}]}}]"#,
        r#""[{\"10\":1,\"[{\\\"3\\\":1}]\":[[[\"x\"]]]}]""#,
    );
    assert_gives("format_int", "-1.5, 10", "\"-1\"");
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
        ("strings.count", "\"abc\", \"\"".to_owned()),
        ("numbers.range", "-9223372036854775807, 9223372036854775807".to_owned()),
        ("numbers.range_step", "1, 1000000000000, 1".to_owned()),
        ("net.cidr_merge", "[\"10.0.0.0/8\" | some _ in numbers.range(1, 4097)]".to_owned()),
        ("net.cidr_contains_matches", {
            let networks = "[\"10.0.0.0/8\" | some _ in numbers.range(1, 200)]";
            format!("{networks}, {networks}")
        }),
        ("array.flatten", format!("[{many}, {many}, {many}, {many}]")),
        ("crypto.sha256", format!("concat(\"\", [{text}, {text}, {text}])")),
        ("crypto.hmac.sha256", format!("concat(\"\", [{text}, {text}, {text}]), \"k\"")),
        (
            "internal.template_string",
            "[{numbers.range(1, 10000)} | some _ in numbers.range(1, 6)]".to_owned(),
        ),
        ("crypto.x509.parse_certificates", format!("concat(\"\", [{text}])")),
        ("io.jwt.decode", text.to_owned()),
        ("io.jwt.verify_hs256", format!("{text}, \"k\"")),
        ("io.jwt.verify_es512", {
            let keys =
                "concat(\",\", [`{\"kty\": \"oct\", \"k\": \"AA\"}` | some _ in numbers.range(1, 129)])";
            format!("\"e30.e30.\", concat(\"\", [`{{\"keys\": [`, {keys}, `]}}`])")
        }),
        ("io.jwt.verify_eddsa", {
            let key =
                r#"{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
            format!("\"e30.e30.\", `{{\"keys\": [{}]}}`", vec![key; 17].join(",\n"))
        }),
        ("io.jwt.decode_verify", format!("{text}, {{\"secret\": \"k\"}}")),
        (
            "io.jwt.encode_sign",
            format!("{{\"alg\": \"HS256\"}}, {{\"a\": {text}}}, {{\"kty\": \"oct\", \"k\": \"AA\"}}"),
        ),
        (
            "io.jwt.encode_sign_raw",
            format!(
                "`{{\"alg\": \"HS256\", \"typ\": \"a\"}}`, {text}, `{{\"kty\": \"oct\", \"k\": \"AA\"}}`"
            ),
        ),
        (
            "providers.aws.sign_req",
            format!("{{\"body\": [{many}, {many}, {many}, {many}, {many}]}}, {{}}, 0"),
        ),
        (
            "strings.render_template",
            format!("`{{{{range .a}}}}{{{{range $.a}}}}{{{{end}}}}{{{{end}}}}`, {{\"a\": {many}}}"),
        ),
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
        ("json.match_schema", format!("{{\"a\": {many}}}, {{}}")),
        ("json.match_schema", "{}, {\"$ref\": \"#\"}".to_owned()),
        (
            "json.match_schema",
            r#"{"a": numbers.range(1, 500)}, {"properties": {"a": {"allOf": [{"items": {}} | some _ in numbers.range(1, 100)]}}}"#
                .to_owned(),
        ),
        ("json.verify_schema", format!("{{\"enum\": {many}}}")),
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
        assert_eq!(excess.builtin, said(name));
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

#[test]
fn digests_are_those_of_their_standards() {
    assert_gives("crypto.sha1", "\"abc\"", "\"a9993e364706816aba3e25717850c26c9cd0d89d\"");
    let sha256 = "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"";
    assert_gives("crypto.sha256", "\"abc\"", sha256);
    // RFC 4231, the second case.
    let mac = "\"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843\"";
    assert_gives("crypto.hmac.sha256", r#""what do ya want for nothing?", "Jefe""#, mac);
    assert_gives("crypto.hmac.equal", r#""a", "a""#, "true");
    assert_gives("crypto.hmac.equal", r#""a", "b""#, "false");
}

#[test]
fn a_request_is_signed_with_aws_keys_or_refused_without_a_word_of_them() {
    let config = |more: &str| {
        format!(
            r#"{{"aws_access_key": "AKID", "aws_secret_access_key": "sesame", "aws_region": "us-east-1",
                "aws_service": "service"{more}}}"#
        )
    };
    let get = r#"{"method": "GET", "url": "https://example.com/"}"#;
    let fits = call("providers.aws.sign_req", &format!("{get}, {}, 0", config(""))).unwrap().to_string();
    assert!(fits.contains("Credential=AKID/19700101/us-east-1/service/aws4_request"), "{fits}");
    for (request, config, time) in [
        (r#"{"method": "GET"}"#, config(""), "0"),
        (r#"{"method": "GET", "url": "https://example.com/", "timeout": 1}"#, config(""), "0"),
        (
            r#"{"method": "GET", "url": "https://example.com/", "headers": {"a": "b", "A": "c"}}"#,
            config(""),
            "0",
        ),
        (r#"{"method": "GET", "url": "https://example.com/", "headers": {"a": "b\nc"}}"#, config(""), "0"),
        (r#"{"method": "GET", "url": "https://example.com/", "headers": {"a": ["b"]}}"#, config(""), "0"),
        (r#"{"method": "GET", "url": "https://example.com/", "body": 1.5}"#, config(""), "0"),
        (r#"{"method": "GET", "url": "https://example.com/a b"}"#, config(""), "0"),
        (r#"{"method": "GET", "url": "https://example.com/%4"}"#, config(""), "0"),
        (r#"{"method": "GET", "url": "https://a@example.com/"}"#, config(""), "0"),
        (r#"{"method": "GET", "url": "https://example.com/#a"}"#, config(""), "0"),
        (get, config(", \"aws_session_token\": 1"), "0"),
        (get, config(", \"disable_payload_signing\": 1"), "0"),
        (get, r#"{"aws_secret_access_key": "sesame"}"#.to_owned(), "0"),
        (get, r#""sesame""#.to_owned(), "0"),
        (get, config(""), "-1"),
        (get, config(""), "1e30"),
    ] {
        let args = [request, &config, time].map(|arg| Value::from_json_str(arg).unwrap());
        let fail = aws::sign_req(&args).unwrap_err();
        assert!(
            matches!(fail, Fail::Argument(_)) && !fail.to_string().contains("sesame"),
            "{request} {config}"
        );
    }
}

#[test]
fn networks_are_read_as_go_reads_them() {
    assert_gives("type_name", "net.cidr_expand(\"10.0.0.0/30\")", "\"set\"");
    assert_gives("net.cidr_contains", r#""10.0.0.0/8", "::ffff:10.1.2.3""#, "true");
    assert_gives("net.cidr_contains", r#""::ffff:10.0.0.0/104", "10.1.2.3""#, "true");
    assert_gives("net.cidr_contains", r#""::/0", "10.1.2.3""#, "false");
    assert_gives("net.cidr_contains", r#""10.0.0.0/8", "10.0.0.0/7""#, "false");
    assert_gives("net.cidr_is_valid", r#""010.0.0.0/8""#, "false");
    assert_gives("net.cidr_is_valid", r#""10.0.0.0/+8""#, "false");
    assert_gives("net.cidr_is_valid", r#""fe80::1%eth0/64""#, "false");
    assert_gives("net.cidr_merge", r#"["::/1", "8000::/1"]"#, r#"["::/0"]"#);
    assert_gives("net.cidr_merge", r#"["10.0.0.1", "255.0.0.0/8"]"#, r#"["10.0.0.1/8", "255.0.0.0/8"]"#);
    assert!(call("net.cidr_merge", "[\"240.0.0.1\"]").is_err());
}

#[test]
fn tokens_that_are_signed_verify_and_changed_ones_do_not() {
    let signed = |alg: &str, key: &str| {
        let args = format!("{{\"alg\": \"{alg}\"}}, {{\"iss\": \"me<\", \"exp\": 1795300124}}, {key}");
        call("io.jwt.encode_sign", &args).unwrap().as_string().unwrap().to_string()
    };
    // RFC 8037, appendix A.
    let (d, x) =
        ("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let edwards = signed(
        "EdDSA",
        &format!("{{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"d\": \"{d}\", \"x\": \"{x}\"}}"),
    );
    let public = format!("`{{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": \"{x}\"}}`");
    assert_gives("io.jwt.verify_eddsa", &format!("\"{edwards}\", {public}"), "true");
    assert_gives("io.jwt.verify_es256", &format!("\"{edwards}\", {public}"), "false");

    let secret = signed("HS384", "{\"kty\": \"oct\", \"k\": \"AAEC\"}");
    let key = "\"\\u0000\\u0001\\u0002\"";
    assert_gives("io.jwt.verify_hs384", &format!("\"{secret}\", {key}"), "true");
    assert_gives("io.jwt.verify_hs256", &format!("\"{secret}\", {key}"), "false");
    assert_gives("io.jwt.verify_hs384", &format!("\"{}A\", {key}", &secret[..secret.len() - 1]), "false");

    let claims = r#"[true, {"alg": "HS384"}, {"iss": "me<", "exp": 1795300124}]"#;
    let nothing = "[false, {}, {}]";
    for (constraints, want) in [
        ("", claims),
        (", \"iss\": \"me<\", \"alg\": \"HS384\"", claims),
        (", \"iss\": \"you\"", nothing),
        (", \"alg\": \"HS256\"", nothing),
        (", \"aud\": \"me\"", nothing),
        (", \"time\": 1795300124000000000", nothing),
    ] {
        let args = format!("\"{secret}\", {{\"secret\": {key}{constraints}}}");
        assert_gives("io.jwt.decode_verify", &args, want);
    }
    for constraints in ["{}", "{\"secret\": \"a\", \"nope\": 1}", "{\"secret\": \"a\", \"time\": -1}"] {
        assert!(
            call("io.jwt.decode_verify", &format!("\"{secret}\", {constraints}")).is_err(),
            "{constraints}"
        );
    }
}

#[test]
fn a_key_that_opa_would_not_verify_with_is_no_key() {
    let private = r#"`{"kty": "OKP", "crv": "Ed25519", "d": "AA", "x": "AA"}`"#;
    assert!(call("io.jwt.verify_eddsa", &format!("\"e30.e30.\", {private}")).is_err());
    let secret = r#"`{"kty": "oct", "k": "AAEC"}`"#;
    assert_gives("io.jwt.verify_rs256", &format!("\"e30.e30.\", {secret}"), "false");
    let short = format!("`{{\"kty\": \"RSA\", \"e\": \"AQAB\", \"n\": \"{}\"}}`", "_".repeat(171));
    assert!(call("io.jwt.verify_rs256", &format!("\"e30.e30.\", {short}")).is_err());
}

#[test]
fn a_pattern_reaches_no_further_than_it_looks() {
    for (pattern, path, fits) in [
        ("/", "/", true),
        ("/", "/a", false),
        ("/*", "/", false),
        ("/**", "/", true),
        ("/a/*", "/a/", false),
        ("/a/**", "/a/", true),
        ("/a", "/a/", false),
        ("/a/*/c/**", "/a/b/c", true),
        ("/a/*/c/**", "/a/b/d/c", false),
    ] {
        let want = if fits { "true" } else { "false" };
        assert_gives("path.matches", &format!("\"{pattern}\", \"{path}\""), want);
    }
    for args in
        [r#""/a*", "/a""#, r#""/**/a", "/a""#, r#""a", "/a""#, r#""/a", "a""#, r#""/a/**", "/a/../b""#]
    {
        assert!(call("path.matches", args).is_err(), "{args}");
    }
    for args in [
        r#""spiffe://*/a", "spiffe://a/a""#,
        r#""https://a/b", "spiffe://a/b""#,
        r#""spiffe://a/b c", "spiffe://a/b""#,
    ] {
        assert!(call("spiffe.matches", args).is_err(), "{args}");
    }
    for id in [
        "spiffe://A/b",
        "spiffe://a/",
        "spiffe://a//b",
        "spiffe://a/../b",
        "Spiffe://a/b",
        "spiffe://a/b?c",
        "spiffe:///b",
    ] {
        assert!(call("spiffe.parse", &format!("\"{id}\"")).is_err(), "{id}");
        assert_gives("spiffe.matches", &format!("\"spiffe://a/**\", \"{id}\""), "false");
    }
}

#[test]
fn an_error_says_the_builtins_name_once_and_its_place() {
    for (one, wanted) in [
        ("time.clock([1, \"Europe/Nowhere\"])", "time.clock: failed to parse timezone"),
        ("json.unmarshal(\"{\")", "json.unmarshal: takes JSON"),
        ("startswith(to_number(\"1\"), \"a\")", "`startswith` expects string argument. Got `1` instead"),
    ] {
        let (name, args) = one.split_once('(').unwrap();
        let error = call(name, args.strip_suffix(')').unwrap()).unwrap_err().to_string();
        let told = Said::of(&error).to_string();
        assert!(told.starts_with(&format!("a.rego:2: {wanted}")), "{told}");
    }
}

#[test]
fn a_window_ends_before_its_end_and_belongs_to_the_day_it_begins_on() {
    // 22:28:43 UTC on a Saturday; 23:28 in Berlin, 07:28 on Sunday in Tokyo.
    for (window, within) in [
        ("22:28-22:29", true),
        ("22:00-22:28", false),
        ("22:29-22:28", false),
        ("22:28-22:27", true),
        ("sat 22:00-24:00", true),
        ("sun-fri 00:00-24:00", false),
        ("fri-sun 00:00-24:00", true),
        ("sat 23:00-08:00 Asia/Tokyo", true),
        ("sun 23:00-08:00 Asia/Tokyo", false),
        ("sun 07:00-08:00 Asia/Tokyo", true),
        ("2026-11-21T22:28:43Z/2026-11-21T22:28:44Z", true),
        ("2026-11-21T22:28:42Z/2026-11-21T22:28:43Z", false),
    ] {
        assert_gives("time.within", &format!("\"{window}\""), if within { "true" } else { "false" });
    }
    for window in [
        "",
        "mon",
        "8:00-9:00",
        "08:00-08:00",
        "08:00-25:00",
        "24:00-25:00",
        "08:60-09:00",
        "noday 08:00-09:00",
        "08:00-09:00 Local",
        "08:00-09:00 Europe/Nowhere",
        "08:00-09:00 UTC UTC",
        "Mon 08:00-09:00",
        "2026-11-21T00:00:00Z/2026-11-21T00:00:00Z",
        "2026-11-21T00:00:00/2026-11-22T00:00:00",
        "2026-11-21T00:00:00Z/2026-11-22 00:00:00Z",
        "2026-11-21T00:00:00Z/2026-11-22t00:00:00Z",
        "2026-11-21T00:00:00z/2026-11-22T00:00:00Z",
        "2026-11-21T00:00:00Z/2026-11-22T00:00:60Z",
        "2026-11-21T00:00:00 +00:00/2026-11-22T00:00:00Z",
    ] {
        assert!(call("time.within", &format!("[\"00:00-24:00\", \"{window}\"]")).is_err(), "{window}");
    }
}
