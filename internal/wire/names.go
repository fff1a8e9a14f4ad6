package wire

// The kinds of names of a topology's parts that a server lists for completion.
const (
	Components = "components"
	Containers = "containers"
	Versions   = "versions"
)

// Names are names for completion, in order.
type Names struct {
	Names []string `json:"names"`
}
