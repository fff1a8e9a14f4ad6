package java

// treeify gives the bin a search tree over its list. The root then moves to
// the front of the list, the others stay in their order.
func (b *bin[K]) treeify(compare func(a, b K) int) {
	b.root = nil
	for n := b.first; n != nil; n = n.next {
		b.link(n, compare)
	}
	b.rootToFront()
}

// insert adds a key to a bin with a tree: in the list it comes right behind
// its parent in the tree.
func (b *bin[K]) insert(n *node[K], compare func(a, b K) int) {
	parent := b.link(n, compare)
	n.prev, n.next = parent, parent.next
	if n.next != nil {
		n.next.prev = n
	}
	parent.next = n
	b.rootToFront()
}

func (b *bin[K]) rootToFront() {
	r := b.root
	if r == b.first {
		return
	}
	r.prev.next = r.next
	if r.next != nil {
		r.next.prev = r.prev
	}
	r.prev, r.next = nil, b.first
	b.first.prev = r
	b.first = r
}

// link puts n into the tree and returns the node it was hung under, before
// the tree was balanced.
func (b *bin[K]) link(n *node[K], compare func(a, b K) int) *node[K] {
	n.parent, n.left, n.right, n.red = nil, nil, nil, true
	if b.root == nil {
		n.red = false
		b.root = n
		return nil
	}
	var parent *node[K]
	at := &b.root
	for *at != nil {
		parent = *at
		if n.hash < parent.hash || n.hash == parent.hash && compare(n.key, parent.key) <= 0 {
			at = &parent.left
		} else {
			at = &parent.right
		}
	}
	*at, n.parent = n, parent
	b.balance(n)
	return parent
}

// balance restores the rules of a red-black tree after n was added.
func (b *bin[K]) balance(n *node[K]) {
	for n.parent != nil && n.parent.red {
		parent := n.parent
		grand := parent.parent
		left := parent == grand.left
		uncle := grand.left
		if left {
			uncle = grand.right
		}
		if uncle != nil && uncle.red {
			parent.red, uncle.red, grand.red = false, false, true
			n = grand
			continue
		}
		if inner := left == (n == parent.right); inner {
			b.rotate(parent, left)
			parent = n
		}
		parent.red, grand.red = false, true
		b.rotate(grand, !left)
		break
	}
	b.root.red = false
}

// rotate turns n down to the left or right; its child takes its place.
func (b *bin[K]) rotate(n *node[K], left bool) {
	up, inner := n.left, (*node[K])(nil)
	if left {
		up = n.right
		inner, n.right, up.left = up.left, up.left, n
	} else {
		inner, n.left, up.right = up.right, up.right, n
	}
	if inner != nil {
		inner.parent = n
	}
	up.parent = n.parent
	switch {
	case n.parent == nil:
		b.root = up
	case n.parent.left == n:
		n.parent.left = up
	default:
		n.parent.right = up
	}
	n.parent = up
}
