import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { waitUntil } from '../lab/waiting.ts';
import type { RunEvent } from '../../src/report/events.ts';
import type { Undo } from '../lab/faults/index.ts';
import type { InstallerResult, RunningInstaller } from './installer.ts';
import { describe, errorCodes, freeze, planned, seconds, type Stage } from './stage.ts';
import { actUnits, kubectl, startsInJournal } from './support.ts';

const initUnit = /^installer-[0-9a-f]+-kubeadm-init\.service$/;
const isInitPlanned = (event: RunEvent): boolean =>
  event.type === 'step.planned' && event.phase === 'init-control-plane';

function attached(subcommand: 'init' | 'join'): string {
  const [host, phase] = subcommand === 'init' ? ['node1', 'init-control-plane'] : ['node2', 'join-workers'];
  return `${host} ${phase}: wait for the kubeadm ${subcommand} that an earlier run started`;
}

/** Images may still be pulled beside it. */
async function kubeadmUnits(stage: Stage): Promise<string[]> {
  return (await actUnits(stage.lab.host('node1'))).filter((unit) => unit.includes('kubeadm'));
}

function initPlan(result: InstallerResult): string[] {
  return planned(result).filter((line) => line.includes('init-control-plane'));
}

/**
 * Waits until kubeadm works on the host that a test looks at, and stops it there: an act that is over before the next run
 * looks would prove nothing. The checks of kubeadm init are let pass, because some of them do not survive to stand still: it then
 * fails, and the next run rightly begins anew. Throws where the installer ends before.
 */
async function frozenKubeadm(stage: Stage, running: RunningInstaller, subcommand: 'init' | 'join'): Promise<Undo> {
  const host = subcommand === 'init' ? 'node1' : 'node2';
  const caFile = join(stage.lab.host(host).root, 'etc/kubernetes/pki/ca.crt');
  // The first file that kubeadm init makes. A join that has made files has stopped kubelet, and then the next run waits for its end.
  const isAtWork = (): boolean => subcommand === 'join' || existsSync(caFile);
  const isEnded = { value: false };
  void running.done.then(() => (isEnded.value = true));
  await waitUntil(`kubeadm ${subcommand}`, 300_000, () => {
    if (stage.sampler.running(subcommand).includes(host) && isAtWork()) return true;
    if (isEnded.value) throw new Error(`the installer ended before kubeadm ${subcommand} ran`);
    return false;
  });
  return freeze(stage.lab.host(host), ['kubeadm']);
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
    const thawInit = await frozenKubeadm(stage, first, 'init');
    first.kill('SIGKILL');
    expect((await first.done).signal).toBe('SIGKILL');
    expect(await kubeadmUnits(stage)).toEqual([expect.stringMatching(initUnit)]);

    const second = stage.start(['cluster-create', '-c', stage.lab.configFile]);
    await second.seen('its plan for the control plane', isInitPlanned);
    await thawInit();
    const thawJoin = await frozenKubeadm(stage, second, 'join');
    second.kill('SIGKILL');
    expect(initPlan(await second.done)).toEqual([attached('init')]);

    const last = stage.start(['cluster-create', '-c', stage.lab.configFile]);
    await last.seen(
      'its plan for the workers',
      (event) => event.type === 'step.planned' && event.phase === 'join-workers',
    );
    await thawJoin();
    const third = await last.done;
    expect(describe(third)).toBe('exit 0, ok');
    stage.state = 'cluster';
    await expectEachOnce(stage, since);
    expect(initPlan(third)).toEqual([]);
    expect(planned(third).join('\n')).toContain(attached('join'));
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
      (event) => event.type === 'step.planned' && event.phase === 'install-runtime',
    );
    const earlyAt = performance.now();
    early.kill('SIGINT');
    const earlyResult = await early.done;
    const earlyMs = performance.now() - earlyAt;
    expect([earlyResult.exitCode, earlyResult.finished?.status]).toEqual([130, 'interrupted']);
    expect(new Set(errorCodes(earlyResult))).toEqual(new Set(['INTERRUPTED']));
    expect(earlyResult.finished?.errors.every(({ remedy }) => /run the same command again/i.test(remedy ?? ''))).toBe(
      true,
    );

    const late = stage.start(['cluster-create', '-c', stage.lab.configFile]);
    const thaw = await frozenKubeadm(stage, late, 'init');
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
    expect(await kubeadmUnits(stage)).toEqual([expect.stringMatching(initUnit)]);
    expect(lateMs).toBeLessThan(10_000);

    const next = stage.start(['cluster-create', '-c', stage.lab.configFile]);
    await next.seen('its plan for the control plane', isInitPlanned);
    await thaw();
    const last = await next.done;
    expect(describe(last)).toBe('exit 0, ok');
    stage.state = 'cluster';
    expect(initPlan(last)).toEqual([attached('init')]);
    await expectEachOnce(stage, since);
    expect((await kubectl(stage.lab, ['get', '--raw=/readyz'])).trim()).toBe('ok');
    stage.figure(
      'from Ctrl-C to the end',
      `${seconds(earlyMs)} while the runtime is installed, ${seconds(lateMs)} during kubeadm init`,
    );
  });
}
