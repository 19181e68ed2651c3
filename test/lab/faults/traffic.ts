import { run } from '../commands.ts';
import type { Lab } from '../lab.ts';
import type { LabHost } from '../host.ts';
import { tableName } from '../network.ts';
import { must } from './must.ts';
import { once, type Undo } from './undo.ts';

export interface Traffic {
  /** Addresses; absent means any. This machine is the lab's own address. */
  readonly from?: string;
  readonly to?: string;
  readonly protocol?: 'tcp' | 'udp' | 'icmp';
  /** Destination port of tcp or udp. */
  readonly port?: number;
}

let tables = 0;

/** A firewall between two ends, in one direction: matching packets vanish without an answer. Undo opens it. */
export async function dropTraffic(lab: Pick<Lab, 'name'>, traffic: Traffic): Promise<Undo> {
  const table = `${tableName(lab.name)}_${process.pid}_${tables++}`;
  await run('nft', ['-f', '-'], { input: renderDrop(table, traffic) });
  return once(async () => {
    await run('nft', ['-f', '-'], { input: `table bridge ${table}\ndelete table bridge ${table}\n` });
  });
}

/** Traffic between hosts is forwarded by the bridge, that of this machine enters or leaves there. */
export function renderDrop(table: string, { from, to, protocol, port }: Traffic): string {
  const ports = port === undefined ? undefined : `${protocol ?? 'tcp'} dport ${port}`;
  const match = [from && `ip saddr ${from}`, to && `ip daddr ${to}`, ports ?? (protocol && `ip protocol ${protocol}`)];
  const rule = `${match.filter(Boolean).join(' ')} drop`.trim();
  const chain = (hook: string): string =>
    `  chain ${hook} {\n    type filter hook ${hook} priority 0; policy accept;\n    ${rule}\n  }\n`;
  return `table bridge ${table} {\n${['forward', 'input', 'output'].map(chain).join('')}}\n`;
}

/** Takes a host's default routes away: service addresses become unreachable from it. Undo puts them back. */
export async function removeDefaultRoute(host: LabHost): Promise<Undo> {
  const { stdout } = await must(host, ['ip', 'route', 'show', 'default']);
  const routes = stdout.split('\n').filter((line) => line.trim() !== '');
  for (const route of routes) await must(host, ['ip', 'route', 'del', ...route.trim().split(/\s+/)]);
  return once(async () => {
    if (!(await host.leader())) return;
    for (const route of routes) await must(host, ['ip', 'route', 'replace', ...route.trim().split(/\s+/)]);
  });
}

/** Resets every open TCP connection to a port of the host, as a restarted firewall would; new ones are accepted. */
export async function killConnections(host: LabHost, port = 22): Promise<void> {
  await must(host, ['ss', '--kill', '--no-header', 'state', 'established', `sport = :${port}`]);
}
