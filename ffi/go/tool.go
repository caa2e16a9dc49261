package thalweg

/*
#include "native.h"

static inline thw_status go_answer(thw_sink *sink, thw_status status, _GoString_ text) {
  return thw_sink_answer(sink, status, _GoStringPtr(text), _GoStringLen(text));
}

static inline thw_status go_progress(thw_sink *sink, _GoString_ text, int32_t permille) {
  return thw_sink_progress(sink, _GoStringPtr(text), _GoStringLen(text), permille);
}
*/
import "C"

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"unsafe"
)

// Tool is a function that the model may call.
type Tool struct {
	// Name: letters, digits, `_` and `-`, at most 64.
	Name string
	// Description is what it does, for the model.
	Description string
	// Parameters is the JSON Schema of its arguments, an object; any value that json.Marshal makes one of. Nil for none.
	Parameters any
	// Sequential has a call wait until those of the same tool before it are answered.
	Sequential bool
	// Run answers a call, on a goroutine of its own. Its context is done when nobody waits any more. An error, and a panic, is told to
	// the model, which may try again.
	Run func(ctx context.Context, call *Call) (string, error)
}

// NewTool makes a tool of a function whose arguments are read from JSON; an answer that is no string is told as JSON.
func NewTool[Arguments, Answer any](
	name, description string, parameters any, run func(context.Context, Arguments) (Answer, error),
) Tool {
	return Tool{Name: name, Description: description, Parameters: parameters, Run: func(ctx context.Context, call *Call) (string, error) {
		var arguments Arguments
		if err := json.Unmarshal(call.Arguments, &arguments); err != nil {
			return "", err
		}
		answer, err := run(withCall(ctx, call), arguments)
		if err != nil {
			return "", err
		}
		if text, ok := any(answer).(string); ok {
			return text, nil
		}
		text, err := json.Marshal(answer)
		return string(text), err
	}}
}

type callKey struct{}

func withCall(ctx context.Context, call *Call) context.Context {
	return context.WithValue(ctx, callKey{}, call)
}

// CallOf is the call that a tool of NewTool answers, such as to tell its progress.
func CallOf(ctx context.Context) *Call {
	call, _ := ctx.Value(callKey{}).(*Call)
	return call
}

// Call is a call of a tool.
type Call struct {
	// ID is what the model gave it.
	ID string
	// Arguments is a JSON object.
	Arguments json.RawMessage

	mutex sync.Mutex
	// Nil once answered.
	sink *C.thw_sink
}

// Progress tells those who watch how far the call is: fraction from 0 to 1, or below 0 if unknown. False if nobody waits any more.
func (c *Call) Progress(text string, fraction float64) bool {
	permille := C.int32_t(-1)
	if fraction >= 0 {
		permille = C.int32_t(math.Round(math.Min(fraction, 1) * 1000))
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.sink != nil && C.go_progress(c.sink, text, permille) == C.THW_OK
}

func (c *Call) answer(text string, err error) {
	c.mutex.Lock()
	sink := c.sink
	c.sink = nil
	c.mutex.Unlock()
	if err != nil {
		C.go_answer(sink, C.THW_E_FAILED, err.Error())
	} else {
		C.go_answer(sink, C.THW_OK, text)
	}
}

// run calls the tool; a panic is its answer.
func (t *Tool) run(ctx context.Context, call *Call) (text string, err error) {
	defer func() {
		if why := recover(); why != nil {
			err = fmt.Errorf("the tool panicked: %v", why)
		}
	}()
	return t.Run(ctx, call)
}

func bytesOf(text *C.thw_str) []byte {
	return C.GoBytes(unsafe.Pointer(text.ptr), C.int(text.len))
}
