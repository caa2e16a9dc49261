// The scenarios that every binding runs.
'use strict';

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');

const { Agent, ThalwegError } = require('thalweg');
const { agentOptions, replay, scenario, scenarios } = require('./support.js');

let server;
before(async () => {
  server = await replay();
});
after(() => server.close());

// A tool that answers as the scenario says.
function toolOf(said, isAsync, calls) {
  const answer = (args, call) => {
    calls.push({ name: said.name, arguments: args });
    for (const text of said.progress ?? []) assert.equal(call.progress(text, 0.5), true);
    return said.answer;
  };
  const later = async (args, call) => {
    await sleep(1);
    return answer(args, call);
  };
  const { name, description, parameters } = said;
  return { name, description, parameters, execute: isAsync ? later : answer };
}

// What an iteration shows.
async function watch(run, said) {
  const seen = { text: '', thinking: '', deltas: 0, turns: 0, progress: [] };
  for await (const event of run) {
    if (event.type === 'text_delta') {
      seen.text += event.text;
      seen.deltas++;
    } else if (event.type === 'thinking_delta') {
      seen.thinking += event.text;
    } else if (event.type === 'turn_start') {
      seen.turns++;
      seen.text = '';
    } else if (event.type === 'tool_execution_update') {
      seen.progress.push(...event.data.partial_result.content.map((part) => part.text));
    }
    if (seen.text && seen.text === said.abort_after_text) run.abort();
  }
  return seen;
}

function checkError(error, expected) {
  assert.ok(error instanceof ThalwegError, String(error));
  assert.equal(error.code, expected.status);
  assert.equal(error.kind, expected.kind);
  assert.equal(error.httpStatus, expected.http_status);
  assert.equal(error.retryable, expected.retryable ?? false);
  assert.equal(error.retryAfterMs, expected.retry_after_ms);
  assert.ok(error.message.includes(expected.message_contains ?? ''), error.message);
}

async function play(said, isAsync) {
  const calls = [];
  const tools = (said.tools ?? []).map((tool) => toolOf(tool, isAsync, calls));
  const agent = new Agent({ ...agentOptions(server), ...said.options, tools });
  const run = agent.prompt(said.prompt);
  const { expect } = said;
  if (expect.error) {
    if (expect.error.status === 'THW_E_CANCELLED') {
      // The program stopped it itself: the iteration just ends.
      assert.equal((await watch(run, said)).text, expect.text);
    } else {
      await assert.rejects(watch(run, said), (error) => checkError(error, expect.error) ?? true);
    }
    await assert.rejects(run.result(), (error) => checkError(error, expect.error) ?? true);
    return;
  }
  const seen = await watch(run, said);
  const result = await run.result();
  assert.equal(seen.text, expect.text);
  assert.equal(result.text, expect.text);
  let texts = '';
  for await (const piece of run.texts) texts += piece;
  assert.ok(texts.endsWith(expect.text));
  if (expect.text_deltas) assert.equal(seen.deltas, expect.text_deltas);
  if (expect.thinking) {
    assert.equal(seen.thinking, expect.thinking);
    assert.equal(result.thinking, expect.thinking);
  }
  if (expect.stop_reason) assert.equal(result.stopReason, expect.stop_reason);
  for (const [counter, tokens] of Object.entries(expect.usage ?? {})) assert.equal(result.usage[counter], tokens);
  if (expect.turns) assert.equal(seen.turns, expect.turns);
  const byName = (a, b) => a.name.localeCompare(b.name);
  assert.deepEqual(calls.sort(byName), [...(expect.tool_calls ?? [])].sort(byName));
  assert.deepEqual(seen.progress, expect.progress ?? []);
}

for (const said of scenarios.filter((each) => !each.runs)) {
  test(`scenario ${said.name}`, { timeout: 30000 }, () => play(said, false));
  if (said.tools) test(`scenario ${said.name}, with tools that answer later`, { timeout: 30000 }, () => play(said, true));
}

test('scenario 1,000 runs, watched', { timeout: 60000 }, async () => {
  const said = scenario('1,000 runs');
  await Promise.all(Array.from({ length: said.runs }, () => play(said, false)));
});

test('scenario 1,000 runs, by their results', { timeout: 60000 }, async () => {
  const said = scenario('1,000 runs');
  const prompt = () => new Agent(agentOptions(server)).prompt(said.prompt).text();
  const texts = await Promise.all(Array.from({ length: said.runs }, prompt));
  assert.deepEqual(new Set(texts), new Set([said.expect.text]));
});
