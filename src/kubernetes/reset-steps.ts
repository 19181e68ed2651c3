import { blocked, changes, noChanges, type Step } from '../engine/step.ts';
import type { Action } from '../ops/action.ts';
import { hostPaths } from '../ops/host-paths.ts';
import { artifactQuery, commandQuery, fileQuery, serviceQuery, treesQuery } from '../ops/query.ts';
import { customStep } from '../steps/edit-step.ts';
import { withoutKubernetesRules } from './iptables.ts';
import { kubernetesFolders, programMounts, stopPods } from './take-away.ts';

/**
 * Takes Kubernetes away while kubelet and containerd are still there to help. It is not kubeadm reset, which empties and unmounts
 * what somebody mounted below these folders.
 */
export function removeKubernetesStep(unit: string): Step {
  const trees = treesQuery(kubernetesFolders);
  const kubelet = serviceQuery('kubelet.service');
  const unitSeen = serviceQuery(`${unit}.service`);
  return customStep('remove-kubernetes', [trees, kubelet, unitSeen], (seen) => {
    const running = seen(unitSeen);
    const attachOnly = running.state === 'present' && running.value.subState === 'running';
    const found = seen(trees);
    if (found.state !== 'present') {
      return blocked(
        'FILE_UNREADABLE',
        `cannot read ${kubernetesFolders.join(', ')}${found.state === 'unknown' ? `: ${found.reason}` : ''}`,
        'see whether the file system is healthy, then run again',
      );
    }
    const { left, mounted } = found.value;
    const service = seen(kubelet);
    const isActive =
      service.state === 'present' && service.value.activeState !== 'inactive' && service.value.activeState !== 'failed';
    if (left.length === 0 && !isActive && !attachOnly) return noChanges;
    const kept = mounted.filter((path) => !programMounts.some((prefix) => path.startsWith(prefix)));
    return changes({
      summary: `take Kubernetes away: ${left.join(', ') || 'kubelet runs'}${kept.length === 0 ? '' : `; what is mounted at ${kept.join(', ')} stays`}`,
      disruptive: true,
      actions: [
        { kind: 'long', unit, commands: [stopPods], timeoutSeconds: 240, attachOnly },
        { kind: 'run', argv: ['systemctl', 'stop', 'kubepods.slice'], timeoutSeconds: 60, okExitCodes: [0, 1, 5] },
        { kind: 'unmount', prefixes: programMounts },
        { kind: 'clear', paths: ['/usr/libexec/kubernetes'], onlyEmpty: true },
        { kind: 'clear', paths: kubernetesFolders },
      ],
    });
  });
}

/**
 * Stops and disables a service that the installer brought, and does what else can be done only then. Its files are in the record,
 * and go, or become what they were, with everything else in it.
 */
export function stopServiceStep(unit: string, folders: readonly string[], then: readonly Action[]): Step {
  const service = serviceQuery(unit);
  const trees = treesQuery(folders);
  return customStep(`stop-${unit}`, folders.length === 0 ? [service] : [service, trees], (seen) => {
    const answer = seen(service);
    const found = folders.length === 0 ? undefined : seen(trees);
    if (answer.state === 'unknown')
      return blocked(
        'SERVICE_UNKNOWN',
        `cannot read the state of ${unit}: ${answer.reason}`,
        'see whether systemd answers on the host',
      );
    if (found !== undefined && found.state !== 'present')
      return blocked('FILE_UNREADABLE', `cannot read ${folders.join(', ')}`, 'see whether the file system is healthy');
    const isEnabled = answer.state === 'present' && answer.value.unitFileState.startsWith('enabled');
    const isDown = answer.state === 'absent' || ['inactive', 'failed'].includes(answer.value.activeState);
    const left = found?.value.left ?? [];
    if (!isEnabled && isDown && left.length === 0) return noChanges;
    const stop: Action[] =
      answer.state === 'present'
        ? [
            {
              kind: 'record',
              thing: { kind: 'unit', unit, becomes: { enablement: 'disabled', activity: 'inactive' } },
            },
            ...(isEnabled ? [{ kind: 'service', unit, do: 'disable' } as const] : []),
            { kind: 'run', argv: ['systemctl', 'stop', unit], timeoutSeconds: 90 },
            // Shims outlive their containerd on purpose; here nothing of them may.
            {
              kind: 'run',
              argv: ['systemctl', 'kill', '--signal=KILL', unit],
              timeoutSeconds: 10,
              okExitCodes: [0, 1, 5],
            },
            { kind: 'run', argv: ['systemctl', 'reset-failed', unit], timeoutSeconds: 10, okExitCodes: [0, 1, 5] },
          ]
        : [];
    return changes({
      summary: `stop ${unit}${left.length === 0 ? '' : `, and take ${left.join(', ')} away`}`,
      disruptive: true,
      actions: [...stop, ...then, ...(folders.length === 0 ? [] : [{ kind: 'clear', paths: folders } as const])],
    });
  });
}

/**
 * Removes the files that a fetch action laid down, as its own record names them. Where another file was before, restore-hosts puts
 * that back; what somebody put there since is kept.
 */
export function removeArtifactStep(
  name: string,
  leftBy: { readonly files: readonly string[]; readonly folders: readonly string[] } = { files: [], folders: [] },
): Step {
  const folder = `${hostPaths.artifacts}/${name}`;
  const query = artifactQuery(name, false);
  const laid = fileQuery(`${folder}/laid`);
  const kept = fileQuery(`${folder}/kept`);
  return customStep(`remove-${name}`, [query, laid, kept], (seen) => {
    const answer = seen(query);
    const unknown = [answer, seen(laid), seen(kept)].find(({ state }) => state === 'unknown');
    if (unknown?.state === 'unknown')
      return blocked(
        'RECORD_UNREADABLE',
        `cannot read the record of ${name}: ${unknown.reason}`,
        'see whether the file system is healthy',
      );
    const linesOf = (file: typeof laid): string[] => {
      const found = seen(file);
      return found.state === 'present' ? (found.value.content ?? '').split('\n').filter((line) => line !== '') : [];
    };
    const isThere = answer.state === 'present';
    // A run that was cut off while it laid files down left no more than their names.
    const ours = new Set([...(isThere ? answer.value.files : []), ...linesOf(laid)]);
    for (const path of linesOf(kept)) ours.delete(path);
    const altered = isThere ? answer.value.altered.filter((path) => ours.delete(path)) : [];
    if (!isThere && ours.size === 0 && linesOf(kept).length === 0) return noChanges;
    const what = isThere ? `${name} ${answer.value.version}` : name;
    return changes({
      summary: `remove ${what} (${ours.size === 1 ? '1 file' : `${ours.size} files`})${altered.length === 0 ? '' : `; keep ${altered.join(', ')}: changed since, or gone`}`,
      actions: [
        ...[...ours].map((path): Action => ({ kind: 'remove', path })), // Written by a pod over the file of somebody: the installer's doing, which restore-hosts undoes.
        ...leftBy.files
          .filter((path) => linesOf(kept).includes(path))
          .map((path): Action => ({ kind: 'record', thing: { kind: 'file', path, when: 'after', record: {} } })),
        ...(leftBy.folders.length === 0
          ? []
          : [{ kind: 'clear', paths: leftBy.folders, onlyEmpty: true } satisfies Action]),
        { kind: 'remove', path: folder },
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
