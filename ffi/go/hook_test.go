package thalweg

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// callsOnce calls a tool, and then says what its result was.
func callsOnce(_ context.Context, request json.RawMessage, reply *Reply) error {
	var asked struct {
		Messages []struct {
			Role    string
			Content []struct{ Content []struct{ Text string } }
		}
	}
	if err := json.Unmarshal(request, &asked); err != nil {
		return err
	}
	last := asked.Messages[len(asked.Messages)-1]
	if last.Role == "tool" {
		return reply.Text(last.Content[0].Content[0].Text)
	}
	return reply.ToolCall("c1", "add", map[string]int{"A": 1, "B": 2})
}

func textWith(t *testing.T, hooks ...Hook) string {
	t.Helper()
	type numbers struct{ A, B int }
	add := NewTool("add", "Adds.", map[string]string{"type": "object"},
		func(_ context.Context, n numbers) (int, error) { return n.A + n.B, nil })
	agent, err := NewAgent(Options{Model: "one", Stream: callsOnce, Tools: []Tool{add}, Hooks: hooks})
	if err != nil {
		t.Fatal(err)
	}
	ctx := within(t)
	run, err := agent.Prompt(ctx, "go")
	if err != nil {
		t.Fatal(err)
	}
	result, err := run.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return result.Text()
}

func TestHooksChangeAndBlockCallsAndChangeAnswers(t *testing.T) {
	hook := func(point HookPoint, answer any, err error) Hook {
		return Hook{Point: point, Run: func(context.Context, json.RawMessage) (any, error) { return answer, err }}
	}
	for want, given := range map[string]Hook{
		"3":              hook(BeforeToolCall, nil, nil),
		"42":             hook(BeforeToolCall, map[string]any{"args": map[string]int{"A": 20, "B": 22}}, nil),
		"not on Sundays": hook(BeforeToolCall, map[string]any{"block": true, "reason": "not on Sundays"}, nil),
		"about 3":        hook(AfterToolCall, map[string]string{"text": "about 3"}, nil),
	} {
		if got := textWith(t, given); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := textWith(t, hook(BeforeToolCall, nil, errors.New("no ones"))); !strings.Contains(got, "no ones") {
		t.Errorf("the model was told %q", got)
	}
}

func TestAnAbortEndsAStream(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error, 1)
	agent, err := NewAgent(Options{Model: "one",
		Stream: func(ctx context.Context, _ json.RawMessage, reply *Reply) error {
			close(began)
			for {
				if err := reply.Text("on "); err != nil {
					ended <- err
					return err
				}
				time.Sleep(time.Millisecond)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	run, err := agent.Prompt(context.Background(), "go")
	if err != nil {
		t.Fatal(err)
	}
	<-began
	if !agent.IsRunning() {
		t.Error("the agent does not run")
	}
	agent.Abort()
	select {
	case err := <-ended:
		if !errors.Is(err, ErrNobodyListens) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the stream goes on")
	}
	if _, err := run.Wait(within(t)); err == nil {
		t.Error("an aborted run has no error")
	}
}
