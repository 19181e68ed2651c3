import * as z from 'zod';
import { checkThresholds, diskPaths, measurements, type DiskPath } from './config.ts';
import { text } from './schema-values.ts';

const checkId = text(
  (id) => (/^[a-z][a-z0-9-]*$/.test(id) ? undefined : `"${id}" is not the id of a check; precheck --list shows them`),
  'check',
);

/** A number that a check compares with. */
function threshold(fallback: number, description: string): z.ZodDefault<z.ZodNumber> {
  return z.number().positive().default(fallback).describe(description);
}

const diskFreeGiB = z.strictObject(
  Object.fromEntries(
    diskPaths.map((path) => [path, threshold(checkThresholds.diskFreeGiB[path], `Free space on ${path}.`)]),
  ) as Record<DiskPath, z.ZodDefault<z.ZodNumber>>,
);

/** The same, where none may be wanted. */
function recommendation(fallback: number, description: string): z.ZodDefault<z.ZodNumber> {
  return z.number().nonnegative().default(fallback).describe(description);
}

const thresholds = z.strictObject({
  cpuCores: threshold(checkThresholds.cpuCores, 'Check cpu: least number of cores of a control plane.'),
  workerCpuCores: threshold(checkThresholds.workerCpuCores, 'Check cpu: least number of cores of a worker.'),
  recommendedCpuCores: recommendation(
    checkThresholds.recommendedCpuCores,
    'Check cpu: as many cores or fewer are a warning (on arm64 half as many more); 0 for none.',
  ),
  controlPlaneMemoryMiB: threshold(
    checkThresholds.controlPlaneMemoryMiB,
    'Check memory: least memory of a control plane.',
  ),
  workerMemoryMiB: threshold(checkThresholds.workerMemoryMiB, 'Check memory: least memory of a worker.'),
  recommendedMemoryMiB: recommendation(
    checkThresholds.recommendedMemoryMiB,
    'Check memory: as much or less is a warning (on arm64 half as much more); 0 for none.',
  ),
  diskFreeGiB: diskFreeGiB
    .prefault({})
    .describe('Check disk-free: less free space is a warning, by path, where the path is a mount of its own.'),
  diskFloorGiB: threshold(
    checkThresholds.diskFloorGiB,
    'Check disk-free: less free space is an error, on any of the paths; where diskFreeGiB has less for one, that.',
  ),
  clockSkewMs: threshold(
    checkThresholds.clockSkewMs,
    'Check clock-in-sync: more is a warning, and ten times as much an error.',
  ),
  roundTripMs: threshold(
    checkThresholds.roundTripMs,
    'Check latency: a longer round trip between two hosts is a warning.',
  ),
  resolverMs: threshold(checkThresholds.resolverMs, 'Check resolver-answers: a later answer is a warning.'),
  fsyncMs: threshold(
    checkThresholds.fsyncMs,
    'Check disk-speed: a longer time for the slowest hundredth of small synchronous writes is a warning.',
  ),
  bandwidthMbits: threshold(
    checkThresholds.bandwidthMbits,
    'Check bandwidth, where it is measured: less (in Mbit/s) is a warning.',
  ),
  diskIops: threshold(
    checkThresholds.diskIops,
    'Check disk-iops, where it is measured: fewer writes of 4 KiB a second are a warning.',
  ),
  diskMBs: threshold(
    checkThresholds.diskMBs,
    'Check disk-throughput, where it is measured: less (in MB/s) is a warning.',
  ),
});

/** spec.checks: what is expected of the hosts. */
export const checks = z.strictObject({
  ignore: z
    .array(checkId)
    .default([])
    .describe('Checks whose findings are reported and do not count, as with --ignore-check.'),
  severities: z
    .record(checkId, z.enum(['error', 'warning', 'info']))
    .default({})
    .describe(
      'What the findings of a check count as, in place of what they usually do; also those that prepare-hosts would mend, which are an info otherwise. What was not checked stays an info.',
    ),
  thresholds: thresholds.prefault({}).describe('What the checks compare with.'),
  measure: z
    .array(z.enum(measurements))
    .default([])
    .describe(
      'What is measured besides, on hosts that hold no cluster yet; it loads them for some seconds. bandwidth: each host sends to the next one of the file as fast as it can. disk: each host writes and removes a file of 256 MiB at most.',
    ),
  projectQuota: z
    .boolean()
    .default(false)
    .describe('True: the file system of /var/lib/containerd must be mounted with project quotas.'),
});
