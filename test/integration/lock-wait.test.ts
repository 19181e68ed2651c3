import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HostPhase } from '../../src/engine/phase.ts';
import { runWorkflow } from '../../src/engine/runner.ts';
import { createHost, type Host } from '../../src/hosts/host.ts';
import { createEmitter } from '../../src/report/emitter.ts';
import type { RunEvent } from '../../src/report/events.ts';
import { createPlainSink } from '../../src/report/plain.ts';
import { connectSsh } from '../../src/transport/ssh.ts';
import { createTestContext } from '../support/run-context.ts';
import { canMakeHostRoot, startHostRoot, type HostRoot } from '../support/shells.ts';
import { fileStep } from '../support/small-workflow.ts';
import { startSshd, type Sshd } from '../support/sshd.ts';

describe.skipIf(!canMakeHostRoot)(
  'a host on which an earlier run still works (needs root and mount namespaces)',
  () => {
    let root: HostRoot;
    let sshd: Sshd;
    let folder: string;
    const cleanups: (() => Promise<void>)[] = [];

    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), 'installer-lock-'));
      root = await startHostRoot();
      const loginShell = join(folder, 'login-shell');
      writeFileSync(loginShell, `#!/bin/sh\nexec ${root.command.join(' ')} /bin/sh "$@"\n`);
      chmodSync(loginShell, 0o755);
      sshd = await startSshd({ users: { root: { password: 'login' } }, shell: 'real', loginShell });
    });

    afterEach(async () => {
      for (const cleanup of cleanups.splice(0)) await cleanup();
      await sshd.stop();
      root.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    async function connect(): Promise<Host> {
      const transport = await connectSsh({
        host: 'n1',
        address: sshd.address,
        port: sshd.port,
        user: 'root',
        password: 'login',
        knownHosts: { policy: 'accept-new', file: join(folder, 'known_hosts') },
        connectTimeoutMs: 10_000,
      });
      cleanups.push(() => transport.close());
      return createHost('n1', transport);
    }

    /** A run that loses its connection while a command runs for so many seconds; resolves when it is lost. */
    async function loseRun(seconds: number): Promise<void> {
      const host = await connect();
      const started = join(root.folder, 'started');
      const actions = [
        { kind: 'write-file', path: started, content: '', mode: '644' },
        { kind: 'run', argv: ['sleep', String(seconds)], timeoutSeconds: 30 },
      ] as const;
      const holder = 'run 5e6f7a8b (install-runtime)';
      const applied = host
        .apply({ actions, secrets: new Map(), look: [], holder, lockTimeoutSeconds: 5, timeoutMs: 30_000 })
        .catch((error: unknown) => error);
      await vi.waitFor(() => expect(existsSync(started)).toBe(true), 5000);
      sshd.cut();
      expect(await applied).toMatchObject({ code: 'SSH_CONNECTION_LOST' });
    }

    /** What the next run tells, as events and as lines, where its phase may take so long. */
    async function nextRun(timeoutSeconds: number) {
      const host = await connect();
      const events: RunEvent[] = [];
      let shown = '';
      const add = (text: string): void => {
        shown += text;
      };
      const plain = createPlainSink({
        debug: false,
        color: false,
        progress: add,
        result: add,
        logFile: () => undefined,
      });
      const keep = { handle: (event: RunEvent) => events.push(event), close: () => Promise.resolve() };
      const context = { ...createTestContext(), emitter: createEmitter([keep, plain]) };
      const phase: HostPhase<readonly Host[]> = {
        scope: 'host',
        id: 'prepare-hosts',
        title: 'Prepare hosts',
        timeoutSeconds,
        hosts: (state) => state,
        steps: () => [fileStep(join(root.folder, 'ours'))],
      };
      const result = await runWorkflow({
        workflow: { name: 'test', phases: [phase] },
        state: [host],
        context,
        version: '1.2.3',
        clusterName: 'prod',
        hostNames: ['n1'],
        skipPhases: [],
        trips: () => ({}),
        next: () => [],
      });
      return { result, shown, waits: events.filter(({ type }) => type.startsWith('condition.')) };
    }

    const holder = (): string => {
      const pid = readFileSync(root.outside('/run/installer/lock'), 'utf8').split(/\s/).at(-3) ?? '';
      return `run 5e6f7a8b (install-runtime), process ${pid}, since `;
    };

    it('is waited for, which is told after three seconds, and the work goes on when it is over', async () => {
      await loseRun(7);
      const who = holder();

      const { result, shown, waits } = await nextRun(30);

      const base = { condition: 'lock/n1', description: 'the lock of n1' };
      expect(waits).toMatchObject([
        { ...base, type: 'condition.waiting', lastError: expect.stringContaining(who) as string },
        { ...base, type: 'condition.met' },
      ]);
      expect(shown).toContain(`waiting for the lock of n1 (3.0 s): ${who}`);
      expect(shown).toMatch(/the lock of n1: yes, after [4-9]/);
      expect(result).toMatchObject({ status: 'ok', changes: 1 });
      expect(existsSync(join(root.folder, 'ours'))).toBe(true);
    }, 40_000);

    it('is an error that names it, where the phase may not take so long', async () => {
      await loseRun(12);
      const who = holder();

      const { result } = await nextRun(4);

      expect(result.errors).toMatchObject([
        {
          code: 'HOST_LOCKED',
          host: 'n1',
          message: expect.stringContaining(`within 4 s: ${who}`) as string,
          remedy: expect.stringMatching(
            /ps -o pid,lstart,args -p \d+ --ppid \d+; where it hangs, end it with: kill \d+$/,
          ) as string,
        },
      ]);
      expect(existsSync(join(root.folder, 'ours'))).toBe(false);
    }, 40_000);
  },
);
