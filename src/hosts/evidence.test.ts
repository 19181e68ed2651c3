import { describe, expect, it } from 'vitest';
import type { Answers, Query } from '../ops/query.ts';
import { parseEvidence, renderEvidence, sourceName, type EvidenceSource, type FactSource } from './evidence.ts';
import { factQueries } from './fact-queries.ts';

type Answer = ReturnType<Answers>;

const file = { type: 'file', mode: '644', owner: 'root', group: 'root', sizeBytes: 1, sha256: '' } as const;

function present(content: string): Answer {
  return { state: 'present', value: { ...file, content } };
}

function printed(stdout: string, exitCode = 0, stderr = ''): Answer {
  return { state: 'present', value: { exitCode, stdout, stderr, durationMs: 10 } };
}

/** What is kept where one question has this answer and all others have none. */
function kept(source: FactSource, answer: Answer): string | undefined {
  const wanted: Query = factQueries[source];
  const seen = ((query: Query) => (query === wanted ? answer : { state: 'absent' })) as Answers;
  return parseEvidence(seen).get(source);
}

describe('parseEvidence', () => {
  it.each<[string, FactSource, Answer, string]>([
    ['lines, with single blanks', 'uname', printed('a  b\tc\n\n'), 'a b c'],
    ['no headers', 'swaps', present('Filename Type Size\n/dev/sda2 partition 8\n'), '/dev/sda2 partition 8'],
    [
      'of a file only what checks look at',
      'dnfAutomatic',
      present('password = x\napply_updates = yes\n'),
      'apply_updates = yes',
    ],
    [
      'of the kernel command line one word',
      'cmdline',
      present('key=secret cgroup.memory=nokmem x\n'),
      'cgroup.memory=nokmem',
    ],
    ['that nothing of it is there', 'cmdline', present('key=secret\n'), '(no such line)'],
    [
      'the ports of Kubernetes',
      'listeners',
      printed(
        `${'tcp LISTEN 0 511 *:80 *:*\n'.repeat(1000)}udp UNCONN 0 0 *:10250 *:*\ntcp LISTEN 0 9 [::]:10250 [::]:*\n`,
      ),
      'tcp LISTEN 0 9 [::]:10250 [::]:*',
    ],
    ['units that are active', 'units', printed('inactive\nactive\n', 3), 'ufw.service active'],
    ['features that are missing', 'missingFeatures', printed('vxlan\n'), 'no vxlan'],
    ['that a file is not there', 'swaps', { state: 'absent' }, '(not there)'],
    ['that a file is empty', 'resolvConf', present('\n'), '(empty)'],
    [
      'why nothing is known',
      'productUuid',
      { state: 'unknown', reason: 'permission\ndenied' },
      '(not known: permission denied)',
    ],
    ['how a command failed', 'listeners', printed('', 255, 'ss: no\nnetlink\n'), '(exit status 255: ss: no netlink)'],
    [
      'the kind of a file without its text',
      'temporaryFolder',
      { state: 'present', value: { ...file, type: 'directory' } },
      'directory, mode 644',
    ],
  ])('keeps %s', (_name, source, answer, expected) => {
    expect(kept(source, answer)).toBe(expected);
  });

  it('keeps a bounded part of long answers, in whole lines', () => {
    const text = kept('routes', printed('10.0.0.0/24 dev eth0\n'.repeat(10_000))) ?? '';

    expect(text.length).toBeGreaterThan(8000);
    expect(text.length).toBeLessThanOrEqual(8192);
    expect(new Set(text.split('\n'))).toEqual(new Set(['10.0.0.0/24 dev eth0']));
    expect(kept('routes', printed('x'.repeat(1000)))).toBe(`${'x'.repeat(199)}…`);
  });

  it('is that of each host, whatever the host before said', () => {
    const answers = ['a', 'a', 'b', 'a'].map((text) => kept('uname', printed(text)));
    const silent = [printed('', 1, 'first'), printed('', 2, 'second')].map((answer) => kept('account', answer));

    expect(answers).toEqual(['a', 'a', 'b', 'a']);
    expect(silent).toEqual(['(exit status 1: first)', '(exit status 2: second)']);
  });
});

describe('renderEvidence', () => {
  const evidence = new Map<EvidenceSource, string>([
    ['resolvConf', 'nameserver 10.0.0.2\nnameserver 127.0.0.1'],
    ['resolvedConf', '(not there)'],
    ['tools', '/usr/bin/curl'],
  ]);

  it.each<[string, Parameters<typeof renderEvidence>[0], string]>([
    ['all lines', { reads: ['resolvConf'] }, '/etc/resolv.conf: nameserver 10.0.0.2 | nameserver 127.0.0.1'],
    [
      'what is not there',
      { reads: ['tools', 'resolvedConf'] },
      'command -v: /usr/bin/curl; /run/systemd/resolve/resolv.conf: (not there)',
    ],
    [
      'certain lines alone',
      { reads: ['resolvConf', 'resolvedConf', 'tools'], about: (line) => line.includes('127.') },
      '/etc/resolv.conf: nameserver 127.0.0.1',
    ],
    [
      'where certain lines are not',
      { reads: ['tools', 'resolvedConf'], about: () => false },
      'command -v; /run/systemd/resolve/resolv.conf: (not there)',
    ],
    [
      'what was measured',
      { reads: ['fsyncProbe', 'tools'], seen: '42 ms' },
      'dd oflag=dsync: 42 ms; command -v: /usr/bin/curl',
    ],
    ['the source where nothing was kept', { reads: ['swaps'] }, '/proc/swaps'],
  ])('shows %s', (_name, wanted, expected) => {
    expect(renderEvidence(wanted, evidence)).toBe(expected);
  });

  it('is short whatever was read, and there where no host is known', () => {
    const long = renderEvidence({ reads: ['tools'] }, new Map([['tools', '/usr/bin/x\n'.repeat(500)]]));

    expect(long).toHaveLength(300);
    expect(long.endsWith('…')).toBe(true);
    expect(renderEvidence({ reads: ['tools'] }, undefined)).toBe('command -v');
  });

  it('names files by their path and commands by their line', () => {
    expect((['swaps', 'listeners', 'peerProbe'] as const).map(sourceName)).toEqual([
      '/proc/swaps',
      'ss -Hlntup',
      'probe of the ports and the MTU between the hosts',
    ]);
  });
});
