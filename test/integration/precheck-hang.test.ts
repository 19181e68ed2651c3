import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createEmitter } from '../../src/report/emitter.ts';
import type { RunEvent } from '../../src/report/events.ts';
import { runPrecheck } from '../../src/workflows/precheck.ts';
import type { Sshd, SshdOptions } from '../support/sshd.ts';
import { startSshdForTest } from '../support/started-sshd.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'installer-hang-'));
  await writeFile(join(folder, 'password'), 'login\n', { mode: 0o600 });
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function start(options: Partial<SshdOptions> = {}): Promise<Sshd> {
  return startSshdForTest({ users: { root: { password: 'login' } }, shell: 'real', ...options });
}

it('a host that hangs costs its own deadline, and the findings of the others come all the same', async () => {
  const sshds = [await start(), await start({ link: { silent: true } }), await start()];
  const file = join(folder, 'prod.yaml');
  const hosts = sshds.map(
    ({ port }, index) =>
      `    - { name: h${index}, address: 127.0.0.1, internalAddress: 10.77.0.${index + 1}, roles: [${index === 0 ? 'control-plane' : 'worker'}], ssh: { port: ${port} } }`,
  );
  await writeFile(
    file,
    `apiVersion: installer.io/v1alpha1
kind: ClusterConfig
metadata: { name: prod }
spec:
  ssh: { password: { file: password }, connectTimeoutSeconds: 2, knownHosts: { policy: accept-new, file: known } }
  checks: { ignore: [disk-speed] }
  hosts:
${hosts.join('\n')}
`,
  );
  const events: RunEvent[] = [];
  const emitter = createEmitter([{ handle: (event) => events.push(event), close: () => Promise.resolve() }]);
  const options = { configFile: file, concurrency: 100, ignoreChecks: [], strict: false, runId: '0a1b2c3d' };

  const { exitCode } = await runPrecheck(options, emitter, new AbortController().signal);

  const end = events.find((event) => event.type === 'run.finished');
  const connect = end?.phases.find(({ id }) => id === 'connect');
  expect(exitCode).toBe(3);
  expect(end?.errors.filter(({ host }) => host !== undefined).map(({ code, host }) => [code, host])).toEqual([
    ['SSH_TIMEOUT', 'h1'],
  ]);
  expect(connect?.durationMs).toBeGreaterThanOrEqual(1990);
  expect(connect?.durationMs).toBeLessThan(8000);
  const found = events.flatMap((event) =>
    event.type === 'check.finding' ? [`${event.check} ${event.host ?? ''}`] : [],
  );
  // None of them has the node address of the file.
  expect(found).toEqual(expect.arrayContaining(['address-valid h0', 'address-valid h2']));
  expect(found.filter((line) => line.endsWith(' h1'))).toEqual([]);
});
