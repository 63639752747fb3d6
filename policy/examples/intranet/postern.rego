# METADATA
# scope: package
# title: An intranet application with readers, clerks and a cut-off time
# description: |
#   Who may do what stands in data.json: callers have roles, roles have rights. What changes nothing goes out with an
#   account that can only read, at any hour; what changes something goes out with another account, until the cut-off.
package postern

import data.intranet
import data.library.http
import data.library.roles
import data.library.windows

default decision := {"allow": false, "rule": "no_right", "reason": "no role of the caller permits this"}

decision := {
	"allow": true,
	"rule": "reads",
	"reason": $"{concat(", ", granting)} may read",
	"credential": "intranet-read",
	"max_age": 3600,
	"headers": {"set": {"x-roles": sort(granting)}},
} if {
	reads
	count(granting) > 0
}

# What is still open at the cut-off ends then.
decision := {
	"allow": true,
	"rule": "writes",
	"reason": $"{concat(", ", granting)} may write",
	"credential": "intranet-write",
	"max_age": 900,
	"until": windows.closes(intranet.posting_hours, input.now),
	"headers": {"set": {"x-roles": sort(granting)}},
	"record": {"roles": granting},
} if {
	not reads
	count(granting) > 0
	in_hours
}

decision := {
	"allow": false,
	"rule": "after_cutoff",
	"reason": "postings are closed at this hour",
	"deny": {"status": 403, "body": $"Postings are open until {intranet.posting_hours.to}."},
} if {
	not reads
	count(granting) > 0
	not in_hours
}

# The roles of the caller that permit this request.
granting := roles.permitting(intranet.bindings, intranet.roles, input.caller.id, input.request)

reads if http.is_safe(input.request.method)

in_hours if windows.open(intranet.posting_hours, input.now)
