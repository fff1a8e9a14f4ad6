// Package e2e has no code of its own. Its tests run the built program as a
// user does, against real servers, whole and broken.
package e2e
