package postern_test

import data.postern

reader := "spiffe://example.org/reader"

clerk := "spiffe://example.org/clerk"

asked(caller, method) := {"caller": {"id": caller}, "request": {"method": method}}

test_reading[note] if {
	some note, caller in {"reader": reader, "clerk": clerk}
	some method in ["GET", "HEAD"]
	postern.decision.rule == "readers_read" with input as asked(caller, method)
}

test_clerks_write if postern.decision.allow with input as asked(clerk, "POST")

test_readers_do_not_write if not postern.decision.allow with input as asked(reader, "POST")

test_others_get_a_reason if {
	decision := postern.decision with input as asked("spiffe://example.org/other", "GET")
	decision == {"allow": false, "rule": "no_role", "reason": "no role of the caller allows this"}
}

test_a_role_is_taken_away if {
	not postern.decision.allow with input as asked(clerk, "POST") with data.roles as {clerk: ["reader"]}
}
