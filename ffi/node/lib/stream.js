// Stream: the events of a run as an asynchronous iterator, filled by the drain of its engine.
'use strict';

const { Event } = require('./event.js');

// What a consumer wants; as native/engine.c has it.
const ALL_EVENTS = 0;
const ONLY_TEXT = 1;
const NOTHING = 2;
const WANTS = 3;

// A number of 64 bits; exact up to 2 to the 53rd.
const join = (low, high) => (high === 0 ? low >>> 0 : high * 4294967296 + (low >>> 0));

class Stream {
  #run;
  // Items from `first` on.
  #queue = [];
  #first = 0;
  #waiting = [];
  #isOver = false;

  constructor(run, id) {
    this.#run = run;
    this.id = id;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  next() {
    const queue = this.#queue;
    if (this.#first < queue.length) {
      const value = queue[this.#first];
      queue[this.#first++] = undefined;
      if (this.#first === queue.length) {
        queue.length = 0;
        this.#first = 0;
      }
      return Promise.resolve({ value, done: false });
    }
    if (this.#isOver) return this.#end();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  // Who leaves the loop does not want the rest.
  return(value) {
    if (!this.#isOver) {
      this.#isOver = true;
      this.#run._stop(this);
    }
    this.#queue.length = 0;
    this.#first = 0;
    for (const each of this.#waiting.splice(0)) each.resolve({ value: undefined, done: true });
    return Promise.resolve({ value, done: true });
  }

  // The error of the run, once; then and otherwise the end.
  #end() {
    try {
      this.#run._check();
    } catch (error) {
      return Promise.reject(error);
    }
    return Promise.resolve({ value: undefined, done: true });
  }

  // Takes `count` items from `numbers` and `texts`; gives where it stopped.
  _take(want, count, cursor, numbers, texts) {
    let { number, text } = cursor;
    const queue = this.#queue;
    for (let i = 0; i < count; i++) {
      if (want === ONLY_TEXT) {
        const end = text + numbers[number++];
        queue.push(texts.substring(text, end));
        text = end;
      } else {
        const middle = text + numbers[number + 4];
        const end = middle + numbers[number + 5];
        queue.push(
          new Event(
            numbers[number],
            numbers[number + 1],
            numbers[number + 2],
            numbers[number + 3],
            texts.substring(text, middle),
            middle === end ? '' : texts.substring(middle, end),
            join(numbers[number + 6], numbers[number + 7]),
            join(numbers[number + 8], numbers[number + 9]),
          ),
        );
        number += 10;
        text = end;
      }
    }
    cursor.number = number;
    cursor.text = text;
    if (this.#isOver) queue.length = 0;
    while (this.#waiting.length > 0 && this.#first < queue.length) this.#waiting.shift().resolve(this.next());
  }

  _finish() {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const each of this.#waiting.splice(0)) each.resolve(this.next());
  }
}

// All streams of an engine, by their numbers.
class Streams {
  #native;
  #streams = new Map();
  #last = 0;

  constructor(native) {
    this.#native = native;
  }

  add(run, want) {
    const id = ++this.#last;
    const stream = new Stream(run, id);
    run._native.drain(id * WANTS + want);
    if (this.#streams.size === 0) this.#native.keep(true);
    this.#streams.set(id, stream);
    return stream;
  }

  // Nothing more is to come, or the consumer has gone; the process need not wait for it.
  remove(stream) {
    this.#streams.delete(stream.id);
    if (this.#streams.size === 0) this.#native.keep(false);
  }

  // Called when there is something.
  drain() {
    // So many times before the event loop gets its turn.
    for (let round = 0; round < 4; round++) {
      const texts = this.#native.drain();
      if (texts === undefined) return;
      const { numbers } = this.#native;
      const end = numbers[0];
      const cursor = { number: 1, text: 0 };
      while (cursor.number < end) {
        const user = numbers[cursor.number];
        const count = numbers[cursor.number + 1];
        const isOver = numbers[cursor.number + 2] === 1;
        cursor.number += 3;
        const want = user % WANTS;
        const id = (user - want) / WANTS;
        const stream = this.#streams.get(id);
        if (stream !== undefined) {
          stream._take(want, count, cursor, numbers, texts);
        } else {
          // Nobody wants them any more.
          for (let i = 0; i < count; i++) {
            cursor.text += want === ONLY_TEXT ? numbers[cursor.number] : numbers[cursor.number + 4] + numbers[cursor.number + 5];
            cursor.number += want === ONLY_TEXT ? 1 : 10;
          }
        }
        if (isOver && stream !== undefined) {
          this.remove(stream);
          stream._finish();
        }
      }
    }
  }

  // The engine is gone.
  finish() {
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream._finish();
  }
}

module.exports = { Streams, ALL_EVENTS, ONLY_TEXT, NOTHING };
