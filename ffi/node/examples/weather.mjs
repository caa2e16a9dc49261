// An agent with two tools, one plain and one asynchronous, and all that happens while it works.
//
//     node examples/weather.mjs [BASE_URL]
//
// With a base URL, such as that of `thalweg replay ffi/scenarios/*.jsonl` with /v1, it needs no key.

import { setTimeout as sleep } from 'node:timers/promises';

import { Agent } from 'thalweg';

const getWeather = {
  name: 'get_weather',
  description: 'The weather in a city.',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  async execute({ city }, call) {
    call.progress('asking', 0.5);
    await sleep(100, undefined, { signal: call.signal });
    return `It is sunny in ${city}, 21 °C.`;
  },
};

const multiply = {
  name: 'multiply',
  description: 'The product of two numbers.',
  parameters: { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'integer' } }, required: ['a', 'b'] },
  execute: ({ a, b }) => a * b,
};

const [baseUrl] = process.argv.slice(2);
const server = baseUrl ? { model: 'hand-written-1', baseUrl, apiKey: 'none' } : { model: 'openai/gpt-4o-mini' };
const run = new Agent({ ...server, tools: [getWeather, multiply] }).prompt('What is the weather in Paris, and what is 6 times 7?');
for await (const event of run) {
  if (event.type === 'text_delta') process.stdout.write(event.text);
  else if (event.type.startsWith('tool_execution')) console.log(`\n[${event.type}] ${event.text}`);
}
console.log('\n', (await run.result()).usage);
