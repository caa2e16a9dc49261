package thalweg

// #include "native.h"
import "C"

import (
	"context"
	"encoding/json"
)

// HookPoint is where a hook is asked.
type HookPoint uint32

const (
	// BeforeToolCall gets {"tool_call_id", "tool_name", "args"}. It may answer {"args": {...}} to run the tool with other arguments, or
	// {"block": true, "reason": s} to tell the model the reason instead.
	BeforeToolCall HookPoint = C.THW_HOOK_BEFORE_TOOL_CALL
	// AfterToolCall gets the same, with "text" and "is_error", and may answer other ones of these two.
	AfterToolCall HookPoint = C.THW_HOOK_AFTER_TOOL_CALL
	// TransformContext gets {"messages": [...]} before each request, and may answer the array of messages to send in its place.
	TransformContext HookPoint = C.THW_HOOK_TRANSFORM_CONTEXT
	// ConvertMessages is the same, behind all of TransformContext.
	ConvertMessages HookPoint = C.THW_HOOK_CONVERT_MESSAGES
	// AfterTurn gets {"turn": n, "messages": [...]} after a turn that another one would follow, and may answer {"stop": true}.
	AfterTurn HookPoint = C.THW_HOOK_AFTER_TURN
	// APIKey gets {"provider": s} before each request to a server, and may answer the key.
	APIKey HookPoint = C.THW_HOOK_API_KEY
)

// Hook is a function that a run asks before it goes on.
type Hook struct {
	Point HookPoint
	// Run answers with anything that json.Marshal makes what the point may be answered; nil to go on as it is. An error is told to the
	// model where a tool is called, else it ends the run. The context is done when nobody waits any more.
	Run func(ctx context.Context, input json.RawMessage) (any, error)
}

func (h Hook) asTool() *Tool {
	return &Tool{Run: func(ctx context.Context, call *Call) (string, error) {
		answer, err := h.Run(ctx, call.Arguments)
		if err != nil || answer == nil {
			return "", err
		}
		text, err := json.Marshal(answer)
		return string(text), err
	}}
}
