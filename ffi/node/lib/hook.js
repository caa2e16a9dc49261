// Hooks: functions that a run asks before it goes on.
'use strict';

const { told } = require('./tool.js');

// Points of the C library, and what a hook is asked with and may give there.
const POINTS = {
  beforeToolCall: [1, callOf, (given) => (typeof given === 'string' ? { block: true, reason: given } : given)],
  afterToolCall: [2, callOf, (given) => (typeof given === 'string' ? { text: given } : renamed(given, 'isError', 'is_error'))],
  transformContext: [3, ({ messages }) => messages, (given) => given],
  convertToLlm: [4, ({ messages }) => messages, (given) => given],
  shouldStopAfterTurn: [5, (turn) => turn, (given) => ({ stop: Boolean(given) })],
  getApiKey: [6, ({ provider }) => provider, (given) => String(given)],
};

function callOf({ tool_call_id: toolCallId, tool_name: toolName, args, text, is_error: isError }) {
  return text === undefined ? { toolCallId, toolName, args } : { toolCallId, toolName, args, text, isError };
}

function renamed(object, from, to) {
  const { [from]: value, ...rest } = object;
  return value === undefined ? rest : { ...rest, [to]: value };
}

// What the addon calls; throws nothing.
function asked(hook, input, output) {
  return async (native) => {
    try {
      const given = await hook(input(JSON.parse(native.arguments())));
      native.answer(given === undefined || given === null ? '' : JSON.stringify(output(given)));
    } catch (error) {
      native.fail(told(error));
    }
  };
}

// Takes the hooks out of the options of an agent.
function hooksOf(options) {
  const rest = { ...options };
  const hooks = [];
  for (const [name, [point, input, output]] of Object.entries(POINTS)) {
    const hook = rest[name];
    delete rest[name];
    if (hook === undefined) continue;
    if (typeof hook !== 'function') throw new TypeError(`${name} is no function`);
    hooks.push([point, asked(hook, input, output)]);
  }
  return { hooks, options: rest };
}

module.exports = { hooksOf };
