package thalweg

/*
#include "native.h"

static inline thw_status go_push(thw_sink *sink, uint32_t kind, uint32_t block, int64_t num, _GoString_ text, _GoString_ aux) {
  thw_event event = { 0 };
  event.kind = kind, event.block = block, event.num = num;
  event.text = (thw_str){ (const uint8_t *)_GoStringPtr(text), _GoStringLen(text) };
  event.aux = (thw_str){ (const uint8_t *)_GoStringPtr(aux), _GoStringLen(aux) };
  thw_status status = thw_sink_push(sink, &event, 1);
  return status == THW_PENDING ? thw_sink_wait(sink, -1) : status;
}
*/
import "C"

import (
	"context"
	"encoding/json"
	"errors"
)

// Stream gives a reply: the request is the JSON of the model, the messages, the tools and what else the agent was told. An error ends
// the run, and what came before is kept.
type Stream func(ctx context.Context, request json.RawMessage, reply *Reply) error

func (s Stream) asTool() *Tool {
	return &Tool{Run: func(ctx context.Context, call *Call) (string, error) {
		reply := &Reply{call: call, block: -1}
		if err := s(ctx, call.Arguments, reply); err != nil {
			return "", err
		}
		return "", reply.end()
	}}
}

// ErrNobodyListens is what the methods of a Reply give once its run is over.
var ErrNobodyListens = errors.New("nobody listens any more")

// Reply is what a Stream gives, piece by piece. Its methods wait while the reader is behind. For one goroutine at a time.
type Reply struct {
	call *Call
	// Kind and number of the block that grows; -1 before the first.
	kind, block int
	calls       int
	isEnded     bool
}

// Text is more of the text.
func (r *Reply) Text(text string) error { return r.delta(C.THW_EVENT_TEXT, text) }

// Thinking is more of the thinking.
func (r *Reply) Thinking(text string) error { return r.delta(C.THW_EVENT_THINKING, text) }

// ToolCall is a call of a tool; arguments is any value that json.Marshal makes an object.
func (r *Reply) ToolCall(id, name string, arguments any) error {
	text, err := json.Marshal(arguments)
	if err != nil {
		return err
	}
	r.calls++
	r.open(C.THW_EVENT_TOOL_ARGUMENTS)
	if err := r.push(C.THW_EVENT_TOOL_BEGIN, r.block, 0, name, id); err != nil {
		return err
	}
	return r.push(C.THW_EVENT_TOOL_ARGUMENTS, r.block, 0, string(text), "")
}

// Usage counts the tokens of the request and of the reply.
func (r *Reply) Usage(input, output int64) error {
	if err := r.push(C.THW_EVENT_USAGE, C.THW_USAGE_INPUT, input, "", ""); err != nil {
		return err
	}
	return r.push(C.THW_EVENT_USAGE, C.THW_USAGE_OUTPUT, output, "", "")
}

// Stop says why the reply ends: "stop", "length" or "tool_use"; without it, the first or the last of them.
func (r *Reply) Stop(reason string) error {
	r.isEnded = true
	reasons := map[string]int64{"stop": C.THW_STOP_END, "length": C.THW_STOP_LENGTH, "tool_use": C.THW_STOP_TOOL_USE}
	return r.push(C.THW_EVENT_STOP, 0, reasons[reason], reason, "")
}

func (r *Reply) end() error {
	switch {
	case r.isEnded:
		return nil
	case r.calls > 0:
		return r.Stop("tool_use")
	default:
		return r.Stop("stop")
	}
}

func (r *Reply) delta(kind int, text string) error {
	if r.block < 0 || r.kind != kind {
		r.open(kind)
	}
	return r.push(kind, r.block, 0, text, "")
}

func (r *Reply) open(kind int) {
	r.kind = kind
	r.block++
}

func (r *Reply) push(kind, block int, num int64, text, aux string) error {
	r.call.mutex.Lock()
	sink := r.call.sink
	r.call.mutex.Unlock()
	if sink == nil || C.go_push(sink, C.uint32_t(kind), C.uint32_t(block), C.int64_t(num), text, aux) < 0 {
		return ErrNobodyListens
	}
	return nil
}
