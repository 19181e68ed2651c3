import { quote } from '../lib/quote.ts';
import type { Action } from './action.ts';
import { compileAction, compileSync } from './compile-action.ts';
import { compileQuery } from './compile-query.ts';
import { keepsRecord, recordPrelude } from './compile-record.ts';
import { hostPaths } from './host-paths.ts';
import { renderTakeLock } from './lock.ts';
import { actionPrelude, renderPrelude } from './prelude.ts';
import type { Query } from './query.ts';
import type { Secrets } from './secrets.ts';

export interface ScriptInput {
  /** Unguessable word that marks frames in the output; letters and digits. */
  readonly nonce: string;
  /** Where given, the script takes the host's lock before the actions. */
  readonly apply?: {
    readonly actions: readonly Action[];
    readonly secrets: Secrets;
    /** Written into the lock file for whoever waits for it. */
    readonly holder: string;
    readonly lockTimeoutSeconds: number;
    /** The generation that the plan was made from: where the host's differs, nothing is applied. */
    readonly expectedGeneration: string;
  };
  /** Answered after the actions; not answered when one failed. */
  readonly queries: readonly Query[];
}

/** Exit statuses of a script that say why no action was run. */
export const scriptStatus = { locked: 75, stale: 76 } as const;

/**
 * One script: lock, actions, look. The body is a function called on the last line, so a script cut off on its way does
 * nothing at all. Before each action a frame is printed: where nobody listens any more, that ends the script (SIGPIPE)
 * before the next action rather than within one.
 */
export function compileScript(input: ScriptInput): string {
  return `${renderPrelude(input.nonce)}\n${input.apply === undefined ? renderLook(input.queries) : renderBody(input)}`;
}

/** The first look is the same on every host, but for the nonce: a hundred hosts are asked with one text. */
const looks = new WeakMap<readonly Query[], string>();

function renderLook(queries: readonly Query[]): string {
  const body = looks.get(queries) ?? renderBody({ queries });
  looks.set(queries, body);
  return body;
}

function renderBody(input: Omit<ScriptInput, 'nonce'>): string {
  const parts: string[] = [];
  if (input.apply !== undefined) parts.push(actionPrelude);
  if (input.apply?.actions.some(keepsRecord) === true) parts.push(recordPrelude);
  parts.push(...input.queries.map((query, index) => `q${index}() {\n${compileQuery(query)}\n}`));
  const body: string[] = [];
  if (input.apply !== undefined) {
    const { apply } = input;
    parts.push(
      ...apply.actions.map((action, index) => `a${index}() {\nset -e\n${compileAction(action, apply.secrets)}\n}`),
    );
    body.push(...renderLock(apply.holder, apply.lockTimeoutSeconds, apply.expectedGeneration));
    body.push(
      ...apply.actions.map(
        (_, index) =>
          `frame A ${index}; uptime; s=$U; (a${index}); rc=$?; raise; uptime; frame a ${index} $rc $s $U; [ $rc -eq 0 ] || exit 0`,
      ),
    );
    body.push(...compileSync(apply.actions.filter((action) => action.kind === 'fetch')));
  }
  body.push(`frame G "$(cat ${hostPaths.generation} 2>/dev/null || echo 0)"`);
  body.push(...input.queries.map((_, index) => `frame Q ${index}; (q${index}); frame q ${index} $?`));
  body.push('frame Z');
  parts.push(`main() {\n${body.join('\n')}\n}\nmain </dev/null\nexit 0\n`);
  return parts.join('\n');
}

function renderLock(holder: string, timeoutSeconds: number, generation: string): string[] {
  return [
    `mkdir -p ${hostPaths.run} ${hostPaths.artifacts} && chmod 700 ${hostPaths.run} ${hostPaths.state} || exit 1`,
    ...renderTakeLock(holder, timeoutSeconds, scriptStatus.locked),
    `g=$(cat ${hostPaths.generation} 2>/dev/null || echo 0)`,
    `if [ "$g" != ${quote(generation)} ]; then exit ${scriptStatus.stale}; fi`,
    `raise() { g=$((g + 1)); echo $g >${hostPaths.generation}; }`,
    // Raised before anything is done, and after each action: a plan made from a look before or in the middle of this, by
    // whoever lost the connection to it, is never applied on top of it.
    'raise || exit 1',
  ];
}
