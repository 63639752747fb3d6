package mocks

import data.lists

default allow := false

allow if {
	input.caller.id in lists.users
	inside(input.context.peer.ip)
	not closed
}

inside(ip) if net.cidr_contains("10.0.0.0/8", ip)

closed if time.clock(time.now_ns())[0] >= 18

user := lower(input.caller.id)
