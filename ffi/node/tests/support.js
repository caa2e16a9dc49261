// What the tests share: the replay server with the scenarios of all bindings, and a server that notices closed sockets.
'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const readline = require('node:readline');

const root = path.join(__dirname, '..', '..', '..');
const file = path.join(root, 'ffi', 'scenarios.json');
const { scenarios } = JSON.parse(fs.readFileSync(file, 'utf8'));
const scenario = (name) => scenarios.find((each) => each.name === name);

// `thalweg replay` with all scenarios; THALWEG names the command.
async function replay() {
  const target = process.env.CARGO_TARGET_DIR ?? path.join(root, 'target');
  const command = process.env.THALWEG ?? path.join(target, 'release', 'thalweg');
  const files = [...new Set(scenarios.map((each) => path.join(path.dirname(file), each.recording)))];
  const server = spawn(command, ['replay', ...files], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(readline.createInterface({ input: server.stdout }), 'line');
  const url = /http:\/\/[0-9.:]+/.exec(line)[0];
  return { baseUrl: `${url}/v1`, close: () => server.kill() };
}

// Sends one delta after the other and never ends; `closed` is a promise of the end of its first connection.
async function endless() {
  let interval;
  let notice;
  const closed = new Promise((resolve) => {
    notice = resolve;
  });
  const server = http.createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    interval = setInterval(() => response.write('data: {"choices":[{"index":0,"delta":{"content":"on "}}]}\n\n'), 5);
    response.on('close', () => {
      clearInterval(interval);
      notice();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    clearInterval(interval);
    server.closeAllConnections();
    server.close();
  };
  return { baseUrl: `http://127.0.0.1:${server.address().port}/v1`, closed, close };
}

const agentOptions = (server) => ({ model: 'hand-written-1', baseUrl: server.baseUrl, apiKey: 'anything' });

module.exports = { agentOptions, endless, replay, scenario, scenarios };
