package packing

import "github.com/heron-nomad/heron/internal/topology"

// checkMinimum refuses a plan with an instance that has too little RAM. Of
// several it names the one that the original comes upon first.
func checkMinimum(p *Plan, least bytes) error {
	if !p.hasBelow(least) {
		return nil
	}
	for _, c := range p.hashOrder() {
		for _, in := range c.Instances {
			if ram := bytes(in.Resource.RAM); ram < least {
				return refuse(ErrMinimum, "raise its share in "+topology.KeyComponentRAMMap+", or "+topology.KeyContainerRAM,
					"Invalid packing plan generated. A minimum of %s RAM is required, "+
						"but InstancePlan for component '%s' has %s", least, in.Component, ram)
			}
		}
	}
	return nil
}

func (p *Plan) hasBelow(least bytes) bool {
	for _, c := range p.Containers {
		for _, in := range c.Instances {
			if bytes(in.Resource.RAM) < least {
				return true
			}
		}
	}
	return false
}
