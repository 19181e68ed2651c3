import { chmod, open, readFile, rename } from 'node:fs/promises';
import { parse, stringify } from 'yaml';
import * as z from 'zod';
import type { ClusterPhase } from '../engine/phase.ts';
import { InstallerError } from '../errors.ts';
import { firstControlPlane, type Cluster } from '../kubernetes/cluster.ts';
import { givenEndpoint } from '../kubernetes/kubeadm-config.ts';
import { formatEndpoint } from '../spec/formats.ts';
import { apiPort, kubernetesPaths } from '../kubernetes/paths.ts';
import { fileQuery } from '../ops/query.ts';

/** Brings the administrator's kubeconfig to this machine, readable by its user alone. */
export function writeKubeconfig(path: string): ClusterPhase<Cluster> {
  return {
    scope: 'cluster',
    id: 'write-kubeconfig',
    title: 'Write kubeconfig',
    runsOnDryRun: false,
    async run(cluster, context) {
      const { host, config, nodeAddress } = firstControlPlane(cluster);
      const adminConf = fileQuery(kubernetesPaths.adminConf);
      const seen = (await host.observeOnce([adminConf], { signal: context.signal }))(adminConf);
      if (seen.state !== 'present') {
        throw new InstallerError({
          code: 'KUBECONFIG_UNREADABLE',
          host: host.name,
          message: `cannot read ${kubernetesPaths.adminConf}: ${seen.state === 'unknown' ? seen.reason : 'it is missing'}`,
          remedy: 'see whether the control plane was made, then run again',
        });
      }
      const endpoint = givenEndpoint(cluster.config);
      const server = formatEndpoint(endpoint ?? { host: config.local ? nodeAddress : config.address, port: apiPort });
      const text = renderKubeconfig(seen.value.content ?? '', server, (secret) => context.emitter.addSecret(secret));
      cluster.kubeconfigFile = path;
      const before = await readFile(path, 'utf8').catch(() => undefined);
      if (before === text) return [];
      if (before !== undefined) await replaceFile(`${path}.before`, before);
      await replaceFile(path, text);
      return [{ summary: `write ${path}${before === undefined ? '' : ` (the one before is ${path}.before)`}` }];
    },
  };
}

const kubeconfigSchema = z.looseObject({
  clusters: z.array(z.looseObject({ name: z.string(), cluster: z.looseObject({}) })),
  users: z.array(z.looseObject({ user: z.looseObject({ 'client-key-data': z.string().optional() }) })),
});

/** The file of kubeadm with the address by which this machine reaches the control plane. */
function renderKubeconfig(text: string, server: string, addSecret: (value: string) => void): string {
  const kubeconfig = kubeconfigSchema.parse(parse(text));
  for (const { user } of kubeconfig.users) {
    const key = user['client-key-data'];
    if (key !== undefined) addSecret(key);
  }
  for (const entry of kubeconfig.clusters) entry.cluster = { ...entry.cluster, server: `https://${server}` };
  return stringify(kubeconfig, { lineWidth: 0 });
}

/** Written beside it, synced and renamed; 0600 from its first byte. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(temporary, 0o600);
  await rename(temporary, path);
}
