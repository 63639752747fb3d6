# METADATA
# scope: package
# title: Callers by their SPIFFE ID
# description: |
#   IDs are compared segment by segment, never as text: a pattern reaches no further than it looks. What is no SPIFFE ID
#   matches nothing, and a pattern that is none lets nothing through. See SPIFFE-ID, section 2.
package library.identity

import data.library.segments

# METADATA
# scope: document
# title: Parts of an ID
# description: Trust domain and path of a SPIFFE ID; undefined for what is none.
parse(id) := parts(id) if {
	is_string(id)
	count(id) <= 2048
	regex.match(`^spiffe://[a-z0-9._-]{1,255}(/[a-zA-Z0-9._-]+)*$`, id)
	not dots(id)
}

# METADATA
# scope: document
# title: Whether it is an ID
# description: True for a SPIFFE ID, false for all else.
default is_id(_) := false

is_id(id) if parse(id)

# METADATA
# scope: document
# title: Whether it is a pattern
# description: |
#   True for what `matches` takes as a pattern: a SPIFFE ID whose segments may be `*`, the last one `**` too. For tests
#   of data that holds patterns.
default is_pattern(_) := false

is_pattern(pattern) if {
	is_string(pattern)
	regex.match(`^spiffe://[a-z0-9._-]{1,255}(/([a-zA-Z0-9._-]+|\*))*(/\*\*)?$`, pattern)
	not dots(pattern)
}

# METADATA
# scope: document
# title: An ID by a pattern
# description: |
#   Whether an ID is as the pattern says: `*` is one segment, `**` as the last one is the rest, which may be none. The
#   trust domain is always said in full. False for what is no ID and for what is no pattern.
default matches(_, _) := false

matches(pattern, id) if {
	is_pattern(pattern)
	want := parts(pattern)
	is := parse(id)
	want.trust_domain == is.trust_domain
	segments.match(want.path, is.path)
}

# METADATA
# scope: document
# title: An ID by one of several patterns
# description: |
#   Whether an ID matches one pattern of a list or set; false for none. Each is gone through: where they are many, key
#   data by the ID instead (`library.roles`).
default matches_any(_, _) := false

matches_any(patterns, id) if {
	type_name(patterns) in {"array", "set"}
	some pattern in patterns
	matches(pattern, id)
}

# METADATA
# scope: document
# title: Members of a trust domain
# description: Whether an ID is one of this trust domain, which is compared whole.
default in_domain(_, _) := false

in_domain(domain, id) if parse(id).trust_domain == domain

# METADATA
# scope: document
# title: A workload of Kubernetes
# description: |
#   Namespace and service account of an ID `spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT`, as SPIRE names the workloads of
#   Kubernetes; undefined for any other.
kubernetes(id) := {"trust_domain": is.trust_domain, "namespace": is.path[1], "service_account": is.path[3]} if {
	is := parse(id)
	segments.match(["ns", "*", "sa", "*"], is.path)
}

parts(id) := {"trust_domain": all[2], "path": array.slice(all, 3, count(all))} if all := split(id, "/")

# Segments that mean another place.
dots(id) if {
	some segment in split(id, "/")
	segment in {".", ".."}
}
