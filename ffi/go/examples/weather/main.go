// An agent with two tools, and all that happens while it works.
//
//	go run ./examples/weather [BASE_URL]
//
// With a base URL, such as that of `thalweg replay ffi/scenarios/*.jsonl` with /v1, it needs no key.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"

	"thalweg"
)

func getWeather(ctx context.Context, where struct{ City string }) (string, error) {
	thalweg.CallOf(ctx).Progress("asking", 0.5)
	return "It is sunny in " + where.City + ", 21 °C.", nil
}

func multiply(_ context.Context, numbers struct{ A, B int }) (int, error) {
	return numbers.A * numbers.B, nil
}

func main() {
	options := thalweg.Options{Model: "openai/gpt-4o-mini"} // the key comes from OPENAI_API_KEY
	if len(os.Args) > 1 {
		options = thalweg.Options{Model: "hand-written-1", BaseURL: os.Args[1], APIKey: "none"}
	}
	options.Tools = []thalweg.Tool{
		thalweg.NewTool("get_weather", "The weather in a city.",
			json.RawMessage(`{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}`), getWeather),
		thalweg.NewTool("multiply", "The product of two numbers.",
			json.RawMessage(`{"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}`), multiply),
	}
	agent, err := thalweg.NewAgent(options)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run, err := agent.Prompt(ctx, "What is the weather in Paris, and what is 6 times 7?")
	if err != nil {
		log.Fatal(err)
	}
	events := run.Events()
	for events.Next() {
		event := events.Event()
		switch {
		case event.Kind == thalweg.TextDelta:
			fmt.Print(event.Text)
		case strings.HasPrefix(event.Kind.String(), "tool_execution"):
			fmt.Printf("\n[%s] %s\n", event.Kind, event.Text)
		}
	}
	if err := events.Err(); err != nil {
		log.Fatal(err)
	}
	result, err := run.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("\n%+v\n", result.Usage)
}
