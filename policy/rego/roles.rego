# METADATA
# scope: package
# title: Roles and bindings as data
# description: |
#   Bindings are keyed by SPIFFE ID, `{"spiffe://bank.example/clerk": ["reader", "clerk"]}`, so that one more of them
#   costs no decision more. Roles are keyed by name and hold rights: names of actions, or methods and a path. What is
#   written otherwise binds nobody and grants nothing.
package library.roles

import data.library.http

# METADATA
# scope: document
# title: Roles of a caller
# description: The set of roles that are bound to this ID; empty when none are.
of(bindings, id) := {role |
	is_array(bindings[id])
	some role in bindings[id]
}

# METADATA
# scope: document
# title: Whether a caller has a role
# description: Whether this role is bound to this ID.
default has(_, _, _) := false

has(bindings, id, role) if role in of(bindings, id)

# METADATA
# scope: document
# title: Roles that grant an action
# description: |
#   The roles of this ID among whose rights this action stands. Roles are `{"clerk": ["ledger.read", "ledger.post"]}`.
granting(bindings, roles, id, action) := {role |
	some role in of(bindings, id)
	is_array(roles[role])
	action in roles[role]
}

# METADATA
# scope: document
# title: Whether a caller may do an action
# description: Whether one of its roles grants it.
default may(_, _, _, _) := false

may(bindings, roles, id, action) if count(granting(bindings, roles, id, action)) > 0

# METADATA
# scope: document
# title: Roles that permit a request
# description: |
#   The roles of this ID one of whose rights permits the request (`input.request`). Roles are
#   `{"reader": [{"methods": ["GET"], "path": "/ledger/**"}]}`, the path as for `http.path_matches`.
permitting(bindings, roles, id, request) := {role |
	some role in of(bindings, id)
	permits(roles[role], request)
}

# METADATA
# scope: document
# title: Whether rights permit a request
# description: Whether one right of the list has the request's method and a pattern that its path matches.
default permits(_, _) := false

permits(rights, request) if {
	is_array(rights)
	some right in rights
	is_array(right.methods)
	request.method in right.methods
	http.path_matches(right.path, request.segments)
}
