package thalweg

import "sync"

// consumer gets the batches of one run.
type consumer interface {
	take(events []rawEvent)
	finish()
}

// stream is a queue from the goroutine of an engine to who reads a run.
type stream[T any] struct {
	copy  func([]rawEvent) []T
	run   *Run
	mutex sync.Mutex
	queue [][]T
	over  bool
	// There may be something new; one mark is enough.
	wake chan struct{}

	// For the reader alone: the rest of a batch, and what it shows.
	rest    []T
	current T
	err     error
}

func newStream[T any](run *Run, copy func([]rawEvent) []T) *stream[T] {
	s := &stream[T]{copy: copy, run: run, wake: make(chan struct{}, 1)}
	s.err = run.drain(s)
	return s
}

func (s *stream[T]) take(events []rawEvent) {
	items := s.copy(events)
	if len(items) == 0 {
		return
	}
	s.mutex.Lock()
	s.queue = append(s.queue, items)
	s.mutex.Unlock()
	s.notify()
}

func (s *stream[T]) finish() {
	s.mutex.Lock()
	s.over = true
	s.mutex.Unlock()
	s.notify()
}

func (s *stream[T]) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *stream[T]) next() bool {
	if len(s.rest) == 0 && !s.fill() {
		var none T
		s.current = none
		return false
	}
	s.current = s.rest[0]
	s.rest = s.rest[1:]
	return true
}

// fill waits for the next batch; false at the end.
func (s *stream[T]) fill() bool {
	for s.err == nil {
		s.mutex.Lock()
		if len(s.queue) > 0 {
			s.rest = s.queue[0]
			s.queue[0] = nil
			s.queue = s.queue[1:]
			s.mutex.Unlock()
			return true
		}
		over := s.over
		s.mutex.Unlock()
		if over {
			s.err = s.run.failure()
			return false
		}
		<-s.wake
	}
	return false
}

// Events are the events of a run, from the first one. For one goroutine at a time.
type Events struct{ stream *stream[Event] }

// Next waits for the next event; false at the end of the run.
func (e *Events) Next() bool { return e.stream.next() }

// Event is the one that Next found.
func (e *Events) Event() Event { return e.stream.current }

// Err is how the run failed, once Next has given false; also that it was aborted.
func (e *Events) Err() error { return e.stream.err }

// Texts are the text of a run's replies, piece by piece, from the first one. For one goroutine at a time.
type Texts struct{ stream *stream[string] }

// Next waits for the next piece; false at the end of the run.
func (t *Texts) Next() bool { return t.stream.next() }

// Text is the piece that Next found.
func (t *Texts) Text() string { return t.stream.current }

// Err is how the run failed, once Next has given false; also that it was aborted.
func (t *Texts) Err() error { return t.stream.err }
