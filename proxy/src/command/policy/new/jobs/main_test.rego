package postern_test

import data.postern

# 2026-01-01, at this hour.
at(hour) := 1767225600 + (hour * 3600)

end_of_day := {
	"caller": {"id": "spiffe://example.org/batch/end-of-day"},
	"request": {"method": "POST", "segments": ["postings", "2026"]},
	"now": at(18),
}

test_the_job_does_its_work if {
	decision := postern.decision with input as end_of_day
	decision.allow
	decision.max_age == 3600
}

test_hours[hour] if {
	some hour, rule in {"17": "off_hours", "18": "job", "23": "job", "0": "off_hours"}
	postern.decision.rule == rule with input as end_of_day with input.now as at(to_number(hour))
}

test_not_elsewhere[note] if {
	some note, segments in {"above": [], "beside": ["postings-old"], "root": ["users", "postings"]}
	postern.decision.rule == "no_job" with input as end_of_day with input.request.segments as segments
}

test_not_otherwise if not postern.decision.allow with input as end_of_day with input.request.method as "DELETE"

test_nobody_else if {
	postern.decision.rule == "no_job" with input as end_of_day with input.caller.id as "spiffe://example.org/other"
}
