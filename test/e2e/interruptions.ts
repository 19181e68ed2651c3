import { expect, test } from 'vitest';
import { waitUntil } from '../lab/waiting.ts';
import type { RunningInstaller } from './installer.ts';
import { describe, errorCodes, planned, seconds, type Stage } from './stage.ts';
import { actUnits, kubectl, startsInJournal } from './support.ts';

/** Waits until kubeadm runs on a host; throws where the installer ends before. */
async function untilKubeadm(stage: Stage, running: RunningInstaller, subcommand: string): Promise<void> {
  const isEnded = { value: false };
  void running.done.then(() => (isEnded.value = true));
  await waitUntil(`kubeadm ${subcommand}`, 300_000, () => {
    if (stage.sampler.running(subcommand).length > 0) return true;
    if (isEnded.value) throw new Error(`the installer ended before kubeadm ${subcommand} ran`);
    return false;
  });
}

/** Each act ran once on its host: seen from outside, and told by the journal of the host. */
async function expectEachOnce(stage: Stage, sinceMs: number): Promise<void> {
  const { sampler, lab } = stage;
  const seen = (subcommand: string): string[] =>
    sampler
      .kubeadm(subcommand, sinceMs)
      .map(({ host }) => host)
      .toSorted();
  expect({ init: seen('init'), join: seen('join'), reset: seen('reset') }).toEqual({
    init: ['node1'],
    join: ['node2', 'node3'],
    reset: [],
  });
  expect([sampler.mostAtOnce('init'), sampler.mostAtOnce('join')]).toEqual([1, 1]);
  for (const host of lab.hosts) {
    const act = host.name === 'node1' ? 'kubeadm-init' : 'kubeadm-join';
    const starts = await startsInJournal(host, act);
    expect(Object.values(starts).filter((count) => count !== 1)).toEqual([]);
    expect(Object.keys(starts).length).toBeGreaterThan(0);
  }
}

export function testInterruptions(stageOf: () => Stage): void {
  test('an installer that is killed during kubeadm init, and the next one during join, leaves nothing that runs twice', async () => {
    const stage = stageOf();
    if (stage.state === 'cluster') await stage.need('bare');
    const since = performance.now();
    stage.state = 'unknown';
    const first = stage.start(['cluster-create', '-c', stage.lab.configFile]);
    await untilKubeadm(stage, first, 'init');
    first.kill('SIGKILL');
    expect((await first.done).signal).toBe('SIGKILL');
    expect(await actUnits(stage.lab.host('node1'))).toEqual([
      expect.stringMatching(/^installer-[0-9a-f]+-kubeadm-init\.service$/),
    ]);

    const second = stage.start(['cluster-create', '-c', stage.lab.configFile]);
    await untilKubeadm(stage, second, 'join');
    second.kill('SIGKILL');
    const cutOff = await second.done;
    expect(planned(cutOff).filter((line) => line.includes('init-control-plane'))).toEqual([
      'node1 init-control-plane: wait for the kubeadm init that an earlier run started',
    ]);

    const third = await stage.create();
    expect(describe(third)).toBe('exit 0, ok');
    stage.state = 'cluster';
    await expectEachOnce(stage, since);
    expect(planned(third).filter((line) => line.includes('init-control-plane'))).toEqual([]);
    for (const host of stage.lab.hosts) expect(await actUnits(host)).toEqual([]);
    const again = await stage.create();
    expect([describe(again), again.finished?.changes]).toEqual(['exit 0, ok', 0]);
    stage.figure(
      'create after a kill during init and one during join',
      `${seconds(third.durationMs)}: ${planned(third).join('; ')}`,
    );
  });

  test('Ctrl-C says where it stands, leaves what was begun to its end, and the next run goes on', async () => {
    const stage = stageOf();
    if (stage.state === 'cluster') {
      const reset = await stage.run(['reset', '-c', stage.lab.configFile, '--confirm', stage.lab.name]);
      expect(describe(reset)).toBe('exit 0, ok');
    }
    const since = performance.now();
    stage.state = 'unknown';
    const early = stage.start(['cluster-create', '-c', stage.lab.configFile]);
    await early.seen(
      'the installation of the runtime',
      (event) => event.type === 'host.started' && event.phase === 'install-runtime',
    );
    const earlyAt = performance.now();
    early.kill('SIGINT');
    const earlyResult = await early.done;
    const earlyMs = performance.now() - earlyAt;
    expect([earlyResult.exitCode, earlyResult.finished?.status]).toEqual([130, 'interrupted']);
    expect(new Set(errorCodes(earlyResult))).toEqual(new Set(['INTERRUPTED']));
    expect(earlyResult.finished?.errors.every(({ remedy }) => remedy?.includes('run the same command again'))).toBe(
      true,
    );

    const late = stage.start(['cluster-create', '-c', stage.lab.configFile]);
    await untilKubeadm(stage, late, 'init');
    const lateAt = performance.now();
    late.kill('SIGINT');
    const lateResult = await late.done;
    const lateMs = performance.now() - lateAt;
    expect([lateResult.exitCode, lateResult.finished?.status]).toEqual([130, 'interrupted']);
    const atInit = lateResult.finished?.errors.find(
      ({ host, message }) => host === 'node1' && message.includes('run kubeadm init'),
    );
    expect(atInit?.remedy).toMatch(
      /goes on there as installer-[0-9a-f]+-kubeadm-init\.service; run the same command again/,
    );
    expect(await actUnits(stage.lab.host('node1'))).toHaveLength(1);
    expect(lateMs).toBeLessThan(10_000);

    const last = await stage.create();
    expect(describe(last)).toBe('exit 0, ok');
    stage.state = 'cluster';
    expect(planned(last).filter((line) => line.includes('init-control-plane'))).toEqual([
      'node1 init-control-plane: wait for the kubeadm init that an earlier run started',
    ]);
    await expectEachOnce(stage, since);
    expect((await kubectl(stage.lab, ['get', '--raw=/readyz'])).trim()).toBe('ok');
    stage.figure(
      'from Ctrl-C to the end',
      `${seconds(earlyMs)} while the runtime is installed, ${seconds(lateMs)} during kubeadm init`,
    );
  });
}
