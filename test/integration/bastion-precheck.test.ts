import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { answerProbe } from '../../bench/precheck/probe-answers.ts';
import { createRecorder } from '../../bench/precheck/recorded-answers.ts';
import { createEmitter } from '../../src/report/emitter.ts';
import type { RunEvent } from '../../src/report/events.ts';
import { runPrecheck } from '../../src/workflows/precheck.ts';
import { generateKey } from '../support/sshd.ts';
import { startSshdForTest } from '../support/started-sshd.ts';

const count = 100;
const hostKey = generateKey();
const bastionKey = generateKey();
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'installer-bastion-'));
  await writeFile(join(folder, 'host'), hostKey.privateKey, { mode: 0o600 });
  await writeFile(join(folder, 'bastion'), bastionKey.privateKey, { mode: 0o600 });
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

it('checks a hundred hosts behind a bastion through one connection to it', async () => {
  // Forwards only, as many at once as the hosts need.
  const bastion = await startSshdForTest({
    users: { jump: { publicKeys: [bastionKey] } },
    shell: 'real',
    maxSessions: 0,
  });
  const answer = createRecorder();
  const hosts = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const shape = {
        name: `h${index}`,
        address: `10.77.0.${index + 1}`,
        suffix: index.toString(16).padStart(12, '0'),
      };
      const sshd = await startSshdForTest({
        users: { root: { publicKeys: [hostKey] } },
        shell: async (script) => ({ ...(await (answerProbe(script) ?? answer(script, shape))), exitCode: 0 }),
      });
      return { ...shape, port: sshd.port, sshd };
    }),
  );
  const file = join(folder, 'prod.yaml');
  const lines = hosts.map(
    ({ name, address, port }, index) =>
      `    - { name: ${name}, address: 127.0.0.1, internalAddress: ${address}, roles: [${index === 0 ? 'control-plane' : 'worker'}], ssh: { port: ${port} } }`,
  );
  await writeFile(
    file,
    `apiVersion: installer.io/v1alpha1
kind: ClusterConfig
metadata: { name: prod }
spec:
  network: { podSubnets: [10.240.0.0/12] }
  ssh:
    user: root
    keyFile: host
    knownHosts: { policy: accept-new, file: known }
    bastion: { address: 127.0.0.1, port: ${bastion.port}, user: jump, keyFile: bastion }
  checks: { thresholds: { recommendedCpuCores: 1024 }, severities: { cpu: warning } }
  hosts:
${lines.join('\n')}
`,
  );
  const events: RunEvent[] = [];
  const emitter = createEmitter([{ handle: (event) => events.push(event), close: () => Promise.resolve() }]);
  const options = { configFile: file, concurrency: 100, ignoreChecks: [], strict: false, runId: '0a1b2c3d' };

  await runPrecheck(options, emitter, new AbortController().signal);

  const end = events.find((event) => event.type === 'run.finished');
  expect(end?.errors.filter(({ host }) => host !== undefined)).toEqual([]);
  // Each was looked at, and probed its peers, in one script each.
  expect(Object.values(end?.trips ?? {})).toEqual(Array.from({ length: count }, () => 2));
  const small = events.flatMap((event) =>
    event.type === 'check.finding' && event.check === 'cpu' ? [event.host] : [],
  );
  expect(new Set(small).size).toBe(count);
  expect(bastion.acceptedConnections).toBe(1);
  expect(bastion.commands).toEqual([]);
  expect(hosts.every(({ sshd }) => sshd.acceptedConnections === 1)).toBe(true);
});
