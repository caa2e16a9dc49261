// Hooks, and replies that come from a function of the program.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');

const { Agent } = require('thalweg');

const limit = { timeout: 30000 };
const add = {
  name: 'add',
  description: 'Adds.',
  parameters: { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } } },
  execute: ({ a, b }) => a + b,
};

// Calls tools, and then says what their results were.
function* callsOnce({ messages }) {
  const last = messages.at(-1);
  if (last.role === 'tool') yield last.content.map((result) => result.content[0].text).join(' | ');
  else yield { type: 'tool_call', id: 'c0', name: 'add', arguments: { a: 1, b: 2 } };
}

const answer = async (options) => new Agent({ model: 'one', stream: callsOnce, tools: [add], ...options }).prompt('go').text();

test('a hook that gives nothing changes nothing', limit, async () => {
  const seen = [];
  const hook = (call) => void seen.push(call);
  assert.equal(await answer({ beforeToolCall: hook, afterToolCall: hook }), '3');
  const call = { toolCallId: 'c0', toolName: 'add', args: { a: 1, b: 2 } };
  assert.deepEqual(seen, [call, { ...call, text: '3', isError: false }]);
});

test('hooks change and block calls, and change answers', limit, async () => {
  assert.equal(await answer({ beforeToolCall: () => ({ args: { a: 20, b: 22 } }) }), '42');
  assert.equal(await answer({ beforeToolCall: async () => 'not on Sundays' }), 'not on Sundays');
  assert.equal(await answer({ afterToolCall: ({ text }) => `${text}, roughly` }), '3, roughly');
});

test('a hook that fails fails its tool, and the model is told', limit, async () => {
  const beforeToolCall = () => {
    throw new Error('no ones');
  };
  assert.match(await answer({ beforeToolCall }), /no ones/);
  assert.throws(() => new Agent({ model: 'one', stream: callsOnce, beforeToolCall: 7 }), TypeError);
});

test('the context is transformed and then converted, for the request only', limit, async () => {
  const sent = [];
  const message = (text) => ({ role: 'user', content: [{ type: 'text', text }] });
  const agent = new Agent({
    model: 'one',
    stream: ({ messages }) => void sent.push(messages),
    transformContext: (messages) => [...messages, message('transformed')],
    convertToLlm: async (messages) => messages.slice(-1),
  });
  await agent.prompt('as it was said').result();
  assert.deepEqual(sent, [[message('transformed')]]);
  assert.equal(agent.messages[0].content[0].text, 'as it was said');
});

test('a reply may be a text, an array, a generator or an asynchronous one', limit, async () => {
  const streams = [
    () => 'abc',
    async () => ['a', 'bc'],
    function* () {
      yield 'a';
      yield { type: 'text_delta', text: 'bc' };
    },
    async function* () {
      yield 'ab';
      await sleep(1);
      yield 'c';
      yield { type: 'usage', input_tokens: 3, output_tokens: 4 };
    },
  ];
  for (const stream of streams) assert.equal(await new Agent({ model: 'one', stream }).prompt('hi').text(), 'abc');
  const { usage } = await new Agent({ model: 'one', stream: streams[3] }).prompt('hi').result();
  assert.deepEqual([usage.input_tokens, usage.output_tokens], [3, 4]);
});

test('what a stream function throws ends the run and keeps what came', limit, async () => {
  const stream = function* () {
    yield 'so far';
    throw new Error('the line is dead');
  };
  await assert.rejects(new Agent({ model: 'one', stream }).prompt('hi').result(), (error) => {
    assert.match(error.message, /the line is dead/);
    assert.equal(error.result.message.content[0].text, 'so far');
    return true;
  });
});

test('an abort ends the generator', limit, async () => {
  let end;
  const ended = new Promise((resolve) => (end = resolve));
  const stream = async function* (request, { signal }) {
    try {
      for (;;) {
        yield 'on ';
        await sleep(1);
      }
    } finally {
      end(signal.aborted);
    }
  };
  const agent = new Agent({ model: 'one', stream });
  const run = agent.prompt('hi');
  for await (const text of run.texts) {
    assert.equal(text, 'on ');
    assert.ok(agent.isRunning);
    agent.abort();
    break;
  }
  assert.equal(await ended, true);
  await assert.rejects(run.result(), { name: 'AbortError' });
});

test('content goes along with what is said meanwhile', limit, async () => {
  const agent = new Agent({ model: 'one', stream: () => 'fine' });
  agent.steer([{ role: 'user', content: [{ type: 'image', url: 'https://example.org/a.png' }] }]);
  agent.followUp('and then?');
  const { messages } = await agent.prompt('look').result();
  assert.deepEqual(messages.map(({ role }) => role), ['user', 'user', 'assistant', 'user', 'assistant']);
  assert.equal(messages[1].content[0].url, 'https://example.org/a.png');
});
