package thalweg

// #include "native.h"
import "C"

import (
	"encoding/json"
	"fmt"
	"time"
	"unsafe"
)

// Code is what a program can act on. It is an error itself, for errors.Is: errors.Is(err, thalweg.Remote).
type Code int32

// Codes; THW_E_* of the C headers.
const (
	Invalid     Code = C.THW_E_INVALID     // an option or an argument is wrong
	VersionSkew Code = C.THW_E_VERSION     // written for another version
	NoMemory    Code = C.THW_E_NOMEM       // out of memory
	Panicked    Code = C.THW_E_PANIC       // a bug of the library, stopped at its boundary
	Cancelled   Code = C.THW_E_CANCELLED   // the run was aborted
	TimedOut    Code = C.THW_E_TIMEOUT     // something took longer than allowed
	Protocol    Code = C.THW_E_PROTOCOL    // a reply was cut off or is malformed
	Rejected    Code = C.THW_E_REJECTED    // a policy says no
	Unsupported Code = C.THW_E_UNSUPPORTED // not offered here
	State       Code = C.THW_E_STATE       // calls in the wrong order
	Remote      Code = C.THW_E_REMOTE      // the provider answered with an error
	Closed      Code = C.THW_E_CLOSED      // no connection, or it was lost
	Failed      Code = C.THW_E_FAILED      // something failed that has no code of its own
)

var codes = map[Code]string{
	Invalid: "invalid", VersionSkew: "version", NoMemory: "out of memory", Panicked: "panic", Cancelled: "cancelled",
	TimedOut: "timeout", Protocol: "protocol", Rejected: "rejected", Unsupported: "unsupported", State: "state",
	Remote: "remote", Closed: "closed", Failed: "failed",
}

// Error is the name of the code.
func (c Code) Error() string {
	if name, ok := codes[c]; ok {
		return "thalweg: " + name
	}
	return fmt.Sprintf("thalweg: status %d", int32(c))
}

// Error is what went wrong.
type Error struct {
	Code    Code
	Message string
	// HTTPStatus is that of the provider, or 0.
	HTTPStatus int
	// Retryable says whether it may pass when tried again.
	Retryable bool
	// RetryAfter is how long the provider asks to wait; negative when it does not say.
	RetryAfter time.Duration
	// Kind is what sort of failure a run ended with, such as "rate_limit", "auth", "context_overflow" or "aborted".
	Kind string
	// Result is all that came before, of a run that failed; else nil.
	Result *Result

	cause error
}

// Error is the message.
func (e *Error) Error() string { return "thalweg: " + e.Message }

// Is says whether the target is the code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// Unwrap gives the error of the context that aborted the run.
func (e *Error) Unwrap() error { return e.cause }

// newError gives a record for the library to fill.
func newError() *C.thw_error {
	return &C.thw_error{struct_size: C.uint32_t(unsafe.Sizeof(C.thw_error{})), retry_after_ms: -1}
}

func errorOf(from *C.thw_error) *Error {
	message := C.GoStringN((*C.char)(unsafe.Pointer(&from.message[0])), C.int(from.message_len))
	after := time.Duration(-1)
	if from.retry_after_ms >= 0 {
		after = time.Duration(from.retry_after_ms) * time.Millisecond
	}
	return &Error{
		Code: Code(from.code), Message: message, HTTPStatus: int(from.http_status),
		Retryable: from.flags&C.THW_ERROR_RETRYABLE != 0, RetryAfter: after,
	}
}

// stateError says that a call came too late.
func stateError(message string) error {
	return &Error{Code: State, Message: message, RetryAfter: -1}
}

// ofRun adds what came of the run that failed.
func (e *Error) ofRun(result json.RawMessage, cause error) *Error {
	if e.Code == Cancelled {
		e.cause = cause
	}
	parsed, err := newResult(result)
	if err != nil {
		return e
	}
	e.Result = parsed
	if failure := parsed.failure; failure != nil {
		e.Kind = failure.Kind
		// The record of the C library has room for 231 bytes only.
		if failure.Message != "" {
			e.Message = failure.Message
		}
	}
	return e
}
