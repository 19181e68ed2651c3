import { isDeepStrictEqual } from 'node:util';
import { parse, stringify } from 'yaml';
import { blocked, changes, deferred, noChanges, type Change, type Step } from '../engine/step.ts';
import { isPlain, mergeDeep } from '../lib/merge.ts';
import type { Action } from '../ops/action.ts';
import { fileQuery } from '../ops/query.ts';
import type { JsonObject } from '../spec/schema.ts';
import { clusterObjectsQuery, configMapData } from './cluster-objects.ts';
import { kubectlArgv, kubectlFailure, kubectlJson } from './kubectl.ts';
import { kubernetesPaths } from './paths.ts';

const kubeletFile = fileQuery('/var/lib/kubelet/config.yaml');
const adminConf = fileQuery(kubernetesPaths.adminConf, { content: false });

/** Makes the overrides of the cluster file hold in a node's own kubelet configuration, also when they were changed later. */
export function kubeletConfigStep(overrides: JsonObject, needs: string): Step {
  return {
    id: 'kubelet-config',
    observe: [kubeletFile],
    plan(seen) {
      const answer = seen(kubeletFile);
      if (answer.state === 'absent') return deferred(needs, 'compare the configuration of kubelet');
      if (answer.state === 'unknown')
        return blocked(
          'FILE_UNREADABLE',
          `cannot read ${kubeletFile.path}: ${answer.reason}`,
          'see whether the file system is healthy',
        );
      const before = answer.value.content ?? '';
      const after = laidOver(before, overrides);
      if (after === undefined) return noChanges;
      return changes({
        summary: 'change the configuration of kubelet and restart it',
        before,
        after,
        disruptive: true,
        actions: [
          { kind: 'write-file', path: kubeletFile.path, content: after, mode: answer.value.mode },
          { kind: 'service', unit: 'kubelet.service', do: 'restart' },
          {
            kind: 'wait',
            description: 'kubelet runs',
            argv: ['systemctl', 'is-active', 'kubelet.service'],
            timeoutSeconds: 30,
            intervalSeconds: 1,
          },
        ],
      });
    },
  };
}

interface ConfigMapInput {
  readonly id: string;
  readonly name: string;
  /** Key of the ConfigMap that holds the YAML. */
  readonly key: string;
  readonly nodeName: string;
  readonly overrides: JsonObject;
  readonly then: readonly Action[];
  readonly needs: string;
}

/** Makes the overrides hold in the ConfigMap that kubeadm gives to nodes that join, or that the component itself reads. */
function configMapStep({ id, name, key, nodeName, overrides, then, needs }: ConfigMapInput): Step {
  const query = clusterObjectsQuery(nodeName);
  return {
    id,
    observe: [adminConf, query],
    plan(seen) {
      if (seen(adminConf).state === 'absent') return deferred(needs, `compare ConfigMap ${name}`);
      const data = configMapData(kubectlJson(seen(query)), name);
      if (data === undefined)
        return blocked(
          'API_NOT_ANSWERING',
          `cannot read ConfigMap ${name}: ${kubectlFailure(seen(query))}`,
          'see whether the API server answers on the control plane, then run again',
          60,
        );
      const before = data[key] ?? '';
      const after = laidOver(before, overrides);
      if (after === undefined) return noChanges;
      const patch = JSON.stringify({ data: { [key]: after } });
      const change: Change = {
        summary: `change ConfigMap kube-system/${name}`,
        before,
        after,
        actions: [
          {
            kind: 'run',
            argv: kubectlArgv(['-n', 'kube-system', 'patch', 'configmap', name, '--patch-file=/dev/stdin']),
            stdin: patch,
            timeoutSeconds: 30,
          },
          ...then,
        ],
      };
      return changes(change);
    },
  };
}

export function kubeletConfigMapStep(nodeName: string, overrides: JsonObject, needs: string): Step {
  return configMapStep({
    id: 'kubelet-config-map',
    name: 'kubelet-config',
    key: 'kubelet',
    nodeName,
    overrides,
    then: [],
    needs,
  });
}

export function kubeProxyConfigStep(nodeName: string, overrides: JsonObject, needs: string): Step {
  const restart: Action = {
    kind: 'run',
    argv: kubectlArgv(['-n', 'kube-system', 'rollout', 'restart', 'daemonset/kube-proxy']),
    timeoutSeconds: 30,
  };
  return configMapStep({
    id: 'kube-proxy-config',
    name: 'kube-proxy',
    key: 'config.conf',
    nodeName,
    overrides,
    then: [restart],
    needs,
  });
}

/** The YAML with the overrides laid over it, or undefined where they hold already. */
export function laidOver(text: string, overrides: JsonObject): string | undefined {
  const current: unknown = parse(text);
  const base = isPlain(current) ? current : {};
  const merged = mergeDeep(base, overrides);
  return isDeepStrictEqual(merged, base) ? undefined : stringify(merged, { lineWidth: 0 });
}
