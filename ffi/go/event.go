package thalweg

// #include "native.h"
import "C"

import (
	"fmt"
	"strings"
	"unsafe"
)

// Kind is what happened. Skip what you do not know: later versions add some.
type Kind uint32

// Kinds; THW_EVENT_* of the C headers, which say what Text, Aux and Num mean.
const (
	ReplyStart          Kind = C.THW_EVENT_MESSAGE_START
	TextDelta           Kind = C.THW_EVENT_TEXT
	ThinkingDelta       Kind = C.THW_EVENT_THINKING
	ThinkingSignature   Kind = C.THW_EVENT_THINKING_SIGNATURE
	RedactedThinking    Kind = C.THW_EVENT_REDACTED_THINKING
	RefusalDelta        Kind = C.THW_EVENT_REFUSAL
	ToolCallStart       Kind = C.THW_EVENT_TOOL_BEGIN
	ToolCallDelta       Kind = C.THW_EVENT_TOOL_ARGUMENTS
	BlockEnd            Kind = C.THW_EVENT_BLOCK_END
	UsageCounter        Kind = C.THW_EVENT_USAGE
	UsageRaw            Kind = C.THW_EVENT_USAGE_RAW
	Stop                Kind = C.THW_EVENT_STOP
	ProviderError       Kind = C.THW_EVENT_ERROR
	Done                Kind = C.THW_EVENT_DONE
	OtherContent        Kind = C.THW_EVENT_OTHER_CONTENT
	Skipped             Kind = C.THW_EVENT_SKIPPED
	AgentStart          Kind = C.THW_EVENT_AGENT_START
	TurnStart           Kind = C.THW_EVENT_TURN_START
	MessageStart        Kind = C.THW_EVENT_MESSAGE_BEGIN
	ContentStart        Kind = C.THW_EVENT_CONTENT_BEGIN
	ContentEnd          Kind = C.THW_EVENT_CONTENT_END
	MessageEnd          Kind = C.THW_EVENT_MESSAGE_END
	ToolExecutionStart  Kind = C.THW_EVENT_TOOL_EXECUTION_START
	ToolExecutionUpdate Kind = C.THW_EVENT_TOOL_EXECUTION_UPDATE
	ToolExecutionEnd    Kind = C.THW_EVENT_TOOL_EXECUTION_END
	TurnEnd             Kind = C.THW_EVENT_TURN_END
	AgentEnd            Kind = C.THW_EVENT_AGENT_END
)

var kinds = map[Kind]string{
	ReplyStart: "reply_start", TextDelta: "text_delta", ThinkingDelta: "thinking_delta",
	ThinkingSignature: "thinking_signature", RedactedThinking: "redacted_thinking", RefusalDelta: "refusal_delta",
	ToolCallStart: "tool_call_start", ToolCallDelta: "tool_call_delta", BlockEnd: "block_end", UsageCounter: "usage",
	UsageRaw: "usage_raw", Stop: "stop", ProviderError: "error", Done: "done", OtherContent: "other_content",
	Skipped: "skipped", AgentStart: "agent_start", TurnStart: "turn_start", MessageStart: "message_start",
	ContentStart: "content_start", ContentEnd: "content_end", MessageEnd: "message_end",
	ToolExecutionStart: "tool_execution_start", ToolExecutionUpdate: "tool_execution_update",
	ToolExecutionEnd: "tool_execution_end", TurnEnd: "turn_end", AgentEnd: "agent_end",
}

// String is the name of the kind.
func (k Kind) String() string {
	if name, ok := kinds[k]; ok {
		return name
	}
	return fmt.Sprintf("kind %d", uint32(k))
}

// Event is one step of a run. Its texts share their memory with those of its neighbours; strings.Clone what shall be kept alone.
type Event struct {
	Kind Kind
	// Flags are THW_FLAG_* of the C headers.
	Flags uint32
	// Block is the place of the content block in its message.
	Block uint32
	// Choice is which of several replies; 0 is the one that counts.
	Choice uint32
	// Text is that of a delta, or the JSON of what happened.
	Text string
	// Aux is a second text, such as the id of a tool call.
	Aux string
	// Num is a number whose meaning depends on the kind.
	Num int64
	// Seq is the place in the log of the run.
	Seq uint64
}

// rawEvent is a thw_event, as native.h asserts.
type rawEvent struct {
	kind, flags, block, sub uint32
	text, aux               rawText
	num                     int64
	seq                     uint64
}

type rawText struct {
	start unsafe.Pointer
	len   uintptr
}

func (t rawText) bytes() []byte {
	return unsafe.Slice((*byte)(t.start), int(t.len))
}

// rawBatch is a thw_batch with the number of a consumer as `user`.
type rawBatch struct {
	user   uintptr
	events unsafe.Pointer
	count  uintptr
	status int32
	_      uint32
}

func (b *rawBatch) slice() []rawEvent {
	return unsafe.Slice((*rawEvent)(b.events), int(b.count))
}

// copyEvents takes events out of a borrowed batch; all texts lie in one string.
func copyEvents(from []rawEvent) []Event {
	bytes := 0
	for i := range from {
		bytes += int(from[i].text.len + from[i].aux.len)
	}
	var texts strings.Builder
	texts.Grow(bytes)
	for i := range from {
		texts.Write(from[i].text.bytes())
		texts.Write(from[i].aux.bytes())
	}
	rest := texts.String()
	events := make([]Event, len(from))
	for i := range from {
		raw := &from[i]
		text, after := rest[:raw.text.len], rest[raw.text.len:]
		events[i] = Event{
			Kind: Kind(raw.kind), Flags: raw.flags, Block: raw.block, Choice: raw.sub,
			Text: text, Aux: after[:raw.aux.len], Num: raw.num, Seq: raw.seq,
		}
		rest = after[raw.aux.len:]
	}
	return events
}

// copyTexts takes the text of the first choice.
func copyTexts(from []rawEvent) []string {
	bytes, count := 0, 0
	for i := range from {
		if isText(&from[i]) {
			bytes += int(from[i].text.len)
			count++
		}
	}
	if count == 0 {
		return nil
	}
	var texts strings.Builder
	texts.Grow(bytes)
	for i := range from {
		if isText(&from[i]) {
			texts.Write(from[i].text.bytes())
		}
	}
	rest := texts.String()
	pieces := make([]string, 0, count)
	for i := range from {
		if isText(&from[i]) {
			pieces = append(pieces, rest[:from[i].text.len])
			rest = rest[from[i].text.len:]
		}
	}
	return pieces
}

func isText(event *rawEvent) bool {
	return Kind(event.kind) == TextDelta && event.sub == 0
}
