// Agent: a model, its tools, and the conversation with it. Engine: its threads and connections.
'use strict';

const native = require('./native.js');
const { ThalwegError } = require('./errors.js');
const { Run } = require('./run.js');
const { Streams } = require('./stream.js');
const { hooksOf } = require('./hook.js');
const { providerOf } = require('./provider.js');
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

// A text, or messages, as the C library takes them.
function messagesOf(prompt) {
  return JSON.stringify(typeof prompt === 'string' ? [{ role: 'user', content: [{ type: 'text', text: prompt }] }] : prompt);
}

class Agent {
  #native;
  #engine;
  #isKept = false;

  constructor({ tools = [], engine = Engine.shared, loadedTools, stream, ...given }) {
    const { hooks, options } = hooksOf(given);
    const providers = [];
    if (stream !== undefined) {
      const name = options.provider ?? 'program';
      // Members of a team name it by themselves.
      if (options.team === undefined) options.provider = name;
      providers.push(providerOf(name, stream));
    }
    const all = written({ ...options, tools: loadedTools });
    this.#engine = engine;
    this.#native = new native.Agent(engine._open, all, tools.map(toolOf), hooks, providers);
  }

  prompt(prompt, { signal } = {}) {
    this.#engine._open;
    const isText = typeof prompt === 'string';
    const run = isText ? this.#native.prompt(prompt) : this.#native.promptJson(JSON.stringify(prompt));
    return new Run(run, this.#engine, signal, this.#isKept);
  }

  steer(prompt) {
    this.#native.steer(messagesOf(prompt));
  }

  followUp(prompt) {
    this.#native.followUp(messagesOf(prompt));
  }

  abort() {
    this.#native.abort();
  }

  get isRunning() {
    return this.#native.isRunning();
  }

  get messages() {
    return JSON.parse(this.#native.conversation()).messages;
  }

  set messages(messages) {
    this.#native.setConversation(JSON.stringify({ schema: 1, messages }));
  }

  keep(store, { session, at, title } = {}) {
    const kept = JSON.parse(this.#native.keep(store._native, JSON.stringify({ session, at, title })));
    this.#isKept = true;
    return kept.session;
  }

  get session() {
    return JSON.parse(this.#native.session()) ?? undefined;
  }

  save() {
    return this.#native.conversation();
  }

  load(json) {
    this.#native.setConversation(json);
  }
}

module.exports = { Agent, Engine };
