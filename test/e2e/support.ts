import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { tryRun } from '../lab/commands.ts';
import { must } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import type { Lab } from '../lab/lab.ts';
import { waitUntil } from '../lab/waiting.ts';
import { diffSnapshots, type FileRecord, type SnapshotDifference } from '../lab/snapshot.ts';

/** A path that may change between two looks at a host although no installer changed it. */
export interface Ignored {
  readonly path: RegExp;
  readonly reason: string;
}

/** What changes on any host that runs and that somebody logs in to. */
export const ignoredOnAnyHost: readonly Ignored[] = [
  { path: /^\/var\/log\/journal\//, reason: 'the journal: each login and each sudo is told there' },
  { path: /^\/var\/log\/(wtmp|btmp|lastlog)$/, reason: 'records of logins, which sshd writes' },
  { path: /^\/var\/lib\/systemd\/timers\//, reason: 'when a timer of the system last ran' },
  { path: /^\/var\/lib\/systemd\/(timesync|random-seed|catalog)/, reason: 'state of systemd itself' },
  { path: /^\/var\/tmp\/systemd-private-/, reason: 'folders of services for temporary files, new with each boot' },
  { path: /^\/var\/lib\/private$/, reason: 'systemd makes it for services with a user of their own' },
  {
    path: /^\/var\/backups\/(dpkg|alternatives|apt)\./,
    reason: 'Debian copies the state of its packages once a day: a test may run at midnight',
  },
];

/** What a cluster leaves on a host of the lab, and would not leave on another one. */
export const ignoredAfterReset: readonly Ignored[] = [
  ...ignoredOnAnyHost,
  {
    path: /^\/usr\/lib\/modules$/,
    reason: 'kube-proxy mounts it; only a host without a kernel of its own lacks it before',
  },
];

/** What besides changes on a host whose cluster works. */
export const ignoredInCluster: readonly Ignored[] = [
  ...ignoredOnAnyHost,
  {
    path: /^\/var\/lib\/etcd\/member\//,
    reason: 'the database of the cluster: leases and events are written all the time',
  },
  { path: /^\/var\/log\/(pods|containers)\//, reason: 'logs of the pods' },
  { path: /^\/var\/lib\/kubelet\/(pods|pod_logs)\//, reason: 'volumes of the pods: kubelet renews their tokens' },
  { path: /^\/var\/lib\/kubelet\/(cpu|memory)_manager_state$/, reason: 'kubelet writes its own state anew' },
  { path: /^\/var\/lib\/containerd\//, reason: 'containers that end and start' },
  { path: /^\/var\/lib\/cni\//, reason: 'addresses of pods that end and start' },
];

/** Files of hosts, by the name of the host. */
export type Snapshots = ReadonlyMap<string, ReadonlyMap<string, FileRecord>>;

/** One host after the other: reading a disk is work for a core. */
export async function snapshotAll(hosts: readonly LabHost[]): Promise<Snapshots> {
  const snapshots = new Map<string, ReadonlyMap<string, FileRecord>>();
  for (const host of hosts) snapshots.set(host.name, await host.snapshotFiles());
  return snapshots;
}

/** What differs, by host; hosts on which nothing does are left out, so that `{}` means all are the same. */
export function compareAll(
  before: Snapshots,
  after: Snapshots,
  ignored: readonly Ignored[],
): Record<string, SnapshotDifference> {
  const ignore = ignored.map(({ path }) => path);
  const rows = [...before].map(
    ([name, records]) => [name, diffSnapshots(records, after.get(name) ?? new Map(), { ignore })] as const,
  );
  return Object.fromEntries(
    rows.filter(([, { added, removed, changed }]) => added.length + removed.length + changed.length > 0),
  );
}

/** What is in force on a host beside its files: packages, services, kernel parameters of its own network, routes, rules. */
export async function stateOutsideFiles(host: LabHost): Promise<string> {
  const commands = [
    "dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\\n'",
    'systemctl list-unit-files --no-pager --no-legend',
    "systemctl list-units --no-pager --no-legend --plain --type=service,mount --state=active | grep -v ' session-\\| user@\\|^user-runtime-dir@' | awk '{print $1}' | grep -v '^user@\\|^run-user'",
    'sysctl net.ipv4.ip_forward',
    'ip -o link | sed "s/^[0-9]*: //" | sort',
    'ip route; ip -6 route',
    'iptables-save | grep -v "^#"; ip6tables-save | grep -v "^#"',
    'ls -A /run/installer 2>/dev/null || :',
  ];
  const { stdout } = await must(
    host,
    commands.map((command, index) => `echo '== ${index + 1}'\n${command}`).join('\n'),
  );
  return stdout;
}

/** A cluster file beside that of the lab, changed by `edit`; gone with the lab. */
export async function writeVariant(
  lab: Lab,
  name: string,
  edit: (config: Record<string, unknown>) => void,
): Promise<string> {
  const config = parse(await readFile(lab.configFile, 'utf8')) as Record<string, unknown>;
  edit(config);
  const file = join(dirname(lab.configFile), `${name}.yaml`);
  await writeFile(file, stringify(config));
  return file;
}

export function kubeconfigOf(lab: Lab): string {
  return join(dirname(lab.configFile), `${lab.name}.kubeconfig`);
}

/** kubectl as a user has it: on this machine, with the kubeconfig that the installer wrote; the binary is that of the host. */
export async function kubectl(lab: Lab, args: readonly string[], input?: string): Promise<string> {
  const file = join(lab.host('node1').root, 'usr/local/bin/kubectl');
  const options = { timeoutMs: 150_000, ...(input === undefined ? {} : { input }) };
  const result = await tryRun(file, [`--kubeconfig=${kubeconfigOf(lab)}`, '--request-timeout=30s', ...args], options);
  if (result.exitCode !== 0)
    throw new Error(`kubectl ${args.join(' ')} ended with ${result.exitCode}: ${result.stderr}`);
  return result.stdout;
}

const namespace = 'e2e-probe';

interface PodList {
  readonly items: readonly {
    readonly spec: { readonly nodeName: string };
    readonly status: { readonly podIP: string };
  }[];
}

/**
 * The network of the pods, tried without the installer: a pod on every node asks a name, a service address and the pods of
 * all nodes. Returns the questions with their answers' errors, an empty text where there was an answer.
 */
export async function tryPodNetwork(lab: Lab): Promise<Record<string, string>> {
  const node1 = lab.host('node1');
  const { stdout } = await must(
    node1,
    'crictl images -o json | grep -o \'"[^"]*agnhost:[^"]*"\' | head -n 1 | tr -d \'"\'',
  );
  await kubectl(lab, ['apply', '-f', '-'], renderPods(stdout.trim()));
  try {
    await kubectl(lab, [
      '-n',
      namespace,
      'rollout',
      'status',
      'daemonset/probe',
      '--timeout=120s',
      '--request-timeout=0',
    ]);
    const pods = (JSON.parse(await kubectl(lab, ['-n', namespace, 'get', 'pods', '-o', 'json'])) as PodList).items;
    const service = (
      await kubectl(lab, ['-n', namespace, 'get', 'service', 'probe', '-o', 'jsonpath={.spec.clusterIP}'])
    ).trim();
    const targets: [string, string, number][] = [
      ['DNS name of a service', `probe.${namespace}.svc.cluster.local`, 80],
      ['service address', service, 80],
      ...pods.map(({ spec, status }): [string, string, number] => [`pod on ${spec.nodeName}`, status.podIP, 8080]),
    ];
    const answers: Record<string, string> = {};
    for (const { spec, status } of pods) {
      for (const [what, host, port] of targets) {
        const url = `http://${status.podIP}:8080/dial?request=hostname&protocol=http&host=${host}&port=${port}&tries=1`;
        answers[`${spec.nodeName} -> ${what}`] = await ask(node1, url);
      }
    }
    return answers;
  } finally {
    await kubectl(lab, ['delete', 'namespace', namespace, '--wait=true', '--timeout=60s', '--request-timeout=0']);
  }
}

/** Asked again for a while: the rules for a new service take a moment on each node. Empty where there was an answer. */
async function ask(host: LabHost, url: string): Promise<string> {
  let error = '';
  await waitUntil(
    'an answer from a pod',
    15_000,
    async () => {
      const asked = await host.exec(['curl', '-sS', '--max-time', '10', url]);
      error = asked.stdout.includes('"responses":[') ? '' : `${asked.stdout}${asked.stderr}`;
      return error === '';
    },
    1000,
  ).catch(() => undefined);
  return error;
}

function renderPods(image: string): string {
  const labels = { app: 'probe' };
  const container = {
    name: 'probe',
    image,
    args: ['netexec', '--http-port=8080', '--udp-port=-1'],
    readinessProbe: { httpGet: { path: '/hostname', port: 8080 }, periodSeconds: 1 },
  };
  const spec = { terminationGracePeriodSeconds: 0, tolerations: [{ operator: 'Exists' }], containers: [container] };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'probe', namespace },
      spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'probe', namespace },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    },
  ]
    .map((document) => stringify(document))
    .join('---\n');
}

/** The installer's units for one-time acts that are on the host, by name. */
export async function actUnits(host: LabHost): Promise<string[]> {
  const { stdout } = await must(
    host,
    "systemctl list-units --all --plain --no-legend --no-pager 'installer-*' | awk '{print $1}'",
  );
  return stdout.split('\n').filter((line) => line !== '');
}

/** How often units of an act were started on the host, by name, as its journal tells. */
export async function startsInJournal(host: LabHost, act: string): Promise<Record<string, number>> {
  const { stdout } = await must(
    host,
    `journalctl --no-pager -o cat _PID=1 | grep -o '^Started installer-[0-9a-f]*-${act}.service' || :`,
  );
  const counts: Record<string, number> = {};
  for (const unit of stdout.split('\n').flatMap((line) => line.split(' ').slice(1, 2)))
    counts[unit] = (counts[unit] ?? 0) + 1;
  return counts;
}
