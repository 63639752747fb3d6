# An intranet application: readers may read, clerks may write, nobody else gets in.
package postern

default decision := {"allow": false, "rule": "no_role", "reason": "no role of the caller allows this"}

decision := {"allow": true, "rule": "readers_read", "reason": "readers may read"} if {
	"reader" in roles
	reading
}

decision := {"allow": true, "rule": "clerks_write", "reason": "clerks may write"} if {
	"clerk" in roles
	not reading
}

# Who has which roles stands in roles/data.json, keyed by the caller: it costs the same with one and with thousands.
roles := data.roles[input.caller.id]

reading if input.request.method in {"GET", "HEAD"}
