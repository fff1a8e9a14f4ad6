// Package commandbench has no code of its own. Its benchmark runs the built
// program against a real Nomad and a real ZooKeeper: submit and kill of
// topologies of several sizes whose containers cannot be placed, and version.
//
// Each command stands beside a program that does the least that can be done:
// the bare requests with the same bytes (bare), or printing one line
// (oneline). All of them are run and measured by a small program (measure),
// because a process starts with the peak memory of the one that starts it.
//
// HERON_BIN names the program to measure; without it the one of this tree is
// built. So figures from before and after a change can be compared.
package commandbench
