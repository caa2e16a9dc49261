package thalweg

/*
#include "native.h"

static inline thw_engine *go_engine_new(_GoString_ options, thw_error *error) {
  return thw_engine_new(_GoStringPtr(options), _GoStringLen(options), error);
}

static inline thw_status go_load_plugin(thw_engine *engine, _GoString_ path, thw_error *error) {
  return thw_engine_load_plugin(engine, _GoStringPtr(path), _GoStringLen(path), error);
}
*/
import "C"

import (
	"encoding/json"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// EngineOptions are those of an engine; the zero value is good. See `thw_engine_new` in thalweg.h.
type EngineOptions struct {
	// Threads that read sockets and decode; 1 is enough for thousands of streams.
	Threads int `json:"threads,omitempty"`
	// Timeouts in milliseconds; nil as the library has them, 0 for none.
	ConnectTimeoutMS   *int `json:"connect_timeout_ms,omitempty"`
	FirstByteTimeoutMS *int `json:"first_byte_timeout_ms,omitempty"`
	IdleTimeoutMS      *int `json:"idle_timeout_ms,omitempty"`
	TotalTimeoutMS     *int `json:"total_timeout_ms,omitempty"`
	// HTTP2 is spoken where a server offers it, unless this says false.
	HTTP2 *bool `json:"http2,omitempty"`
	// Proxy is a URL, or "" for none; as the environment says if nil.
	Proxy *string `json:"proxy,omitempty"`
	// CAFiles are certificates to trust besides the bundled ones.
	CAFiles []string `json:"ca_files,omitempty"`
	// UserAgent is a name that servers see.
	UserAgent string `json:"user_agent,omitempty"`
}

// Engine has threads, connections and plugins; one for a whole program will do.
type Engine struct {
	// Held for reading by who is inside of a call, so that Close waits for them.
	mutex  sync.RWMutex
	handle *C.thw_engine
	poll   *os.File
	ended  chan struct{}

	consumersMutex sync.Mutex
	consumers      map[uintptr]consumer
	last           uintptr
}

// NewEngine starts an engine, to be ended with Close.
func NewEngine(options EngineOptions) (*Engine, error) {
	text, err := json.Marshal(options)
	if err != nil {
		return nil, err
	}
	failure := newError()
	handle := C.go_engine_new(string(text), failure)
	if handle == nil {
		return nil, errorOf(failure)
	}
	fd := C.thw_engine_fd(handle, failure)
	if fd < 0 {
		C.thw_engine_free(handle)
		return nil, errorOf(failure)
	}
	// A descriptor of one's own for the poller of Go, which closes it.
	own, err := syscall.Dup(int(fd))
	if err == nil {
		syscall.CloseOnExec(own)
		err = syscall.SetNonblock(own, true)
	}
	if err != nil {
		C.thw_engine_free(handle)
		return nil, err
	}
	e := &Engine{
		handle: handle, poll: os.NewFile(uintptr(own), "thalweg"),
		ended: make(chan struct{}), consumers: make(map[uintptr]consumer),
	}
	go e.pump()
	return e, nil
}

var (
	sharedMutex sync.Mutex
	shared      *Engine
)

// SharedEngine is that of all agents without one of their own; it is started when it is first needed.
func SharedEngine() (*Engine, error) {
	sharedMutex.Lock()
	defer sharedMutex.Unlock()
	if shared == nil {
		engine, err := NewEngine(EngineOptions{})
		if err != nil {
			return nil, err
		}
		shared = engine
	}
	return shared, nil
}

// LoadPlugin loads a plugin by its absolute path, for agents made from now on. Its code runs in this process and may do anything.
func (e *Engine) LoadPlugin(path string) error {
	return e.with(func(handle *C.thw_engine) error {
		failure := newError()
		if C.go_load_plugin(handle, path, failure) < 0 {
			return errorOf(failure)
		}
		return nil
	})
}

// Close ends the engine: runs that go on are dropped, and no tool runs when it returns, but those that hold their call.
func (e *Engine) Close() {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.handle == nil {
		return
	}
	e.poll.Close()
	<-e.ended
	C.thw_engine_free(e.handle)
	e.handle = nil
	e.consumersMutex.Lock()
	left := e.consumers
	e.consumers = nil
	e.consumersMutex.Unlock()
	for _, each := range left {
		each.finish()
	}
}

// with calls a function with the handle, which stays meanwhile.
func (e *Engine) with(function func(*C.thw_engine) error) error {
	e.mutex.RLock()
	defer e.mutex.RUnlock()
	if e.handle == nil {
		return stateError("the engine is closed")
	}
	return function(e.handle)
}

// drain has a consumer get the batches of a run, from its first event.
func (e *Engine) drain(run *C.thw_run, to consumer) error {
	return e.with(func(*C.thw_engine) error {
		e.consumersMutex.Lock()
		e.last++
		id := e.last
		e.consumers[id] = to
		e.consumersMutex.Unlock()
		failure := newError()
		if C.go_run_drain(run, C.uintptr_t(id), failure) < 0 {
			e.forget(id)
			return errorOf(failure)
		}
		return nil
	})
}

func (e *Engine) forget(id uintptr) {
	e.consumersMutex.Lock()
	delete(e.consumers, id)
	e.consumersMutex.Unlock()
}

func (e *Engine) consumer(id uintptr) consumer {
	e.consumersMutex.Lock()
	defer e.consumersMutex.Unlock()
	return e.consumers[id]
}

// pump hands what comes in to its consumers, until the engine is closed. While it waits no thread does.
func (e *Engine) pump() {
	defer close(e.ended)
	raw, err := e.poll.SyscallConn()
	if err != nil {
		return
	}
	failure := newError()
	var batches *C.thw_batch
	var count C.size_t
	_ = raw.Read(func(uintptr) bool {
		// Until it is dry: only then is the descriptor set back.
		for C.thw_engine_next(e.handle, 0, &batches, &count, failure) == C.THW_OK {
			all := unsafe.Slice((*rawBatch)(unsafe.Pointer(batches)), int(count))
			for i := range all {
				to := e.consumer(all[i].user)
				if to == nil {
					continue
				}
				if all[i].count > 0 {
					to.take(all[i].slice())
				}
				if all[i].status == C.THW_EOF {
					e.forget(all[i].user)
					to.finish()
				}
			}
		}
		return false
	})
}
