package thalweg

// #include "native.h"
import "C"

import (
	"context"
	"encoding/json"
	"runtime"
	"sync"
	"unsafe"
)

// Run is all turns of one prompt, going on or over. It goes on by itself until its context or Abort stops it. All methods are for any
// goroutine.
type Run struct {
	engine *Engine
	ctx    context.Context
	handle *C.thw_run
	done   chan struct{}
	// Whether its conversation is kept in a store.
	isKept bool

	mutex   sync.Mutex
	waited  bool
	outcome error
}

// newRun takes the handle over.
func newRun(ctx context.Context, engine *Engine, handle *C.thw_run, isKept bool) (*Run, error) {
	r := &Run{engine: engine, ctx: ctx, handle: handle, done: make(chan struct{}), isKept: isKept}
	runtime.SetFinalizer(r, func(r *Run) { C.thw_run_free(r.handle) })
	if err := engine.drain(handle, end{r.done}); err != nil {
		r.Abort()
		return nil, err
	}
	if ctx.Done() != nil {
		go func() {
			select {
			case <-ctx.Done():
				r.Abort()
			case <-r.done:
			}
		}()
	}
	return r, nil
}

// end is the consumer that only waits for the end.
type end struct{ done chan struct{} }

func (end) take([]rawEvent) {}
func (e end) finish()       { close(e.done) }

func (r *Run) drain(to consumer) error {
	defer runtime.KeepAlive(r)
	return r.engine.drain(r.handle, to)
}

// Events begins at the first event, as often as it is called, also when the run is over.
func (r *Run) Events() *Events { return &Events{newStream(r, copyEvents)} }

// Texts begins at the first piece of text, as often as it is called, also when the run is over.
func (r *Run) Texts() *Texts { return &Texts{newStream(r, copyTexts)} }

// Abort stops the run: its socket is closed, running tools are told, what came is kept. Returns at once.
func (r *Run) Abort() {
	C.thw_run_abort(r.handle)
	runtime.KeepAlive(r)
}

// Done is closed when the run is over.
func (r *Run) Done() <-chan struct{} { return r.done }

// Wait waits for the end, and gives what came of the run, or how it failed. The context is that of the waiting, not of the run.
func (r *Run) Wait(ctx context.Context) (*Result, error) {
	select {
	case <-r.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if r.isKept {
		// What it said is written a moment behind its end.
		C.thw_run_wait(r.handle, C.THW_FOREVER, nil)
		runtime.KeepAlive(r)
	}
	if err := r.failure(); err != nil {
		return nil, err
	}
	return newResult(r.result())
}

// Text waits for the end, and gives the text of the last reply.
func (r *Run) Text(ctx context.Context) (string, error) {
	result, err := r.Wait(ctx)
	if err != nil {
		return "", err
	}
	return result.Text(), nil
}

// result is the JSON of a run that is over.
func (r *Run) result() json.RawMessage {
	defer runtime.KeepAlive(r)
	var text C.thw_str
	if C.thw_run_result(r.handle, &text, nil) != C.THW_OK {
		return nil
	}
	return C.GoBytes(unsafe.Pointer(text.ptr), C.int(text.len))
}

// failure is how a run failed that is over.
func (r *Run) failure() error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.waited {
		return r.outcome
	}
	failure := newError()
	switch status := C.thw_run_wait(r.handle, 0, failure); {
	case status == C.THW_OK:
	case status > 0:
		// Of a run that goes on the events end only with the engine.
		return stateError("the engine was closed before the run was over")
	default:
		r.outcome = errorOf(failure).ofRun(r.result(), r.ctx.Err())
	}
	r.waited = true
	return r.outcome
}
