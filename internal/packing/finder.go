package packing

// finder finds the boxes that have room for one kind of instance. Boxes only
// fill up, so one without room is never looked at again.
type finder struct {
	// skip leads from each box without room towards the next that may have it.
	skip []int32
}

// find is the index of the first box from i on and below limit that takes
// says has room, or -1.
func (f *finder) find(i, limit int, takes func(int) (bool, error)) (int, error) {
	for k := len(f.skip); k <= limit; k++ {
		f.skip = append(f.skip, int32(k))
	}
	for i = f.jump(i); i < limit; i = f.jump(i) {
		ok, err := takes(i)
		if err != nil {
			return -1, err
		}
		if ok {
			return i, nil
		}
		f.skip[i] = int32(i + 1)
	}
	return -1, nil
}

func (f *finder) jump(i int) int {
	for i < len(f.skip) && int(f.skip[i]) != i {
		f.skip[i] = f.skip[f.skip[i]]
		i = int(f.skip[i])
	}
	return i
}
