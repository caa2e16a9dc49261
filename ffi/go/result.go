package thalweg

import "encoding/json"

// Result is what came of a run, complete or as far as it came.
type Result struct {
	// Message is the last reply; nil when none came.
	Message *Message `json:"message"`
	// Messages are what the run added to the conversation, the prompt among them, as `Agent.Conversation` has them.
	Messages []json.RawMessage `json:"messages"`
	// Usage counts the tokens of all turns.
	Usage Usage `json:"usage"`
	// JSON is everything, as `thw_run_result` of the C library gives it.
	JSON json.RawMessage `json:"-"`

	failure *failure
}

// Message is a reply of the model.
type Message struct {
	Content    []Content   `json:"content"`
	Model      string      `json:"model"`
	ResponseID string      `json:"response_id"`
	StopReason *StopReason `json:"stop_reason"`
}

// StopReason is why a reply ended.
type StopReason struct {
	// Mapped is "stop", "length", "tool_use", "stop_sequence", "content_filter", …
	Mapped string `json:"mapped"`
	// Raw is the provider's own word.
	Raw string `json:"raw"`
}

// Content is a block of a reply.
type Content struct {
	// Type is "text", "thinking", "tool_call", … Which of the others are there depends on it.
	Type      string `json:"type"`
	Text      string `json:"text"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// Usage counts tokens.
type Usage struct {
	Input      int64 `json:"input_tokens"`
	Output     int64 `json:"output_tokens"`
	Total      int64 `json:"total_tokens"`
	Reasoning  int64 `json:"reasoning_tokens"`
	CacheRead  int64 `json:"cache_read_tokens"`
	CacheWrite int64 `json:"cache_write_tokens"`
}

type failure struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

func newResult(text json.RawMessage) (*Result, error) {
	var parsed struct {
		Result
		Error *failure `json:"error"`
	}
	if err := json.Unmarshal(text, &parsed); err != nil {
		return nil, err
	}
	parsed.JSON = text
	parsed.failure = parsed.Error
	return &parsed.Result, nil
}

// Text is the text of the last reply.
func (r *Result) Text() string { return r.joined("text") }

// Thinking is the thinking of the last reply.
func (r *Result) Thinking() string { return r.joined("thinking") }

func (r *Result) joined(kind string) string {
	text := ""
	if r.Message != nil {
		for _, block := range r.Message.Content {
			if block.Type == kind {
				text += block.Text
			}
		}
	}
	return text
}
