import { describe, expect, it } from 'vitest';
import { parsePeerReport } from './peer-report.ts';

const names = ['cp1', 'w1', 'w2'];
const seen = (stdout: string) =>
  ({ state: 'present', value: { exitCode: 0, stdout, stderr: '', durationMs: 1 } }) as const;

describe('parsePeerReport', () => {
  it('takes what is not told for good', () => {
    expect(parsePeerReport(seen('start 1\nup 2\nend 3\n'), names)).toEqual({
      missing: undefined,
      startMs: 1,
      upMs: 2,
      endMs: 3,
      unreached: new Set(),
      silent: new Set(),
      silentLarge: new Set(),
      slow: new Map(),
      deaf: new Set(),
    });
  });

  it('names the peers', () => {
    const text = 'start 1\nup 2\ndeaf tcp 6443\nslow 1 4000\nslow 1 2000\no 0 6443\nt 2 10250\nu 1 8472\nm 2\nend 3\n';

    expect(parsePeerReport(seen(text), names)).toMatchObject({
      unreached: new Set(['cp1 tcp/6443']),
      silent: new Set(['w2 tcp/10250', 'w1 udp/8472']),
      silentLarge: new Set(['w2']),
      slow: new Map([['w1', 2000]]),
      deaf: new Set(['tcp/6443']),
    });
  });

  it.each([
    ['no bash', { state: 'absent' } as const, 'it has no bash'],
    ['no end', seen('start 1\nup 2\n'), 'the probe did not come to its end ()'],
    [
      'a deadline',
      { state: 'unknown', reason: 'bash did not answer in time' } as const,
      'the probe did not come to its end (bash did not answer in time)',
    ],
  ])('says what is missing: %s', (_name, answer, missing) => {
    expect(parsePeerReport(answer, names)).toMatchObject({ missing });
  });
});
