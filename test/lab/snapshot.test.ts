import { expect, test } from 'vitest';
import { diffSnapshots, parseSnapshot } from './snapshot.ts';

const hash = (digit: string): string => digit.repeat(64);

function snapshot(content: string, mtime: string): ReturnType<typeof parseSnapshot> {
  const fields = [
    ['etc', 'd', '755', '0:0', '4096', mtime, ''],
    ['etc/a b', 'f', '644', '0:0', '5', mtime, ''],
    ['etc/link', 'l', '777', '0:0', '3', '1.0', 'a b'],
  ];
  return parseSnapshot([...fields.flat(), ''], [`${hash(content)}  /lab/root/etc/a b`, ''], '/lab/root');
}

test('names with blanks, links and sums are read', () => {
  const records = snapshot('1', '1.5');
  expect([...records.keys()]).toEqual(['/etc', '/etc/a b', '/etc/link']);
  expect(records.get('/etc/a b')).toEqual({
    type: 'file',
    mode: '644',
    owner: '0:0',
    sizeBytes: 5,
    mtime: '1.5',
    sha256: hash('1'),
  });
  expect(records.get('/etc/link')?.linkTarget).toBe('a b');
});

test('a rewrite with the same content is a change only when asked for', () => {
  const [before, touched, rewritten] = [snapshot('1', '1.0'), snapshot('1', '2.0'), snapshot('2', '2.0')];
  expect(diffSnapshots(before, touched)).toEqual({ added: [], removed: [], changed: [] });
  expect(diffSnapshots(before, touched, { strict: true }).changed).toEqual(['/etc', '/etc/a b']);
  expect(diffSnapshots(before, rewritten).changed).toEqual(['/etc/a b']);
  expect(diffSnapshots(before, rewritten, { ignore: [/^\/etc\//] }).changed).toEqual([]);
});

test('added and removed paths are told', () => {
  const before = snapshot('1', '1.0');
  const after = new Map(before);
  after.delete('/etc/link');
  expect(diffSnapshots(before, after).removed).toEqual(['/etc/link']);
  expect(diffSnapshots(after, before).added).toEqual(['/etc/link']);
});
