// Package uploadbench has no code of its own. Its benchmarks upload a large
// package by each way, next to the tool that a person would take instead.
//
// Both send the same file to the same real server, in processes of their own,
// by turns; the results are medians of all rounds.
package uploadbench
