// What the package gives; its types and what they mean are in index.d.ts.
'use strict';

const { Agent, Engine } = require('./agent.js');
const { ThalwegError } = require('./errors.js');
const { Event } = require('./event.js');
const { Result, Run } = require('./run.js');
const { Store } = require('./store.js');
const { ToolCall } = require('./tool.js');

module.exports = { Agent, Engine, Event, Result, Run, Store, ThalwegError, ToolCall, version: require('./native.js').version() };
