package library.roles_test

import data.library.roles

clerk := "spiffe://bank.example/clerk"

reader := "spiffe://bank.example/reader"

bindings := {clerk: ["reader", "clerk"], reader: ["reader"], "spiffe://bank.example/odd": ["nobody-knows-it"]}

actions := {"reader": ["ledger.read"], "clerk": ["ledger.read", "ledger.post"]}

rights := {
	"reader": [{"methods": ["GET", "HEAD"], "path": "/ledger/**"}],
	"clerk": [{"methods": ["POST"], "path": "/ledger/*"}, {"methods": ["GET"], "path": "/limits"}],
}

test_of if {
	roles.of(bindings, clerk) == {"reader", "clerk"}
	roles.of(bindings, "spiffe://bank.example/cle") == set()
	roles.of({}, clerk) == set()
}

test_has if {
	roles.has(bindings, clerk, "clerk")
	roles.has(bindings, reader, "clerk") == false
	roles.has(bindings, clerk, "cler") == false
	roles.has(bindings, "", "clerk") == false
}

test_actions if {
	roles.may(bindings, actions, clerk, "ledger.post")
	roles.may(bindings, actions, reader, "ledger.read")
	roles.may(bindings, actions, reader, "ledger.post") == false
	roles.may(bindings, actions, "spiffe://bank.example/odd", "ledger.read") == false
	roles.granting(bindings, actions, clerk, "ledger.read") == {"reader", "clerk"}
	roles.granting(bindings, actions, clerk, "ledger") == set()
}

test_rights if {
	roles.permitting(bindings, rights, clerk, {"method": "POST", "segments": ["ledger", "7"]}) == {"clerk"}
	roles.permitting(bindings, rights, clerk, {"method": "GET", "segments": ["ledger", "7"]}) == {"reader"}
	roles.permitting(bindings, rights, clerk, {"method": "GET", "segments": ["limits"]}) == {"clerk"}
	roles.permitting(bindings, rights, reader, {"method": "POST", "segments": ["ledger", "7"]}) == set()
	roles.permitting(bindings, rights, clerk, {"method": "POST", "segments": ["ledger", "7", "x"]}) == set()
	roles.permitting(bindings, rights, clerk, {"method": "GET", "segments": ["ledger-old"]}) == set()
}

# A request that lacks what is asked for, or has something else there.
test_odd_requests[request] if {
	some request in [{}, {"method": "GET"}, {"segments": ["ledger"]}, {"method": ["GET"], "segments": ["ledger"]}, null, 7, []]
	roles.permitting(bindings, rights, clerk, request) == set()
}

# Data that is not as it should be binds nobody and grants nothing.
test_odd_bindings[odd] if {
	some odd in [null, 7, "reader", [], {clerk: "reader"}, {clerk: {"reader": true}}, {clerk: null}, {clerk: 7}, {clerk: []}]
	roles.of(odd, clerk) == set()
	roles.has(odd, clerk, "reader") == false
	roles.may(odd, actions, clerk, "ledger.read") == false
	roles.permitting(odd, rights, clerk, {"method": "GET", "segments": ["ledger"]}) == set()
}

test_odd_names if {
	roles.of({clerk: ["reader", 7, null, ["reader"]]}, clerk) == {"reader", 7, null, ["reader"]}
	roles.may({clerk: [7, null, ["reader"]]}, actions, clerk, "ledger.read") == false
}

test_odd_roles[odd] if {
	some odd in [
		null, 7, "reader", [], {"reader": "ledger.read"}, {"reader": {"x": "ledger.read"}}, {"reader": [{"methods": {"x": "GET"}, "path": "/**"}]}, {"reader": null},
		{"reader": [{"path": "/**"}]}, {"reader": [{"methods": ["GET"]}]}, {"reader": [{"methods": "GET", "path": "/**"}]},
		{"reader": [{"methods": ["GET"], "path": "ledger/**"}]}, {"reader": [{"methods": ["get"], "path": "/**"}]},
		{"reader": [null, 7, "GET /**"]},
	]
	roles.may(bindings, odd, reader, "ledger.read") == false
	roles.permitting(bindings, odd, reader, {"method": "GET", "segments": ["ledger"]}) == set()
}
