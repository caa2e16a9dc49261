import thalweg from './index.js';

export const { Agent, Engine, Event, Result, Run, Store, ThalwegError, ToolCall, version } = thalweg;
export default thalweg;
