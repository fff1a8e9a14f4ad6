// Package standin is a stand-in for Heron's own processes, for tests and the
// demo. It takes the command line, the files and the state nodes that the
// real executor, TManager and stream managers take, is as strict about them
// or stricter, and changes the state as they do: location, physical plan,
// activation, runtime configuration, restart after a change of the packing
// plan. It runs nobody's spouts and bolts and moves no tuples.
//
// It shares no logic with the client, only the protobuf messages, so that a
// mistake of the client meets a second opinion here.
package standin

// Notice is the first line that every program of the stand-in prints and
// logs.
const Notice = "heron stand-in core for tests and demos: this is not Apache Heron, no tuples are processed"
