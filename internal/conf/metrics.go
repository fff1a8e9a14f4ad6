package conf

import "time"

// leastCheck is the shortest interval and timeout that Nomad takes for the
// check of a service.
const leastCheck = time.Second

func (r *reader) checkSpan(key string, fallback time.Duration) time.Duration {
	d := r.span(key, time.Second, fallback)
	if d > 0 && d < leastCheck {
		r.wrong(key, "is less than a second, which Nomad refuses", "use 1 or more")
	}
	return d
}
