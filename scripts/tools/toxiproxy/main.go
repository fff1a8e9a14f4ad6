// Command toxiproxy is Shopify's toxiproxy server with faults of our own:
//
//	toxiproxy HOST PORT
//
// serves toxiproxy's HTTP API on that address until it is stopped. Package
// testenv runs it and puts proxies between clients and servers. It is a module
// of its own so that the product does not require what only tests need.
package main

import (
	"fmt"
	"os"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: toxiproxy HOST PORT")
		os.Exit(2)
	}
	toxics.Register("heron_cut", new(cutBudget))
	toxics.Register("heron_break", new(breakBudget))
	toxics.Register("heron_stall", new(stallBudget))
	log := zerolog.New(os.Stderr).Level(zerolog.WarnLevel)
	// Listen returns only on failure, and has logged why.
	toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), log).Listen(os.Args[1], os.Args[2])
	os.Exit(1)
}
