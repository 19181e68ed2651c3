import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { cgroupFolders, cgroupName, makeCgroups } from './cgroups.ts';
import type { ClusterConfigInput } from './cluster-config.ts';
import type { Log } from './commands.ts';
import { gatewayAddress } from './network.ts';
import type { LabPaths } from './paths.ts';
import { rpmPath } from './upstream/rpm-repository.ts';
import type { RpmSystem } from './rpm-system.ts';
import {
  ensureUpstream,
  startUpstream,
  stopUpstream,
  upstreamMinors,
  upstreamStatus,
  writeCatalogOverlays,
  type AptAccess,
  type RpmAccess,
  type UpstreamMinor,
} from './upstream/index.ts';

const registryPort = 5000;
const downloadsPort = 8080;

export interface LabUpstream {
  /** Kubernetes versions served, with `v`. */
  readonly versions: readonly string[];
  /** `host:port`, over TLS. */
  readonly registry: string;
  readonly registryCaFile: string;
  readonly downloadsUrl: string;
  readonly apt: AptAccess;
  /** Absent where no host is of the rpm family. */
  readonly rpm?: RpmAccess;
  /** Catalog files with the checksums of what is served. */
  readonly catalogs: readonly string[];
}

/** The minors as the upstream knows them; throws on one that the lab cannot serve. */
export function parseMinors(minors: readonly string[]): UpstreamMinor[] {
  return minors.map((minor) => {
    if (Object.hasOwn(upstreamMinors, minor)) return minor as UpstreamMinor;
    throw new Error(`the lab cannot serve Kubernetes ${minor}, only ${Object.keys(upstreamMinors).join(', ')}`);
  });
}

/** Full version of a minor, with `v`. */
export function kubernetesVersion(minor: string | undefined): string {
  return upstreamMinors[parseMinors([minor ?? '1.36'])[0] ?? '1.36'].kubernetes;
}

export interface StartLabUpstreamOptions {
  readonly paths: LabPaths;
  readonly prefix: string;
  readonly minors: readonly string[];
  /** Its packages are served too. */
  readonly rpm: RpmSystem | undefined;
  readonly log: Log;
}

/** Builds what is missing of the upstream (minutes, once) and starts it on the lab's network. */
export async function startLabUpstream(options: StartLabUpstreamOptions): Promise<LabUpstream> {
  const { paths, prefix, minors, rpm, log } = options;
  const upstream = await ensureUpstream({ minors: parseMinors(minors), log });
  const address = gatewayAddress(prefix);
  const running = await startUpstream({
    upstream,
    address,
    registryPort,
    downloadsPort,
    stateDir: paths.upstreamDir,
    extraDownloadsDirs: rpm ? [rpm.servedDir] : [],
  });
  await adopt(cgroupName(paths.name, 'services'), Object.values(running.pids));
  const { registry, registryCaFile, downloadsUrl, apt } = running;
  const catalogs = await writeCatalogOverlays(upstream, join(paths.dir, 'catalogs'));
  return {
    versions: upstream.versions,
    registry,
    registryCaFile,
    downloadsUrl,
    apt,
    catalogs,
    ...(rpm ? { rpm: { url: `${downloadsUrl}/${rpmPath}`, keyFile: rpm.keyFile } } : {}),
  };
}

export async function stopLabUpstream(paths: LabPaths): Promise<void> {
  await stopUpstream(paths.upstreamDir);
}

/** Whether registry and download server both run. */
export async function upstreamRuns(paths: LabPaths): Promise<boolean> {
  const { registry, downloads } = await upstreamStatus(paths.upstreamDir);
  return registry && downloads;
}

/** How the cluster file names the upstream: files relative to it. */
export function upstreamForConfig(paths: LabPaths, upstream: LabUpstream): NonNullable<ClusterConfigInput['upstream']> {
  const local = (file: string): string => `./${relative(paths.filesDir, file)}`;
  return {
    registryUrl: `https://${upstream.registry}`,
    registryCaFile: local(upstream.registryCaFile),
    downloadsUrl: upstream.downloadsUrl,
    catalogs: upstream.catalogs.map(local),
  };
}

/** Moves processes into a cgroup of the lab: there `down` finds them also when their records are lost. */
async function adopt(cgroup: string, pids: readonly number[]): Promise<void> {
  await makeCgroups(cgroup);
  for (const folder of cgroupFolders(cgroup)) {
    for (const pid of pids) await writeFile(join(folder, 'cgroup.procs'), String(pid));
  }
}
