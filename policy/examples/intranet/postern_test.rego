package postern_test

import data.intranet
import data.library.http
import data.library.identity
import data.library.windows
import data.postern

desk(name) := concat("", ["spiffe://corp.example/desk/", name])

# Friday, 2026-11-20, 15:00 in Berlin.
open := 1795183200

# The same day, 18:00.
cutoff := 1795194000

asked(name, method, segments, now) := {
	"caller": {"id": desk(name)},
	"request": {"method": method, "segments": segments},
	"now": now,
}

said(name, method, segments, now) := answer if {
	answer := postern.decision with input as asked(name, method, segments, now)
}

test_readers_read_at_any_hour if {
	every now in [open, cutoff, 0] {
		answer := said("archive", "GET", ["documents", "2026", "7"], now)
		answer.allow
		answer.rule == "reads"
		answer.credential == "intranet-read"
	}
}

test_readers_do_not_write if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		answer := said("archive", method, ["postings"], open)
		answer == {"allow": false, "rule": "no_right", "reason": "no role of the caller permits this"}
	}
}

test_clerks_write_until_the_cutoff if {
	answer := said("claims", "POST", ["postings"], cutoff - 1)
	answer.allow
	answer.credential == "intranet-write"
	answer.until == cutoff
	answer.record == {"roles": {"clerk"}}
}

test_clerks_are_told_that_it_is_closed if {
	answer := said("claims", "POST", ["postings"], cutoff)
	answer.allow == false
	answer.rule == "after_cutoff"
	answer.deny.body == "Postings are open until 18:00."
}

test_clerks_do_not_write_on_saturdays if {
	said("claims", "POST", ["postings"], open + 86400).rule == "after_cutoff"
}

# The clock is Berlin's, in summer too: 17:30 there is 15:30 in UTC.
test_summer if {
	now := time.parse_rfc3339_ns("2026-07-17T15:30:00Z") / 1000000000
	said("payments", "POST", ["postings"], now).until == now + 1800
}

test_drafts_are_changed_one_by_one if {
	said("payments", "DELETE", ["postings", "7", "draft"], open).allow
	not said("payments", "DELETE", ["postings", "7"], open).allow
	not said("payments", "DELETE", ["postings", "7", "draft", "x"], open).allow
}

test_all_roles_that_permit_are_told if {
	answer := said("claims", "GET", ["postings", "7"], open)
	answer.headers.set["x-roles"] == ["clerk", "reader"]
	answer.reason == "clerk, reader may read"
}

test_neighbours_are_no_callers if {
	every name in ["archive-2", "archiv", "", "archive/", "Archive"] {
		said(name, "GET", ["documents", "7"], open).rule == "no_right"
	}
}

test_neighbours_are_no_paths if {
	every segments in [[], ["documents-old", "7"], ["Documents", "7"], ["documents", "..", "admin"], ["admin"]] {
		said("archive", "GET", segments, open).rule == "no_right"
	}
}

test_what_is_missing_denies[input_without] if {
	some input_without in [{}, {"caller": {"id": desk("claims")}}, {"request": {"method": "GET", "segments": ["documents"]}}]
	postern.decision.rule == "no_right" with input as input_without
}

# Without a time nothing is written.
test_no_time_is_closed if {
	request := {"caller": {"id": desk("claims")}, "request": {"method": "POST", "segments": ["postings"]}}
	postern.decision.rule == "after_cutoff" with input as request
}

# Without data nothing is allowed.
test_no_data_denies if {
	postern.decision.rule == "no_right" with input as asked("claims", "POST", ["postings"], open) with data.intranet as {}
}

# What stands in data.json is as it should be.
test_bindings if {
	every id, names in intranet.bindings {
		identity.is_id(id)
		every name in names { intranet.roles[name] }
	}
}

test_roles if {
	every rights in intranet.roles {
		every right in rights {
			http.is_pattern(right.path)
			count(right.methods) > 0
		}
	}
}

test_hours if {
	windows.is_window(intranet.posting_hours)
	windows.open(intranet.posting_hours, open)
}
