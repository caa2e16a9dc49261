// One client in JavaScript: `node clients.mjs NAME work=… url=… …`, as the programs in Rust. Prints figures as `name=value`.

import { strict as assert } from 'node:assert';

const PROMPT = 'Tell me of the river.';
const MODEL = 'gpt-4o-mini';
const TOOL = 'add_one';
const TOOL_PARAMETERS = {
  type: 'object',
  properties: { n: { type: 'integer', description: 'A number.' } },
  required: ['n'],
};

const clients = {
  async 'openai-node'(url) {
    const { default: OpenAI } = await import('openai');
    const client = new OpenAI({ baseURL: url, apiKey: 'none', maxRetries: 0 });
    const user = () => [{ role: 'user', content: PROMPT }];
    return {
      async ask(take) {
        for await (const chunk of await client.chat.completions.create({ model: MODEL, stream: true, messages: user() })) {
          const text = chunk.choices[0]?.delta.content;
          if (text) take(text);
        }
      },
      async runTurns(mark) {
        const messages = user();
        const tools = [{ type: 'function', function: { name: TOOL, description: 'The next number.', parameters: TOOL_PARAMETERS } }];
        for (;;) {
          let call;
          for await (const chunk of await client.chat.completions.create({ model: MODEL, stream: true, messages, tools })) {
            for (const part of chunk.choices[0]?.delta.tool_calls ?? []) {
              call ??= { id: part.id, type: 'function', function: { name: part.function.name, arguments: '' } };
              call.function.arguments += part.function.arguments ?? '';
            }
          }
          if (!call) return;
          mark();
          const content = String(JSON.parse(call.function.arguments).n + 1);
          messages.push({ role: 'assistant', content: null, tool_calls: [call] }, { role: 'tool', tool_call_id: call.id, content });
        }
      },
    };
  },

  async 'ai-sdk'(url) {
    const { jsonSchema, stepCountIs, streamText, tool } = await import('ai');
    const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
    const model = createOpenAICompatible({ name: 'local', baseURL: url, apiKey: 'none' })(MODEL);
    const onError = ({ error }) => {
      throw error;
    };
    return {
      async ask(take) {
        for await (const text of streamText({ model, prompt: PROMPT, maxRetries: 0, onError }).textStream) take(text);
      },
      async runTurns(mark) {
        const execute = async ({ n }) => {
          mark();
          return String(n + 1);
        };
        const tools = { [TOOL]: tool({ description: 'The next number.', inputSchema: jsonSchema(TOOL_PARAMETERS), execute }) };
        const run = streamText({ model, prompt: PROMPT, tools, stopWhen: stepCountIs(10_000), maxRetries: 0, onError });
        await run.consumeStream();
      },
    };
  },
};

function textHash(text) {
  let value = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text)) value = BigInt.asUintN(64, (value ^ BigInt(byte)) * 0x100000001b3n);
  return value;
}

const cpuMicros = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};
const nowMicros = () => Number(process.hrtime.bigint()) / 1000;
const peak = () => process.resourceUsage().maxRSS * 1024;
const resident = () => process.memoryUsage.rss();
const sleep = (millis) => new Promise((done) => setTimeout(done, millis));

const works = {
  async replies(client, { streams, deltas, text_bytes, text_hash }) {
    const [before, cpu, wall] = [resident(), cpuMicros(), nowMicros()];
    const one = async () => {
      const pieces = [];
      await client.ask((text) => pieces.push(text));
      return pieces.join('');
    };
    const texts = await Promise.all(Array.from({ length: Number(streams) }, one));
    const [cpuTaken, wallTaken, memory] = [cpuMicros() - cpu, nowMicros() - wall, peak()];
    for (const text of texts) {
      assert.equal(Buffer.byteLength(text), Number(text_bytes));
      assert.equal(textHash(text), BigInt(text_hash));
    }
    const all = deltas * streams;
    return { rate: (all / wallTaken) * 1e6, cpu_us: cpuTaken / all, rss: memory, rss_stream: (memory - before) / streams };
  },

  async paced(client, { streams, window_ms }) {
    const [counts, delays, before] = [new Array(Number(streams)).fill(0), [], resident()];
    let measures = false;
    counts.forEach((_, number) =>
      client.ask((text) => {
        counts[number] += 1;
        if (measures) delays.push(nowMicros() - Number(text));
      }),
    );
    const limit = Date.now() + 60_000;
    while (counts.includes(0)) {
      assert(Date.now() < limit, 'not all streams answer');
      await sleep(20);
    }
    await sleep(1200);
    const [cpu, wall, already] = [cpuMicros(), nowMicros(), [...counts]];
    measures = true;
    await sleep(Number(window_ms));
    measures = false;
    const [cpuTaken, wallTaken] = [cpuMicros() - cpu, nowMicros() - wall];
    const served = counts.map((count, number) => count - already[number]);
    const [least, all] = [Math.min(...served), served.reduce((sum, count) => sum + count, 0)];
    delays.sort((a, b) => a - b);
    return {
      cpu_us: cpuTaken / all,
      core: cpuTaken / wallTaken,
      least,
      least_a_second: (least / wallTaken) * 1e6,
      rss_stream: (resident() - before) / streams,
      delay_p50_us: delays[Math.floor(delays.length / 2)],
      delay_p99_us: delays[Math.floor(delays.length * 0.99)],
    };
  },

  async turns(client, { turns }) {
    const marks = [];
    await client.runTurns(() => marks.push([cpuMicros(), nowMicros()]));
    assert.equal(marks.length, Number(turns));
    const taken = (part) => marks.slice(1).map((mark, number) => mark[part] - marks[number][part]);
    const [cpu, wall] = [taken(0), taken(1)];
    const around = (values, turn) => values.slice(Math.max(turn - 10, 0), turn).sort((a, b) => a - b)[5];
    return {
      turn_cpu_us_20: around(cpu, 20),
      turn_cpu_us_last: around(cpu, cpu.length),
      turn_cpu_us_mean: cpu.reduce((sum, value) => sum + value, 0) / cpu.length,
      turn_us_last: around(wall, wall.length),
      rss: peak(),
    };
  },
};

const [name, ...pairs] = process.argv.slice(2);
const options = Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
const figures = await works[options.work](await clients[name](options.url), options);
for (const [figure, value] of Object.entries(figures)) console.log(`${figure}=${value}`);
process.exit(0);
