import { copyFile, mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { must, type Undo } from '../lab/faults/index.ts';
import { labDown } from '../lab/down.ts';
import type { LabHost } from '../lab/host.ts';
import { labUp, type Lab } from '../lab/lab.ts';
import { installerBinary, startInstaller, type InstallerResult, type RunningInstaller } from './installer.ts';
import { startSampler, type Sampler } from './sampler.ts';
import { kubeconfigOf, snapshotAll, type Snapshots } from './support.ts';

/** What the hosts are known to be: untouched by any installer, a cluster that works, or somewhere between. */
type HostsState = 'bare' | 'cluster' | 'unknown';

/** The hosts, the program and what is remembered of all its runs. Tests go on from the state in which the last one left them. */
export interface Stage {
  readonly lab: Lab;
  readonly sampler: Sampler;
  readonly results: readonly InstallerResult[];
  state: HostsState;
  /** Files of the hosts as they were before any installer. */
  readonly bare: Snapshots;
  /** Starts the installer; its events are kept for the checks at the end. */
  start(args: readonly string[], output?: 'json' | 'plain'): RunningInstaller;
  run(args: readonly string[]): Promise<InstallerResult>;
  create(...more: readonly string[]): Promise<InstallerResult>;
  /** Brings the hosts to this state where an earlier test did not leave them in it. */
  need(state: 'bare' | 'cluster'): Promise<void>;
  /** Every line of every run log. */
  runLogs(): Promise<string>;
  figure(what: string, value: string): void;
  figures(): readonly string[];
  close(): Promise<void>;
}

export async function openStage(name: string, log: (line: string) => void): Promise<Stage> {
  await labDown(name, () => undefined);
  const built = await installerBinary();
  const lab = await labUp({ name, hosts: 3, minors: ['1.36'], log });
  // One and the same program to the end, also where a new one is built meanwhile.
  const binary = join(lab.dir, 'installer');
  await copyFile(built, binary);
  const stateDir = join(lab.dir, 'state-home');
  await mkdir(stateDir, { recursive: true });
  const sampler = startSampler(name);
  const results: InstallerResult[] = [];
  const figures: string[] = [];

  function start(args: readonly string[], output: 'json' | 'plain' = 'json'): RunningInstaller {
    const running = startInstaller(binary, args, { stateDir, output });
    void running.done.then((result) => results.push(result));
    return running;
  }

  let bare = await snapshotAll(lab.hosts);
  const stage: Stage = {
    lab,
    get bare() {
      return bare;
    },
    sampler,
    results,
    state: 'bare',
    start,
    run: (args) => start(args).done,
    create: (...more) => start(['cluster-create', '-c', lab.configFile, ...more]).done,
    async need(state) {
      if (stage.state === state) return;
      if (state === 'bare') {
        await Promise.all(lab.hosts.map((host) => host.reset()));
        await rm(kubeconfigOf(lab), { force: true });
        bare = await snapshotAll(lab.hosts);
      } else {
        const result = await stage.create();
        expect(describe(result)).toBe('exit 0, ok');
      }
      stage.state = state;
    },
    async runLogs() {
      const folder = join(stateDir, 'installer/logs');
      const files = await readdir(folder);
      return (await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))).join('');
    },
    figure(what, value) {
      figures.push(`${what}: ${value}`);
      console.log(`      ${what}: ${value}`);
    },
    figures: () => figures,
    async close() {
      sampler.stop();
      if (process.env.KEEP_LAB !== '1') await lab.down();
    },
  };
  return stage;
}

/** The end of a run in one line, with its errors where there are any: what a failed comparison should show. */
export function describe({ exitCode, signal, finished, stderr }: InstallerResult): string {
  const errors = (finished?.errors ?? []).map(({ code, host, message, details }) =>
    [`${code} ${host ?? ''}: ${message}`, ...details.slice(0, 20)].join('\n  | '),
  );
  return [`exit ${exitCode ?? signal ?? '?'}, ${finished?.status ?? `no end: ${stderr}`}`, ...errors].join('\n');
}

export function errorCodes({ finished }: InstallerResult): string[] {
  return (finished?.errors ?? []).map(({ code }) => code);
}

/** Host, phase and summary of all that a run planned to change. */
export function planned(result: InstallerResult): string[] {
  return result
    .of('step.planned')
    .flatMap(({ host, phase, changes }) => changes.map(({ summary }) => `${host} ${phase}: ${summary}`));
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Undoes faults in the opposite order of their making, whatever happens in between. */
export async function withFaults<T>(faults: readonly (() => Promise<Undo>)[], act: () => Promise<T>): Promise<T> {
  const undos: Undo[] = [];
  try {
    for (const fault of faults) undos.push(await fault());
    return await act();
  } finally {
    for (const undo of undos.toReversed()) await undo();
  }
}

/** Stops processes of a host where they are, by their name, and lets them go on with undo. */
export async function freeze(host: LabHost, names: readonly string[]): Promise<Undo> {
  for (const name of names) await must(host, ['pkill', '-STOP', '-x', name]);
  return async () => {
    for (const name of names) await host.exec(['pkill', '-CONT', '-x', name]);
  };
}

/** Somebody else's program on a port that Kubernetes needs. */
export async function occupyPort(host: LabHost, port: number): Promise<Undo> {
  await must(host, [
    'systemd-run',
    '--quiet',
    '--collect',
    '--unit=e2e-port',
    'socat',
    `TCP-LISTEN:${port},fork`,
    'EXEC:/bin/true',
  ]);
  return async () => {
    await must(host, ['systemctl', 'stop', 'e2e-port.service']);
  };
}
