import { readFile, stat, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe as suite, expect, test } from 'vitest';
import { labUnavailable } from '../lab/available.ts';
import { cutPower, simulateSwap } from '../lab/faults/index.ts';
import { testDrift } from './drift.ts';
import { testInterruptions } from './interruptions.ts';
import { testReset } from './reset.ts';
import { testSickness } from './sickness.ts';
import { describe, errorCodes, occupyPort, openStage, planned, seconds, withFaults, type Stage } from './stage.ts';
import { testSecrets } from './secrets.ts';
import {
  compareAll,
  ignoredInCluster,
  ignoredOnAnyHost,
  kubeconfigOf,
  kubectl,
  snapshotAll,
  stateOutsideFiles,
  tryPodNetwork,
  writeVariant,
} from './support.ts';

/**
 * The whole program on real hosts. The tests stand in the order in which one leaves the hosts as the next one needs them,
 * because making a cluster takes a minute; each of them can run alone and then makes what it needs itself.
 */
const unavailable = labUnavailable();
const title =
  unavailable === undefined
    ? 'a cluster of three real hosts'
    : `a cluster of three real hosts (skipped: ${unavailable})`;

suite.skipIf(unavailable !== undefined)(title, { timeout: 600_000 }, () => {
  let stage: Stage;
  let isOpen = false;
  const getStage = (): Stage => stage;

  beforeAll(async () => {
    stage = await openStage('create', (line) => console.log(`      ${line}`));
    isOpen = true;
  }, 2_700_000);

  afterAll(async () => {
    if (!isOpen) return;
    console.log(['figures', ...stage.figures()].join('\n  '));
    await stage.close();
  }, 180_000);

  test('a dry run on bare hosts shows the whole plan and changes nothing', async () => {
    await stage.need('bare');
    const { hosts } = stage.lab;
    const stateBefore = await Promise.all(hosts.map(stateOutsideFiles));

    const result = await stage.create('--dry-run');

    expect(describe(result)).toBe('exit 0, ok');
    const plan = planned(result).join('\n');
    for (const host of hosts)
      expect(plan).toMatch(new RegExp(`${host.name} install-kubernetes: install kubelet v1\\.36`));
    for (const words of ['node1 init-control-plane: ', 'node2 join-workers: ', 'node3 join-workers: '])
      expect(plan).toContain(words);
    expect(compareAll(stage.bare, await snapshotAll(hosts), ignoredOnAnyHost)).toEqual({});
    expect(await Promise.all(hosts.map(stateOutsideFiles))).toEqual(stateBefore);
    await expect(stat(kubeconfigOf(stage.lab))).rejects.toThrow('ENOENT');
    stage.figure('dry run on bare hosts', `${seconds(result.durationMs)}, ${planned(result).length} changes planned`);
  });

  test.each(['strict', 'accept-new'])('a host with another key than the known one is refused (%s)', async (policy) => {
    await stage.need('bare');
    const { lab } = stage;
    const known = await readFile(lab.knownHostsFile, 'utf8');
    const keyOf = (name: string): string =>
      known
        .split('\n')
        .find((line) => line.startsWith(lab.host(name).address))
        ?.split(' ')
        .slice(1)
        .join(' ') ?? '';
    expect(keyOf('node2')).toMatch(/^ssh-ed25519 /);
    await writeFile(`${lab.dir}/known_hosts_wrong`, known.replace(keyOf('node2'), keyOf('node3')));
    const file = await writeVariant(lab, `wrong-key-${policy}`, (config) => {
      const spec = config['spec'] as { ssh: { knownHosts: unknown } };
      spec.ssh.knownHosts = { policy, file: './known_hosts_wrong' };
    });

    const result = await stage.run(['cluster-create', '-c', file]);

    expect(result.exitCode).toBe(3);
    expect(result.finished?.errors).toMatchObject([{ code: 'SSH_HOST_KEY_CHANGED', host: 'node2' }]);
    expect(result.finished?.changes).toBe(0);
    expect(compareAll(stage.bare, await snapshotAll(lab.hosts), ignoredOnAnyHost)).toEqual({});
    stage.figure(`wrong host key refused (${policy})`, seconds(result.durationMs));
  });

  test('a host that is down is named in time, together with what is wrong on the others', async () => {
    await stage.need('bare');
    const { lab } = stage;
    const faults = [
      () => cutPower(lab.host('node3')),
      () => occupyPort(lab.host('node2'), 10250),
      () => simulateSwap(lab.host('node1')),
    ];

    const result = await withFaults(faults, () => stage.create());

    expect(result.exitCode).toBe(3);
    expect(result.finished?.changes).toBe(0);
    const down = result.of('host.finished').find(({ host, status }) => host === 'node3' && status === 'failed');
    expect(down?.error?.code).toMatch(/^SSH_(UNREACHABLE|TIMEOUT)$/);
    expect(down?.durationMs).toBeLessThan(11_500);
    expect(result.finished?.errors.map(({ code, host }) => `${code} ${host ?? ''}`.trim())).toEqual([
      expect.stringMatching(/^SSH_\w+ node3$/),
      'PRECHECK_FAILED',
    ]);
    const findings = result
      .of('check.finding')
      .map(({ check, host, severity }) => `${check} ${host ?? ''} ${severity}`);
    expect(findings).toContain('ports-free node2 error');
    expect(findings).toContain('swap-disabled node1 info');
    stage.figure('host that is down named after', seconds(down?.durationMs ?? NaN));
  });

  test('create turns bare hosts into a cluster that works', async () => {
    await stage.need('bare');
    const { lab } = stage;
    stage.state = 'unknown';

    const result = await stage.create();

    expect(describe(result)).toBe('exit 0, ok');
    stage.state = 'cluster';
    const phases = result.finished?.phases ?? [];
    expect(phases.filter(({ status }) => status !== 'ok' && status !== 'changed')).toEqual([]);
    const probes = result.of('log').map(({ message }) => /\((\d+) probes\)$/.exec(message)?.[1]);
    expect(Math.max(0, ...probes.map((count) => Number(count ?? 0)))).toBeGreaterThanOrEqual(9);
    const file = await stat(kubeconfigOf(lab));
    expect((file.mode & 0o777).toString(8)).toBe('600');
    const nodes = await kubectl(lab, [
      'get',
      'nodes',
      '-o',
      'jsonpath={range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}',
    ]);
    expect(nodes).toBe('node1 True\nnode2 True\nnode3 True\n');
    expect(await kubectl(lab, ['get', 'nodes', '-l', 'example.com/disk=fast', '-o', 'name'])).toBe('node/node3\n');
    const answers = await tryPodNetwork(lab);
    expect(Object.keys(answers)).toHaveLength(3 * (2 + 3));
    expect(Object.entries(answers).filter(([, error]) => error !== '')).toEqual([]);
    stage.figure('create, one control plane and two workers', seconds(result.durationMs));
    for (const { id, durationMs } of phases) stage.figure(`  ${id}`, seconds(durationMs));
    stage.figure('  trips', JSON.stringify(result.finished?.trips));
  });

  test('create again changes nothing, and a dry run plans nothing', async () => {
    await stage.need('cluster');
    const { hosts } = stage.lab;
    const before = await snapshotAll(hosts);
    const stateBefore = await Promise.all(hosts.map(stateOutsideFiles));

    const again = await stage.create();
    const dry = await stage.create('--dry-run');

    expect([describe(again), describe(dry)]).toEqual(['exit 0, ok', 'exit 0, ok']);
    expect([planned(again), planned(dry)]).toEqual([[], []]);
    expect([again.finished?.changes, dry.finished?.changes]).toEqual([0, 0]);
    expect(again.of('step.applied')).toEqual([]);
    expect(compareAll(before, await snapshotAll(hosts), ignoredInCluster)).toEqual({});
    expect(await Promise.all(hosts.map(stateOutsideFiles))).toEqual(stateBefore);
    stage.figure('create again', `${seconds(again.durationMs)}, trips ${JSON.stringify(again.finished?.trips)}`);
    stage.figure('dry run on the cluster', `${seconds(dry.durationMs)}, trips ${JSON.stringify(dry.finished?.trips)}`);
  });

  testDrift(getStage);

  test('after a power cut of all hosts the cluster comes back, and create has nothing to do', async () => {
    await stage.need('cluster');
    const { lab } = stage;
    stage.state = 'unknown';
    await Promise.all(lab.hosts.map((host) => host.powerOff()));
    await Promise.all(lab.hosts.map((host) => host.boot()));

    const result = await stage.create();

    expect(describe(result)).toBe('exit 0, ok');
    expect(planned(result)).toEqual([]);
    expect(errorCodes(result)).toEqual([]);
    stage.state = 'cluster';
    const answers = await tryPodNetwork(lab);
    expect(Object.entries(answers).filter(([, error]) => error !== '')).toEqual([]);
    stage.figure('create right after a power cut of all hosts', seconds(result.durationMs));
  });

  testSickness(getStage);
  testReset(getStage);
  testInterruptions(getStage);
  testSecrets(getStage);
});
