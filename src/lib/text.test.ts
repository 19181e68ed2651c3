import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { renderDiff } from './diff.ts';
import { isPlain, mergeDeep } from './merge.ts';
import { quote, quoteArgv } from './quote.ts';
import { fillTemplate } from './template.ts';

describe('quote', () => {
  const words = [
    '',
    'plain',
    'a b',
    "it's",
    '"',
    '$HOME',
    '`id`',
    '$(id)',
    '\\',
    '*',
    '~',
    '-n',
    'a\nb',
    '\t',
    '!x',
    '#x',
    'é',
    ';',
    '{a,b}',
    "''",
    'a=b',
    '%s',
  ];

  it.each(words)('makes one word of %j that every shell reads back', (word) => {
    for (const shell of ['sh', 'bash']) {
      const { stdout } = spawnSync(shell, ['-c', `printf '%s|' x ${quote(word)} y`], { encoding: 'utf8' });
      expect(stdout).toBe(`x|${word}|y|`);
    }
  });

  it('leaves plain words as people write them', () => {
    expect(quoteArgv(['kubectl', '--kubeconfig=/etc/x.conf', 'get', 'node/a', 'x=1,y:2', '50%'])).toBe(
      'kubectl --kubeconfig=/etc/x.conf get node/a x=1,y:2 50%',
    );
  });

  it('refuses a byte of zero, which no argument can hold', () => {
    expect(() => quote('a\0b')).toThrow(TypeError);
  });
});

describe('renderDiff', () => {
  it.each<[string, string | undefined, string | undefined, string[]]>([
    ['nothing where both are the same', 'a\nb\n', 'a\nb\n', []],
    ['nothing where both are absent', undefined, undefined, []],
    ['all lines of a new file', undefined, 'a\nb\n', ['+a', '+b']],
    ['all lines of a file that goes', 'a\nb\n', undefined, ['-a', '-b']],
    ['a line that is another', 'a\nb\nc\n', 'a\nX\nc\n', [' a', '-b', '+X', ' c']],
    ['a line that is added at the end', 'a\n', 'a\nb\n', [' a', '+b']],
    ['a line that is added in front', 'b\n', 'a\nb\n', ['+a', ' b']],
    [
      'three lines of context and no more',
      '1\n2\n3\n4\n5\n6\n7\n8\n9\n',
      '1\n2\n3\n4\nX\n6\n7\n8\n9\n',
      ['@@', ' 2', ' 3', ' 4', '-5', '+X', ' 6', ' 7', ' 8'],
    ],
    [
      'two places with a gap between',
      'a\n1\n2\n3\n4\n5\n6\n7\nb\n',
      'A\n1\n2\n3\n4\n5\n6\n7\nB\n',
      ['-a', '+A', ' 1', ' 2', ' 3', '@@', ' 5', ' 6', ' 7', '-b', '+B'],
    ],
    ['a line that moved', 'a\nb\nc\n', 'b\nc\na\n', ['-a', ' b', ' c', '+a']],
    ['empty lines', 'a\n\nb\n', 'a\nb\n', [' a', '-', ' b']],
  ])('shows %s', (_name, before, after, lines) => {
    expect(renderDiff(before, after)).toBe(lines.join('\n'));
  });
});

describe('mergeDeep', () => {
  it.each<[string, Record<string, unknown>, Record<string, unknown>, Record<string, unknown>]>([
    ['adds keys', { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
    ['replaces values', { a: 1 }, { a: 2 }, { a: 2 }],
    ['merges objects by key', { a: { b: 1, c: 2 } }, { a: { c: 3 } }, { a: { b: 1, c: 3 } }],
    ['replaces lists whole', { a: [1, 2] }, { a: [3] }, { a: [3] }],
    ['puts an object in the place of a value', { a: 1 }, { a: { b: 1 } }, { a: { b: 1 } }],
    ['puts a value in the place of an object', { a: { b: 1 } }, { a: null }, { a: null }],
    ['does nothing with nothing', { a: { b: 1 } }, {}, { a: { b: 1 } }],
  ])('%s', (_name, base, over, expected) => {
    expect(mergeDeep(base, over)).toEqual(expected);
  });

  it('changes neither of the two', () => {
    const base = { a: { b: 1 } };
    const over = { a: { c: 2 } };

    mergeDeep(base, over);

    expect([base, over]).toEqual([{ a: { b: 1 } }, { a: { c: 2 } }]);
  });
});

describe('isPlain', () => {
  it.each([
    [{}, true],
    [[], false],
    [null, false],
    ['x', false],
    [undefined, false],
  ])('of %j is %s', (value, expected) => {
    expect(isPlain(value)).toBe(expected);
  });
});

describe('fillTemplate', () => {
  it('fills every place of a name, and takes values as they are', () => {
    expect(fillTemplate('${a}-${b}-${a} $(HOST) $a', { a: '$&${b}', b: '1' })).toBe('$&${b}-1-$&${b} $(HOST) $a');
  });

  it.each([
    ['a name without a value', '${a} ${b}', { a: '1' }, 'no value for b'],
    ['a value that is not used', '${a}', { a: '1', b: '2', c: '3' }, 'does not use b, c'],
  ])('refuses %s', (_name, template, values, message) => {
    expect(() => fillTemplate(template, values)).toThrow(message);
  });
});
