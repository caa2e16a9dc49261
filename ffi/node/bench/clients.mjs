// One client in one process: `node clients.mjs NAME URL DELTAS STREAMS`. Prints processor time a delta, in µs.
//
// Processor time of the whole process, all threads and the kernel's part included, after one warm-up. Each client assembles the text, and its
// length is checked.

import { strict as assert } from 'node:assert';

const PROMPT = 'go';
const WORDS = ['The', ' sky', ' is', ' blue', ',', ' says', ' Ray', 'leigh', '.', ' Light'];
const body = (deltas) => ({ model: `deltas-${deltas}`, stream: true, messages: [{ role: 'user', content: PROMPT }] });

// Length of the text that a client must have in the end; as the server makes it.
function textLength(deltas) {
  let length = 0;
  for (let number = 0; number < deltas; number++) length += WORDS[number % WORDS.length].length;
  return length;
}

const clients = {
  async thalweg_texts(url, deltas) {
    const { Agent } = await import('thalweg');
    return async () => {
      const agent = new Agent({ model: `deltas-${deltas}`, baseUrl: `${url}/v1`, apiKey: 'none' });
      const pieces = [];
      for await (const piece of agent.prompt(PROMPT).texts) pieces.push(piece);
      return pieces.join('').length;
    };
  },

  async thalweg_events(url, deltas) {
    const { Agent } = await import('thalweg');
    return async () => {
      const agent = new Agent({ model: `deltas-${deltas}`, baseUrl: `${url}/v1`, apiKey: 'none' });
      const pieces = [];
      for await (const event of agent.prompt(PROMPT)) if (event.type === 'text_delta') pieces.push(event.text);
      return pieces.join('').length;
    };
  },

  async fetch_json(url, deltas) {
    return async () => {
      const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(body(deltas)) });
      const decoder = new TextDecoder();
      const pieces = [];
      let rest = '';
      for await (const chunk of response.body) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = lines.pop();
        for (const line of lines) {
          if (!line.startsWith('data: {')) continue;
          const text = JSON.parse(line.slice(6)).choices[0]?.delta.content;
          if (text) pieces.push(text);
        }
      }
      return pieces.join('').length;
    };
  },

  async openai(url, deltas) {
    const { default: OpenAI } = await import('openai');
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
    return async () => {
      const pieces = [];
      for await (const chunk of await client.chat.completions.create(body(deltas))) {
        const text = chunk.choices[0]?.delta.content;
        if (text) pieces.push(text);
      }
      return pieces.join('').length;
    };
  },
};

const [name, url] = process.argv.slice(2);
const [allDeltas, allStreams] = process.argv.slice(4).map(Number);

async function measured(deltas, streams) {
  const run = await clients[name](url, deltas);
  const before = process.cpuUsage();
  const began = process.hrtime.bigint();
  const lengths = await Promise.all(Array.from({ length: streams }, run));
  const wall = Number(process.hrtime.bigint() - began) / 1000;
  const { user, system } = process.cpuUsage(before);
  for (const length of lengths) assert.equal(length, textLength(deltas));
  return { cpu_us: (user + system) / (deltas * streams), wall_us: wall / (deltas * streams) };
}

await measured(Math.min(allDeltas, 2000), 1);
const seen = await measured(allDeltas, allStreams);
console.log(JSON.stringify({ client: name, ...seen, rss_mib: process.resourceUsage().maxRSS / 1024 }));
process.exit(0);
