package conf

import (
	"math"
	"time"
)

// minPolicyTime is the shortest interval, and delay before rescheduling, that
// Nomad takes.
const minPolicyTime = 5 * time.Second

func (r *reader) nomadPolicy() NomadPolicy {
	p := DefaultNomadPolicy()
	r.restartPolicy(&p.Restart)
	r.reschedulePolicy(&p.Reschedule)
	r.updatePolicy(&p.Update)
	r.logPolicy(&p.Logs)
	return p
}

func (r *reader) restartPolicy(p *RestartPolicy) {
	const prefix = "heron.nomad.restart."
	p.Attempts = r.count(prefix+"attempts", 0, p.Attempts)
	p.Interval = r.atLeast(prefix+"interval", minPolicyTime, p.Interval)
	p.Delay = r.atLeast(prefix+"delay", 0, p.Delay)
	p.Mode = r.oneOf(prefix+"mode", p.Mode, "fail", "delay")
	if time.Duration(p.Attempts)*p.Delay > p.Interval {
		r.wrong(r.whichIsSet(prefix+"attempts", prefix+"delay", prefix+"interval"),
			"so many attempts do not fit into the interval", prefix+"attempts times "+prefix+"delay must be at most "+prefix+"interval")
	}
}

const unlimited = "unlimited"

func (r *reader) reschedulePolicy(p *ReschedulePolicy) {
	const prefix = "heron.nomad.reschedule."
	if r.text(prefix+"attempts", unlimited) != unlimited {
		p.Unlimited = false
		p.Attempts = r.count(prefix+"attempts", 0, 0)
		p.Interval = r.atLeast(prefix+"interval", minPolicyTime, time.Hour)
	}
	p.Delay = r.atLeast(prefix+"delay", minPolicyTime, p.Delay)
	p.DelayFunction = r.oneOf(prefix+"delay.function", p.DelayFunction, "constant", "exponential", "fibonacci")
	p.MaxDelay = r.atLeast(prefix+"max.delay", minPolicyTime, p.MaxDelay)
	if p.DelayFunction != "constant" && p.MaxDelay < p.Delay {
		r.wrong(r.whichIsSet(prefix+"max.delay", prefix+"delay"),
			"the longest delay is below the first", prefix+"max.delay must be at least "+prefix+"delay")
	}
}

func (r *reader) updatePolicy(p *UpdatePolicy) {
	const prefix = "heron.nomad.update."
	p.MaxParallel = r.count(prefix+"max.parallel", 1, p.MaxParallel)
	p.HealthCheck = r.oneOf(prefix+"health.check", p.HealthCheck, "task_states", "checks")
	p.MinHealthyTime = r.atLeast(prefix+"min.healthy.time", 0, p.MinHealthyTime)
	p.HealthyDeadline = r.atLeast(prefix+"healthy.deadline", 0, p.HealthyDeadline)
	p.ProgressDeadline = r.atLeast(prefix+"progress.deadline", 0, p.ProgressDeadline)
	p.AutoRevert = r.flag(prefix+"auto.revert", p.AutoRevert)
	if p.MinHealthyTime >= p.HealthyDeadline {
		r.wrong(r.whichIsSet(prefix+"healthy.deadline", prefix+"min.healthy.time"),
			"the deadline is over before a container can be healthy", prefix+"healthy.deadline must be above "+prefix+"min.healthy.time")
	}
	if p.ProgressDeadline != 0 && p.HealthyDeadline >= p.ProgressDeadline {
		r.wrong(r.whichIsSet(prefix+"progress.deadline", prefix+"healthy.deadline"),
			"the time for one container is not below that for progress",
			prefix+"progress.deadline must be above "+prefix+"healthy.deadline, or 0: the first container that fails then ends the change")
	}
}

func (r *reader) logPolicy(p *LogPolicy) {
	const size = "heron.nomad.logs.max.file.size"
	p.MaxFiles, _ = r.number("heron.nomad.logs.max.files", 1, math.MaxInt32)
	n, ok, err := r.Bytes(size)
	r.fail(err)
	if ok && n < 1<<20 {
		r.wrong(size, "is below 1 MB", "Nomad counts whole megabytes: 10MB")
	}
	p.MaxFileSize = n
}

// whichIsSet is the first of the keys that has a value: the one to blame.
func (r *reader) whichIsSet(keys ...string) string {
	for _, key := range keys {
		if _, ok := r.lookup(key); ok {
			return key
		}
	}
	return keys[0]
}

// count is a whole number with a lower bound.
func (r *reader) count(key string, least, fallback int) int {
	if n, ok := r.number(key, least, math.MaxInt32); ok {
		return n
	}
	return fallback
}

// atLeast is a span of time with a lower bound.
func (r *reader) atLeast(key string, least, fallback time.Duration) time.Duration {
	d := take(r, fallback)(r.Duration(key, time.Second))
	if d < least {
		r.wrong(key, "is too short", "the least is "+least.String())
	}
	return d
}
