// Package thalweg is a streaming engine for LLM agents: the C library libthalweg for Go.
//
// Sockets, parsing, retries and the agent loop run in the library, on a thread of its own. One goroutine takes the events of all
// runs of an engine, so what has come in costs one call into C however many runs it is of, and no run needs a thread.
//
//	agent, err := thalweg.NewAgent(thalweg.Options{Model: "openai/gpt-4o-mini"})
//	...
//	run, err := agent.Prompt(ctx, "Why is the sky blue?")
//	...
//	texts := run.Texts()
//	for texts.Next() {
//		fmt.Print(texts.Text())
//	}
//	if err := texts.Err(); err != nil {
//		...
//	}
//
// The package finds the library by pkg-config, as `thalweg install-c --prefix DIR` installed it. It needs Linux, since it waits
// at a descriptor that exists there only.
package thalweg

// #cgo pkg-config: thalweg
// #include <thalweg.h>
import "C"

// Version of the C library, such as "1.2.3".
func Version() string {
	return C.GoString(C.thw_version())
}
