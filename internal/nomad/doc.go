// Package nomad is the client of Nomad: it registers, reads, watches, stops
// and purges the jobs of topologies, asks what a job would become, and waits
// until containers run or have ended.
//
// It decides nothing about topologies; what a job is made of is package
// jobspec's.
package nomad
