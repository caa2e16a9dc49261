package thalweg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// said is a message as JSON.
type said struct {
	Role    string
	Content []Content
}

func (s said) text() (text string) {
	for _, block := range s.Content {
		text += block.Text
	}
	return text
}

// counting answers with the number of messages.
func counting(t *testing.T) *Agent {
	return newAgent(t, Options{Model: "one", Stream: func(ctx context.Context, request json.RawMessage, reply *Reply) error {
		var asked struct{ Messages []said }
		if err := json.Unmarshal(request, &asked); err != nil {
			return err
		}
		return reply.Text(fmt.Sprint(len(asked.Messages), " so far"))
	}})
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func answer(t *testing.T, agent *Agent, text string) string {
	t.Helper()
	ctx := within(t)
	return must[string](t)(prompt(t, agent, ctx, text).Text(ctx))
}

func texts(t *testing.T, conversation *Conversation) (all []string) {
	t.Helper()
	for _, stored := range conversation.Messages {
		var message said
		if err := json.Unmarshal(stored.JSON, &message); err != nil {
			t.Fatal(err)
		}
		all = append(all, message.text())
	}
	return all
}

func TestConversationIsOnTheDiskWithTheResultAndAnotherAgentGoesOnWithIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "conversations.db")
	store := must[*Store](t)(OpenStore(path))
	first := counting(t)
	if kept := must[*Kept](t)(first.Kept()); kept != nil {
		t.Error(kept)
	}
	session := must[string](t)(first.Keep(store, KeepOptions{Title: "Counting"}))
	answer(t, first, "one")
	answer(t, first, "two")
	if kept := must[*Kept](t)(first.Kept()); kept.Session != session || *kept.Head != 4 || kept.Error != "" {
		t.Error(kept)
	}
	store.Close()

	again := must[*Store](t)(OpenStore(path))
	defer again.Close()
	sessions := must[[]SessionInfo](t)(again.Sessions(0))
	if len(sessions) != 1 || sessions[0].ID != session || sessions[0].Title != "Counting" || sessions[0].Messages != 4 {
		t.Error(sessions)
	}
	read := must[*Conversation](t)(again.Read("last"))
	if all := strings.Join(texts(t, read), ", "); all != "one, 1 so far, two, 3 so far" {
		t.Error(all)
	}
	second := counting(t)
	if same := must[string](t)(second.Keep(again, KeepOptions{Session: "last"})); same != session {
		t.Error(same)
	}
	if text := answer(t, second, "three"); text != "5 so far" {
		t.Error(text)
	}
	third := counting(t)
	at := uint64(2)
	must[string](t)(third.Keep(again, KeepOptions{Session: session, At: &at}))
	if text := answer(t, third, "another second"); text != "3 so far" {
		t.Error(text)
	}
	if leaves := fmt.Sprint(must[*Conversation](t)(again.Read(session)).Leaves); leaves != "[6 8]" {
		t.Error(leaves)
	}
	// The agent holds the file on.
	again.Close()
	answer(t, third, "and on")
	if kept := must[*Kept](t)(third.Kept()); kept.Error != "" || *kept.Head != 10 {
		t.Error(kept)
	}
}

func TestSessionsAreSearchedBranchedExportedImportedAndDeleted(t *testing.T) {
	store := must[*Store](t)(OpenStore(":memory:"))
	defer store.Close()
	session := must[string](t)(store.Create(About{Title: "Skies", Model: "m", System: "Be brief."}))
	message := func(role, text string) said { return said{role, []Content{{Type: "text", Text: text}}} }
	written := func(all ...said) (messages []map[string]any) {
		for _, each := range all {
			content := []map[string]any{{"type": "text", "text": each.text()}}
			messages = append(messages, map[string]any{"role": each.Role, "content": content})
		}
		return messages
	}
	asked := written(message("user", "Why is the sky blue?"), message("assistant", "It scatters."))
	numbers := must[[]uint64](t)(store.Append(session, asked))
	must[[]uint64](t)(store.AppendTo(session, nil, written(message("user", "Which sky?"))))
	hits := must[[]Hit](t)(store.Search("sky blu*", 0))
	if len(hits) != 1 || hits[0].Session != session || hits[0].Message != numbers[0] || hits[0].Role != "user" {
		t.Error(hits)
	}
	if hits := must[[]Hit](t)(store.Search("sky", 1)); len(hits) != 1 {
		t.Error(hits)
	}
	all := must[*Conversation](t)(store.ReadAll(session))
	if len(all.Messages) != 3 || all.About.System != "Be brief." || all.Messages[0].Parent != nil {
		t.Error(all)
	}
	if err := store.Branch(session, &numbers[1]); err != nil {
		t.Error(err)
	}
	if read := must[*Conversation](t)(store.Read(session)); *read.Head != numbers[1] {
		t.Error(read)
	}
	if read := must[*Conversation](t)(store.ReadTo(session, numbers[0])); len(read.Messages) != 1 {
		t.Error(read)
	}
	if text := must[string](t)(store.ExportMarkdown(session)); !strings.Contains(text, "It scatters.") {
		t.Error(text)
	}
	copies := must[[]string](t)(store.Import(must[string](t)(store.Export(session))))
	if len(copies) != 1 || copies[0] == session {
		t.Error(copies)
	}
	if err := store.Delete(copies[0]); err != nil {
		t.Error(err)
	}
	if left := must[[]SessionInfo](t)(store.Sessions(5)); len(left) != 1 || left[0].ID != session {
		t.Error(left)
	}
}

func TestWrongUseOfAStoreIsAnErrorThatSaysWhy(t *testing.T) {
	store := must[*Store](t)(OpenStore(":memory:"))
	if _, err := store.Read("nobody"); !errors.Is(err, Invalid) || !strings.Contains(err.Error(), "nobody") {
		t.Error(err)
	}
	if _, err := counting(t).Keep(store, KeepOptions{Session: "nobody"}); !errors.Is(err, Invalid) {
		t.Error(err)
	}
	if _, err := OpenStore("/proc/nowhere/x.db"); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Error(err)
	}
	store.Close()
	store.Close()
	if _, err := store.Sessions(0); !errors.Is(err, State) {
		t.Error(err)
	}
	if _, err := counting(t).Keep(store, KeepOptions{}); !errors.Is(err, State) {
		t.Error(err)
	}
}

func TestTeamAnswersInThePlaceOfAModelAndItsMembersHaveNames(t *testing.T) {
	member := func(name string) map[string]any { return map[string]any{"name": name, "model": "program/" + name} }
	agent := newAgent(t, Options{
		Team: map[string]any{"kind": "pipeline", "members": []any{member("draft"), member("polish")}},
		Stream: func(ctx context.Context, request json.RawMessage, reply *Reply) error {
			var asked struct {
				Model    string
				Messages []said
			}
			if err := json.Unmarshal(request, &asked); err != nil {
				return err
			}
			return reply.Text(asked.Model + " of " + asked.Messages[len(asked.Messages)-1].text())
		},
	})
	ctx := within(t)
	run := prompt(t, agent, ctx, "Q")
	heard := map[string]string{}
	for events := run.Events(); events.Next(); {
		if kind := events.Event().Kind.String(); kind == "text_delta" || kind == "thinking_delta" {
			heard[kind+" "+events.Event().Aux] += events.Event().Text
		}
	}
	if len(heard) != 2 || heard["thinking_delta draft"] != "draft of Q" || heard["text_delta polish"] != "polish of draft of Q" {
		t.Error(heard)
	}
	if text := must[string](t)(run.Text(ctx)); text != "polish of draft of Q" {
		t.Error(text)
	}
	slip := map[string]any{"kind": "pipeline", "members": []any{map[string]any{"name": "draft", "modle": "m"}}}
	_, err := NewAgent(Options{Team: slip})
	if !errors.Is(err, Invalid) || !strings.Contains(err.Error(), "draft") || !strings.Contains(err.Error(), "modle") {
		t.Error(err)
	}
}
