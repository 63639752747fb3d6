# The policy of looked_up.rego on the same estate, as one would rather not write it: bindings and permissions stand in
# lists, and the policy searches them.
package postern

default decision := {"allow": false, "rule": "default", "reason": "no role of the caller permits this"}

decision := {"allow": true, "rule": "role_permits", "reason": "a role of the caller permits this"} if {
	permitted
	not frozen
}

permitted if {
	some binding in data.bindings
	binding.caller == input.caller.id
	some role in binding.roles
	some permission in data.roles[role]
	permission.method == input.request.method
	permission.resource == input.request.segments[0]
}

frozen if {
	data.freeze.active
	input.request.method != "GET"
}
