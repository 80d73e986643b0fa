//go:build race

package main

// raced: the program was built with the race detector, which takes several times the memory.
const raced = true
