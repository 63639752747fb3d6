//! The engine's fuse cannot stop one call of a builtin: the dearest call that its cap lets through must end in time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use postern_policy::{Judge, PolicySet, Recorded, Sources, Verdict};
use rustix::time::{ClockId, clock_gettime};

/// What one decision may take, in microseconds; the engine is compiled with little optimisation here.
const PROMISE: u128 = 100_000;

/// Calls just below their caps, over the input of [`request`].
const CALLS: &[&str] = &[
    "array.concat(input.members, input.members)",
    "array.flatten(array.slice(input.nested, 0, 327))",
    "[1 | walk(array.slice(input.nested, 0, 98), [_, _])]",
    "base64.decode(base64.encode(input.eighth))",
    "base64url.encode(input.text)",
    "bits.lsh(1, 1024)",
    "concat(input.kilobyte, input.texts)",
    "contains(input.text, input.half)",
    "crypto.hmac.sha512(input.text, input.half)",
    "crypto.sha256(input.text)",
    "crypto.x509.parse_certificates(input.certificates)",
    "crypto.x509.parse_and_verify_certificates(input.certificates)",
    "glob.match(input.stars, [], input.two)",
    "glob.match(\"{a*,a*,a*,a*,a*,a*,a*,a*}{a*,a*,a*,a*,a*,a*,a*,a*}b\", [], input.eight)",
    "glob.quote_meta(input.text)",
    "graph.reachable(input.graph, [\"0\"])",
    "graph.reachable_paths({i: numbers.range(1, 20) | some i in numbers.range(1, 20)}, [1])",
    "hex.encode(input.text)",
    "indexof(input.text, input.half)",
    "indexof_n(input.eight, input.small)",
    "intersection({{1, 2}, {2}})",
    "internal.template_string([{input.nested}])",
    "io.jwt.decode(concat(\"\", [\"e30.\", input.claims, \".\"]))",
    "io.jwt.decode_verify(concat(\"\", [\"eyJhbGciOiJFUzUxMiJ9.e30.\", input.signature]), {\"cert\": input.keys, \"time\": 1})",
    "io.jwt.encode_sign({\"alg\": \"HS512\"}, {\"a\": array.slice(input.nested, 0, 100)}, {\"kty\": \"oct\", \"k\": \"AA\"})",
    "io.jwt.verify_es512(concat(\"\", [\"e30.e30.\", input.signature]), input.keys)",
    "io.jwt.verify_eddsa(concat(\"\", [\"e30.\", input.claims, \".\"]), input.edwards)",
    "json.filter({\"a\": input.nested}, [\"a/1\", \"a/2\"])",
    "json.is_valid(input.list)",
    "json.marshal(input.nested)",
    "json.marshal_with_options(input.pairs, {\"pretty\": true, \"indent\": \"                \"})",
    "json.match_schema({\"a\": [1 | some _ in numbers.range(1, 3900)]}, {\"properties\": {\"a\": {\"items\": {\"anyOf\": [{\"type\": \"string\"}, {}]}}}})",
    "json.match_schema({\"a\": numbers.range(1, 1900)}, {\"properties\": {\"a\": {\"items\": {\"enum\": numbers.range(1, 3000)}}}})",
    "json.match_schema({\"a\": [{} | some _ in numbers.range(1, 3900)]}, {\"properties\": {\"a\": {\"items\": {\"required\": [s | some i in numbers.range(1, 1000); s := format_int(i, 10)]}}}})",
    "json.match_schema({s: 1 | some i in numbers.range(1, 4); s := concat(\"\", [substring(input.text, 0, 8000), format_int(i, 10)])}, {\"patternProperties\": {\"(a|b|ab)*(a|c|ac){1,60}(a|d|ad)*a[ab]{400}c\": {}, \"^[0-9]*[1-9]{300}a\": {}}})",
    "json.match_schema({\"a\": 1}, {\"patternProperties\": {s: {} | some i in numbers.range(1, 64); s := sprintf(\"[a-c]{900}%d\", [i])}})",
    "json.match_schema({substring(input.text, 0, 64000): [1 | some _ in numbers.range(1, 2000)]}, {\"additionalProperties\": {\"items\": {\"type\": \"string\"}}})",
    "json.patch(input.pairs_object, [{\"op\": \"copy\", \"from\": \"/a\", \"path\": \"/b\"}])",
    "json.patch({\"a\": input.nested}, [o | some i in numbers.range(1, 64); o := {\"op\": \"add\", \"path\": \"/a/0\", \"value\": i}])",
    "json.remove({\"a\": input.nested}, [\"a/1\", \"a/2\"])",
    "json.unmarshal(input.list)",
    "lower(input.text)",
    "max(input.members)",
    "net.cidr_contains_matches([\"::/0\" | some _ in numbers.range(1, 128)], [\"1::/64\" | some _ in numbers.range(1, 128)])",
    "net.cidr_merge([n | some i in numbers.range(1, 4096); n := sprintf(\"%x::/16\", [i])])",
    "net.cidr_expand(\"10.0.0.0/20\")",
    "net.cidr_expand(\"::/116\")",
    "numbers.range(1, 10000)",
    "numbers.range_step(1, 100000000, 10001)",
    "object.filter(input.wide, object.keys(input.wide))",
    "object.keys(input.wide)",
    "object.remove(input.wide, object.keys(input.wide))",
    "object.subset(input.wide, input.wide)",
    "object.union(input.wide, input.wide)",
    "path.matches(concat(\"\", [\"/\" | some _ in numbers.range(1, 8000)]), concat(\"\", [\"/\" | some _ in numbers.range(1, 8000)]))",
    "time.within([\"mon-fri 08:00-18:00 Europe/Berlin\" | some _ in numbers.range(1, 64)])",
    "providers.aws.sign_req({\"method\": \"POST\", \"url\": \"https://example.com/\", \"body\": input.nested}, {\"aws_access_key\": \"a\", \"aws_secret_access_key\": \"b\", \"aws_region\": \"c\", \"aws_service\": \"s3\"}, 1)",
    "providers.aws.sign_req({\"method\": \"POST\", \"url\": \"https://example.com/\", \"raw_body\": concat(\"\", [input.text, input.half])}, {\"aws_access_key\": \"a\", \"aws_secret_access_key\": \"b\", \"aws_region\": \"c\", \"aws_service\": \"s3\"}, 1)",
    "product(numbers.range(1000000000000, 1000000000499))",
    "regex.find_all_string_submatch_n(\"()()()()()()()()()()()()()()()()\", input.two, -1)",
    "regex.find_n(\"a.*[^a]|a\", input.two, -1)",
    "regex.find_n(\"(a|aa|aaa)*b|a\", input.two, -1)",
    "regex.match(\"(a*)*(a*)*(a*)*(a*)*(a*)*b\", input.eight)",
    "regex.match(\"(a|b|ab)*(a|c|ac){1,60}(a|d|ad)*a[ab]{400}c\", input.eight)",
    "regex.match(\"[ab]*a[ab]{300}[ab]{300}c\", input.eight)",
    "regex.match(\"(a?){300}a{300}c\", input.eight)",
    "regex.replace(input.two, \"a?\", \"$0$0$0$0$0$0$0$0\")",
    "regex.replace(input.two, \"a.*[^a]|a\", \"b\")",
    "strings.split_n(input.text, input.half, -1)",
    "uri.parse(input.text)",
    "regex.split(\"a.*[^a]|a\", input.two)",
    "replace(input.kilobyte, \"a\", input.kilobyte)",
    "sort(input.members)",
    "split(input.ten, \"\")",
    "sprintf(\"%v\", [input.nested])",
    "sprintf(\"%1024d\", [1])",
    "sprintf(\"%.1024f\", [1.5])",
    "strings.any_prefix_match(input.few, input.few)",
    "strings.count(input.text, \"a\")",
    "strings.render_template(\"{{range .a}}{{range $.b}}{{end}}{{end}}\", {\"a\": numbers.range(1, 9), \"b\": numbers.range(1, 900)})",
    "strings.render_template(\"{{.a}}{{range .a}}{{.}}{{end}}\", {\"a\": array.slice(input.nested, 0, 327)})",
    "strings.replace_n({\"b\": \"c\", \"c\": \"d\", \"d\": \"e\", \"e\": \"f\", \"f\": \"g\", \"g\": \"h\"}, input.eighth)",
    "strings.replace_n({\"a\": input.kilobyte}, input.half_kilobyte)",
    "strings.reverse(input.text)",
    "substring(input.text, 1, -1)",
    "sum(input.members)",
    "time.format([1e18, \"UTC\", substring(input.text, 0, 4096)])",
    "time.parse_ns(concat(\"\", [\"2006\", substring(input.text, 0, 4092)]), concat(\"\", [\"2006\", substring(input.text, 0, 4092)]))",
    "time.format([1e18, \"UTC\", input.text])",
    "to_number(input.digits)",
    "trim(input.text, \"bcdefghijklmnopqrstuvwxyza\")",
    "units.parse(\"1e99\")",
    "upper(input.text)",
    "urlquery.decode_object(input.query)",
    "urlquery.encode(input.text)",
];

/// Calls that a cap ends, by how they begin: what they cost is the way to it.
const CUT: &[(&str, &str)] = &[
    ("graph.reachable_paths(", "at most 20000 edges"),
    ("json.match_schema({\"a\": [{} |", "at most 20000 comparisons"),
    ("json.match_schema({substring(", "8 MiB for all builtins"),
    ("object.subset(", "at most 1000000 comparisons"),
    ("time.format([1e18, \"UTC\", input.text", "a layout of at most 4 KiB"),
    ("to_number(", "numbers of at most 17 digits"),
    ("units.parse(\"1e99\")", "below 2^127"),
];

/// Text and collections as large as the caps let through.
fn request() -> Recorded {
    let a = |bytes: usize| "a".repeat(bytes);
    let members: Vec<u32> = (0..12_000).rev().collect();
    let texts: Vec<String> = (0..700).map(|n| format!("{}{n}", a(20))).collect();
    let wide: serde_json::Map<String, serde_json::Value> =
        (0..6_000).map(|n| (format!("k{n}"), n.into())).collect();
    let graph: serde_json::Map<String, serde_json::Value> =
        (0..100).map(|n| (n.to_string(), (0..100).map(|m: u32| m.to_string()).collect())).collect();
    let nested: Vec<Vec<u32>> = (0..480).map(|_| (0..100).collect()).collect();
    let pairs: Vec<u32> = (0..1_900).collect();
    // The dearest keys, and as many as may be tried: the first point of the curve, whose numbers are public.
    let (x, y) = (
        "AMaFjga3BATpzZ4-y2YjlbRCnGSBOQU_tSH4KK9ga009uqFLXnfv51ko_h3BJ6L_qN4zSLPBhWpCm_l-fjHC5b1m",
        "ARg5KWp4mjvABFyKX7QsfRvZmPVESVebRGgXr70XJz5mLJfucple9CZAxVC5AT-tB2E1PHCGonLCQIi-lHaf0WZQ",
    );
    let key = serde_json::json!({"kty": "EC", "crv": "P-521", "x": x, "y": y});
    let keys = serde_json::json!({"keys": vec![key; 16]}).to_string();
    let edwards = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let edwards = serde_json::json!({"keys": vec![edwards; 16]}).to_string();
    // As many roots of RSA with 4096 bits as may stand before a leaf.
    let chain = include_str!("chain.pem");
    let root = chain.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap();
    let certificates = format!("{}{chain}", root.repeat(14));
    let document = serde_json::json!({
        "certificates": certificates, "keys": keys, "edwards": edwards, "signature": "AQEB".repeat(44), "claims": URL_SAFE_NO_PAD.encode(format!("{{\"a\":[{}1]}}", "1,".repeat(24_000))),
        "text": a(200 * 1024), "half": a(50 * 1024), "eighth": a(150_000), "ten": a(9_999), "eight": a(8 * 1024), "two": a(2 * 1024), "small": a(900),
        "kilobyte": a(1_000), "half_kilobyte": a(500), "stars": "*a".repeat(240), "digits": "9".repeat(300),
        "list": format!("[{}1]", "1,".repeat(100_000)), "query": "a=b&".repeat(50_000),
        "members": members, "texts": texts, "few": texts.iter().take(350).collect::<Vec<_>>(), "wide": wide, "graph": graph, "nested": nested, "pairs": pairs,
        "pairs_object": {"a": pairs},
    });
    let document = serde_json::json!({"request": {"body": {"value": document}}, "now": 1_795_300_123});
    Recorded::parse(&document.to_string()).unwrap()
}

fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

#[test]
fn the_dearest_call_that_is_let_through_ends_in_time() {
    let request = request();
    let (mut dear, mut refused) = (Vec::new(), Vec::new());
    for call in CALLS {
        // The schema leaves a body's value to what the caller sends.
        let written = call.replace("input.", "input.request.body.value.");
        let text =
            format!("package a\ndefault x := false\nx if {{ y := {written}; is_string(type_name(y)) }}");
        let sources = Sources::from_modules([("a.rego", text.as_str())], []);
        let policy = PolicySet::compile(&sources, "data.a.x", Duration::from_secs(10)).unwrap();
        let mut judge = Judge::new(Arc::new(policy));
        // CPU time and the best of three: what is asked is the cost of the call, not of what else the machine does.
        let took = |_| {
            let before = cpu_time();
            let outcome = match judge.judge(&request) {
                Verdict::Allow(_) => String::new(),
                Verdict::Deny(refusal) => refusal.cause.to_string(),
            };
            (cpu_time().saturating_sub(before).as_micros(), outcome)
        };
        let (us, outcome) = (0..3).map(took).min().unwrap();
        println!("{us:>8} us  {call}  {outcome}");
        if us > PROMISE {
            dear.push((call, us));
        }
        let cut = CUT.iter().find(|(cut, _)| call.starts_with(cut)).map(|(_, why)| *why);
        if cut.map_or(!outcome.is_empty(), |why| !outcome.contains(why)) {
            refused.push((call, outcome));
        }
    }
    assert_eq!(
        refused,
        [],
        "calls that are not let through, whose cost says nothing, or no longer end as is said"
    );
    assert_eq!(dear, [], "microseconds of calls that take longer than a decision may");
}
