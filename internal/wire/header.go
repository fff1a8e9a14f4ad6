package wire

// Headers of our own.
const (
	// HeaderAPI is in every answer of this server, and in none of the original's.
	HeaderAPI = "Heron-Api"
	// HeaderProtected, in the answer about the version, says with "true" that a
	// person has to confirm before a topology is killed.
	HeaderProtected = "Heron-Protected"
	// HeaderAgain, in a request, says with "true" that the same was begun by a
	// server that was lost.
	HeaderAgain = "Heron-Again"
	// HeaderClient says who sends a request, as user@host.
	HeaderClient = "Heron-Client"
)
