// Package apiserver serves the use cases over HTTP: to the original's Python
// client, which knows the original server's routes, and to clients that ask for
// more.
//
// It adds no second way of doing anything: a handler turns a request into a
// call of the same use case as the command line, and its result or failure into
// a status and a body. The routes, with what each takes and answers, are in
// openapi.yaml, which the server itself serves.
package apiserver
