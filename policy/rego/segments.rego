# METADATA
# scope: package
# title: Names made of segments
# description: What `library.identity` and `library.http` compare names with. A policy asks those two.
package library.segments

# METADATA
# scope: document
# title: Segments by a pattern
# description: |
#   Whether a list of segments is as the pattern, a list too, says: `*` is one segment that is not empty, `**` as the
#   last one is the rest, which may be none; all else stands for itself.
default match(_, _) := false

match(pattern, segments) if {
	count(segments) == count(pattern)
	begin(pattern, segments)
}

match(pattern, segments) if {
	open(pattern)
	first := array.slice(pattern, 0, count(pattern) - 1)
	begin(first, segments)
}

begin(pattern, segments) if {
	every at, want in pattern { one(want, segments[at]) }
}

open(pattern) if pattern[count(pattern) - 1] == "**"

one(want, segment) if want == segment

one("*", segment) if segment != ""
