// Providers that are functions of the program: a request in, the pieces of a reply out, one by one.
'use strict';

const { told } = require('./tool.js');

// THW_EVENT_* of the C headers.
const TEXT = 2, THINKING = 3, SIGNATURE = 4, REDACTED = 5, REFUSAL = 6, BEGIN = 7, ARGUMENTS = 8, USAGE = 10, STOP = 12, ERROR = 13;
const PENDING = 1;
const DELTAS = { text_delta: TEXT, thinking_delta: THINKING, refusal_delta: REFUSAL };
const COUNTERS = {
  input_tokens: 1, output_tokens: 2, total_tokens: 3, reasoning_tokens: 4, cache_read_tokens: 5, cache_write_tokens: 6,
};
const REASONS = { stop: 1, length: 2, tool_use: 3, stop_sequence: 4, content_filter: 5, pause: 6, error: 7 };
const FAILURES = {
  rate_limit: 1, overloaded: 2, context_overflow: 3, auth: 4, invalid_request: 5, content_filter: 6, server: 7,
};

// Turns pieces into events, and numbers their blocks.
class Reply {
  #native;
  #kind;
  #block = -1;
  #calls = new Map();
  #isEnded = false;

  constructor(native) {
    this.#native = native;
  }

  push(piece) {
    if (typeof piece === 'string') return this.#delta(TEXT, piece);
    const { type } = piece;
    if (type in DELTAS) return this.#delta(DELTAS[type], piece.text);
    switch (type) {
      case 'thinking_signature':
        return this.#event(SIGNATURE, Math.max(this.#block, 0), piece.text);
      case 'redacted_thinking':
        return this.#event(REDACTED, this.#open(REDACTED), piece.data);
      case 'tool_call':
      case 'tool_call_start':
        return this.#call(piece);
      case 'tool_call_delta':
        return this.#event(ARGUMENTS, piece.id === undefined ? this.#block : this.#calls.get(piece.id), piece.text);
      case 'usage':
        return Object.entries(COUNTERS).reduce(
          (status, [name, counter]) => (name in piece ? this.#event(USAGE, counter, '', piece[name]) : status), 0);
      case 'stop':
        this.#isEnded = true;
        return this.#event(STOP, 0, piece.reason ?? 'stop', REASONS[piece.reason ?? 'stop'] ?? 0);
      case 'error':
        return this.#event(ERROR, 0, piece.message ?? '', FAILURES[piece.kind] ?? 0);
      default:
        throw new TypeError(`a piece of a reply has the type ${JSON.stringify(type)}`);
    }
  }

  end() {
    if (!this.#isEnded) this.push({ type: 'stop', reason: this.#calls.size > 0 ? 'tool_use' : 'stop' });
  }

  #call({ type, id = `call_${this.#calls.size + 1}`, name, arguments: given = {} }) {
    const block = this.#open(ARGUMENTS);
    this.#calls.set(id, block);
    const status = this.#event(BEGIN, block, name, 0, id);
    if (type === 'tool_call_start') return status;
    return this.#event(ARGUMENTS, block, typeof given === 'string' ? given : JSON.stringify(given));
  }

  #delta(kind, text) {
    return this.#event(kind, this.#kind === kind ? this.#block : this.#open(kind), text);
  }

  #open(kind) {
    this.#kind = kind;
    return ++this.#block;
  }

  #event(kind, block, text, num = 0, aux = '') {
    return this.#native.push(kind, block, num, String(text), String(aux));
  }
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

async function play(native, pieces, controller) {
  const reply = new Reply(native);
  const given = pieces === undefined || pieces === null ? [] : typeof pieces === 'string' || 'type' in pieces ? [pieces] : pieces;
  for await (const piece of given) {
    let status = reply.push(piece);
    while (status === PENDING) {
      await turn();
      status = native.hasRoom();
    }
    // Nobody listens any more: leaving the loop ends the generator.
    if (status < 0) {
      controller.abort();
      break;
    }
  }
  reply.end();
}

// A provider as the addon wants it.
function providerOf(name, stream) {
  if (typeof stream !== 'function') throw new TypeError('stream is no function');
  const start = async (native) => {
    const controller = new AbortController();
    native.onCancel(() => controller.abort());
    try {
      await play(native, await stream(JSON.parse(native.arguments()), { signal: controller.signal }), controller);
      native.answer('');
    } catch (error) {
      native.fail(told(error));
    }
  };
  return [name, start];
}

module.exports = { providerOf };
