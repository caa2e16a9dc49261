// Tools: functions that the model calls.
'use strict';

const PARALLEL = 2;

class ToolCall {
  #native;
  #controller;

  constructor(native) {
    this.#native = native;
    this.id = native.id();
  }

  get signal() {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      if (this.#native.isCancelled()) controller.abort();
      else this.#native.onCancel(() => controller.abort());
    }
    return this.#controller.signal;
  }

  get isCancelled() {
    return this.#native.isCancelled();
  }

  progress(text, fraction) {
    const permille = fraction === undefined ? -1 : Math.round(Math.min(Math.max(fraction, 0), 1) * 1000);
    return !this.#native.isCancelled() && this.#native.progress(String(text), permille);
  }
}

const told = (error) => (error instanceof Error ? error.message || error.name : String(error));

const written = (answer) => (typeof answer === 'string' ? answer : answer === undefined ? '' : JSON.stringify(answer) ?? String(answer));

// What the addon calls; throws nothing.
function asked(execute) {
  return async (native) => {
    try {
      const call = new ToolCall(native);
      native.answer(written(await execute(JSON.parse(native.arguments()), call)));
    } catch (error) {
      native.fail(told(error));
    }
  };
}

// A tool as the addon wants it.
function toolOf({ name, description = '', parameters = { type: 'object', properties: {} }, parallel = true, execute }) {
  if (typeof execute !== 'function') throw new TypeError(`execute of the tool ${name} is no function`);
  return [String(name), String(description), JSON.stringify(parameters), parallel ? PARALLEL : 0, asked(execute)];
}

module.exports = { ToolCall, told, toolOf };
