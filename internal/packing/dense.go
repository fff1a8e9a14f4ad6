package packing

// Dense is the plan with container ids 1 to the number of containers, for a
// scheduler that counts containers and knows no holes. The fewest get another
// id: those whose ids are too high go into the holes, in their order. What
// runs in a container stays together.
func Dense(p *Plan) *Plan {
	d := p.clone().sorted()
	n := len(d.Containers)
	taken := make([]bool, n+1)
	var homeless []*Container
	for i := range d.Containers {
		c := &d.Containers[i]
		if c.ID < 1 || int(c.ID) > n || taken[c.ID] {
			homeless = append(homeless, c)
			continue
		}
		taken[c.ID] = true
	}
	hole := 1
	for _, c := range homeless {
		for taken[hole] {
			hole++
		}
		taken[hole] = true
		c.ID = int32(hole)
	}
	return d.sorted()
}
