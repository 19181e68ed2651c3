import { blocked, changes, deferred, noChanges, type Change, type Step } from '../engine/step.ts';
import type { HostConfig, Taint } from '../spec/schema.ts';
import { fileQuery } from '../ops/query.ts';
import { kubectlArgv, kubectlFailure, kubectlJson, kubectlQuery } from './kubectl.ts';
import { nodeSchema, parseItems, type KubeNode } from './objects.ts';
import { kubernetesPaths } from './paths.ts';

const adminConf = fileQuery(kubernetesPaths.adminConf, { content: false });
const nodesQuery = kubectlQuery(['get', 'nodes', '-o', 'json']);

/** Makes every node carry the labels and taints of the cluster file. Those of others stay. */
export function nodeLabelsStep(hosts: readonly HostConfig[]): Step {
  return {
    id: 'labels-and-taints',
    observe: [adminConf, nodesQuery],
    plan(seen) {
      if (seen(adminConf).state === 'absent') return deferred('join-workers', 'set the labels and taints of the nodes');
      const answer = seen(nodesQuery);
      const list = kubectlJson(answer);
      if (list === undefined) {
        return blocked(
          'API_NOT_ANSWERING',
          `cannot read the nodes: ${kubectlFailure(answer)}`,
          'see whether the API server answers on the control plane, then run again',
          60,
        );
      }
      const nodes = new Map(parseItems(list, nodeSchema).map((node) => [node.metadata.name, node]));
      if (hosts.some(({ name }) => !nodes.has(name)))
        return deferred('join-workers', 'set the labels and taints of the nodes');
      const wanted = hosts.flatMap((host) => nodeChanges(host, nodes.get(host.name)));
      return wanted.length === 0 ? noChanges : changes(...wanted);
    },
  };
}

/** The role label is what `kubectl get nodes` shows; the kubelet may not set it itself. */
function wantedLabels(host: HostConfig): Record<string, string> {
  const role = host.roles.includes('worker') ? { 'node-role.kubernetes.io/worker': '' } : {};
  return { ...role, ...host.labels };
}

function nodeChanges(host: HostConfig, node: KubeNode | undefined): Change[] {
  const labels = Object.entries(wantedLabels(host)).filter(([key, value]) => node?.metadata.labels?.[key] !== value);
  const taints = host.taints.filter((taint) => !hasTaint(node, taint));
  return [
    ...(labels.length === 0
      ? []
      : [
          change(
            host.name,
            'label',
            labels.map(([key, value]) => `${key}=${value}`),
          ),
        ]),
    ...(taints.length === 0
      ? []
      : [
          change(
            host.name,
            'taint',
            taints.map(({ key, value, effect }) => `${key}${value === '' ? '' : `=${value}`}:${effect}`),
          ),
        ]),
  ];
}

function hasTaint(node: KubeNode | undefined, wanted: Taint): boolean {
  return (node?.spec.taints ?? []).some(
    ({ key, value, effect }) => key === wanted.key && (value ?? '') === wanted.value && effect === wanted.effect,
  );
}

function change(node: string, verb: 'label' | 'taint', values: readonly string[]): Change {
  return {
    summary: `${verb} node ${node}: ${values.join(', ')}`,
    actions: [{ kind: 'run', argv: kubectlArgv([verb, 'nodes', node, ...values, '--overwrite']), timeoutSeconds: 30 }],
  };
}
