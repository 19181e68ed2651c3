import { dirname, join } from 'node:path';
import { mkdir, writeFile } from 'node:fs/promises';
import { cgroupName } from './cgroups.ts';
import { run, tryRun } from './commands.ts';
import { isInside, type AddressRange, parseRange } from './ranges.ts';
import { cableName, type LabPaths } from './paths.ts';
import { endProcess, findProcess, signalProcess } from './processes.ts';
import { startService } from './services.ts';

/** A lab's network: a /24 of which the machine has .1 and the hosts .11 and up. */
export interface LabNetwork {
  /** The first three numbers, for example `10.88.0`. */
  readonly prefix: string;
  readonly bridge: string;
}

/** Address of this machine, and so of the upstream, in the lab. */
export function gatewayAddress(prefix: string): string {
  return `${prefix}.1`;
}

/** A default route has to exist, or service addresses are unreachable from a host; nobody answers at its end. */
export function deadGateway(prefix: string): string {
  return `${prefix}.254`;
}

/** Address of the host with this number, counted from 0. */
export function hostAddress(prefix: string, index: number): string {
  return `${prefix}.${11 + index}`;
}

/** The first of 10.88.N.0/24 that none of the ranges touches. */
export function pickPrefix(taken: readonly AddressRange[]): string {
  for (let n = 0; n < 256; n++) {
    const range = parseRange(`10.88.${n}.0/24`);
    if (!taken.some((other) => isInside(range, other) || isInside(other, range))) return `10.88.${n}`;
  }
  throw new Error('no free /24 is left in 10.88.0.0/16');
}

/** Ranges that this machine reaches by a route of its own; default routes are left out. */
export async function rangesInUse(exceptDevice: string): Promise<AddressRange[]> {
  const routes = JSON.parse(await run('ip', ['-4', '-j', 'route', 'show', 'table', 'all'])) as {
    dst: string;
    dev?: string;
  }[];
  return routes
    .filter(({ dst, dev }) => dst !== 'default' && dst !== '0.0.0.0/0' && dev !== exceptDevice)
    .map(({ dst }) => parseRange(dst));
}

export function bridgeName(lab: string): string {
  return `ilab-${lab}`;
}

/** Makes the bridge with this machine's address, marked as belonging to the lab's folder; throws where it is another's. */
export async function ensureBridge(network: LabNetwork, owner: string): Promise<void> {
  const { bridge, prefix } = network;
  const shown = await tryRun('ip', ['-j', 'link', 'show', bridge]);
  if (shown.exitCode === 0) {
    const alias = (JSON.parse(shown.stdout) as { ifalias?: string }[])[0]?.ifalias;
    if (alias !== undefined && alias !== owner) throw new Error(`bridge ${bridge} belongs to the lab of ${alias}`);
  } else {
    await run('ip', ['link', 'add', bridge, 'type', 'bridge', 'forward_delay', '0']);
  }
  await run('ip', ['link', 'set', bridge, 'alias', owner]);
  await run('ip', ['addr', 'replace', `${gatewayAddress(prefix)}/24`, 'dev', bridge]);
  await run('ip', ['link', 'set', bridge, 'up']);
}

/** Removes the bridge and all packet filter tables of the lab, those of faults too; absent ones are no error. */
export async function removeNetwork(lab: string): Promise<void> {
  if ((await tryRun('ip', ['link', 'show', bridgeName(lab)])).exitCode === 0) {
    await run('ip', ['link', 'del', bridgeName(lab)]);
  }
  // The kernel takes the cable of a host that is gone away only after a while.
  for (const link of parseLinks(await run('ip', ['-br', 'link'])).filter((name) =>
    name.startsWith(cableName(lab, '')),
  )) {
    await tryRun('ip', ['link', 'del', link]);
  }
  for (const [family, name] of parseTables(await run('nft', ['list', 'tables']))) {
    if (name === tableName(lab) || name.startsWith(`${tableName(lab)}_`))
      await run('nft', ['delete', 'table', family, name]);
  }
}

/** Names of the links in the output of `ip -br link`: `vb-lab-node1@if2 UP …`. */
export function parseLinks(text: string): string[] {
  return text.split('\n').flatMap((line) => line.match(/^[^\s@]+/)?.[0] ?? []);
}

/** Family and name of each table in the output of `nft list tables`. */
export function parseTables(text: string): [family: string, name: string][] {
  return [...text.matchAll(/^table (\S+) (\S+)$/gm)].map(([, family = '', name = '']) => [family, name]);
}

/** The air gap: hosts reach one another and this machine's address in the lab, nothing else. */
export async function ensureAirGap(lab: string, network: LabNetwork): Promise<void> {
  await run('nft', ['-f', '-'], { input: renderAirGap(tableName(lab), network) });
}

export function renderAirGap(table: string, { bridge, prefix }: LabNetwork): string {
  return `table inet ${table}
delete table inet ${table}
table inet ${table} {
  chain forward {
    type filter hook forward priority -10; policy accept;
    iifname "${bridge}" oifname "${bridge}" accept
    iifname "${bridge}" drop
    oifname "${bridge}" drop
  }
  chain input {
    type filter hook input priority -10; policy accept;
    iifname "${bridge}" ip daddr != { ${gatewayAddress(prefix)}, ${prefix}.255, 255.255.255.255, 224.0.0.0/4 } drop
  }
}
`;
}

/** A name server that knows the hosts and answers at once that it knows nothing else: an unanswered question costs seconds. */
export async function ensureNames(
  paths: LabPaths,
  network: LabNetwork,
  hosts: ReadonlyMap<string, string>,
): Promise<void> {
  const [hostsFile, pidFile] = [join(paths.runDir, 'dns-hosts'), join(paths.runDir, 'dns.json')];
  const address = gatewayAddress(network.prefix);
  const lines = [...hosts, ['upstream', address]].map(([name, ip]) => `${ip} ${name} ${name}.${paths.name}.test`);
  await mkdir(dirname(hostsFile), { recursive: true });
  await writeFile(hostsFile, lines.join('\n') + '\n');
  const running = await findProcess(pidFile);
  if (running) {
    signalProcess(running, 'SIGHUP');
    return;
  }
  await startService({
    cgroup: cgroupName(paths.name, 'services'),
    pidFile,
    logFile: join(paths.runDir, 'dns.log'),
    argv: [
      'dnsmasq',
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--user=root',
      '--pid-file=',
      '--log-facility=-',
      `--listen-address=${address}`,
      '--bind-interfaces',
      '--no-resolv',
      '--no-hosts',
      `--addn-hosts=${hostsFile}`,
      '--address=/#/',
    ],
  });
}

export async function stopNames(paths: LabPaths): Promise<void> {
  await endProcess(join(paths.runDir, 'dns.json'));
}

/** The lab's packet filter table; tables of faults add something behind an underscore. */
export function tableName(lab: string): string {
  return `installer_lab_${lab}`;
}
