import { isIPv6 } from 'node:net';
import * as z from 'zod';
import { commandQuery, type CommandQuery, type CommandSeen, type Seen } from '../ops/query.ts';

/** Where agnhost's netexec listens. */
export const agnhostPort = 8080;

/** Asked at once; as many as go through one round trip. */
export const dialsAtOnce = 64;

/** A pod is told to fetch /hostname from another address. */
export interface Dial {
  readonly from: string;
  readonly to: string;
  readonly toPort: number;
}

/** agnhost netexec's /dial, which answers `{"responses": […], "errors": […]}`. */
export function dialUrl({ from, to, toPort }: Dial): string {
  const query = new URLSearchParams({
    request: 'hostname',
    protocol: 'http',
    host: to,
    port: String(toPort),
    tries: '1',
  });
  const base = isIPv6(from) ? `[${from}]` : from;
  return `http://${base}:${agnhostPort}/dial?${query.toString()}`;
}

/**
 * All at once, for each one that fails takes its five seconds. A line for each: its number, the exit status, and what was answered or
 * went wrong; a line of that length is written whole, whoever else writes.
 */
function script(fetch: string): string {
  return `n=0
for u in "$@"; do
{ o=$(${fetch} "$u" 2>&1); c=$?; printf '%s %s %s\\n' "$n" "$c" "$(printf '%.2000s' "$o" | tr '\\n' ' ')"; } &
n=$((n+1))
done
wait`;
}

/** Asks at most `dialsAtOnce`. */
export function dialQuery(dials: readonly Dial[], hasCurl: boolean): CommandQuery {
  const fetch = hasCurl ? 'curl -gsS --max-time 5' : 'wget -q -T 5 -O -';
  return commandQuery(['/bin/sh', '-c', script(fetch), 'sh', ...dials.map(dialUrl)], { timeoutSeconds: 20 });
}

/** Why each of `count` dials failed, in their order; undefined for one that was answered. */
export function judgeDials(seen: Seen<CommandSeen>, count: number): (string | undefined)[] {
  const lines = new Map<number, { exitCode: number; text: string }>();
  for (const line of seen.state === 'present' ? seen.value.stdout.split('\n') : []) {
    const [, index, exitCode, text = ''] = /^(\d+) (\d+) (.*)$/.exec(line) ?? [];
    if (index !== undefined) lines.set(Number(index), { exitCode: Number(exitCode), text });
  }
  const unseen = seen.state === 'unknown' ? seen.reason : 'the host did not say what came of it';
  return Array.from({ length: count }, (_, index) => {
    const line = lines.get(index);
    return line === undefined ? unseen : judge(line.exitCode, line.text.trim());
  });
}

const dialAnswer = z.looseObject({ responses: z.array(z.string()).nullish(), errors: z.array(z.string()).nullish() });

function judge(exitCode: number, text: string): string | undefined {
  if (exitCode === 127) return 'neither curl nor wget is installed';
  if (exitCode !== 0) return text || `the request ended with ${exitCode}`;
  const answer = dialAnswer.safeParse(parseJson(text));
  if (!answer.success) return `unexpected answer: ${text.slice(0, 120)}`;
  return (answer.data.responses ?? []).length > 0 ? undefined : (answer.data.errors ?? ['no answer']).join(', ');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
