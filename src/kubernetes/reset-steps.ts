import { blocked, changes, noChanges, type Step } from '../engine/step.ts';
import type { Action } from '../ops/action.ts';
import { hostPaths } from '../ops/host-paths.ts';
import { artifactQuery, commandQuery, fileQuery, serviceQuery } from '../ops/query.ts';
import { customStep } from '../steps/edit-step.ts';
import { withoutKubernetesRules } from './iptables.ts';
import { criSocket } from './paths.ts';

/** Everything of Kubernetes itself on a host. Order matters: what kubeadm reset reads goes last. */
const clusterPaths = [
  '/etc/kubernetes',
  '/var/lib/etcd',
  '/var/lib/kubelet',
  '/var/lib/cni',
  '/run/flannel',
  '/var/log/pods',
  '/var/log/containers',
];

/**
 * kubeadm reset with all that it leaves behind, while kubelet and containerd are still there to help. A containerd that
 * stays makes its folder for network plugins again whenever it starts, so there only our own file in it goes.
 */
export function kubeadmResetStep(unit: string, keepsRuntime: boolean): Step {
  const paths = [...clusterPaths, keepsRuntime ? '/etc/cni/net.d/10-flannel.conflist' : '/etc/cni'];
  const traces = paths.map((path) => fileQuery(path, { content: false }));
  const kubelet = serviceQuery('kubelet.service');
  const unitSeen = serviceQuery(`${unit}.service`);
  return customStep('kubeadm-reset', [...traces, kubelet, unitSeen], (seen) => {
    const running = seen(unitSeen);
    const attachOnly = running.state === 'present' && running.value.subState === 'running';
    const unread = traces.filter((query) => seen(query).state === 'unknown').map(({ path }) => path);
    if (unread.length > 0) {
      return blocked(
        'FILE_UNREADABLE',
        `cannot read ${unread.join(', ')}`,
        'see whether the file system is healthy, then run again',
      );
    }
    const found = traces.filter((query) => seen(query).state === 'present').map(({ path }) => path);
    const service = seen(kubelet);
    const isActive =
      service.state === 'present' && service.value.activeState !== 'inactive' && service.value.activeState !== 'failed';
    if (found.length === 0 && !isActive && !attachOnly) return noChanges;
    const reset: Action = {
      kind: 'long',
      unit,
      // A kubeadm that is gone, or a runtime that is dead, must not keep the host from being cleaned.
      commands: [
        [
          '/bin/sh',
          '-c',
          `if command -v kubeadm; then kubeadm reset --force --cri-socket=${criSocket} --cleanup-tmp-dir; fi; exit 0`,
        ],
      ],
      timeoutSeconds: 240,
      attachOnly,
    };
    return changes({
      summary: `take Kubernetes away: ${found.join(', ') || 'kubelet runs'}`,
      disruptive: true,
      actions: [
        reset,
        ...(service.state === 'present' ? [{ kind: 'service', unit: 'kubelet.service', do: 'stop' } as const] : []),
        { kind: 'run', argv: ['systemctl', 'stop', 'kubepods.slice'], timeoutSeconds: 60, okExitCodes: [0, 1, 5] },
        { kind: 'unmount-below', path: '/var/lib/kubelet' },
        removeEmptyFolders('/usr/libexec/kubernetes'),
        ...paths.map((path): Action => ({ kind: 'remove', path })),
      ],
    });
  });
}

/** Folders that a program makes when it starts; where somebody put something into them, they stay. */
export function removeEmptyFolders(path: string): Action {
  return {
    kind: 'run',
    argv: ['find', path, '-type', 'd', '-empty', '-delete'],
    timeoutSeconds: 10,
    okExitCodes: [0, 1],
  };
}

/** Stops, disables and removes a service that the installer brought. */
export function removeServiceStep(unit: string, files: readonly string[], then: readonly Action[]): Step {
  const service = serviceQuery(unit);
  const queries = files.map((path) => fileQuery(path, { content: false }));
  return customStep(`remove-${unit}`, [service, ...queries], (seen) => {
    const answer = seen(service);
    if (answer.state === 'unknown')
      return blocked(
        'SERVICE_UNKNOWN',
        `cannot read the state of ${unit}: ${answer.reason}`,
        'see whether systemd answers on the host',
      );
    const there = queries.filter((query) => seen(query).state !== 'absent').map(({ path }) => path);
    if (there.length === 0) return noChanges;
    const stop: Action[] =
      answer.state === 'present'
        ? [
            { kind: 'service', unit, do: 'disable' },
            { kind: 'run', argv: ['systemctl', 'stop', unit], timeoutSeconds: 90 },
            // Shims outlive their containerd on purpose; here nothing of them may.
            {
              kind: 'run',
              argv: ['systemctl', 'kill', '--signal=KILL', unit],
              timeoutSeconds: 10,
              okExitCodes: [0, 1, 5],
            },
          ]
        : [];
    return changes({
      summary: `stop and remove ${unit}`,
      disruptive: true,
      actions: [
        ...stop,
        ...then,
        ...there.map((path): Action => ({ kind: 'remove', path })),
        { kind: 'service', unit, do: 'daemon-reload' },
        { kind: 'run', argv: ['systemctl', 'reset-failed', unit], timeoutSeconds: 10, okExitCodes: [0, 1, 5] },
      ],
    });
  });
}

/** Removes the files that a fetch action laid down, as its record names them. */
export function removeArtifactStep(name: string): Step {
  const query = artifactQuery(name, false);
  return customStep(`remove-${name}`, [query], (seen) => {
    const answer = seen(query);
    if (answer.state === 'absent') return noChanges;
    if (answer.state === 'unknown')
      return blocked(
        'RECORD_UNREADABLE',
        `cannot read the record of ${name}: ${answer.reason}`,
        'see whether the file system is healthy',
      );
    const { files, version } = answer.value;
    return changes({
      summary: `remove ${name} ${version} (${files.length === 1 ? '1 file' : `${files.length} files`})`,
      actions: [
        ...files.map((path): Action => ({ kind: 'remove', path })),
        { kind: 'remove', path: `${hostPaths.artifacts}/${name}` },
      ],
    });
  });
}

const interfaces = ['cni0', 'flannel.1', 'flannel-v6.1', 'kube-ipvs0'];

/**
 * Network interfaces of the CNI plugin and of kube-proxy. While kubelet runs, one that is not there may be there a moment later:
 * a host that has just booted starts its pods.
 */
export function removeInterfacesStep(): Step {
  const kubelet = serviceQuery('kubelet.service');
  const queries = interfaces.map((name) => ({ name, query: fileQuery(`/sys/class/net/${name}`, { content: false }) }));
  return customStep('interfaces', [...queries.map(({ query }) => query), kubelet], (seen) => {
    const service = seen(kubelet);
    const mayCome = service.state === 'present' && service.value.activeState === 'active';
    const found = queries
      .filter(({ query }) => mayCome || seen(query).state === 'present')
      .map(({ name }): Action => ({
        kind: 'run',
        argv: ['ip', 'link', 'delete', name],
        timeoutSeconds: 10,
        // 1: it is not there.
        okExitCodes: [0, 1],
      }));
    if (found.length === 0) return noChanges;
    const there = queries.filter(({ query }) => seen(query).state === 'present').map(({ name }) => name);
    return changes({ summary: `remove interfaces ${there.join(', ') || 'of pods'}`, actions: found });
  });
}

/** Chains of kube-proxy, the CNI plugins and flannel; every other rule stays, in its order. */
export function removeRulesStep(family: 'iptables' | 'ip6tables'): Step {
  const save = commandQuery([`${family}-save`]);
  return customStep(family, [save], (seen) => {
    const answer = seen(save);
    if (answer.state !== 'present' || answer.value.exitCode !== 0) return noChanges;
    const before = answer.value.stdout;
    const after = withoutKubernetesRules(before);
    if (after === undefined) return noChanges;
    return changes({
      summary: `remove the ${family} chains of Kubernetes`,
      actions: [{ kind: 'run', argv: [`${family}-restore`], stdin: after, timeoutSeconds: 30 }],
    });
  });
}
