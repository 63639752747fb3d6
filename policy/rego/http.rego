# METADATA
# scope: package
# title: Requests of HTTP
# description: |
#   Paths are compared segment by segment, as Postern split and decoded them. Headers and query parameters count when
#   they are there exactly once: of two, a service may read the other one.
package library.http

import data.library.segments

# METADATA
# scope: document
# title: Whether it is a pattern
# description: |
#   True for what `path_matches` takes as a pattern: text that begins with `/`, whose segments are text, `*` or, as the
#   last one, `**`. For tests of data that holds patterns.
default is_pattern(_) := false

is_pattern(pattern) if {
	is_string(pattern)
	regex.match(`^(/[^/*]*|/\*)*(/\*\*)?$`, pattern)
	startswith(pattern, "/")
	not dots(split(pattern, "/"))
}

# METADATA
# scope: document
# title: A path by a pattern
# description: |
#   Whether the path of a request (`input.request.segments`) is as the pattern says: `*` is one segment that is not
#   empty, `**` as the last one is the rest, which may be none. False for what is no list of texts, for a path with `.`
#   or `..`, and for what is no pattern.
default path_matches(_, _) := false

path_matches(pattern, path) if {
	is_pattern(pattern)
	is_path(path)
	segments.match(parts(pattern), path)
}

# METADATA
# scope: document
# title: A path by one of several patterns
# description: Whether a path matches one pattern of a list or set; false for none.
default path_matches_any(_, _) := false

path_matches_any(patterns, path) if {
	type_name(patterns) in {"array", "set"}
	some pattern in patterns
	path_matches(pattern, path)
}

# METADATA
# scope: document
# title: A method that changes nothing
# description: GET, HEAD and OPTIONS, in capitals as they are sent (RFC 9110, 9.2.1). Postern lets no TRACE through.
default is_safe(_) := false

is_safe(method) if method in {"GET", "HEAD", "OPTIONS"}

# METADATA
# scope: document
# title: The value of a header
# description: |
#   The one value of a header of the request (`input.request`), by its name in any case; undefined when it is missing
#   or there more than once.
header(request, name) := only(request.headers[lower(name)]) if is_string(name)

# METADATA
# scope: document
# title: The value of a query parameter
# description: |
#   The one value of a parameter of the request's query (`input.request`); undefined when it is missing or there more
#   than once. The name is compared as it is.
parameter(request, name) := only(request.query[name]) if is_string(name)

# METADATA
# scope: document
# title: The type of the body
# description: |
#   The request's `content-type` in small letters without its parameters, as `application/json`; undefined when the
#   header is missing or there more than once.
media_type(request) := lower(trim_space(split(header(request, "content-type"), ";")[0]))

# METADATA
# scope: document
# title: The body
# description: |
#   The value of the request's body where the route inspects it and it could be read; undefined for a body that is
#   absent, too large, malformed or not inspected, so that what needs it is not allowed without it.
body(request) := request.body.value if request.body.state == "parsed"

only(values) := value if {
	[value] = values
	is_string(value)
}

is_path(path) if {
	is_array(path)
	every segment in path { is_string(segment) }
	not dots(path)
}

dots(path) if {
	some segment in path
	segment in {".", ".."}
}

# `/` has no segments.
parts("/") := []

parts(pattern) := array.slice(all, 1, count(all)) if {
	pattern != "/"
	all := split(pattern, "/")
}
