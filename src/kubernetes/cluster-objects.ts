import * as z from 'zod';
import type { CommandQuery } from '../ops/query.ts';
import { kubectlQuery } from './kubectl.ts';
import { parseItems } from './objects.ts';

/**
 * The objects by which steps know the state of a cluster, asked together: a kubectl takes a tenth of a second of processor
 * time to start, and equal queries of several steps are asked once. Absent ones are left out of the answer.
 */
export function clusterObjectsQuery(nodeName: string): CommandQuery {
  const names = [
    `node/${nodeName}`,
    'configmap/kubeadm-config',
    'configmap/kubelet-config',
    'configmap/kube-proxy',
    'daemonset/kube-proxy',
    'deployment/coredns',
    'namespace/kube-flannel',
  ];
  return kubectlQuery(['-n', 'kube-system', 'get', ...names, '--ignore-not-found', '-o', 'json'], {
    requestSeconds: 5,
  });
}

const configMapSchema = z.looseObject({
  kind: z.literal('ConfigMap'),
  metadata: z.looseObject({ name: z.string() }),
  data: z.record(z.string(), z.string()).default({}),
});

/** Data of a ConfigMap among the objects; undefined where it is not there. */
export function configMapData(objects: unknown, name: string): Readonly<Record<string, string>> | undefined {
  return parseItems(objects, configMapSchema).find(({ metadata }) => metadata.name === name)?.data;
}
