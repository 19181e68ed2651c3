import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CommandSeen, Seen } from '../ops/query.ts';
import { dialQuery, dialsAtOnce, dialUrl, judgeDials } from './dial.ts';

function said(stdout: string): Seen<CommandSeen> {
  return { state: 'present', value: { exitCode: 0, stdout, stderr: '', durationMs: 1 } };
}

describe('judgeDials', () => {
  it.each<[string, Seen<CommandSeen>, string | undefined]>([
    ['an answer', said('0 0 {"responses":["probe-1"]}\n'), undefined],
    ['an answer beside an error', said('0 0 {"responses":["probe-1"],"errors":["x"]}\n'), undefined],
    ['an error', said('0 0 {"errors":["dial tcp: i/o timeout","again"]}\n'), 'dial tcp: i/o timeout, again'],
    ['empty lists', said('0 0 {"responses":null,"errors":null}\n'), 'no answer'],
    ['no JSON', said('0 0 Bad Gateway\n'), 'unexpected answer: Bad Gateway'],
    ['nothing', said('0 0 \n'), 'unexpected answer: '],
    ['a failed request', said('0 28 curl: (28) timed out \n'), 'curl: (28) timed out'],
    ['a failed request without a word', said('0 7 \n'), 'the request ended with 7'],
    ['no tool', said('0 127 sh: curl: not found\n'), 'neither curl nor wget is installed'],
    ['no end', { state: 'unknown', reason: 'sh did not answer in time' }, 'sh did not answer in time'],
    ['no line', said(''), 'the host did not say what came of it'],
  ])('takes %s for what it is', (_name, seen, expected) => {
    expect(judgeDials(seen, 1)).toEqual([expected]);
  });

  it('knows the lines by their numbers, in whatever order they came', () => {
    expect(judgeDials(said('2 7 \n0 0 {"responses":["a"]}\n'), 3)).toEqual([
      undefined,
      'the host did not say what came of it',
      'the request ended with 7',
    ]);
  });
});

describe('dialUrl', () => {
  it.each([
    ['10.244.0.9', 'http://10.244.0.9:8080/dial?request=hostname&protocol=http&host=a.svc&port=80&tries=1'],
    ['fd00::9', 'http://[fd00::9]:8080/dial?request=hostname&protocol=http&host=a.svc&port=80&tries=1'],
  ])('of a pod at %s', (from, url) => {
    expect(dialUrl({ from, to: 'a.svc', toPort: 80 })).toBe(url);
  });
});

describe.each([
  ['curl', true],
  ['wget', false],
])('the script with %s', (tool, hasCurl) => {
  it('asks all at once and tells of each', async () => {
    const bin = mkdtempSync(join(tmpdir(), 'dial-'));
    onTestFinished(() => {
      rmSync(bin, { recursive: true });
    });
    // Each waits until all have begun: one after the other they would never end.
    const stand = `#!/bin/sh
for u; do :; done
case $u in *host=bad*) printf 'no\\nroute\\n' >&2; exit 7;; esac
echo x >>${bin}/begun
while [ "$(wc -l <${bin}/begun)" -lt ${dialsAtOnce - 1} ]; do sleep 0.01; done
printf '{"responses":["%s"]}\\n' "$u"
`;
    writeFileSync(join(bin, tool), stand);
    chmodSync(join(bin, tool), 0o755);
    const dials = Array.from({ length: dialsAtOnce }, (_, index) => ({
      ...{ from: `10.0.0.${index}`, toPort: 80 },
      to: index === 7 ? 'bad' : 'good',
    }));
    const [program = '', ...args] = dialQuery(dials, hasCurl).argv;

    const { stdout } = await promisify(execFile)(program, args, { env: { PATH: `${bin}:${process.env['PATH']}` } });

    const expected = dials.map(({ to }) => (to === 'bad' ? 'no route' : undefined));
    expect(judgeDials(said(stdout), dials.length)).toEqual(expected);
  });
});
