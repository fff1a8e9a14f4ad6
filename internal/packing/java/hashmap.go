package java

import "slices"

// Sizes at which a HashMap changes its shape.
const (
	// DefaultCapacity is the number of bins of a map made without a size.
	DefaultCapacity = 16
	// treeifyAt is the length of a bin at which one more key makes it a tree,
	// minTreeCapacity the number of bins below which the table grows instead.
	treeifyAt       = 8
	minTreeCapacity = 64
	// untreeifyAt is the size down to which a tree that was split stays one.
	untreeifyAt = 6
)

// Order gives distinct keys in the order in which a HashMap or HashSet gives
// them that had this number of bins at first and got the keys one by one.
// Compare is the keys' compareTo, for keys with equal hash codes.
func Order[K any](keys []K, capacity int, hash func(K) int32, compare func(a, b K) int) []K {
	s := Set[K]{table: table[K]{bins: make([]bin[K], tableSize(capacity)), compare: compare}, hash: hash}
	s.Add(keys...)
	return slices.AppendSeq(make([]K, 0, len(keys)), s.All())
}

// StringOrder is Order for the keys of a map that was made without a size. A
// name that comes again keeps the place of its first time.
func StringOrder(names []string) []string {
	seen := make(map[string]bool, len(names))
	keys := make([]string, 0, len(names))
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			keys = append(keys, name)
		}
	}
	return Order(keys, DefaultCapacity, StringHash, CompareStrings)
}

// CopyCapacity is the number of bins of a HashSet made from a collection of
// this size.
func CopyCapacity(size int) int {
	return max(int(float32(size)/0.75)+1, DefaultCapacity)
}

// tableSize is the next power of two.
func tableSize(capacity int) int {
	n := 1
	for n < capacity {
		n *= 2
	}
	return n
}

// table is a HashMap. It never gets fewer bins.
type table[K any] struct {
	bins    []bin[K]
	size    int
	compare func(a, b K) int
}

// bin holds the keys of one index as a list, in the order of iteration; with
// many keys it also has a search tree, which decides where in the list a new
// key goes.
type bin[K any] struct {
	first *node[K]
	root  *node[K]
}

type node[K any] struct {
	key        K
	hash       int32
	prev, next *node[K]

	parent, left, right *node[K]
	red                 bool
}

func (m *table[K]) index(n *node[K]) int { return int(uint32(n.hash)) & (len(m.bins) - 1) }

func (m *table[K]) put(n *node[K]) {
	b := &m.bins[m.index(n)]
	switch {
	case b.root != nil:
		b.insert(n, m.compare)
	case b.append(n) > treeifyAt:
		if len(m.bins) < minTreeCapacity {
			m.grow()
		} else {
			b.treeify(m.compare)
		}
	}
	m.size++
	if m.size > len(m.bins)/4*3 {
		m.grow()
	}
}

func (m *table[K]) remove(i int, n *node[K]) {
	m.bins[i].cut(n)
	m.size--
}

// all calls yield with the keys in order until it returns false.
func (m *table[K]) all(yield func(K) bool) {
	for i := range m.bins {
		for n := m.bins[i].first; n != nil; n = n.next {
			if !yield(n.key) {
				return
			}
		}
	}
}

// append puts n at the end of the list and returns the new length.
func (b *bin[K]) append(n *node[K]) int {
	n.prev, n.next = nil, nil
	if b.first == nil {
		b.first = n
		return 1
	}
	last, length := b.first, 2
	for ; last.next != nil; last = last.next {
		length++
	}
	last.next, n.prev = n, last
	return length
}

// grow doubles the table. Keys of one bin go to two, each in their order.
func (m *table[K]) grow() {
	old := m.bins
	m.bins = make([]bin[K], 2*len(old))
	for i, b := range old {
		low, high := &m.bins[i], &m.bins[i+len(old)]
		var tails [2]*node[K]
		var count [2]int
		for n := b.first; n != nil; {
			next, half, to := n.next, 0, low
			if m.index(n) != i {
				half, to = 1, high
			}
			n.prev, n.next = tails[half], nil
			if n.prev == nil {
				to.first = n
			} else {
				n.prev.next = n
			}
			tails[half], n = n, next
			count[half]++
		}
		if b.root == nil {
			continue
		}
		for half, part := range []*bin[K]{low, high} {
			switch {
			case count[half] <= untreeifyAt:
			case count[1-half] == 0:
				part.root = b.root
			default:
				part.treeify(m.compare)
			}
		}
	}
}
