// Store: conversations kept in one file.
'use strict';

const native = require('./native.js');

class Store {
  constructor(path = ':memory:') {
    this._native = new native.Store(String(path));
  }

  close() {
    this._native.close();
  }

  create({ title, model, system } = {}) {
    return this.#ask('create', { title, model, system }).session;
  }

  append(session, messages, { parent } = {}) {
    return this.#ask('append', { session, messages, parent }).messages;
  }

  sessions({ limit } = {}) {
    return this.#ask('sessions', { limit }).sessions;
  }

  read(session = 'last', { at, all } = {}) {
    return this.#ask('read', { session, at, all });
  }

  branch(session, at) {
    this.#ask('branch', { session, at: at ?? undefined });
  }

  search(words, { limit } = {}) {
    return this.#ask('search', { words, limit }).hits;
  }

  export(session = 'last', format = 'json_lines') {
    return this.#ask('export', { session, format }).text;
  }

  import(text) {
    return this.#ask('import', { text }).sessions;
  }

  delete(session) {
    this.#ask('delete', { session });
  }

  // What is undefined is left out.
  #ask(what, given) {
    return JSON.parse(this._native.ask(JSON.stringify({ [what]: given })));
  }
}

module.exports = { Store };
