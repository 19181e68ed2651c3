import { operatorOf, type Capability } from './capability.ts';
import { parseEvr } from './version.ts';

/** A dependency: a capability, or an expression of several. Source: rpm's manual, "Boolean dependencies". */
export type Dependency =
  | { readonly kind: 'capability'; readonly capability: Capability }
  | { readonly kind: 'and' | 'or' | 'with'; readonly items: readonly Dependency[] }
  | { readonly kind: 'without'; readonly wanted: Dependency; readonly unwanted: Dependency }
  /** `if`: wanted once the condition holds, `otherwise` where it does not. `unless` is its reverse. */
  | {
      readonly kind: 'if' | 'unless';
      readonly wanted: Dependency;
      readonly condition: Dependency;
      readonly otherwise: Dependency | undefined;
    };

/** Parses the name of a requirement that begins with a bracket; undefined where it cannot be understood. */
export function parseRich(text: string): Dependency | undefined {
  const tokens = tokenise(text);
  let at = 0;

  function operand(): Dependency | undefined {
    const token = tokens[at];
    if (token === undefined || token === ')') return undefined;
    at++;
    if (token === '(') return expression();
    const operator = operatorOf(tokens[at] ?? '');
    const version = operator === undefined ? undefined : tokens[at + 1];
    if (operator === undefined || version === undefined) return { kind: 'capability', capability: { name: token } };
    at += 2;
    return { kind: 'capability', capability: { name: token, operator, evr: parseEvr(version) } };
  }

  /** What stands behind an opening bracket, up to the closing one. */
  function expression(): Dependency | undefined {
    const first = operand();
    if (first === undefined) return undefined;
    const word = tokens[at++];
    if (word === ')') return first;
    const rest: Dependency[] = [];
    let otherwise: Dependency | undefined;
    for (let next = operand(); ; next = operand()) {
      if (next === undefined) return undefined;
      rest.push(next);
      const joint = tokens[at++];
      if (joint === ')') break;
      if (joint === 'else' && (word === 'if' || word === 'unless')) {
        otherwise = operand();
        if (otherwise === undefined || tokens[at++] !== ')') return undefined;
        break;
      }
      if (joint !== word) return undefined;
    }
    return combine(word, first, rest, otherwise);
  }

  if (tokens[at++] !== '(') return undefined;
  const parsed = expression();
  return at === tokens.length ? parsed : undefined;
}

function combine(
  word: string | undefined,
  first: Dependency,
  rest: readonly Dependency[],
  otherwise: Dependency | undefined,
): Dependency | undefined {
  const [second] = rest;
  if (second === undefined) return undefined;
  switch (word) {
    case 'and':
    case 'or':
    case 'with':
      return { kind: word, items: [first, ...rest] };
    case 'without':
      return { kind: 'without', wanted: first, unwanted: second };
    case 'if':
    case 'unless':
      return { kind: word, wanted: first, condition: second, otherwise };
    default:
      return undefined;
  }
}

/** Brackets that are part of a name, as in `libc.so.6(GLIBC_2.34)(64bit)`, stay in it. */
function tokenise(text: string): string[] {
  const tokens: string[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text[at] ?? '';
    if (char === ' ') {
      at++;
    } else if (char === '(' || char === ')') {
      tokens.push(char);
      at++;
    } else {
      const end = endOfWord(text, at);
      tokens.push(text.slice(at, end));
      at = end;
    }
  }
  return tokens;
}

function endOfWord(text: string, start: number): number {
  let depth = 0;
  let at = start;
  for (; at < text.length; at++) {
    const char = text[at];
    if (char === ' ') break;
    if (char === '(') depth++;
    if (char === ')' && --depth < 0) break;
  }
  return at;
}
