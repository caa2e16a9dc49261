// Errors: what a program can act on.
'use strict';

const native = require('./native.js');

const CODES = new Map([
  [-1, 'THW_E_INVALID'],
  [-2, 'THW_E_VERSION'],
  [-3, 'THW_E_NOMEM'],
  [-4, 'THW_E_PANIC'],
  [-5, 'THW_E_CANCELLED'],
  [-6, 'THW_E_TIMEOUT'],
  [-7, 'THW_E_PROTOCOL'],
  [-8, 'THW_E_REJECTED'],
  [-9, 'THW_E_UNSUPPORTED'],
  [-10, 'THW_E_STATE'],
  [-11, 'THW_E_REMOTE'],
  [-12, 'THW_E_CLOSED'],
  [-13, 'THW_E_FAILED'],
]);

class ThalwegError extends Error {
  constructor(code, message, options) {
    super(message, options);
    // As fetch and others name it.
    this.name = code === 'THW_E_CANCELLED' ? 'AbortError' : 'ThalwegError';
    this.code = code;
    this.httpStatus = undefined;
    this.retryable = false;
    this.retryAfterMs = undefined;
    this.kind = undefined;
    this.result = undefined;
  }
}

native.setFailure((code, message, httpStatus, retryable, retryAfterMs, json) => {
  const result = json === null ? undefined : JSON.parse(json);
  const failure = result?.error ?? undefined;
  // The record of the C library has room for 231 bytes only.
  const error = new ThalwegError(CODES.get(code) ?? 'THW_E_FAILED', failure?.message ?? message);
  error.httpStatus = httpStatus || undefined;
  error.retryable = retryable;
  error.retryAfterMs = retryAfterMs < 0 ? undefined : retryAfterMs;
  error.kind = failure?.kind;
  error.result = result;
  return error;
});

module.exports = { ThalwegError };
