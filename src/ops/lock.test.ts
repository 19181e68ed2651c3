import { describe, expect, it } from 'vitest';
import { watchLock } from './frames.ts';
import { describeLockHolder, parseLockHolder, type LockHolder } from './lock.ts';

describe('parseLockHolder', () => {
  it.each<[string, LockHolder]>([
    ['812 42 run 0a1b (install-runtime)', { what: 'run 0a1b (install-runtime)', pid: 812, seconds: 42 }],
    ['- 42 run 0a1b', { what: 'run 0a1b', pid: undefined, seconds: 42 }],
    ['- - ', { what: '', pid: undefined, seconds: undefined }],
  ])('reads "%s"', (words, holder) => {
    expect(parseLockHolder(words.split(' '))).toEqual(holder);
  });
});

describe('describeLockHolder', () => {
  const nowMs = Date.UTC(2030, 0, 7, 10, 0, 42);

  it.each<[LockHolder, string]>([
    [{ what: 'run 0a1b (join)', pid: 812, seconds: 42 }, 'run 0a1b (join), process 812, since 2030-01-07T10:00:00Z'],
    [{ what: 'run 0a1b', pid: undefined, seconds: undefined }, 'run 0a1b, a command whose shell is gone'],
    [{ what: '', pid: 812, seconds: undefined }, 'an unknown holder, process 812'],
  ])('is one line: %o', (holder, text) => {
    expect(describeLockHolder(holder, nowMs)).toBe(text);
  });
});

describe('watchLock', () => {
  const waits = '\ni1 W 812 3 run 0a1b\n';
  const holder = { what: 'run 0a1b', pid: 812, seconds: 3 };

  /** What is told of a stdout that comes in such pieces. */
  function told(pieces: readonly string[]): unknown[] {
    const events: unknown[] = [];
    const watch = watchLock('i1', { onWait: (seen) => events.push(seen), onTaken: () => events.push('taken') });
    for (const piece of pieces) watch(piece);
    return events;
  }

  it.each<[string, string[], unknown[]]>([
    ['a lock that was free', ['hello\n', '\ni1 A 0\n', '\ni1 a 0 0 1 2\n'], []],
    ['a wait', [waits], [holder]],
    ['a wait and its end', [waits, '\ni1 K\n', '\ni1 A 0\n', 'text', '\ni1 a 0 0 1 2\n'], [holder, 'taken']],
    ['a wait that was for nothing', [waits, '\ni1 L 812 9 run 0a1b\n'], [holder]],
    ['a wait that comes letter by letter', `${waits}\ni1 K\n`.split(''), [holder, 'taken']],
    ['a wait behind a chatty profile', ['Welcome\n\ni2 W 1 2 x\n', waits], [holder]],
    ['an act that prints the word', ['\ni1 A 0\n', waits], []],
  ])('tells of %s', (_name, pieces, events) => {
    expect(told(pieces)).toEqual(events);
  });
});
