// Compiled, not run: what the types allow and what they refuse.
import { Agent, Engine, Store, ThalwegError, type Event, type Tool } from 'thalweg';

const multiply: Tool<{ a: number; b: number }> = {
  name: 'multiply',
  execute: ({ a, b }, call) => (call.progress('at it', 0.5) ? a * b : undefined),
};

export async function main(signal: AbortSignal): Promise<string> {
  const engine = new Engine({ threads: 2, idleTimeoutMs: 1000 });
  const agent = new Agent({ model: 'openai/gpt-4o-mini', engine, tools: [multiply], thinking: { level: 'low', budgetTokens: 100 } });
  const run = agent.prompt('hi', { signal });
  const events: Event[] = [];
  for await (const event of run) if (event.type === 'text_delta') events.push(event);
  for await (const piece of run.texts) piece.toUpperCase();
  try {
    return (await run.result()).text;
  } catch (error) {
    if (error instanceof ThalwegError && error.code === 'THW_E_REMOTE' && error.retryable) return String(error.retryAfterMs ?? 0);
    throw error;
  }
}

export function kept(path: string): string[] {
  const store = new Store(path);
  const team = { kind: 'pipeline', members: [{ name: 'draft', model: 'openai/gpt-4o-mini' }] };
  const agent = new Agent({ team, maxTurns: 3 });
  const session: string = agent.keep(store, { session: 'last', at: 2 });
  return [session, agent.session?.error ?? '', ...store.search('sky').map((hit) => hit.snippet)];
}

// @ts-expect-error: a model is needed
new Agent({});
// @ts-expect-error: no such option
new Agent({ model: 'm', modle: 'm' });
// @ts-expect-error: no such kind of event
export const never = (event: Event): boolean => event.type === 'text';
