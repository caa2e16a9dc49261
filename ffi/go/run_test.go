package thalweg

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

func prompt(t *testing.T, agent *Agent, ctx context.Context, text string) *Run {
	t.Helper()
	run, err := agent.Prompt(ctx, text)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func within(t *testing.T) context.Context {
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(stop)
	return ctx
}

func TestLibraryHasAVersion(t *testing.T) {
	if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(Version()) {
		t.Error(Version())
	}
}

func TestUnknownModelAndMissingFunctionAreErrorsThatSayWhy(t *testing.T) {
	_, err := NewAgent(Options{Model: "nobody/nothing"})
	var failure *Error
	if !errors.As(err, &failure) || !errors.Is(err, Invalid) || errors.Is(err, Remote) || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("%#v", err)
	}
	if failure.RetryAfter >= 0 || failure.Result != nil {
		t.Errorf("%#v", failure)
	}
	options := optionsFor(replayURL)
	options.Tools = []Tool{{Name: "nothing"}}
	if _, err := NewAgent(options); !errors.Is(err, Invalid) {
		t.Error(err)
	}
	options.Tools = []Tool{{Name: "with a blank", Run: func(context.Context, *Call) (string, error) { return "", nil }}}
	if _, err := NewAgent(options); !errors.Is(err, Invalid) {
		t.Error(err)
	}
}

func TestEachIterationBeginsAtTheFirstEvent(t *testing.T) {
	run := prompt(t, newAgent(t, optionsFor(replayURL)), within(t), scenarioOf("text").Prompt)
	kinds := func() (all []string) {
		last := uint64(0)
		for events := run.Events(); events.Next(); {
			if len(all) > 0 && events.Event().Seq <= last {
				t.Error("out of order")
			}
			last = events.Event().Seq
			all = append(all, events.Event().Kind.String())
		}
		return all
	}
	first := kinds()
	if len(first) < 15 || first[0] != "agent_start" || first[len(first)-1] != "agent_end" {
		t.Error(first)
	}
	if second := kinds(); strings.Join(first, " ") != strings.Join(second, " ") {
		t.Error(second)
	}
}

func TestContextThatIsCancelledClosesTheSocketAndIsTheReason(t *testing.T) {
	server := newEndless(t)
	ctx, stop := context.WithCancel(within(t))
	run := prompt(t, newAgent(t, optionsFor(server.url)), ctx, "go")
	texts := run.Texts()
	if !texts.Next() || texts.Text() != "on " {
		t.Fatal(texts.Text(), texts.Err())
	}
	stop()
	for texts.Next() {
	}
	server.mustClose(t)
	if err := texts.Err(); !errors.Is(err, Cancelled) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := newAgent(t, optionsFor(server.url)).Prompt(ctx, "go"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestDeadlineOfAWaitIsNotThatOfTheRun(t *testing.T) {
	server := newEndless(t)
	run := prompt(t, newAgent(t, optionsFor(server.url)), context.Background(), "go")
	short, stop := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer stop()
	if _, err := run.Wait(short); err != context.DeadlineExceeded {
		t.Error(err)
	}
	select {
	case <-run.Done():
		t.Error("the run is over")
	default:
	}
	run.Abort()
	_, err := run.Text(within(t))
	if !errors.Is(err, Cancelled) || errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	server.mustClose(t)
}

func TestAbortReachesTheContextOfAToolThatWaits(t *testing.T) {
	asked := make(chan struct{}, 2)
	told := make(chan bool, 2)
	wait := func(ctx context.Context, call *Call) (string, error) {
		asked <- struct{}{}
		<-ctx.Done()
		told <- true
		return "too late", nil
	}
	options := optionsFor(replayURL)
	for _, tool := range scenarioOf("two tools").Tools {
		options.Tools = append(options.Tools, Tool{Name: tool.Name, Run: wait})
	}
	run := prompt(t, newAgent(t, options), within(t), scenarioOf("two tools").Prompt)
	<-asked
	<-asked
	run.Abort()
	for i := 0; i < 2; i++ {
		select {
		case <-told:
		case <-time.After(10 * time.Second):
			t.Fatal("the tool still waits")
		}
	}
	if _, err := run.Wait(within(t)); !errors.Is(err, Cancelled) {
		t.Error(err)
	}
}

func TestErrorsAndPanicsOfToolsAreToldToTheModelAndAnswersBecomeJSON(t *testing.T) {
	type city struct{ City string }
	tell := func(weather, multiply func(context.Context, *Call) (string, error)) map[string]string {
		options := optionsFor(replayURL)
		options.Tools = []Tool{{Name: "get_weather", Run: weather}, {Name: "multiply", Run: multiply}}
		run := prompt(t, newAgent(t, options), within(t), scenarioOf("two tools").Prompt)
		ends := map[string]string{}
		// The server does not like it, since it waits for other answers.
		for events := run.Events(); events.Next(); {
			if event := events.Event(); event.Kind == ToolExecutionEnd {
				var end struct {
					Name   string `json:"tool_name"`
					Failed bool   `json:"is_error"`
					Result struct{ Content []Content }
				}
				if err := json.Unmarshal([]byte(event.Text), &end); err != nil {
					t.Error(err)
				}
				ends[end.Name] = end.Result.Content[0].Text
				if end.Failed {
					ends[end.Name] = "failed: " + ends[end.Name]
				}
			}
		}
		return ends
	}
	ends := tell(func(context.Context, *Call) (string, error) { return "", errors.New("no such city") },
		func(context.Context, *Call) (string, error) { panic("no numbers") })
	if ends["get_weather"] != "failed: no such city" || ends["multiply"] != "failed: the tool panicked: no numbers" {
		t.Error(ends)
	}
	weather := NewTool("get_weather", "", nil, func(ctx context.Context, where city) (map[string]string, error) {
		if !CallOf(ctx).Progress("asking", -1) {
			t.Error("nobody waits")
		}
		return map[string]string{"in": where.City}, nil
	})
	wrong := NewTool("multiply", "", nil, func(_ context.Context, numbers struct{ A, B string }) (string, error) { return "", nil })
	ends = tell(weather.Run, wrong.Run)
	if ends["get_weather"] != `{"in":"Paris"}` || !strings.HasPrefix(ends["multiply"], "failed: json:") {
		t.Error(ends)
	}
}

func TestConversationMovesToAnotherAgent(t *testing.T) {
	first, second := newAgent(t, optionsFor(replayURL)), newAgent(t, optionsFor(replayURL))
	if _, err := prompt(t, first, within(t), scenarioOf("text").Prompt).Wait(within(t)); err != nil {
		t.Fatal(err)
	}
	said, err := first.Conversation()
	if err != nil || !strings.Contains(string(said), "Rayleigh") {
		t.Fatal(string(said), err)
	}
	if err := second.SetConversation(said); err != nil {
		t.Fatal(err)
	}
	if again, err := second.Conversation(); err != nil || string(again) != string(said) {
		t.Error(string(again), err)
	}
	if err := second.SetConversation(json.RawMessage(`{"schema": 99, "messages": []}`)); !errors.Is(err, VersionSkew) {
		t.Error(err)
	}
}

func TestWhatIsSaidMeanwhileComesBeforeTheEnd(t *testing.T) {
	agent := newAgent(t, optionsFor(replayURL))
	if err := agent.FollowUp(scenarioOf("thinking").Prompt); err != nil {
		t.Fatal(err)
	}
	messages := []any{map[string]any{"role": "user", "content": []any{map[string]any{"type": "text", "text": scenarioOf("text").Prompt}}}}
	run, err := agent.PromptMessages(within(t), messages)
	if err != nil {
		t.Fatal(err)
	}
	result, err := run.Wait(within(t))
	if err != nil || len(result.Messages) != 4 || !strings.Contains(string(result.Messages[2]), scenarioOf("thinking").Prompt) {
		t.Error(result, err)
	}
	if result.Text() != scenarioOf("thinking").Expect.Text {
		t.Error(result.Text())
	}
}

func TestSecondPromptDuringARunIsRefused(t *testing.T) {
	server := newEndless(t)
	agent := newAgent(t, optionsFor(server.url))
	run := prompt(t, agent, within(t), "go")
	if _, err := agent.Prompt(within(t), "again"); !errors.Is(err, State) {
		t.Error(err)
	}
	run.Abort()
	<-run.Done()
}

func TestClosedEngineEndsWhatGoesOn(t *testing.T) {
	server := newEndless(t)
	engine, err := NewEngine(EngineOptions{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	options := optionsFor(server.url)
	options.Engine = engine
	agent := newAgent(t, options)
	run := prompt(t, agent, within(t), "go")
	texts := run.Texts()
	if !texts.Next() {
		t.Fatal(texts.Err())
	}
	engine.Close()
	for texts.Next() {
	}
	server.mustClose(t)
	if texts.Err() == nil {
		t.Error("the run ended well")
	}
	<-run.Done()
	if _, err := agent.Prompt(within(t), "again"); !errors.Is(err, State) {
		t.Error(err)
	}
	engine.Close()
}

func TestFunctionsOfToolsAreGivenBackWithTheirAgent(t *testing.T) {
	given := make(chan struct{})
	func() {
		held := new([1 << 16]byte)
		runtime.SetFinalizer(held, func(*[1 << 16]byte) { close(given) })
		options := optionsFor(replayURL)
		options.Tools = []Tool{{Name: "holds", Run: func(context.Context, *Call) (string, error) { return string(held[:1]), nil }}}
		newAgent(t, options)
	}()
	for i := 0; i < 200; i++ {
		runtime.GC()
		select {
		case <-given:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Error("the function is still held")
}

func TestManyRunsNeedFewThreads(t *testing.T) {
	threads := func() int {
		out, err := exec.Command("sh", "-c", "ls /proc/$PPID/task | wc -l").Output()
		if err != nil {
			t.Fatal(err)
		}
		var count int
		if err := json.Unmarshal(out, &count); err != nil {
			t.Fatal(err)
		}
		return count
	}
	before := threads()
	said := scenarioOf("abort")
	var runs []*Run
	for i := 0; i < 100; i++ {
		run := prompt(t, newAgent(t, optionsFor(replayURL)), within(t), said.Prompt)
		runs = append(runs, run)
		go func() {
			for texts := run.Texts(); texts.Next(); {
			}
		}()
	}
	time.Sleep(50 * time.Millisecond)
	if after := threads(); after > before+20 {
		t.Errorf("%d threads, %d before", after, before)
	}
	for _, run := range runs {
		run.Abort()
		<-run.Done()
	}
}

func TestExampleShowsToolsAndText(t *testing.T) {
	out, err := exec.Command("go", "run", "./examples/weather", replayURL).CombinedOutput()
	if err != nil || !strings.Contains(string(out), scenarioOf("two tools").Expect.Text) || !strings.Contains(string(out), "tool_execution_update") {
		t.Error(string(out), err)
	}
}
