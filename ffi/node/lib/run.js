// Run: all turns of one prompt, going on or over.
'use strict';

const { ThalwegError } = require('./errors.js');
const { ALL_EVENTS, NOTHING, ONLY_TEXT } = require('./stream.js');

class Result {
  constructor(json) {
    this.json = json;
  }

  get message() {
    return this.json.message;
  }

  get messages() {
    return this.json.messages;
  }

  get text() {
    return this.#content('text', 'text');
  }

  get thinking() {
    return this.#content('thinking', 'text');
  }

  get stopReason() {
    return this.json.message?.stop_reason?.mapped ?? undefined;
  }

  get usage() {
    return this.json.usage;
  }

  get stats() {
    return this.json.stats;
  }

  #content(type, key) {
    const blocks = this.json.message?.content ?? [];
    return blocks.filter((block) => block.type === type).map((block) => block[key] ?? '').join('');
  }

  toString() {
    return this.text;
  }
}

class Run {
  #engine;
  #result;
  #signal;
  #onAbort;
  #isKept;

  constructor(native, engine, signal, isKept = false) {
    this._native = native;
    this.#engine = engine;
    this.#isKept = isKept;
    if (signal) this.#follow(signal);
  }

  // Aborts with the signal; the signal, which may outlive many runs, holds nothing of this one once it is over.
  #follow(signal) {
    this.#signal = signal;
    if (signal.aborted) {
      this.abort();
      return;
    }
    this.#onAbort = () => this.abort();
    signal.addEventListener('abort', this.#onAbort, { once: true });
    this.result().catch(() => {}).finally(() => signal.removeEventListener('abort', this.#onAbort));
  }

  [Symbol.asyncIterator]() {
    return this.#engine._streams.add(this, ALL_EVENTS);
  }

  get texts() {
    return { [Symbol.asyncIterator]: () => this.#engine._streams.add(this, ONLY_TEXT) };
  }

  abort() {
    this._native.abort();
  }

  result() {
    this.#result ??= this.#finished();
    return this.#result;
  }

  async text() {
    return (await this.result()).text;
  }

  async #finished() {
    const stream = this.#engine._streams.add(this, NOTHING);
    while (!(await stream.next()).done);
    try {
      if (this.#isKept) await this._native.stored();
      if (!this._native.isOver()) throw new ThalwegError('THW_E_CLOSED', 'the engine was closed before the run was over');
    } catch (error) {
      throw this.#because(error);
    }
    return new Result(JSON.parse(this._native.result()));
  }

  #because(error) {
    if (error.code === 'THW_E_CANCELLED' && this.#signal?.aborted) error.cause = this.#signal.reason;
    return error;
  }

  // At the end of an iteration: throws how the run failed. One that was aborted just ends.
  _check() {
    try {
      this._native.isOver();
    } catch (error) {
      if (error.code !== 'THW_E_CANCELLED') throw error;
    }
  }

  // The consumer of a stream has gone.
  _stop(stream) {
    this.abort();
    this.#engine._streams.remove(stream);
  }
}

// Where the runtime has it: `await using run = agent.prompt(…)`.
if (Symbol.asyncDispose) {
  Run.prototype[Symbol.asyncDispose] = async function dispose() {
    this.abort();
  };
}

module.exports = { Run, Result };
