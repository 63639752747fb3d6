# A database behind a listener of protocol `tcp`: who may connect to which upstream, and for how long.
package postern

default decision := {"allow": false, "rule": "not_listed", "reason": "the caller may not connect to this"}

decision := {"allow": true, "rule": "listed", "reason": "the caller may connect", "until": until} if {
	input.request.protocol == "tcp"
	until := input.now + data.connections[input.caller.id][input.upstream.name].seconds
}
