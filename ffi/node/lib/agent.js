// Agent: a model, its tools, and the conversation with it. Engine: its threads and connections.
'use strict';

const native = require('./native.js');
const { ThalwegError } = require('./errors.js');
const { Run } = require('./run.js');
const { Streams } = require('./stream.js');
const { toolOf } = require('./tool.js');

// Keys as the C library has them.
const underscored = (key) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function written(options) {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return JSON.stringify(
    Object.fromEntries(
      entries.map(([key, value]) => [underscored(key), key === 'thinking' ? JSON.parse(written(value)) : value]),
    ),
  );
}

class Engine {
  #native;
  #isClosed = false;

  constructor(options = {}) {
    // The addon holds its function for as long as the engine is open: it must not hold the engine.
    let self;
    this.#native = new native.Engine(written(options), () => self.deref()?.drain());
    this._streams = new Streams(this.#native);
    self = new WeakRef(this._streams);
  }

  static #shared;

  static get shared() {
    Engine.#shared ??= new Engine();
    return Engine.#shared;
  }

  get _open() {
    if (this.#isClosed) throw new ThalwegError('THW_E_STATE', 'the engine is closed');
    return this.#native;
  }

  loadPlugin(path) {
    this._open.loadPlugin(path);
  }

  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#native.close();
    this._streams.finish();
    if (Engine.#shared === this) Engine.#shared = undefined;
  }
}

class Agent {
  #native;
  #engine;

  constructor({ tools = [], engine = Engine.shared, loadedTools, ...options }) {
    this.#engine = engine;
    this.#native = new native.Agent(engine._open, written({ ...options, tools: loadedTools }), tools.map(toolOf));
  }

  prompt(prompt, { signal } = {}) {
    this.#engine._open;
    const isText = typeof prompt === 'string';
    const run = isText ? this.#native.prompt(prompt) : this.#native.promptJson(JSON.stringify(prompt));
    return new Run(run, this.#engine, signal);
  }

  steer(text) {
    this.#native.steer(text);
  }

  followUp(text) {
    this.#native.followUp(text);
  }

  get messages() {
    return JSON.parse(this.#native.conversation()).messages;
  }

  set messages(messages) {
    this.#native.setConversation(JSON.stringify({ schema: 1, messages }));
  }

  save() {
    return this.#native.conversation();
  }

  load(json) {
    this.#native.setConversation(json);
  }
}

module.exports = { Agent, Engine };
