package java

import "iter"

// Set is a HashSet of distinct keys: it gives them in the order in which Java
// does, whatever was added and removed before. A key that is added twice is in
// it twice.
type Set[K any] struct {
	table table[K]
	hash  func(K) int32
}

// NewSet makes a HashSet as it is made without a size. Compare is the keys'
// compareTo, for keys with equal hash codes.
func NewSet[K any](hash func(K) int32, compare func(a, b K) int) *Set[K] {
	return &Set[K]{
		table: table[K]{bins: make([]bin[K], DefaultCapacity), compare: compare},
		hash:  hash,
	}
}

// Add puts keys in one by one.
func (s *Set[K]) Add(keys ...K) {
	nodes := make([]node[K], len(keys))
	for i, k := range keys {
		h := s.hash(k)
		nodes[i] = node[K]{key: k, hash: h ^ int32(uint32(h)>>16)}
		s.table.put(&nodes[i])
	}
}

// Len is the number of keys.
func (s *Set[K]) Len() int { return s.table.size }

// All gives the keys in the order of the set.
func (s *Set[K]) All() iter.Seq[K] { return s.table.all }

// Cut removes the first key that match accepts, and returns it with its bin.
// It looks from one bin on: who removes one key after the other with the same
// match, and adds none, may go on at the bin of the last one.
func (s *Set[K]) Cut(from int, match func(K) bool) (key K, at int, ok bool) {
	for i := from; i < len(s.table.bins); i++ {
		for n := s.table.bins[i].first; n != nil; n = n.next {
			if match(n.key) {
				s.table.remove(i, n)
				return n.key, i, true
			}
		}
	}
	return key, len(s.table.bins), false
}
