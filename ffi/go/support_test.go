package thalweg

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// scenario is one of those that every binding runs; see ../scenarios.json.
type scenario struct {
	Name           string
	Recording      string
	Prompt         string
	Tools          []toolScenario
	Options        struct{ Retries *int }
	AbortAfterText string `json:"abort_after_text"`
	Runs           int
	Expect         struct {
		Text       string
		TextDeltas int `json:"text_deltas"`
		Thinking   string
		StopReason string `json:"stop_reason"`
		Usage      *Usage
		Turns      int
		ToolCalls  []struct {
			Name      string
			Arguments json.RawMessage
		} `json:"tool_calls"`
		Progress []string
		Error    *struct {
			Status          string
			Kind            string
			HTTPStatus      int `json:"http_status"`
			Retryable       bool
			RetryAfterMS    *int64 `json:"retry_after_ms"`
			MessageContains string `json:"message_contains"`
		}
	}
}

type toolScenario struct {
	Name        string
	Description string
	Parameters  json.RawMessage
	Answer      string
	Progress    []string
}

const scenariosFile = "../scenarios.json"

func scenarios() []scenario {
	text, err := os.ReadFile(scenariosFile)
	if err != nil {
		panic(err)
	}
	var all struct{ Scenarios []scenario }
	if err := json.Unmarshal(text, &all); err != nil {
		panic(err)
	}
	return all.Scenarios
}

func scenarioOf(name string) scenario {
	for _, each := range scenarios() {
		if each.Name == name {
			return each
		}
	}
	panic("there is no scenario " + name)
}

// replayURL is that of `thalweg replay` with all scenarios, with /v1.
var replayURL string

// TestMain runs the command that THALWEG names.
func TestMain(m *testing.M) {
	os.Exit(withReplay(m.Run))
}

func withReplay(run func() int) int {
	command := os.Getenv("THALWEG")
	if command == "" {
		command = "../../target/release/thalweg"
	}
	arguments := []string{"replay"}
	seen := map[string]bool{}
	for _, each := range scenarios() {
		if !seen[each.Recording] {
			seen[each.Recording] = true
			arguments = append(arguments, filepath.Join(filepath.Dir(scenariosFile), each.Recording))
		}
	}
	server := exec.Command(command, arguments...)
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot run the replay server:", err)
		return 1
	}
	defer func() {
		server.Process.Kill()
		server.Wait()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	url := regexp.MustCompile(`http://[0-9.:]+`).FindString(line)
	if err != nil || url == "" {
		fmt.Fprintln(os.Stderr, "the replay server did not say where it is:", line, err)
		return 1
	}
	replayURL = url + "/v1"
	return run()
}

func optionsFor(url string) Options {
	return Options{Model: "hand-written-1", BaseURL: url, APIKey: "anything"}
}

func newAgent(t *testing.T, options Options) *Agent {
	t.Helper()
	agent, err := NewAgent(options)
	if err != nil {
		t.Fatal(err)
	}
	return agent
}

// endless is a server that sends one delta after the other and never ends; `closed` is closed with its first connection.
type endless struct {
	url    string
	closed chan struct{}
}

func newEndless(t *testing.T) endless {
	closed := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(closed)
		w.Header().Set("content-type", "text/event-stream")
		for r.Context().Err() == nil {
			fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"on \"}}]}\n\n")
			w.(http.Flusher).Flush()
			time.Sleep(5 * time.Millisecond)
		}
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return endless{server.URL + "/v1", closed}
}

func (e endless) mustClose(t *testing.T) {
	t.Helper()
	select {
	case <-e.closed:
	case <-time.After(10 * time.Second):
		t.Fatal("the socket is still open")
	}
}
