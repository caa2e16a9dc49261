package thalweg

/*
#include "native.h"

static inline thw_agent *go_agent_new(thw_engine *engine, _GoString_ options, uint32_t tools_len, const thw_host_tool *tools,
                                      uint32_t hooks_len, const thw_host_hook *hooks, uint32_t providers_len,
                                      const thw_host_provider *providers, thw_error *error) {
  thw_callbacks callbacks = THW_CALLBACKS_INIT;
  callbacks.tools_len = tools_len, callbacks.tools = tools;
  callbacks.hooks_len = hooks_len, callbacks.hooks = hooks;
  callbacks.providers_len = providers_len, callbacks.providers = providers;
  return thw_agent_new(engine, _GoStringPtr(options), _GoStringLen(options), &callbacks, error);
}

static inline thw_run *go_prompt(thw_agent *agent, _GoString_ text, thw_error *error) {
  return thw_agent_prompt(agent, _GoStringPtr(text), _GoStringLen(text), NULL, error);
}

static inline thw_run *go_prompt_json(thw_agent *agent, _GoString_ text, thw_error *error) {
  return thw_agent_prompt_json(agent, _GoStringPtr(text), _GoStringLen(text), NULL, error);
}

static inline thw_status go_steer(thw_agent *agent, _GoString_ text, thw_error *error) {
  return thw_agent_steer(agent, _GoStringPtr(text), _GoStringLen(text), error);
}

static inline thw_status go_follow_up(thw_agent *agent, _GoString_ text, thw_error *error) {
  return thw_agent_follow_up(agent, _GoStringPtr(text), _GoStringLen(text), error);
}

static inline thw_status go_steer_json(thw_agent *agent, _GoString_ text, thw_error *error) {
  return thw_agent_steer_json(agent, _GoStringPtr(text), _GoStringLen(text), error);
}

static inline thw_status go_follow_up_json(thw_agent *agent, _GoString_ text, thw_error *error) {
  return thw_agent_follow_up_json(agent, _GoStringPtr(text), _GoStringLen(text), error);
}

static inline thw_status go_set_conversation(thw_agent *agent, _GoString_ text, thw_error *error) {
  return thw_agent_set_conversation(agent, _GoStringPtr(text), _GoStringLen(text), error);
}
*/
import "C"

import (
	"context"
	"encoding/json"
	"runtime"
	"runtime/cgo"
	"sync/atomic"
	"unsafe"
)

// Options are those of an agent; all but Model may be left out. See `thw_agent_new` in thalweg.h.
type Options struct {
	// Model is "provider/model", such as "openai/gpt-4o-mini". With BaseURL or Provider: the model as it stands.
	Model    string `json:"model,omitempty"`
	Provider string `json:"provider,omitempty"`
	BaseURL  string `json:"base_url,omitempty"`
	// Team stands in the place of a model: {"kind": "pipeline", "members": [{"name": s, "model": s, ...}]}, as docs/TEAMS.md describes
	// it. The tools are its members' then, and events of text carry in Aux the member that speaks.
	Team any `json:"team,omitempty"`
	// Dialect is what is spoken there; "openai-chat" if nothing says.
	Dialect string `json:"dialect,omitempty"`
	// APIKey: if absent, the environment variable of the provider is read, such as OPENAI_API_KEY.
	APIKey      string            `json:"api_key,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	System      string            `json:"system,omitempty"`
	MaxTokens   int               `json:"max_tokens,omitempty"`
	Temperature *float64          `json:"temperature,omitempty"`
	TopP        *float64          `json:"top_p,omitempty"`
	TopK        int               `json:"top_k,omitempty"`
	Seed        *int64            `json:"seed,omitempty"`
	Stop        []string          `json:"stop,omitempty"`
	// Thinking is {"level": "low" | "medium" | "high", "budget_tokens": n}.
	Thinking any `json:"thinking,omitempty"`
	// ToolChoice is "auto", "none", "required" or {"name": s}.
	ToolChoice any `json:"tool_choice,omitempty"`
	// Output is {"type": "json"} or {"type": "json_schema", "schema": {...}}.
	Output any `json:"output,omitempty"`
	// Extra are fields that go into the body of each request as they are.
	Extra map[string]any `json:"extra,omitempty"`
	// ToolMode is "parallel" if absent, or "sequential".
	ToolMode string `json:"tool_mode,omitempty"`
	// MaxTurns that one run may take; 50 if absent.
	MaxTurns int `json:"max_turns,omitempty"`
	// Retries of a request that found no answer; 3 if nil.
	Retries *int `json:"retries,omitempty"`
	// Cache is "none", "short" or "long"; Session a name of the conversation, for that cache.
	Cache   string `json:"cache,omitempty"`
	Session string `json:"session,omitempty"`
	// LoadedTools are names of tools of loaded plugins; all of them if nil.
	LoadedTools []string `json:"tools,omitempty"`

	// Tools are functions that the model may call.
	Tools []Tool `json:"-"`
	// Hooks are asked before a run goes on; several at a point in their order.
	Hooks []Hook `json:"-"`
	// Stream takes the place of a provider: it gives the replies itself.
	Stream Stream `json:"-"`
	// Engine is one of your own; else all agents share one.
	Engine *Engine `json:"-"`
}

// Agent is a model, its tools, and the conversation with it. All methods are for any goroutine.
type Agent struct {
	engine *Engine
	handle *C.thw_agent
	isKept atomic.Bool
}

// NewAgent makes an agent. It opens no connection.
func NewAgent(options Options) (*Agent, error) {
	engine := options.Engine
	if engine == nil {
		var err error
		if engine, err = SharedEngine(); err != nil {
			return nil, err
		}
	}
	provider := options.Provider
	if options.Stream != nil && provider == "" {
		provider = "program"
		// Members of a team name it by themselves.
		if options.Team == nil {
			options.Provider = provider
		}
	}
	text, err := json.Marshal(options)
	if err != nil {
		return nil, err
	}
	for _, hook := range options.Hooks {
		if hook.Run == nil {
			return nil, &Error{Code: Invalid, Message: "Run of a hook is nil", RetryAfter: -1}
		}
	}
	schemas := make([]string, len(options.Tools))
	for i := range options.Tools {
		tool := &options.Tools[i]
		if tool.Run == nil {
			return nil, &Error{Code: Invalid, Message: "Run of the tool " + tool.Name + " is nil", RetryAfter: -1}
		}
		schema := []byte(`{"type":"object","properties":{}}`)
		if tool.Parameters != nil {
			if schema, err = json.Marshal(tool.Parameters); err != nil {
				return nil, err
			}
		}
		schemas[i] = string(schema)
	}
	a := &Agent{engine: engine}
	err = engine.with(func(handle *C.thw_engine) error {
		memory := &memory{}
		defer memory.free()
		tools := memory.tools(options.Tools, schemas)
		hooks := memory.hooks(options.Hooks)
		providers, count := memory.providers(provider, options.Stream)
		failure := newError()
		a.handle = C.go_agent_new(handle, string(text), C.uint32_t(len(schemas)), tools, C.uint32_t(len(options.Hooks)), hooks,
			C.uint32_t(count), providers, failure)
		if a.handle == nil {
			return errorOf(failure)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(a, func(a *Agent) { C.thw_agent_free(a.handle) })
	return a, nil
}

// memory is C's, for the call that makes an agent; the handles in it are the library's from then on.
type memory struct {
	all []unsafe.Pointer
}

func (m *memory) free() {
	for _, each := range m.all {
		C.free(each)
	}
}

func (m *memory) text(s string) C.thw_str {
	copied := unsafe.Pointer(C.CString(s))
	m.all = append(m.all, copied)
	return C.thw_str{ptr: (*C.uint8_t)(copied), len: C.size_t(len(s))}
}

func (m *memory) array(count int, size uintptr) unsafe.Pointer {
	array := C.calloc(C.size_t(count), C.size_t(size))
	m.all = append(m.all, array)
	return array
}

func (m *memory) tools(tools []Tool, schemas []string) *C.thw_host_tool {
	if len(tools) == 0 {
		return nil
	}
	table := (*C.thw_host_tool)(m.array(len(tools), unsafe.Sizeof(C.thw_host_tool{})))
	rows := unsafe.Slice(table, len(tools))
	for i := range tools {
		tool := tools[i]
		flags := C.uint32_t(C.THW_TOOL_PARALLEL)
		if tool.Sequential {
			flags = 0
		}
		handle := C.uintptr_t(cgo.NewHandle(&tool))
		C.go_set_tool(&rows[i], flags, m.text(tool.Name), m.text(tool.Description), m.text(schemas[i]), handle)
	}
	return table
}

func (m *memory) hooks(hooks []Hook) *C.thw_host_hook {
	if len(hooks) == 0 {
		return nil
	}
	table := (*C.thw_host_hook)(m.array(len(hooks), unsafe.Sizeof(C.thw_host_hook{})))
	rows := unsafe.Slice(table, len(hooks))
	for i := range hooks {
		C.go_set_hook(&rows[i], C.uint32_t(hooks[i].Point), C.uintptr_t(cgo.NewHandle(hooks[i].asTool())))
	}
	return table
}

func (m *memory) providers(name string, stream Stream) (*C.thw_host_provider, int) {
	if stream == nil {
		return nil, 0
	}
	row := (*C.thw_host_provider)(m.array(1, unsafe.Sizeof(C.thw_host_provider{})))
	C.go_set_provider(row, m.text(name), C.uintptr_t(cgo.NewHandle(stream.asTool())))
	return row, 1
}

// Prompt starts a run that answers a text. The context aborts it, also when nobody waits for it.
func (a *Agent) Prompt(ctx context.Context, text string) (*Run, error) {
	return a.start(ctx, func(failure *C.thw_error) *C.thw_run { return C.go_prompt(a.handle, text, failure) })
}

// PromptMessages is Prompt with user messages: any value that json.Marshal makes an array of them.
func (a *Agent) PromptMessages(ctx context.Context, messages any) (*Run, error) {
	text, err := json.Marshal(messages)
	if err != nil {
		return nil, err
	}
	return a.start(ctx, func(failure *C.thw_error) *C.thw_run { return C.go_prompt_json(a.handle, string(text), failure) })
}

func (a *Agent) start(ctx context.Context, start func(*C.thw_error) *C.thw_run) (*Run, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(a)
	failure := newError()
	var handle *C.thw_run
	err := a.engine.with(func(*C.thw_engine) error {
		if handle = start(failure); handle == nil {
			return errorOf(failure)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return newRun(ctx, a.engine, handle, a.isKept.Load())
}

// Steer says something while a run goes on: it comes in before the next request.
func (a *Agent) Steer(text string) error {
	defer runtime.KeepAlive(a)
	failure := newError()
	return statusError(C.go_steer(a.handle, text, failure), failure)
}

// FollowUp is Steer for once the run would end otherwise.
func (a *Agent) FollowUp(text string) error {
	defer runtime.KeepAlive(a)
	failure := newError()
	return statusError(C.go_follow_up(a.handle, text, failure), failure)
}

// SteerMessages is Steer with user messages: any value that json.Marshal makes an array of them.
func (a *Agent) SteerMessages(messages any) error {
	return a.say(messages, func(text string, failure *C.thw_error) C.thw_status { return C.go_steer_json(a.handle, text, failure) })
}

// FollowUpMessages is FollowUp with user messages.
func (a *Agent) FollowUpMessages(messages any) error {
	return a.say(messages, func(text string, failure *C.thw_error) C.thw_status {
		return C.go_follow_up_json(a.handle, text, failure)
	})
}

func (a *Agent) say(messages any, say func(string, *C.thw_error) C.thw_status) error {
	defer runtime.KeepAlive(a)
	text, err := json.Marshal(messages)
	if err != nil {
		return err
	}
	failure := newError()
	return statusError(say(string(text), failure), failure)
}

// Abort stops the run that goes on, if one does.
func (a *Agent) Abort() {
	defer runtime.KeepAlive(a)
	C.thw_agent_abort(a.handle)
}

// IsRunning says whether a run goes on.
func (a *Agent) IsRunning() bool {
	defer runtime.KeepAlive(a)
	return C.thw_agent_is_running(a.handle) != 0
}

// Conversation is what was said so far, as JSON with the version of its schema: for SetConversation on another day.
func (a *Agent) Conversation() (json.RawMessage, error) {
	defer runtime.KeepAlive(a)
	failure := newError()
	text := C.thw_agent_conversation(a.handle, failure)
	if text == nil {
		return nil, errorOf(failure)
	}
	defer C.thw_free(text)
	return json.RawMessage(C.GoString(text)), nil
}

// SetConversation goes on with what Conversation wrote.
func (a *Agent) SetConversation(conversation json.RawMessage) error {
	defer runtime.KeepAlive(a)
	failure := newError()
	return statusError(C.go_set_conversation(a.handle, string(conversation), failure), failure)
}

func statusError(status C.thw_status, failure *C.thw_error) error {
	if status < 0 {
		return errorOf(failure)
	}
	return nil
}
