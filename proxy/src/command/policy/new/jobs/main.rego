# A batch pipeline: each job may do what jobs/data.json lists for it, in its hours, and nothing else.
package postern

default decision := {"allow": false, "rule": "no_job", "reason": "the caller is no job that may do this"}

decision := {"allow": true, "rule": "job", "reason": "the job may do this", "max_age": job.max_age} if {
	asked_for
	in_its_hours
}

decision := {"allow": false, "rule": "off_hours", "reason": "the job runs at another time"} if {
	asked_for
	not in_its_hours
}

job := data.jobs[input.caller.id]

asked_for if {
	input.request.method in job.methods
	array.slice(input.request.segments, 0, count(job.below)) == job.below
}

# Hours of the day in UTC: from the first, up to but not including the second.
in_its_hours if {
	[hour, _, _] := time.clock(input.now * 1000000000)
	hour >= job.hours[0]
	hour < job.hours[1]
}
