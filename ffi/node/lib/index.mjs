import thalweg from './index.js';

export const { Agent, Engine, Event, Result, Run, ThalwegError, ToolCall, version } = thalweg;
export default thalweg;
