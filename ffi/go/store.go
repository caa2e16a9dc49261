package thalweg

/*
#include "native.h"

static inline thw_store *go_store_open(_GoString_ path, thw_error *error) {
  return thw_store_open(_GoStringPtr(path), _GoStringLen(path), error);
}

static inline char *go_store_ask(thw_store *store, _GoString_ request, thw_error *error) {
  return thw_store_ask(store, _GoStringPtr(request), _GoStringLen(request), error);
}

static inline char *go_agent_keep(thw_agent *agent, thw_store *store, _GoString_ options, thw_error *error) {
  return thw_agent_keep(agent, store, _GoStringPtr(options), _GoStringLen(options), error);
}
*/
import "C"

import (
	"encoding/json"
	"runtime"
	"sync"
)

// Store is a file of conversations that any number of processes use at once. What was stored is never changed: a conversation that goes on
// from an earlier message becomes a branch. In the place of a session's id its beginning will do, or "last" for the one that was used
// last. All methods are for any goroutine, and wait for the disk.
type Store struct {
	// Held for reading by who is inside of a call, so that Close waits for them.
	mutex  sync.RWMutex
	handle *C.thw_store
}

// SessionInfo is what a store says of a session.
type SessionInfo struct {
	ID        string `json:"id"`
	Title     string `json:"title"`
	Model     string `json:"model"`
	CreatedUS int64  `json:"created_us"`
	UpdatedUS int64  `json:"updated_us"`
	Messages  int    `json:"messages"`
	Branches  int    `json:"branches"`
}

// About is what a session begins with; all of it may be left out.
type About struct {
	Title  string `json:"title,omitempty"`
	Model  string `json:"model,omitempty"`
	System string `json:"system,omitempty"`
}

// Conversation is a session up to one of its messages, or with all its branches.
type Conversation struct {
	Session   string `json:"session"`
	About     About  `json:"about"`
	CreatedUS int64  `json:"created_us"`
	// Head is the message that it goes on from; nil at the beginning.
	Head *uint64 `json:"head"`
	// Leaves are the last messages of its branches.
	Leaves   []uint64        `json:"leaves"`
	Messages []StoredMessage `json:"messages"`
}

// StoredMessage is a message of a session.
type StoredMessage struct {
	ID     uint64          `json:"id"`
	Parent *uint64         `json:"parent"`
	TimeUS int64           `json:"time_us"`
	JSON   json.RawMessage `json:"message"`
}

// Hit is a message that was found.
type Hit struct {
	Session string `json:"session"`
	Message uint64 `json:"message"`
	Role    string `json:"role"`
	Snippet string `json:"snippet"`
}

// OpenStore opens a file of conversations, and makes it if there is none. ":memory:" is gone with the store.
func OpenStore(path string) (*Store, error) {
	failure := newError()
	handle := C.go_store_open(path, failure)
	if handle == nil {
		return nil, errorOf(failure)
	}
	s := &Store{handle: handle}
	runtime.SetFinalizer(s, (*Store).Close)
	return s, nil
}

// Close closes the file; agents that keep their conversations in it go on doing so.
func (s *Store) Close() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	C.thw_store_free(s.handle)
	s.handle = nil
}

// with calls a function with the handle, which stays meanwhile; what it gives is JSON.
func (s *Store) with(function func(*C.thw_store, *C.thw_error) *C.char, answer any) error {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	if s.handle == nil {
		return stateError("the store is closed")
	}
	failure := newError()
	text := function(s.handle, failure)
	if text == nil {
		return errorOf(failure)
	}
	defer C.thw_free(text)
	return json.Unmarshal([]byte(C.GoString(text)), answer)
}

type object map[string]any

func (s *Store) ask(what string, given object, answer any) error {
	request, err := json.Marshal(object{what: given})
	if err != nil {
		return err
	}
	return s.with(func(handle *C.thw_store, failure *C.thw_error) *C.char {
		return C.go_store_ask(handle, string(request), failure)
	}, answer)
}

// limited is a limit, or none where it is 0.
func limited(given object, limit int) object {
	if limit > 0 {
		given["limit"] = limit
	}
	return given
}

// Create begins a session, and gives its id.
func (s *Store) Create(about About) (string, error) {
	var answer struct{ Session string }
	given := object{}
	for key, text := range map[string]string{"title": about.Title, "model": about.Model, "system": about.System} {
		if text != "" {
			given[key] = text
		}
	}
	err := s.ask("create", given, &answer)
	return answer.Session, err
}

// Append stores messages, any value that json.Marshal makes an array of them, behind the last one of a session, and gives their numbers.
// They are on the disk then.
func (s *Store) Append(session string, messages any) ([]uint64, error) {
	return s.append(object{"session": session, "messages": messages})
}

// AppendTo is Append behind the message `parent`, or at the beginning if that is nil.
func (s *Store) AppendTo(session string, parent *uint64, messages any) ([]uint64, error) {
	return s.append(object{"session": session, "parent": parent, "messages": messages})
}

func (s *Store) append(given object) ([]uint64, error) {
	var answer struct{ Messages []uint64 }
	err := s.ask("append", given, &answer)
	return answer.Messages, err
}

// Sessions are those used last first; as many as `limit` says, or 100 if that is 0.
func (s *Store) Sessions(limit int) ([]SessionInfo, error) {
	var answer struct{ Sessions []SessionInfo }
	err := s.ask("sessions", limited(object{}, limit), &answer)
	return answer.Sessions, err
}

// Read gives a conversation up to where it goes on.
func (s *Store) Read(session string) (*Conversation, error) {
	return s.read(object{"session": session})
}

// ReadTo is Read up to one of its messages.
func (s *Store) ReadTo(session string, at uint64) (*Conversation, error) {
	return s.read(object{"session": session, "at": at})
}

// ReadAll is Read with all branches.
func (s *Store) ReadAll(session string) (*Conversation, error) {
	return s.read(object{"session": session, "all": true})
}

func (s *Store) read(given object) (*Conversation, error) {
	answer := &Conversation{}
	if err := s.ask("read", given, answer); err != nil {
		return nil, err
	}
	return answer, nil
}

// Branch has a session go on from a message, or from nothing if that is nil; what came behind it stays as a branch.
func (s *Store) Branch(session string, at *uint64) error {
	var answer any
	return s.ask("branch", object{"session": session, "at": at}, &answer)
}

// Search gives the messages that hold all words, the best first, as many as `limit` says, or 100 if that is 0. `"two words"` in quotes
// stand together, `begin*` is the beginning of one.
func (s *Store) Search(words string, limit int) ([]Hit, error) {
	var answer struct{ Hits []Hit }
	err := s.ask("search", limited(object{"words": words}, limit), &answer)
	return answer.Hits, err
}

// Export gives a session with all its branches, as JSON lines.
func (s *Store) Export(session string) (string, error) {
	return s.export(session, "json_lines")
}

// ExportMarkdown is Export as Markdown.
func (s *Store) ExportMarkdown(session string) (string, error) {
	return s.export(session, "markdown")
}

func (s *Store) export(session, format string) (string, error) {
	var answer struct{ Text string }
	err := s.ask("export", object{"session": session, "format": format}, &answer)
	return answer.Text, err
}

// Import stores what Export gave, or Markdown with a heading for each speaker, and gives the ids.
func (s *Store) Import(text string) ([]string, error) {
	var answer struct{ Sessions []string }
	err := s.ask("import", object{"text": text}, &answer)
	return answer.Sessions, err
}

// Delete deletes a session with all its branches.
func (s *Store) Delete(session string) error {
	var answer any
	return s.ask("delete", object{"session": session}, &answer)
}

// KeepOptions say which session an agent's conversation is kept in; the zero value is a new one.
type KeepOptions struct {
	// Session is the id of an earlier one: the agent goes on with that conversation, and drops what it had.
	Session string `json:"session,omitempty"`
	// At is the message of it to go on from; the last one if nil.
	At *uint64 `json:"at,omitempty"`
	// Title is that of a new one.
	Title string `json:"title,omitempty"`
}

// Kept is where a conversation is kept.
type Kept struct {
	Session string `json:"session"`
	// Head is the message that was stored last; nil if none was.
	Head *uint64 `json:"head"`
	// Error is why nothing more is stored; "" while all is well.
	Error string `json:"error"`
}

// Keep keeps the conversation in a store from now on, each message when it is complete, and gives the id of the session. What a run said is
// on the disk when Wait gives its result.
func (a *Agent) Keep(store *Store, options KeepOptions) (string, error) {
	defer runtime.KeepAlive(a)
	text, err := json.Marshal(options)
	if err != nil {
		return "", err
	}
	var kept Kept
	err = store.with(func(handle *C.thw_store, failure *C.thw_error) *C.char {
		return C.go_agent_keep(a.handle, handle, string(text), failure)
	}, &kept)
	if err == nil {
		a.isKept.Store(true)
	}
	return kept.Session, err
}

// Kept says where the conversation is kept; nil if it is not.
func (a *Agent) Kept() (*Kept, error) {
	defer runtime.KeepAlive(a)
	failure := newError()
	text := C.thw_agent_session(a.handle, failure)
	if text == nil {
		return nil, errorOf(failure)
	}
	defer C.thw_free(text)
	var kept *Kept
	err := json.Unmarshal([]byte(C.GoString(text)), &kept)
	return kept, err
}
