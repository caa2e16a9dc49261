// Conversations that are kept in a file, and teams.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');

const { Agent, Store } = require('thalweg');

const limit = { timeout: 30000 };
const countsMessages = ({ messages }) => `${messages.length} so far`;
const agent = (options) => new Agent({ model: 'one', stream: countsMessages, ...options });
const said = (message) => message.content.map(({ text }) => text).join('');

// A file that is removed with its test.
function file(context) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'thalweg-'));
  context.after(() => fs.rmSync(folder, { recursive: true }));
  return path.join(folder, 'conversations.db');
}

test('a conversation is on the disk when the result is there, and another agent goes on with it', limit, async (context) => {
  const place = file(context);
  const store = new Store(place);
  const first = agent();
  assert.equal(first.session, undefined);
  const session = first.keep(store, { title: 'Counting' });
  await first.prompt('one').result();
  await first.prompt('two').result();
  assert.deepEqual(first.session, { session, head: 4, error: null });
  store.close();

  const again = new Store(place);
  const [about, ...others] = again.sessions();
  assert.deepEqual([about.id, about.title, about.messages, others.length], [session, 'Counting', 4, 0]);
  assert.deepEqual(again.read().messages.map(({ message }) => said(message)), ['one', '1 so far', 'two', '3 so far']);
  const second = agent();
  assert.equal(second.keep(again, { session: 'last' }), session);
  assert.equal(await second.prompt('three').text(), '5 so far');
  const third = agent();
  third.keep(again, { session, at: 2 });
  assert.equal(await third.prompt('another second').text(), '3 so far');
  assert.deepEqual(again.read(session).leaves, [6, 8]);
  assert.equal(third.messages.length, 4);
  // The agent holds the file on.
  again.close();
  await third.prompt('and on').result();
  assert.equal(third.session.error, null);
});

test('a run that fails is kept as far as it came', limit, async () => {
  const store = new Store();
  const broken = agent({ stream: () => [{ type: 'error', kind: 'auth', message: 'who are you?' }] });
  const session = broken.keep(store);
  await assert.rejects(broken.prompt('hi').result(), { kind: 'auth' });
  assert.equal(said(store.read(session).messages[0].message), 'hi');
});

test('sessions are searched, branched, exported, imported and deleted', limit, () => {
  const store = new Store();
  const session = store.create({ title: 'Skies', model: 'm', system: 'Be brief.' });
  const message = (role, text) => ({ role, content: [{ type: 'text', text }] });
  const [first, second] = store.append(session, [message('user', 'Why is the sky blue?'), message('assistant', 'It scatters.')]);
  assert.deepEqual(store.append(session, [message('user', 'Which sky?')], { parent: null }).length, 1);
  assert.deepEqual(store.search('sky blu*').map((hit) => [hit.session, hit.message, hit.role]), [[session, first, 'user']]);
  assert.equal(store.search('sky', { limit: 1 }).length, 1);
  assert.equal(store.read(session, { all: true }).messages.length, 3);
  store.branch(session, second);
  assert.equal(store.read(session).head, second);
  store.branch(session, null);
  assert.equal(store.read(session).head, null);
  store.branch(session, second);
  assert.match(store.export(session, 'markdown'), /It scatters\./);
  const [copy] = store.import(store.export(session));
  assert.notEqual(copy, session);
  assert.equal(store.sessions().length, 2);
  store.delete(copy);
  assert.deepEqual(store.sessions({ limit: 5 }).map(({ id }) => id), [session]);
});

test('what is wrong is said', limit, () => {
  const store = new Store();
  assert.throws(() => store.read('nobody'), { code: 'THW_E_INVALID', message: /nobody/ });
  assert.throws(() => agent().keep(store, { session: 'nobody' }), { code: 'THW_E_INVALID', message: /nobody/ });
  assert.throws(() => new Store('/proc/nowhere/x.db'), { name: 'ThalwegError', message: /nowhere/ });
  assert.throws(() => agent().keep({ _native: {} }), { code: 'THW_E_INVALID' });
  store.close();
  store.close();
  assert.throws(() => store.sessions(), { code: 'THW_E_INVALID' });
});

test('a team answers in the place of a model, and its members have names', limit, async () => {
  const answers = ({ model, messages }) => `${model} of ${said(messages.at(-1))}`;
  const member = (name) => ({ name, model: `program/${name}` });
  const team = { kind: 'pipeline', members: [member('draft'), member('polish')] };
  const run = new Agent({ team, stream: answers }).prompt('Q');
  const pieces = {};
  for await (const { type, aux, text } of run) {
    if (type === 'text_delta' || type === 'thinking_delta') pieces[`${type} ${aux}`] = (pieces[`${type} ${aux}`] ?? '') + text;
  }
  assert.deepEqual(pieces, { 'thinking_delta draft': 'draft of Q', 'text_delta polish': 'polish of draft of Q' });
  assert.equal(await run.text(), 'polish of draft of Q');
  const slip = { kind: 'pipeline', members: [{ name: 'draft', modle: 'm' }] };
  assert.throws(() => new Agent({ team: slip }), { code: 'THW_E_INVALID', message: /draft.*modle/ });
});
