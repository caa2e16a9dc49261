// What the package adds to the C library.
'use strict';

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const { promisify } = require('node:util');
const { Worker } = require('node:worker_threads');

const thalweg = require('thalweg');
const { agentOptions, endless, replay, scenario } = require('./support.js');

const { Agent, Engine } = thalweg;
const execute = promisify(execFile);
const limit = { timeout: 30000 };

let server;
before(async () => {
  server = await replay();
});
after(() => server.close());

// Closed with its test.
async function slowServer(context) {
  const slow = await endless();
  context.after(() => slow.close());
  return slow;
}

const agent = (options) => new Agent({ ...agentOptions(server), ...options });
const { prompt } = scenario('text');
const { text } = scenario('text').expect;

test('both kinds of modules have the same names', limit, async () => {
  const module = await import('thalweg');
  for (const name of Object.keys(thalweg)) assert.equal(module[name], thalweg[name], name);
  assert.match(thalweg.version, /^\d+\.\d+\.\d+$/);
});

test('an option that nobody knows is an error that names it', limit, () => {
  assert.throws(() => agent({ modle: 'x' }), { code: 'THW_E_INVALID', name: 'ThalwegError', message: /modle/ });
  assert.throws(() => new Engine({ thraeds: 2 }), { code: 'THW_E_INVALID', message: /thraeds/ });
  assert.throws(() => agent({ tools: [{ name: 'x' }] }), TypeError);
});

test('each iteration begins at the first event, also after the end', limit, async () => {
  const run = agent().prompt(prompt);
  const types = async () => {
    const all = [];
    for await (const event of run) all.push(event.type);
    return all;
  };
  const [first, second] = await Promise.all([types(), types()]);
  assert.equal(first[0], 'agent_start');
  assert.equal(first.at(-1), 'agent_end');
  assert.ok(!first.includes('unknown'));
  assert.deepEqual(second, first);
  assert.deepEqual(await types(), first);
});

test('several calls of next at once are answered in order', limit, async () => {
  const iterator = agent().prompt(prompt).texts[Symbol.asyncIterator]();
  const pieces = [];
  for (let end = false; !end; ) {
    const four = await Promise.all([iterator.next(), iterator.next(), iterator.next(), iterator.next()]);
    for (const each of four) {
      if (each.done) end = true;
      else pieces.push(each.value);
    }
  }
  assert.equal(pieces.join(''), text);
});

test('leaving the loop early closes the socket', limit, async (context) => {
  const slow = await slowServer(context);
  const run = new Agent(agentOptions(slow)).prompt('go');
  for await (const event of run) if (event.type === 'text_delta') break;
  await slow.closed;
  await assert.rejects(run.result(), { code: 'THW_E_CANCELLED', kind: 'aborted', name: 'AbortError' });
});

test('a signal aborts the run, which tells its reason', limit, async (context) => {
  const slow = await slowServer(context);
  const controller = new AbortController();
  const run = new Agent(agentOptions(slow)).prompt('go', { signal: controller.signal });
  let seen = '';
  for await (const piece of run.texts) {
    seen += piece;
    controller.abort(new Error('enough'));
  }
  assert.match(seen, /^(on )+$/);
  await slow.closed;
  await assert.rejects(run.result(), (error) => error.name === 'AbortError' && error.cause.message === 'enough');
  const before = new Agent(agentOptions(slow)).prompt('go', { signal: AbortSignal.abort() });
  await assert.rejects(before.text(), { name: 'AbortError' });
});

test('an abort reaches the signal of a tool that waits', limit, async () => {
  const { prompt: question, tools } = scenario('two tools');
  let told;
  const heard = new Promise((resolve) => {
    told = resolve;
  });
  let run;
  const wait = async (args, call) => {
    assert.equal(call.isCancelled, false);
    setImmediate(() => run.abort());
    await new Promise((resolve) => {
      call.signal.addEventListener('abort', resolve);
    });
    assert.equal(call.isCancelled, true);
    assert.equal(call.progress('too late'), false);
    told(call.id);
  };
  run = agent({ tools: tools.map(({ name, parameters }) => ({ name, parameters, execute: wait })) }).prompt(question);
  assert.match(await heard, /^call_/);
  await assert.rejects(run.result(), { name: 'AbortError' });
});

// What the model was told of the two tools' calls; the server does not like it, since it waits for other answers.
async function told(weather, multiply) {
  const tools = [{ name: 'get_weather', execute: weather }, { name: 'multiply', execute: multiply }];
  const ends = {};
  const run = agent({ tools }).prompt(scenario('two tools').prompt);
  try {
    for await (const event of run) {
      if (event.type === 'tool_execution_end') ends[event.data.tool_name] = event.data;
    }
  } catch (error) {
    assert.equal(error.httpStatus, 400);
  }
  return [ends.get_weather, ends.multiply].map((end) => [end.is_error, end.result.content[0]?.text]);
}

test('what a tool throws is told to the model', limit, async () => {
  const throwing = () => {
    throw new Error('no such city');
  };
  assert.deepEqual(await told(throwing, () => Promise.reject(new TypeError('no numbers'))), [
    [true, 'no such city'],
    [true, 'no numbers'],
  ]);
});

test('an answer that is no string is told as JSON', limit, async () => {
  assert.deepEqual(await told(({ city }) => ({ city, sun: true }), ({ a, b }) => a * b), [
    [false, '{"city":"Paris","sun":true}'],
    [false, '42'],
  ]);
});

test('the conversation moves to another agent', limit, async () => {
  const first = agent();
  await first.prompt(prompt).result();
  assert.equal(first.messages.length, 2);
  const second = agent({ messages: first.messages });
  assert.deepEqual(second.messages, first.messages);
  const third = agent();
  third.load(first.save());
  assert.equal(third.save(), first.save());
  third.messages = [];
  assert.deepEqual(third.messages, []);
  assert.throws(() => third.load('{"schema": 99, "messages": []}'), { code: 'THW_E_VERSION' });
});

test('what is said meanwhile comes before the end', limit, async () => {
  const one = agent();
  one.followUp(scenario('thinking').prompt);
  const result = await one.prompt([{ role: 'user', content: [{ type: 'text', text: prompt }] }]).result();
  const said = result.messages.filter((message) => message.role === 'user').map((message) => message.content[0].text);
  assert.deepEqual(said, [prompt, scenario('thinking').prompt]);
});

test('a second prompt during a run is refused', limit, async (context) => {
  const slow = await slowServer(context);
  const one = new Agent(agentOptions(slow));
  const run = one.prompt('go');
  assert.throws(() => one.prompt('again'), { code: 'THW_E_STATE' });
  run.abort();
  await assert.rejects(run.result());
});

test('an engine that is closed ends what goes on', limit, async (context) => {
  const slow = await slowServer(context);
  const engine = new Engine();
  const one = new Agent({ ...agentOptions(slow), engine });
  const run = one.prompt('go');
  const watched = (async () => {
    for await (const event of run) if (event.type === 'text_delta') engine.close();
  })();
  await assert.rejects(run.result());
  await watched.catch(() => {});
  await slow.closed;
  assert.throws(() => one.prompt('again'), { code: 'THW_E_STATE' });
  engine.close();
});

test('runs, engines and tools that nobody holds are given back', limit, async () => {
  const script = `
    const { Agent, Engine } = require('thalweg');
    const options = ${JSON.stringify(agentOptions(server))};
    let held = 0;
    const registry = new FinalizationRegistry(() => held--);
    async function once() {
      const execute = () => 1;
      held++;
      registry.register(execute, 0);
      const agent = new Agent({ ...options, engine: new Engine(), tools: [{ name: 'a', execute }] });
      await agent.prompt(${JSON.stringify(prompt)}).text();
    }
    (async () => {
      for (let i = 0; i < 20; i++) await once();
      for (let i = 0; i < 100 && held > 1; i++) {
        gc();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      console.log(held <= 1 ? 'given back' : held + ' left');
    })();`;
  const { stdout } = await execute(process.execPath, ['--expose-gc', '-e', script], { cwd: __dirname });
  assert.equal(stdout.trim(), 'given back');
});

test('a process ends while a run goes on that nobody waits for, and stays for one that is waited for', limit, async (context) => {
  const slow = await slowServer(context);
  const script = (rest) => `const run = new (require('thalweg').Agent)(${JSON.stringify(agentOptions(slow))}).prompt('go'); ${rest}`;
  await execute(process.execPath, ['-e', script('')], { cwd: __dirname });
  const waits = script('run.text().catch((error) => console.log(error.name)); setTimeout(() => run.abort(), 100).unref()');
  assert.equal((await execute(process.execPath, ['-e', waits], { cwd: __dirname })).stdout.trim(), 'AbortError');
});

test('a worker runs agents of its own, and may be ended amid a run', limit, async (context) => {
  const slow = await slowServer(context);
  const script = `
    const { parentPort } = require('node:worker_threads');
    const { Agent } = require(${JSON.stringify(path.join(__dirname, '..'))});
    const tools = ${JSON.stringify(scenario('two tools').tools)}.map((tool) => ({ ...tool, execute: () => tool.answer }));
    (async () => {
      const text = await new Agent({ ...${JSON.stringify(agentOptions(server))}, tools }).prompt(${JSON.stringify(scenario('two tools').prompt)}).text();
      parentPort.postMessage(text);
      for await (const piece of new Agent(${JSON.stringify(agentOptions(slow))}).prompt('go').texts) parentPort.postMessage(piece);
    })();`;
  const worker = new Worker(script, { eval: true });
  const messages = [];
  await new Promise((resolve, reject) => {
    worker.on('error', reject);
    worker.on('message', (message) => messages.push(message) >= 4 && resolve());
  });
  await worker.terminate();
  await slow.closed;
  assert.equal(messages[0], scenario('two tools').expect.text);
  assert.equal(messages[1], 'on ');
});

test('the example shows tools and text', limit, async () => {
  const example = path.join(__dirname, '..', 'examples', 'weather.mjs');
  const { stdout } = await execute(process.execPath, [example, server.baseUrl]);
  assert.ok(stdout.includes(scenario('two tools').expect.text), stdout);
  assert.ok(stdout.includes('tool_execution_update'), stdout);
});

test('programs of the README are programs', limit, async () => {
  const readme = fs.readFileSync(path.join(__dirname, '..', 'README.md'), 'utf8');
  const programs = [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, program]) => program);
  assert.ok(programs.length > 2);
  for (const program of programs) {
    const child = execute(process.execPath, ['--check', '--input-type=module', '-']);
    child.child.stdin.end(program);
    await child;
  }
  await sleep(0);
});
