import { expect, test } from 'vitest';
import { formatCapability } from './capability.ts';
import { parseRich, type Dependency } from './rich.ts';

/** An expression in prefix notation, to be compared at a glance. */
function show(dependency: Dependency | undefined): string {
  if (dependency === undefined) return 'none';
  switch (dependency.kind) {
    case 'capability':
      return formatCapability(dependency.capability);
    case 'without':
      return `without(${show(dependency.wanted)}, ${show(dependency.unwanted)})`;
    case 'if':
    case 'unless': {
      const parts = [dependency.wanted, dependency.condition, ...(dependency.otherwise ? [dependency.otherwise] : [])];
      return `${dependency.kind}(${parts.map(show).join(', ')})`;
    }
    default:
      return `${dependency.kind}(${dependency.items.map(show).join(', ')})`;
  }
}

test.each([
  ['(a or b or c)', 'or(a, b, c)'],
  ['(a >= 1.0-2 and b)', 'and(a >= 1.0-2, b)'],
  ['(a with a < 2)', 'with(a, a < 2)'],
  ['(a without b)', 'without(a, b)'],
  ['(a if b)', 'if(a, b)'],
  ['(a if b else c)', 'if(a, b, c)'],
  ['(a unless b)', 'unless(a, b)'],
  ['((a and b) if (c or d))', 'if(and(a, b), or(c, d))'],
  ['(libx.so.1()(64bit) or liby.so.2(Y_1)(64bit))', 'or(libx.so.1()(64bit), liby.so.2(Y_1)(64bit))'],
  ['(/usr/bin/x or y = 1:2-3)', 'or(/usr/bin/x, y = 1:2-3)'],
  ['(a)', 'a'],
  ['(a or b', 'none'],
  ['(a or b and c)', 'none'],
  ['(a xor b)', 'none'],
  ['(a or )', 'none'],
  ['()', 'none'],
  ['(a) b', 'none'],
])('%s is read as %s', (text, expected) => {
  expect(show(parseRich(text))).toBe(expected);
});
