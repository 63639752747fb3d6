package postern_test

import data.postern

report := {
	"caller": {"id": "spiffe://example.org/report"},
	"upstream": {"name": "billing-db"},
	"request": {"protocol": "tcp"},
	"now": 1767225600,
}

test_a_session_ends if {
	decision := postern.decision with input as report
	decision.allow
	decision.until == 1767225600 + 900
}

test_no_other_upstream if not postern.decision.allow with input as report with input.upstream.name as "other-db"

test_nobody_else if {
	not postern.decision.allow with input as report with input.caller.id as "spiffe://example.org/other"
}

test_nothing_but_tcp if not postern.decision.allow with input as report with input.request.protocol as "http/2"
