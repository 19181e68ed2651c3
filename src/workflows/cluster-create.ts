import type { Phase } from '../engine/phase.ts';
import type { ExitCode } from '../errors.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import type { Limiter } from '../lib/concurrency.ts';
import { configureComponents } from '../phases/configure-components.ts';
import { connect } from '../phases/connect.ts';
import { completeImages, distributeImages, pullInitImages } from '../phases/distribute-images.ts';
import { gatherFacts } from '../phases/gather-facts.ts';
import { holdVirtualAddress } from '../phases/hold-virtual-address.ts';
import { initControlPlane } from '../phases/init-control-plane.ts';
import { installCni } from '../phases/install-cni.ts';
import { installKubernetes } from '../phases/install-kubernetes.ts';
import { installRuntime } from '../phases/install-runtime.ts';
import { joinWorkers } from '../phases/join-workers.ts';
import { labelNodes } from '../phases/label-nodes.ts';
import { probePeers } from '../phases/probe-peers.ts';
import { prepareHosts } from '../phases/prepare-hosts.ts';
import { runPrechecks } from '../phases/run-prechecks.ts';
import { verifyCluster } from '../phases/verify-cluster.ts';
import { writeKubeconfig } from '../phases/write-kubeconfig.ts';
import type { Emitter } from '../report/emitter.ts';
import type { RunStatus } from '../report/events.ts';
import { loadClusterConfig } from '../spec/load.ts';
import { runOnCluster, sameInput } from './run.ts';
import type { BundleUse } from './use-bundle.ts';

export interface ClusterCreateInput {
  readonly configFile: string;
  readonly dryRun: boolean;
  readonly concurrency: number;
  readonly skipPhases: readonly string[];
  readonly verifyContent: boolean;
  readonly ignoreChecks: readonly string[];
  readonly runId: string;
  readonly logFile?: string;
  readonly bundle?: BundleUse;
}

/** The order of the work. Host phases in a row run as lanes; `after` in a phase says what it waits for on other hosts. */
export function clusterCreatePhases(
  limiter: Limiter,
  runId: string,
  kubeconfigFile: string,
  prechecks: Phase<Cluster> = runPrechecks,
): readonly Phase<Cluster>[] {
  return [
    connect(limiter),
    gatherFacts,
    probePeers,
    prechecks,
    prepareHosts,
    installRuntime,
    installKubernetes,
    holdVirtualAddress,
    pullInitImages,
    distributeImages,
    initControlPlane(runId),
    installCni,
    completeImages,
    joinWorkers(runId),
    configureComponents,
    labelNodes,
    verifyCluster,
    writeKubeconfig(kubeconfigFile),
  ];
}

export async function runClusterCreate(
  options: ClusterCreateInput,
  emitter: Emitter,
  signal: AbortSignal,
): Promise<{ exitCode: ExitCode }> {
  const config = await loadClusterConfig(options.configFile);
  return runOnCluster(
    { ...options, config },
    {
      name: 'cluster-create',
      phases: (limiter, kubeconfigFile) => clusterCreatePhases(limiter, options.runId, kubeconfigFile),
      next: (status, cluster) => nextSteps(options, status, cluster),
    },
    emitter,
    signal,
  );
}

function nextSteps(options: ClusterCreateInput, status: RunStatus, cluster: Cluster): string[] {
  if (status !== 'ok') return [];
  if (options.dryRun) return [`installer cluster-create ${sameInput(options)}`];
  const file = cluster.kubeconfigFile;
  return file === undefined ? [] : [`export KUBECONFIG=${file}`, 'kubectl get nodes'];
}
