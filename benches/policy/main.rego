# A policy as a middle-sized estate has it: roles and bindings are data, and the caller's are looked up, not searched.
package postern

default decision := {"allow": false, "rule": "default", "reason": "no role of the caller permits this"}

decision := {"allow": true, "rule": "role_permits", "reason": "a role of the caller permits this"} if {
	permitted
	not frozen
}

permitted if {
	some role in data.bindings[input.caller.id]
	some permission in data.roles[role]
	permission.method == input.request.method
	permission.resource == input.request.segments[0]
}

frozen if {
	data.freeze.active
	input.request.method != "GET"
}
