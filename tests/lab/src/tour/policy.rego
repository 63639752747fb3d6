# Who may do what at the old service.
package postern

default decision := {"allow": false, "rule": "default", "reason": "no rule allows this"}

decision := {"allow": true, "rule": "billing_reads_postings", "reason": "billing may read postings"} if {
	input.caller.id == "spiffe://lab.example/billing"
	input.request.method == "GET"
	input.request.segments[0] == "postings"
}
