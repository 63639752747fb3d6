# A policy as a middle-sized estate has it: bindings and roles are data, keyed by what is asked for, so that nothing is
# searched: it costs the same with one caller and with ten thousand.
package postern

default decision := {"allow": false, "rule": "default", "reason": "no role of the caller permits this"}

decision := {"allow": true, "rule": "role_permits", "reason": "a role of the caller permits this"} if {
	permitted
	not frozen
}

permitted if {
	some role in data.bindings[input.caller.id]
	held := data.roles[role]
	input.request.segments[0] in held[input.request.method]
}

frozen if {
	data.freeze.active
	input.request.method != "GET"
}
