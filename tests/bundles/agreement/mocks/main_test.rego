package mocks

anna := from("10.0.0.1")

from(ip) := {"caller": {"id": "anna"}, "context": {"peer": {"ip": ip}}}

morning := 1767254400000000000

evening := 1767297600000000000

closing(_) := [20, 0, 0]

yes(_) := true

test_input if allow with input as anna with data.lists.users as ["anna"] with time.now_ns as morning

test_evening if not allow with input as anna with data.lists.users as ["anna"] with time.now_ns as evening

test_part_of_input if {
	not allow with input as anna with input.context.peer.ip as "192.0.2.1" with data.lists.users as ["anna"]
		with time.now_ns as morning
}

test_function_by_value if {
	allow with input as from("192.0.2.1") with inside as true
		with data.lists.users as ["anna"]
		with time.now_ns as morning
}

test_function_by_function if {
	allow with input as from("192.0.2.1") with inside as yes
		with data.lists.users as ["anna"]
		with time.now_ns as morning
}

test_builtin_by_function if {
	closed with time.clock as closing with time.now_ns as morning
}

test_the_clock_itself if time.now_ns() > 0

test_rule if not allow with data.mocks.closed as true with input as anna with data.lists.users as ["anna"]

test_rule_is_whole_again if {
	closed with data.mocks.closed as true
	not closed with time.now_ns as morning
}

test_builtin_of_one_value if user == "x" with lower as "x" with input.caller.id as "A"

test_wrong_on_purpose if allow with input as anna with data.lists.users as [] with time.now_ns as morning
