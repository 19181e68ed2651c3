import type { HostPhase, RunContext } from '../engine/phase.ts';
import { InstallerError } from '../errors.ts';
import { firstControlPlane, hostsOf, memberOf, workers, type Cluster } from '../kubernetes/cluster.ts';
import { joinStep } from '../kubernetes/join-step.ts';
import { apiEndpoint, renderJoinConfig, renderJoinDiscovery } from '../kubernetes/kubeadm-config.ts';
import { kubernetesPaths } from '../kubernetes/paths.ts';
import { commandQuery, fileQuery } from '../ops/query.ts';
import { secretPlaceholder } from '../ops/secrets.ts';

const tokenName = 'join-token';
const caName = 'ca-certificate';

/** kubeadm join on all workers at once, as soon as there is a control plane. */
export function joinWorkers(runId: string): HostPhase<Cluster> {
  return {
    scope: 'host',
    id: 'join-workers',
    title: 'Join workers',
    timeoutSeconds: 600,
    hosts: (cluster) => hostsOf(workers(cluster)),
    after: ['init-control-plane'],
    steps(host, cluster) {
      const { config: hostConfig, nodeAddress } = memberOf(cluster, host);
      const { config, clusterId } = cluster;
      const joinConfig = renderJoinConfig({
        config,
        host: hostConfig,
        nodeAddress,
        token: secretPlaceholder(tokenName),
      });
      const discovery = renderJoinDiscovery(
        config.metadata.name,
        apiEndpoint(config, firstControlPlane(cluster).nodeAddress),
        secretPlaceholder(caName),
      );
      const identity = { clusterId, clusterName: config.metadata.name };
      return [
        joinStep({ nodeName: hostConfig.name, identity, runId, config: joinConfig, discovery, timeoutSeconds: 330 }),
      ];
    },
    before: makeToken,
  };
}

/** A token of a quarter of an hour, and the CA by which the joining host knows the cluster. */
async function makeToken(cluster: Cluster, context: RunContext): Promise<void> {
  const { host } = firstControlPlane(cluster);
  // It makes a Secret in the cluster and changes nothing on the host, so what is known of the host still holds.
  const create = commandQuery(
    [
      'kubeadm',
      'token',
      'create',
      '--ttl=15m',
      '--description=installer: join of workers',
      `--kubeconfig=${kubernetesPaths.adminConf}`,
    ],
    { timeoutSeconds: 60 },
  );
  const ca = fileQuery(kubernetesPaths.caCertificate);
  const seen = await host.observeOnce([create, ca], { signal: context.signal });
  const token = seen(create);
  const certificate = seen(ca);
  const value =
    token.state === 'present' && token.value.exitCode === 0 ? token.value.stdout.trim().split('\n').at(-1) : undefined;
  if (value === undefined || certificate.state !== 'present') {
    const reason = token.state === 'present' ? token.value.stderr.trim() : `kubeadm is ${token.state}`;
    throw new InstallerError({
      code: 'JOIN_TOKEN_FAILED',
      host: host.name,
      message: `cannot make a token for the join of workers: ${reason}`,
      remedy: 'see whether the API server answers on this host, then run again',
    });
  }
  context.setSecret(tokenName, value);
  cluster.secrets.set(caName, Buffer.from(certificate.value.content ?? '').toString('base64'));
}
