use std::time::Duration;

use postern_tests::estate::{CLERK, GUEST, Plan, clerks_alone};

use super::estate;

#[test]
fn a_bad_policy_changes_nothing_but_a_metric_and_a_record() {
    let Some(mut estate) = estate("a_bad_policy_changes_nothing_but_a_metric_and_a_record", &Plan::default())
    else {
        return;
    };
    let clerk = estate.caller(CLERK);

    estate.push_policy("package postern\n\ndecision := {\"allow\": true} if http.send({\"url\": \"x\"})\n");

    let refused = estate.record("reload", Duration::from_secs(10), |record| record["accepted"] == false);
    assert_eq!((&refused["what"], &refused["code"]), (&"policy".into(), &"PST-OP-003".into()));
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("main.rego") && detail.contains("http.send"), "{detail}");
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);
    let metrics = estate.postern.as_ref().unwrap().ask("/metrics").unwrap().1;
    assert!(metrics.contains("postern_reloads_total{accepted=\"false\",what=\"policy\"} 1"), "{metrics}");
}

#[test]
fn a_good_policy_judges_the_next_request() {
    let Some(mut estate) = estate("a_good_policy_judges_the_next_request", &Plan::default()) else { return };
    let clerk = estate.caller(CLERK);
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);

    estate.push_policy(&clerks_alone().replace("[\"clerk\"]", "[\"nobody\"]"));

    let accepted = estate.record("reload", Duration::from_secs(10), |record| record["what"] == "policy");
    assert_eq!(accepted["accepted"], true, "{accepted}");
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 403);
}

#[test]
fn a_policy_whose_own_test_fails_leaves_the_old_one_serving() {
    let test = "a_policy_whose_own_test_fails_leaves_the_old_one_serving";
    let Some(mut estate) = estate(test, &Plan::default()) else { return };
    let (clerk, guest) = (estate.caller(CLERK), estate.caller(GUEST));
    let rule = "package postern_test\n\ntest_guests_stay_out if not data.postern.decision.allow with input as \
                {\"caller\": {\"path\": [\"guest\"]}}\n";
    std::fs::write(estate.path("policy/main_test.rego"), rule).unwrap();
    let accepted = estate.record("reload", Duration::from_secs(10), |record| record["what"] == "policy");
    assert_eq!(accepted["accepted"], true, "{accepted}");

    // It passes the gate, and would let everyone in.
    estate
        .push_policy(&clerks_alone().replace("input.caller.path == [\"clerk\"]", "input.caller.path != []"));

    let refused = estate.record("reload", Duration::from_secs(10), |record| record["accepted"] == false);
    assert_eq!((&refused["what"], &refused["code"]), (&"policy".into(), &"PST-OP-003".into()));
    let detail = refused["detail"].as_str().unwrap();
    let said = "main_test.rego:3:1: `data.postern_test.test_guests_stay_out` failed: this did not hold";
    assert!(detail.contains(said), "{detail}");
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);
    assert_eq!(estate.curl(&guest, "/", &[]).unwrap().0, 403);
    let metrics = estate.postern.as_ref().unwrap().ask("/metrics").unwrap().1;
    assert!(metrics.contains("postern_reloads_total{accepted=\"false\",what=\"policy\"} 1"), "{metrics}");
}

#[test]
fn a_policy_above_its_fuse_on_a_recorded_input_leaves_the_old_one_serving() {
    let test = "a_policy_above_its_fuse_on_a_recorded_input_leaves_the_old_one_serving";
    let Some(mut estate) = estate(test, &Plan::default()) else { return };
    let (clerk, guest) = (estate.caller(CLERK), estate.caller(GUEST));
    let values: Vec<String> = (0..3_000).map(|n| n.to_string()).collect();
    let wide = serde_json::json!({
        "v": 1, "now": 7, "listener": "front", "direction": "inbound", "route": "all", "upstream": {"name": "app"},
        "caller": {"id": "spiffe://td/a", "kind": "workload", "trust_domain": "td", "path": ["a"]},
        "request": {
            "protocol": "http/1.1", "method": "GET", "path": "/", "segments": [""], "query": {"q": values},
        },
    });
    std::fs::create_dir(estate.path("inputs")).unwrap();
    std::fs::write(estate.path("inputs/wide.json"), wide.to_string()).unwrap();
    std::fs::rename(estate.path("inputs"), estate.path("policy/inputs")).unwrap();
    let accepted = estate.record("reload", Duration::from_secs(10), |record| record["what"] == "policy");
    assert_eq!(accepted["accepted"], true, "{accepted}");

    // It passes the gate, and would let everyone in.
    let pairs = "some a in input.request.query.q\n\tsome b in input.request.query.q\n\ta == concat(b, [\"x\", \"y\"])";
    let open = clerks_alone().replace("input.caller.path == [\"clerk\"]", "input.caller.path != []");
    estate.push_policy(&format!("{open}\ndecision := {{\"allow\": false}} if {{\n\t{pairs}\n}}\n"));

    let refused = estate.record("reload", Duration::from_secs(20), |record| record["accepted"] == false);
    assert_eq!((&refused["what"], &refused["code"]), (&"policy".into(), &"PST-OP-003".into()));
    let detail = refused["detail"].as_str().unwrap();
    for words in ["inputs/wide.json` takes ", "`policy.fuse` is ", "main.rego:9 goes through 9000000 members"]
    {
        assert!(detail.contains(words), "`{words}` is not in: {detail}");
    }
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);
    assert_eq!(estate.curl(&guest, "/", &[]).unwrap().0, 403);
    let metrics = estate.postern.as_ref().unwrap().ask("/metrics").unwrap().1;
    assert!(metrics.contains("postern_reloads_total{accepted=\"false\",what=\"policy\"} 1"), "{metrics}");
}

/// What a path of the runaway policy asks for, and the code that it is denied with.
const RUNAWAYS: [(&str, &str); 5] = [
    ("/loop", "PST-AZ-013"),
    ("/expand", "PST-AZ-018"),
    ("/width", "PST-AZ-018"),
    ("/range", "PST-AZ-018"),
    ("/count", "PST-AZ-018"),
];

fn runaways() -> String {
    r#"package postern

default decision := false

decision if {
	input.request.path == "/loop"
	count([1 | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); a == b + 7]) > 0
}

decision if {
	input.request.path == "/expand"
	count(net.cidr_expand(concat("", [input.request.query.net[0], "/8"]))) > 0
}

decision if {
	input.request.path == "/width"
	count(sprintf(concat("", ["%", input.request.query.width[0], "d"]), [1])) > 0
}

decision if {
	input.request.path == "/range"
	count(numbers.range(1, to_number(input.request.query.to[0]))) > 0
}

decision if {
	input.request.path == "/count"
	strings.count("aaaa", input.request.query.needle[0]) > 0
}

decision if input.request.path == "/neighbour"
"#
    .to_owned()
}

#[test]
fn a_runaway_decision_is_denied_by_its_own_code_while_a_neighbour_is_served() {
    let test = "a_runaway_decision_is_denied_by_its_own_code_while_a_neighbour_is_served";
    let Some(mut estate) = estate(test, &Plan { policy: runaways(), ..Plan::default() }) else { return };
    let clerk = estate.caller(CLERK);
    let query = "?net=10.0.0.0&width=100000000&to=20000000&needle=";
    assert_eq!(estate.curl(&clerk, "/neighbour", &[]).unwrap().0, 200, "{}", estate.log());

    for (path, code) in RUNAWAYS {
        let (runaway, neighbour) = std::thread::scope(|scope| {
            let runaway = scope.spawn(|| estate.curl(&clerk, &format!("{path}{query}"), &[]).unwrap());
            let neighbour = scope.spawn(|| estate.curl(&clerk, "/neighbour", &[]).unwrap());
            (runaway.join().unwrap(), neighbour.join().unwrap())
        });
        assert_eq!(runaway.0, 403, "{path}: {}", runaway.1);
        assert!(runaway.1.contains(code), "{path}: {} instead of {code}", runaway.1);
        assert_eq!(neighbour.0, 200, "beside {path}");
        // Four times more alone, and the quickest counts: what the refusal costs, not what else the machine does.
        for _ in 0..4 {
            assert_eq!(estate.curl(&clerk, &format!("{path}{query}"), &[]).unwrap().0, 403);
        }
        let denied = || estate.records().into_iter().filter(|record| record["request"]["path"] == path);
        let recorded = (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            denied().count() == 5
        });
        assert!(recorded, "five denials of {path}");
        let quickest = denied().map(|record| record["decision"]["us"].as_u64().unwrap()).min().unwrap();
        assert!(quickest < 100_000, "{path}: {quickest} us");
    }
    let served = estate.records().into_iter().filter(|record| record["request"]["path"] == "/neighbour");
    assert!(served.map(|record| record["decision"]["us"].as_u64().unwrap()).all(|us| us < 1_000_000));
}
