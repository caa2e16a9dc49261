package thalweg

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

var codesByName = map[string]Code{"THW_E_CANCELLED": Cancelled, "THW_E_REMOTE": Remote}

// calls are what the tools were asked.
type calls struct {
	mutex sync.Mutex
	seen  map[string]any
}

func parsed(t *testing.T, text []byte) any {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Error(err)
	}
	return value
}

func (c *calls) tool(t *testing.T, said toolScenario, delay time.Duration) Tool {
	return Tool{Name: said.Name, Description: said.Description, Parameters: said.Parameters, Run: func(ctx context.Context, call *Call) (string, error) {
		time.Sleep(delay)
		c.mutex.Lock()
		c.seen[said.Name] = parsed(t, call.Arguments)
		c.mutex.Unlock()
		for _, text := range said.Progress {
			if !call.Progress(text, 0.5) {
				t.Error("nobody waits for ", said.Name)
			}
		}
		return said.Answer, nil
	}}
}

// shown is what an iteration showed.
type shown struct {
	text, thinking string
	deltas, turns  int
	progress       []string
}

func (s *shown) take(t *testing.T, event Event) {
	switch event.Kind {
	case TextDelta:
		s.text += event.Text
		s.deltas++
	case ThinkingDelta:
		s.thinking += event.Text
	case TurnStart:
		s.turns++
		s.text = ""
	case ToolExecutionUpdate:
		var update struct {
			Partial struct{ Content []Content } `json:"partial_result"`
		}
		if err := json.Unmarshal([]byte(event.Text), &update); err != nil {
			t.Error(err)
		}
		for _, part := range update.Partial.Content {
			s.progress = append(s.progress, part.Text)
		}
	}
}

func checkError(t *testing.T, said scenario, err error) {
	t.Helper()
	expected := said.Expect.Error
	var failure *Error
	if !errors.As(err, &failure) {
		t.Fatalf("%v is no *Error", err)
	}
	after := time.Duration(-1)
	if expected.RetryAfterMS != nil {
		after = time.Duration(*expected.RetryAfterMS) * time.Millisecond
	}
	if !errors.Is(err, codesByName[expected.Status]) || failure.Kind != expected.Kind || failure.HTTPStatus != expected.HTTPStatus ||
		failure.Retryable != expected.Retryable || failure.RetryAfter != after || !strings.Contains(err.Error(), expected.MessageContains) {
		t.Errorf("%#v, expected %+v", failure, *expected)
	}
	if failure.Result == nil || failure.Result.Text() != said.Expect.Text {
		t.Errorf("the error has not what came before")
	}
}

func play(t *testing.T, said scenario, delay time.Duration) {
	asked := calls{seen: map[string]any{}}
	options := optionsFor(replayURL)
	options.Retries = said.Options.Retries
	for _, tool := range said.Tools {
		options.Tools = append(options.Tools, asked.tool(t, tool, delay))
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	run, err := newAgent(t, options).Prompt(ctx, said.Prompt)
	if err != nil {
		t.Fatal(err)
	}
	var seen shown
	events := run.Events()
	for events.Next() {
		seen.take(t, events.Event())
		if seen.text != "" && seen.text == said.AbortAfterText {
			run.Abort()
		}
	}
	expected := said.Expect
	if seen.text != expected.Text {
		t.Errorf("the text is %q, not %q", seen.text, expected.Text)
	}
	result, err := run.Wait(ctx)
	if expected.Error != nil {
		checkError(t, said, events.Err())
		checkError(t, said, err)
		return
	}
	if err != nil || events.Err() != nil {
		t.Fatal(err, events.Err())
	}
	if result.Text() != expected.Text || result.Thinking() != expected.Thinking || seen.thinking != expected.Thinking {
		t.Errorf("the result has %q and thought %q, seen was %q", result.Text(), result.Thinking(), seen.thinking)
	}
	texts, all := run.Texts(), ""
	for texts.Next() {
		all += texts.Text()
	}
	if texts.Err() != nil || !strings.HasSuffix(all, expected.Text) {
		t.Errorf("the pieces are %q: %v", all, texts.Err())
	}
	if expected.TextDeltas > 0 && seen.deltas != expected.TextDeltas {
		t.Errorf("%d deltas, not %d", seen.deltas, expected.TextDeltas)
	}
	if expected.StopReason != "" && result.Message.StopReason.Mapped != expected.StopReason {
		t.Errorf("ended with %v", result.Message.StopReason)
	}
	if expected.Usage != nil && (result.Usage.Input != expected.Usage.Input || result.Usage.Output != expected.Usage.Output) {
		t.Errorf("used %+v, not %+v", result.Usage, *expected.Usage)
	}
	if expected.Turns > 0 && seen.turns != expected.Turns {
		t.Errorf("%d turns, not %d", seen.turns, expected.Turns)
	}
	wanted := map[string]any{}
	for _, call := range expected.ToolCalls {
		wanted[call.Name] = parsed(t, call.Arguments)
	}
	if !reflect.DeepEqual(asked.seen, wanted) {
		t.Errorf("the tools were asked %v, not %v", asked.seen, wanted)
	}
	if !reflect.DeepEqual(seen.progress, expected.Progress) {
		t.Errorf("progress was %q, not %q", seen.progress, expected.Progress)
	}
}

func TestScenarios(t *testing.T) {
	for _, said := range scenarios() {
		said := said
		if said.Runs > 0 {
			continue
		}
		t.Run(said.Name, func(t *testing.T) { play(t, said, 0) })
		if len(said.Tools) > 0 {
			t.Run(said.Name+", answered later", func(t *testing.T) { play(t, said, 5*time.Millisecond) })
		}
	}
}

func TestThousandRunsAtOnce(t *testing.T) {
	said := scenarioOf("1,000 runs")
	var running sync.WaitGroup
	for i := 0; i < said.Runs; i++ {
		running.Add(1)
		go func() {
			defer running.Done()
			play(t, said, 0)
		}()
	}
	running.Wait()
}
