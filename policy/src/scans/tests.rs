use super::*;
use crate::{PolicySet, Sources};

/// The warnings of a policy with these rules over this data.
fn warned(rules: &str, data: &serde_json::Value) -> Vec<Problem> {
    let text = format!("package postern\n\ndefault decision := false\n\n{rules}\n");
    let sources = Sources::from_modules([("main.rego", text.as_str())], [("", data.to_string().as_str())]);
    let fuse = std::time::Duration::from_secs(1);
    let policy =
        PolicySet::compile(&sources, "data.postern.decision", fuse).unwrap_or_else(|error| panic!("{error}"));
    policy.warnings().to_vec()
}

fn bindings(count: usize) -> serde_json::Value {
    let list: Vec<_> = (0..count)
        .map(|n| serde_json::json!({"id": format!("spiffe://a/{n}"), "roles": ["a", "b"], "groups": [1, 2, 3]}))
        .collect();
    let keyed: serde_json::Map<String, serde_json::Value> =
        list.iter().map(|one| (one["id"].as_str().unwrap().to_owned(), one.clone())).collect();
    let ids: Vec<_> = keyed.keys().cloned().collect();
    serde_json::json!({"bindings": list, "keyed": keyed, "ids": ids, "estate": {"bindings": list}, "few": [1, 2, 3]})
}

#[test]
fn a_search_through_a_long_list_is_reported_with_the_lookup_that_replaces_it() {
    let data = bindings(2_000);
    for (rule, construct, instead) in [
        (
            "decision if {\n\tsome b in data.bindings\n\tb.id == input.caller.id\n}",
            "data.bindings",
            "`b := data.bindings[input.caller.id]` over data keyed by `id`: {\"bindings\": {\"ID\": {…}}}",
        ),
        (
            "decision if data.bindings[_].id == input.caller.id",
            "data.bindings",
            "`data.bindings[input.caller.id]`",
        ),
        (
            "decision if {\n\tb := data.bindings[_]\n\tinput.caller.id == b.id\n}",
            "data.bindings",
            "`b := data.bindings[input.caller.id]`",
        ),
        (
            "decision if {\n\tsome i\n\tdata.bindings[i].id == input.caller.id\n}",
            "data.bindings",
            "`data.bindings[input.caller.id]`",
        ),
        (
            "decision if {\n\tsome id in data.ids\n\tid == input.caller.id\n}",
            "data.ids",
            "`data.ids[input.caller.id]` over data with a member for each",
        ),
        (
            "decision if {\n\tsome id, b in data.keyed\n\tstartswith(id, input.caller.id)\n\tcount(b.roles) > 0\n}",
            "data.keyed",
            "`data.keyed[KEY]`",
        ),
        (
            "decision if count([b | some b in data.bindings; b.id == input.caller.id]) > 0",
            "data.bindings",
            "`b := data.bindings",
        ),
        (
            "decision if {\n\tevery b in data.bindings {\n\t\tb.id != input.caller.id\n\t}\n}",
            "data.bindings",
            "`data.bindings[KEY]`",
        ),
        (
            "known := data.estate.bindings\n\ndecision if {\n\tsome b in known\n\tb.id == input.caller.id\n}",
            "known",
            "`b := known[input.caller.id]`",
        ),
        (
            "decision if {\n\tlist := data.estate\n\tsome b in list.bindings\n\tb.id == input.caller.id\n}",
            "list.bindings",
            "`b := list.bindings[input.caller.id]`",
        ),
        (
            "f(id) if {\n\tsome b in data.bindings\n\tb.id == id\n}\n\ndecision if f(input.caller.id)",
            "data.bindings",
            "`b := data.bindings[id]`",
        ),
    ] {
        let found = warned(rule, &data);
        assert_eq!(found.len(), 1, "{rule}: {found:?}");
        let problem = &found[0];
        assert_eq!(problem.construct, construct, "{rule}");
        assert!(problem.why.contains("2000 members"), "{rule}: {}", problem.why);
        assert!(problem.instead.contains(instead), "{rule}: {}", problem.instead);
        assert!(problem.line > 4 && problem.column > 0 && problem.file == "main.rego", "{problem}");
    }
}

#[test]
fn lookups_short_lists_and_short_data_are_not_reported() {
    for rule in [
        "decision if data.keyed[input.caller.id]",
        "decision if {\n\tid := input.caller.id\n\tdata.keyed[id].roles[_] == \"a\"\n}",
        "f(id) if data.keyed[id]\n\ndecision if f(input.caller.id)",
        "decision if {\n\tsome n in data.few\n\tn == count(input.caller.path)\n}",
        "decision if input.caller.id in data.ids",
        "decision if {\n\tsome s in input.request.segments\n\tdata.keyed[s]\n}",
    ] {
        assert_eq!(warned(rule, &bindings(2_000)), [], "{rule}");
    }
    assert_eq!(
        warned("decision if {\n\tsome b in data.bindings\n\tb.id == input.caller.id\n}", &bindings(900)),
        []
    );
}

#[test]
fn loops_in_loops_multiply_and_an_equality_picks_one() {
    let data = bindings(600);
    let all = "decision if {\n\tsome a in data.bindings\n\tsome b in data.bindings\n\ta.id != b.id\n}";
    let found = warned(all, &data);
    assert!(
        found.len() == 1 && found[0].why.contains("360000 members with the loops around it"),
        "{found:?}"
    );
    assert_eq!(found[0].line, 7);

    let picked = "decision if {\n\tsome a in data.bindings\n\ta.id == input.caller.id\n\tsome b in data.bindings\n\tb.id == input.route\n}";
    assert_eq!(warned(picked, &data), []);
}

#[test]
fn a_rule_of_very_many_clauses_is_reported_with_what_they_compare() {
    let clauses = |count: usize| -> String {
        (0..count).map(|n| format!("decision if input.caller.id == \"spiffe://a/{n}\"\n\n")).collect()
    };
    assert_eq!(warned(&clauses(CLAUSES), &serde_json::json!({})), []);
    let found = warned(&clauses(CLAUSES + 1), &serde_json::json!({}));
    assert_eq!((found.len(), found[0].line), (1, 5));
    assert!(
        found[0].why.contains("201 clauses") && found[0].instead.contains("`data.decision[input.caller.id]`"),
        "{}",
        found[0]
    );
}
