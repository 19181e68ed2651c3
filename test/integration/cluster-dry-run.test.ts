import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEmitter } from '../../src/report/emitter.ts';
import type { RunEvent } from '../../src/report/events.ts';
import { runClusterCreate } from '../../src/workflows/cluster-create.ts';
import { canMakeHostRoot, startHostRoot, type HostRoot } from '../support/shells.ts';
import { startSshd, type Sshd } from '../support/sshd.ts';

/** Commands that tell of a bare server, whatever this machine is. */
const fakeTools: Readonly<Record<string, string>> = {
  systemctl: 'case $1 in --version) echo "systemd 255 (255.4)";; show) echo LoadState=not-found;; esac',
  ip: 'case $* in *addr*) echo "2: eth0    inet 10.0.0.11/24 scope global eth0";; *) echo "default via 10.0.0.1 dev eth0";; esac',
  getent: 'exit 2',
  ss: 'exit 0',
  nproc: 'echo 4',
  ...Object.fromEntries(
    ['iptables', 'modprobe', 'sysctl', 'swapoff', 'systemd-run', 'conntrack', 'ethtool', 'socat', 'tc'].map((name) => [
      name,
      'echo "called on a dry run: $0 $*" >&2; exit 1',
    ]),
  ),
};

describe.skipIf(!canMakeHostRoot)('cluster-create --dry-run over SSH (needs root and mount namespaces)', () => {
  let root: HostRoot;
  let sshd: Sshd;
  let folder: string;
  let events: RunEvent[];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'installer-dry-run-'));
    events = [];
    root = await startHostRoot();
    for (const [name, text] of Object.entries(fakeTools)) {
      writeFileSync(join(root.outside('/usr/local/sbin'), name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    }
    const loginShell = join(folder, 'login-shell');
    writeFileSync(loginShell, `#!/bin/sh\nexec ${root.command.join(' ')} /bin/sh "$@"\n`);
    chmodSync(loginShell, 0o755);
    sshd = await startSshd({ users: { root: { password: 'login' } }, shell: 'real', loginShell, noise: 'Welcome!\n' });
  });

  afterEach(async () => {
    await sshd.stop();
    root.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function clusterFile(spec = ''): string {
    const path = join(folder, 'prod.yaml');
    writeFileSync(join(folder, 'password'), 'login\n', { mode: 0o600 });
    writeFileSync(
      path,
      `apiVersion: installer.io/v1alpha1
kind: ClusterConfig
metadata: { name: prod }
spec:
  ssh: { port: ${sshd.port}, password: { file: password }, knownHosts: { policy: accept-new, file: known_hosts } }
  hosts:
    - { name: cp1, address: 127.0.0.1, internalAddress: 10.0.0.11, roles: [control-plane, worker] }
${spec}`,
    );
    return path;
  }

  function run(configFile: string, ignoreChecks: readonly string[] = []): Promise<{ exitCode: number }> {
    const emitter = createEmitter([{ handle: (event) => events.push(event), close: () => Promise.resolve() }]);
    const rest = { dryRun: true, concurrency: 10, skipPhases: [], verifyContent: false, runId: '0a1b2c3d' };
    return runClusterCreate({ configFile, ignoreChecks, ...rest }, emitter, new AbortController().signal);
  }

  function filesOfHost(): string[][] {
    return ['/run', '/var/lib'].map((path) => readdirSync(root.outside(path), { recursive: true, encoding: 'utf8' }));
  }

  function of<T extends RunEvent['type']>(type: T): Extract<RunEvent, { type: T }>[] {
    return events.filter((event): event is Extract<RunEvent, { type: T }> => event.type === type);
  }

  // What this machine really has is not the question here.
  const ignored = [
    'conflicting-packages',
    'disk-speed',
    'disk-free',
    'memory',
    'cgroup-version',
    'leftovers',
    'tools-present',
    'runtime-usable',
  ];

  it('shows what would be done on a bare host, and does nothing', async () => {
    const before = filesOfHost();

    const { exitCode } = await run(clusterFile(), ignored);

    expect(of('run.finished')).toMatchObject([{ status: 'ok', errors: [] }]);
    expect(exitCode).toBe(0);
    const planned = of('step.planned').map(({ phase, step }) => `${phase}/${step}`);
    expect(planned).toEqual(
      expect.arrayContaining([
        'prepare-hosts/identity',
        'prepare-hosts/hosts-block',
        'install-runtime/containerd',
        'install-runtime/containerd-service',
        'install-kubernetes/kubelet',
        'init-control-plane/kubeadm-init',
        'install-cni/flannel',
      ]),
    );
    expect(of('step.planned').find(({ step }) => step === 'flannel')).toMatchObject({
      deferredUntil: 'init-control-plane',
    });
    expect(of('step.applied')).toEqual([]);
    expect(filesOfHost()).toEqual(before);
    expect(existsSync(join(folder, 'prod.kubeconfig'))).toBe(false);
  });

  it('needs few round trips for it', async () => {
    await run(clusterFile(), ignored);

    const [finished] = of('run.finished');
    expect(finished?.trips['cp1']).toBeGreaterThan(0);
    expect(finished?.trips['cp1']).toBeLessThanOrEqual(3);
  });

  it('ends with 3 and all findings where a check fails', async () => {
    writeFileSync(join(root.outside('/usr/local/sbin'), 'nproc'), '#!/bin/sh\necho 1\n', { mode: 0o755 });

    const { exitCode } = await run(clusterFile(), ignored);

    expect(exitCode).toBe(3);
    expect(of('check.finding').filter((finding) => !finding.ignored)).toMatchObject([
      { check: 'cpu', host: 'cp1', actual: '1 core' },
    ]);
    expect(of('run.finished')).toMatchObject([{ status: 'failed', errors: [{ code: 'PRECHECK_FAILED' }] }]);
    expect(of('step.planned')).toEqual([]);
  });

  it('ends with 3 and the reason where the host cannot be reached', async () => {
    const file = clusterFile();
    await sshd.stop();

    const { exitCode } = await run(file, ignored);

    expect(exitCode).toBe(3);
    expect(of('run.finished')[0]?.errors).toMatchObject([{ code: 'SSH_REFUSED', host: 'cp1' }]);
  });
});
