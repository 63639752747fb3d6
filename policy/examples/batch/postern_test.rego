package postern_test

import data.batch
import data.library.http
import data.library.identity
import data.library.windows
import data.postern

# Friday, 2026-11-20, 22:00 in Berlin.
friday_night := 1795208400

asked(name, route, method, segments) := {
	"caller": {"id": concat("/", ["spiffe://bank.example/ns/batch/sa", name]), "path": ["ns", "batch", "sa", name]},
	"route": route,
	"request": {"method": method, "segments": segments},
	"now": friday_night,
}

said(request) := answer if answer := postern.decision with input as request

test_a_job_runs_with_its_own_credential if {
	said(asked("eod", "ledger", "POST", ["closings", "2026-11-20"])) == {
		"allow": true,
		"rule": "job",
		"reason": "eod runs",
		"credential": "ledger-post",
		"max_age": 600,
		"until": friday_night + (4 * 3600),
		"record": {"job": "eod"},
	}
	said(asked("eod", "spool", "PUT", ["queue", "7"])).credential == "spooler"
	said(asked("extract", "ledger", "GET", ["postings", "7"])).credential == "ledger-read"
}

test_a_job_does_not_do_what_another_may if {
	said(asked("extract", "ledger", "POST", ["closings", "2026-11-20"])).rule == "not_this"
	said(asked("extract", "spool", "PUT", ["queue", "7"])).rule == "not_here"
	said(asked("statements", "ledger", "GET", ["postings", "7"])).rule == "not_here"
}

test_a_job_does_not_run_at_another_time if {
	answer := said(asked("statements", "spool", "PUT", ["queue", "7"]))
	answer.rule == "not_now"
	answer.deny.status == 503
}

# The night belongs to the day on which it begins: Saturday, 01:59 yes, 02:00 no; Sunday, 01:00 no.
test_a_night_ends if {
	request := asked("eod", "spool", "PUT", ["queue", "7"])
	said(object.union(request, {"now": friday_night + ((4 * 3600) - 1)})).allow
	said(object.union(request, {"now": friday_night + (4 * 3600)})).rule == "not_now"
	said(object.union(request, {"now": friday_night + (27 * 3600)})).rule == "not_now"
}

test_strangers_are_no_jobs if {
	every name in ["eod-2", "eo", "EOD", "", "eod/x"] {
		said(asked(name, "ledger", "GET", ["postings", "7"])).rule == "no_job"
	}
	said({}).rule == "no_job"
	said({"caller": {"id": null}}).rule == "no_job"
}

test_what_is_missing_denies if {
	request := asked("eod", "spool", "PUT", ["queue", "7"])
	said(object.remove(request, ["route"])).rule == "not_here"
	said(object.remove(request, ["request"])).rule == "not_this"
	said(object.remove(request, ["now"])).rule == "not_now"
}

test_no_data_denies if {
	postern.decision.rule == "no_job" with input as asked("eod", "spool", "PUT", ["queue", "7"]) with data.batch as {}
}

# What stands in data.json is as it should be.
test_jobs if {
	every id, job in batch.jobs {
		identity.kubernetes(id).namespace == "batch"
		windows.is_window(job.window)
		windows.open(job.window, friday_night) in {true, false}
		every _, grant in job.routes {
			is_string(grant.credential)
			grant.max_age > 0
			every right in grant.rights { http.is_pattern(right.path) }
		}
	}
}
