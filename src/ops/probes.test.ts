import { describe, expect, it } from 'vitest';
import { parseBandwidth } from './bandwidth-probe.ts';
import { parseDiskSpeed } from './disk-probe.ts';
import { parseNeighbour } from './neighbour-probe.ts';

describe('parseNeighbour', () => {
  it.each([
    ['10.0.0.9 dev eth0 lladdr 02:00:00:00:00:09 REACHABLE\n', '02:00:00:00:00:09', true],
    ['10.0.0.9 dev eth0 lladdr 02:00:00:00:00:09 STALE\n', '02:00:00:00:00:09', false],
    ['10.0.0.9 dev eth0 INCOMPLETE\n', undefined, false],
    ['10.0.0.9 dev eth0 lladdr 02:00:00:00:00:09 FAILED\n', undefined, false],
    ['routed\n', undefined, false],
    ['\n', undefined, false],
  ])('%j', (text, mac, isSure) => {
    expect(parseNeighbour(text)).toEqual({ line: text.trim(), mac, isSure });
  });
});

const throughput = 'throughput 16777216 bytes (17 MB, 16 MiB) copied, 0.125 s, 134 MB/s\n'.repeat(15);
const write = (seconds: string): string => `write 4096 bytes (4.1 kB, 4.0 KiB) copied, ${seconds} s, 1.0 MB/s\n`;

it.each([
  ['nothing', '', undefined],
  ['a full disk', 'full\n', undefined],
  ['a disk that was written to, and no more', throughput, undefined],
  [
    'both',
    throughput + write('0.002') + write('9e-05').repeat(2) + write('0.00182'),
    { megabytesPerSecond: 134.217728, iops: 1000 },
  ],
])('the speed of %s', (_name, text, expected) => {
  const speed = parseDiskSpeed(text);

  expect(speed && { ...speed, iops: Math.round(speed.iops) }).toEqual(expected);
});

it.each([
  ['unreached\n', undefined],
  ['250000000 bytes (250 MB, 238 MiB) copied, 2.0 s, 125 MB/s\n', 1000],
])('the bandwidth of %j', (text, expected) => {
  expect(parseBandwidth(text)).toBe(expected);
});
