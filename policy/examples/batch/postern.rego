# METADATA
# scope: package
# title: A batch pipeline whose jobs reach only their own routes, with their own credential
# description: |
#   Each job stands in data.json under its SPIFFE ID: when it runs, which routes it reaches, what it may do there, and
#   with which credential. A job that is not there reaches nothing.
package postern

import data.library.roles
import data.library.windows

default decision := {"allow": false, "rule": "no_job", "reason": "the caller is no job of this pipeline"}

decision := {
	"allow": true,
	"rule": "job",
	"reason": $"{input.caller.path[3]} runs",
	"credential": grant.credential,
	"max_age": grant.max_age,
	"until": windows.closes(job.window, input.now),
	"record": {"job": input.caller.path[3]},
} if {
	roles.permits(grant.rights, input.request)
	windows.open(job.window, input.now)
} else := {
	"allow": false,
	"rule": "not_now",
	"reason": "the job runs at another time",
	"deny": {"status": 503, "headers": {"retry-after": ["600"]}, "body": "outside the window of this job"},
} if {
	roles.permits(grant.rights, input.request)
} else := {"allow": false, "rule": "not_this", "reason": "the job may reach this route, but not do this there"} if {
	grant
} else := {"allow": false, "rule": "not_here", "reason": "the job may not reach this route"} if {
	job
}

job := data.batch.jobs[input.caller.id]

grant := job.routes[input.route]
