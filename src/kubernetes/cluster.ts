import type { Artifact, ResolvedVersions } from '../artifacts/catalog.ts';
import { InternalError, type InstallerError } from '../errors.ts';
import { createBastions, type Bastions } from '../hosts/bastions.ts';
import type { Facts } from '../hosts/facts.ts';
import type { Host } from '../hosts/host.ts';
import type { PeerReport } from '../hosts/peer-report.ts';
import type { Probed } from '../hosts/probed.ts';
import type { WebServer } from '../oci/web-servers.ts';
import type { ClusterConfig, HostConfig } from '../spec/schema.ts';
import type { Supply } from './supply.ts';

/** One machine of the cluster file, connected and looked at. */
export interface Member {
  readonly config: HostConfig;
  readonly host: Host;
  readonly facts: Facts;
  /** IP of the node inside the cluster. */
  readonly nodeAddress: string;
}

/** What a run knows of its cluster. Phases in front fill it, phases behind read it; nothing of it is kept after the run. */
export interface Cluster {
  readonly config: ClusterConfig;
  readonly options: {
    readonly verifyContent: boolean;
    readonly ignoreChecks: readonly string[];
    /** Ids of phases that the user left out. */
    readonly skipPhases?: readonly string[];
  };
  /** What hosts get everything from; undefined where they fetch it themselves, as the cluster file says. */
  readonly supply: Supply | undefined;
  /** By name in the cluster file; filled by connect. */
  readonly hosts: Map<string, Host>;
  /** What was seen at the first look, by name; filled by connect. */
  readonly facts: Map<string, Facts>;
  /** Hosts that could not be reached; the prechecks report them with everything else. */
  readonly unreachable: InstallerError[];
  /** Filled by gather-facts, in the order of the cluster file. */
  members: readonly Member[];
  versions: ResolvedVersions | undefined;
  /** What the hosts found of each other, by name; filled by probe-peers, empty where nobody was asked to. */
  peers: ReadonlyMap<string, PeerReport>;
  /** What besides was measured on the hosts, by name; filled by probe-peers. */
  probed: ReadonlyMap<string, Probed>;
  /** Identity of the cluster: that of the hosts, or a new one where none of them has any. Filled by run-prechecks. */
  clusterId: string;
  /** Closed after all hosts, at the end of the run. */
  readonly bastions: Bastions;
  /** Text of local files that the cluster file names (CA certificates), by absolute path. */
  readonly files: Map<string, string>;
  /** Those of spec.artifacts.servers that hosts ask themselves, by host; filled by gather-facts. */
  readonly servers: Record<string, WebServer>;
  /** Values of placeholders; the run context's map. */
  readonly secrets: Map<string, string>;
  /** Where the kubeconfig was written. */
  kubeconfigFile: string | undefined;
}

export function createCluster(
  config: ClusterConfig,
  options: Cluster['options'],
  secrets: Map<string, string>,
  supply?: Supply,
): Cluster {
  return {
    config,
    options,
    supply,
    hosts: new Map(),
    facts: new Map(),
    unreachable: [],
    members: [],
    versions: undefined,
    peers: new Map(),
    probed: new Map(),
    clusterId: '',
    bastions: createBastions(),
    files: new Map(),
    servers: {},
    secrets,
    kubeconfigFile: undefined,
  };
}

/** Of the command line and of the file. */
export function ignoredChecks({ options, config }: Cluster): readonly string[] {
  return [...options.ignoreChecks, ...config.spec.checks.ignore];
}

/** False where hosts are left as they are by --skip-phase. */
export function willPrepare({ options }: Cluster): boolean {
  return options.skipPhases?.includes('prepare-hosts') !== true;
}

/** True where the host says that it belongs to this cluster: what is there then is no leftover and no taken port. */
export function belongsToCluster(member: Member, cluster: Cluster): boolean {
  return member.facts.identity !== undefined && member.facts.identity.clusterName === cluster.config.metadata.name;
}

/** A cluster is on the host, this one or another; a host that was only prepared holds none. */
export function holdsCluster({ facts }: Member): boolean {
  return facts.caSha256 !== undefined || (facts.identity !== undefined && facts.kubeletVersion !== undefined);
}

/** The host is a node of this very cluster. */
export function isNode(member: Member, cluster: Cluster): boolean {
  return belongsToCluster(member, cluster) && member.facts.kubeletVersion !== undefined;
}

export function isControlPlane(member: Member): boolean {
  return member.config.roles.includes('control-plane');
}

/** The interface that has the node address. */
export function interfaceOf({ facts, nodeAddress }: Member): string | undefined {
  return facts.addresses.find(({ address }) => address === nodeAddress)?.interface;
}

/** The interface of the control plane that is given the virtual address. */
export function virtualInterfaceOf(member: Member, cluster: Cluster): string | undefined {
  return cluster.config.spec.kubernetes.virtualAddress?.interface ?? interfaceOf(member);
}

/** The control plane that kubeadm init runs on: the first of the file. */
export function firstControlPlane(cluster: Cluster): Member {
  const member = cluster.members.find(isControlPlane);
  if (member === undefined) throw new InternalError('no control plane is connected');
  return member;
}

export function workers(cluster: Cluster): readonly Member[] {
  return cluster.members.filter((member) => !isControlPlane(member));
}

export function hostsOf(members: readonly Member[]): Host[] {
  return members.map(({ host }) => host);
}

export function memberOf(cluster: Cluster, host: Host): Member {
  const member = cluster.members.find((candidate) => candidate.host === host);
  if (member === undefined) throw new InternalError(`${host.name} is not a member`);
  return member;
}

export function versionsOf(cluster: Cluster): ResolvedVersions {
  if (cluster.versions === undefined) throw new InternalError('versions are not resolved yet');
  return cluster.versions;
}

/** The artifact of that name for a host's architecture. */
export function artifactOf(cluster: Cluster, host: Host, name: string): Artifact {
  const { architecture } = memberOf(cluster, host).facts;
  const versions = versionsOf(cluster);
  const artifact = [...versions.components, ...versions.binaries].find(
    (candidate) => candidate.name === name && candidate.arch === architecture,
  );
  if (artifact === undefined) throw new InternalError(`the catalog resolved no ${name} for ${architecture}`);
  return artifact;
}
