package java

// cut takes a node out of the bin. A tree that gets small becomes a list, in
// its order; otherwise the root that it has then moves to the front.
func (b *bin[K]) cut(n *node[K]) {
	if n.prev == nil {
		b.first = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	}
	switch root := b.root; {
	case root == nil:
	case b.first == nil || root.right == nil || root.left == nil || root.left.left == nil:
		b.root = nil
	default:
		b.unlink(n)
		b.rootToFront()
	}
}

// unlink takes n out of the tree and restores the rules of a red-black tree.
func (b *bin[K]) unlink(n *node[K]) {
	if n.left != nil && n.right != nil {
		next := n.right
		for next.left != nil {
			next = next.left
		}
		b.swap(n, next)
	}
	child := n.left
	if child == nil {
		child = n.right
	}
	if child == nil {
		// A black leaf stands in for its missing child while the tree is mended.
		if !n.red {
			b.lift(n)
		}
		b.replace(n, nil)
		return
	}
	b.replace(n, child)
	if !n.red {
		b.lift(child)
	}
}

// swap lets two nodes of the tree change places and colours, the second of
// which is the first's successor and below it.
func (b *bin[K]) swap(n, next *node[K]) {
	n.red, next.red = next.red, n.red
	parent, right := next.parent, next.right
	b.replace(n, next)
	next.left = n.left
	next.left.parent = next
	if parent == n {
		next.right, n.parent = n, next
	} else {
		next.right = n.right
		next.right.parent = next
		parent.left, n.parent = n, parent
	}
	n.left, n.right = nil, right
	if right != nil {
		right.parent = n
	}
}

// replace puts another node, or none, where n hangs.
func (b *bin[K]) replace(n, other *node[K]) {
	switch {
	case n.parent == nil:
		b.root = other
	case n.parent.left == n:
		n.parent.left = other
	default:
		n.parent.right = other
	}
	if other != nil {
		other.parent = n.parent
	}
}

// lift mends a tree in which the paths through n have one black node too few.
func (b *bin[K]) lift(n *node[K]) {
	for n != b.root && !n.red {
		parent := n.parent
		left := parent.left == n
		sibling := parent.side(!left)
		if sibling != nil && sibling.red {
			sibling.red, parent.red = false, true
			b.rotate(parent, left)
			sibling = parent.side(!left)
		}
		if sibling == nil {
			n = parent
			continue
		}
		near, far := sibling.side(left), sibling.side(!left)
		if !near.isRed() && !far.isRed() {
			sibling.red = true
			n = parent
			continue
		}
		if !far.isRed() {
			near.red, sibling.red = false, true
			b.rotate(sibling, !left)
			sibling = near
			far = sibling.side(!left)
		}
		sibling.red, parent.red = parent.red, false
		far.red = false
		b.rotate(parent, left)
		n = b.root
	}
	n.red = false
}

func (n *node[K]) side(left bool) *node[K] {
	if left {
		return n.left
	}
	return n.right
}

func (n *node[K]) isRed() bool { return n != nil && n.red }
