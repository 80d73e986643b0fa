//go:build race

package daemon

// raced: the tests run under the race detector.
const raced = true
