// Event: one step of a run.
'use strict';

// Names of kinds; those of blocks by the kind of the events that fill them.
const NAMES = [];
const BEGINS = [];
const ENDS = [];
for (const [kind, name] of [
  [1, 'reply_start'],
  [2, 'text_delta'],
  [3, 'thinking_delta'],
  [4, 'thinking_signature'],
  [5, 'redacted_thinking'],
  [6, 'refusal_delta'],
  [7, 'tool_call_start'],
  [8, 'tool_call_delta'],
  [9, 'block_end'],
  [10, 'usage'],
  [11, 'usage_raw'],
  [12, 'stop'],
  [13, 'error'],
  [14, 'done'],
  [15, 'other_content'],
  [16, 'skipped'],
  [64, 'agent_start'],
  [65, 'turn_start'],
  [66, 'message_start'],
  [69, 'message_end'],
  [70, 'tool_execution_start'],
  [71, 'tool_execution_update'],
  [72, 'tool_execution_end'],
  [73, 'turn_end'],
  [74, 'agent_end'],
]) {
  NAMES[kind] = name;
}
for (const [kind, name] of [
  [2, 'text'],
  [3, 'thinking'],
  [5, 'redacted_thinking'],
  [6, 'refusal'],
  [8, 'tool_call'],
]) {
  BEGINS[kind] = `${name}_start`;
  ENDS[kind] = `${name}_end`;
}

class Event {
  constructor(kind, flags, index, choice, text, aux, num, seq) {
    this.kind = kind;
    this.flags = flags;
    this.index = index;
    this.choice = choice;
    this.text = text;
    this.aux = aux;
    this.num = num;
    this.seq = seq;
  }

  get type() {
    const { kind } = this;
    const name = kind === 67 ? BEGINS[this.num] : kind === 68 ? ENDS[this.num] : NAMES[kind];
    return name ?? 'unknown';
  }

  get data() {
    return JSON.parse(this.text);
  }
}

module.exports = { Event };
