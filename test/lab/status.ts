import { openLab } from './lab.ts';
import { upstreamRuns } from './lab-upstream.ts';
import { labPaths } from './paths.ts';
import { findState } from './state.ts';

export interface LabStatus {
  readonly name: string;
  /** Whether the lab was made and not taken down since. */
  readonly exists: boolean;
  readonly hosts: readonly { readonly name: string; readonly address: string; readonly state: HostState }[];
  readonly upstream: 'up' | 'down' | 'none';
  readonly configFile: string;
}

/** `booting`: it runs, but its SSH server does not answer (yet). */
export type HostState = 'up' | 'booting' | 'down';

/** Looks at a lab and changes nothing. */
export async function labStatus(name: string): Promise<LabStatus> {
  const paths = labPaths(name);
  const state = await findState(paths);
  if (!state) return { name, exists: false, hosts: [], upstream: 'none', configFile: paths.configFile };
  const lab = await openLab(name);
  const hosts = await Promise.all(
    lab.hosts.map(async (host) => ({
      name: host.name,
      address: host.address,
      state: (await host.isReady())
        ? ('up' as const)
        : (await host.leader())
          ? ('booting' as const)
          : ('down' as const),
    })),
  );
  const upstream = !state.upstream ? 'none' : (await upstreamRuns(paths)) ? 'up' : 'down';
  return { name, exists: true, hosts, upstream, configFile: paths.configFile };
}

export function renderStatus(status: LabStatus): string {
  if (!status.exists) return `lab "${status.name}" is not there`;
  const hosts = status.hosts.map(({ name, address, state }) => `  ${name.padEnd(8)} ${address.padEnd(15)} ${state}`);
  return [`lab "${status.name}"`, ...hosts, `  upstream ${status.upstream}`, `  ${status.configFile}`].join('\n');
}
