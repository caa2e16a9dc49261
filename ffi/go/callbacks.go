package thalweg

// What the library calls. A file with exports may not define anything in C.

// #include "native.h"
import "C"

import (
	"context"
	"runtime/cgo"
)

//export thalwegInvoke
func thalwegInvoke(tool C.uintptr_t, id, arguments *C.thw_str, sink *C.thw_sink, cancel *C.thw_cancel) C.int32_t {
	asked := cgo.Handle(tool).Value().(*Tool)
	call := &Call{ID: string(bytesOf(id)), Arguments: bytesOf(arguments), sink: sink}
	go func() {
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		handle := cgo.NewHandle(stop)
		C.go_cancel_on(cancel, C.uintptr_t(handle))
		text, err := asked.run(ctx, call)
		// Nobody calls the handle any more once this has returned.
		call.answer(text, err)
		handle.Delete()
	}()
	return C.THW_PENDING
}

//export thalwegDrop
func thalwegDrop(tool C.uintptr_t) {
	cgo.Handle(tool).Delete()
}

//export thalwegCancelled
func thalwegCancelled(call C.uintptr_t) {
	cgo.Handle(call).Value().(context.CancelFunc)()
}
