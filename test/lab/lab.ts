import { mkdir, writeFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { ensureTools, labUnavailable } from './available.ts';
import { usesCgroupV1 } from './cgroups.ts';
import { renderClusterConfig } from './cluster-config.ts';
import type { Log } from './commands.ts';
import { labDown } from './down.ts';
import { labHost, type LabHost } from './host.ts';
import { writeAptSource, writeDnfSource } from './host-root.ts';
import { keepBridgesUnfiltered, saveKernelValues } from './kernel-values.ts';
import { ensureKeyPair, hostKeyFile, writeKnownHosts } from './keys.ts';
import { kubernetesVersion, startLabUpstream, upstreamForConfig, type LabUpstream } from './lab-upstream.ts';
import { withLock } from './locks.ts';
import {
  bridgeName,
  ensureAirGap,
  ensureBridge,
  ensureNames,
  gatewayAddress,
  pickPrefix,
  rangesInUse,
} from './network.ts';
import { kernelValuesFile, labPaths, type LabPaths } from './paths.ts';
import { ensureRootfs } from './rootfs.ts';
import { ensureRpmSystem } from './rpm-system.ts';
import { addressesOf, findState, hostNames, newPassword, rpmHostNames, writeState, type LabState } from './state.ts';

/** A lab that is up, or was. */
export interface Lab {
  readonly name: string;
  readonly dir: string;
  /** A cluster file for these hosts. */
  readonly configFile: string;
  readonly hosts: readonly LabHost[];
  /** This machine's address in the lab, where also the upstream answers. */
  readonly address: string;
  readonly bridge: string;
  /** Private key that opens root, ops, nosudo and pwsudo on every host. */
  readonly keyFile: string;
  readonly knownHostsFile: string;
  /** Password that `pwsudo` gives to sudo. */
  readonly sudoPassword: string;
  /** The host of this name; throws where there is none. */
  host(name: string): LabHost;
  down(): Promise<readonly string[]>;
}

export interface LabUpOptions {
  readonly name: string;
  /** How many hosts; a lab that has more keeps them. */
  readonly hosts: number;
  /** How many further hosts of the rpm family, with dnf instead of apt; default none. */
  readonly rpmHosts?: number;
  /** Kubernetes minors the upstream serves; the first is the one of the cluster file. */
  readonly minors: readonly string[];
  /** Without it the hosts have nothing to install from; default true. */
  readonly upstream?: boolean;
  readonly log: Log;
}

/** Brings a lab up, or completes one that is half up; what is there stays as it is. */
export async function labUp(options: LabUpOptions): Promise<Lab & { readonly upstream?: LabUpstream }> {
  const unavailable = labUnavailable();
  if (unavailable !== undefined) throw new Error(unavailable);
  const { name, log } = options;
  const paths = labPaths(name);
  await ensureTools(log);
  return withLock(`lab-${name}`, log, async () => {
    const state = await withLock('machine', log, () => claim(paths, options));
    const network = { prefix: state.prefix, bridge: bridgeName(name) };
    await ensureAirGap(name, network);
    await ensureNames(paths, network, addressesOf(state));
    await ensureKeyPair(paths.keyFile, `installer-lab-${name}`);
    await writeKnownHosts(paths, addressesOf(state));
    const lab = attach(paths, state, log);
    if (state.hostNames.length > 0) await ensureRootfs(log);
    const rpmSystem = state.rpmHostNames.length > 0 ? await ensureRpmSystem(log) : undefined;
    await Promise.all(
      lab.hosts.map(async (host) => {
        await host.boot();
        log(`${host.name} is up at ${host.address}`);
      }),
    );
    const upstream = state.upstream
      ? await startLabUpstream({ paths, prefix: state.prefix, minors: state.minors, rpm: rpmSystem, log })
      : undefined;
    await writeFile(paths.configFile, renderConfig(paths, lab, state, upstream));
    if (!upstream) return lab;
    const complete = { ...state, apt: upstream.apt, ...(upstream.rpm ? { rpm: upstream.rpm } : {}) };
    await writeState(paths, complete);
    for (const name of state.hostNames) await writeAptSource(lab.host(name).root, upstream.apt);
    const { rpm } = upstream;
    if (rpm) for (const name of state.rpmHostNames) await writeDnfSource(lab.host(name).root, rpm);
    return { ...attach(paths, complete, log), upstream };
  });
}

/** Attaches to a lab that `labUp` made; throws where there is none of this name. */
export async function openLab(name: string, log: Log = () => undefined): Promise<Lab> {
  const paths = labPaths(name);
  const state = await findState(paths);
  if (!state) throw new Error(`there is no lab "${name}"; npm run lab:up makes one`);
  return attach(paths, state, log);
}

/** What may be done by one lab at a time: choosing a network, and remembering the machine as it was. */
async function claim(paths: LabPaths, options: LabUpOptions): Promise<LabState> {
  const before = await findState(paths);
  const bridge = bridgeName(paths.name);
  const prefix = before?.prefix ?? pickPrefix(await rangesInUse(bridge));
  const state: LabState = {
    prefix,
    hostNames: hostNames(Math.max(options.hosts, before?.hostNames.length ?? 0)),
    rpmHostNames: rpmHostNames(Math.max(options.rpmHosts ?? 0, before?.rpmHostNames.length ?? 0)),
    sudoPassword: before?.sudoPassword ?? newPassword(),
    minors: [...options.minors],
    upstream: options.upstream ?? true,
    ...(before?.apt ? { apt: before.apt } : {}),
    ...(before?.rpm ? { rpm: before.rpm } : {}),
  };
  await mkdir(paths.runDir, { recursive: true });
  await saveKernelValues(kernelValuesFile);
  await writeState(paths, state);
  await ensureBridge({ prefix, bridge }, paths.dir);
  await keepBridgesUnfiltered();
  return state;
}

/** The lab as its state tells it; nothing is looked at or made. */
function attach(paths: LabPaths, state: LabState, log: Log): Lab {
  const { prefix, sudoPassword, apt, rpm } = state;
  const publicKeyFile = `${paths.keyFile}.pub`;
  const hosts = [...addressesOf(state)].map(([name, address]) => {
    const common = { name, address, prefix, publicKeyFile, hostKeyFile: hostKeyFile(paths, name), sudoPassword };
    return state.rpmHostNames.includes(name)
      ? labHost(paths, { ...common, rpm }, async () => (await ensureRpmSystem(log)).root)
      : labHost(paths, { ...common, apt }, () => ensureRootfs(log));
  });
  return {
    name: paths.name,
    dir: paths.dir,
    configFile: paths.configFile,
    hosts,
    address: gatewayAddress(prefix),
    bridge: bridgeName(paths.name),
    keyFile: paths.keyFile,
    knownHostsFile: paths.knownHostsFile,
    sudoPassword,
    host(name) {
      const found = hosts.find((host) => host.name === name);
      if (!found) throw new Error(`lab ${paths.name} has no host ${name}`);
      return found;
    },
    down: () => labDown(paths.name, log),
  };
}

function renderConfig(paths: LabPaths, lab: Lab, state: LabState, upstream: LabUpstream | undefined): string {
  return renderClusterConfig({
    name: paths.name,
    keyFile: `./${relative(paths.filesDir, paths.keyFile)}`,
    hosts: lab.hosts,
    kubernetesVersion: kubernetesVersion(state.minors[0]),
    cgroupV1: usesCgroupV1(),
    ...(upstream ? { upstream: upstreamForConfig(paths, upstream) } : {}),
  });
}
