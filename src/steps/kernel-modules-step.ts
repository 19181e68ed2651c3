import { blocked, changes, noChanges, type Step } from '../engine/step.ts';
import type { Action } from '../ops/action.ts';
import { commandQuery, fileQuery, type Answers, type Query } from '../ops/query.ts';

/** A kernel feature, the module that brings it, and how one sees that it is there, as a module or built in. */
export interface KernelFeature {
  readonly module: string;
  readonly isPresent: (seen: Answers) => boolean;
  /** What isPresent asks beside what every feature does. */
  readonly observe?: readonly Query[];
}

const fileSystems = fileQuery('/proc/filesystems');
const bridgeSysctl = fileQuery('/proc/sys/net/bridge/bridge-nf-call-iptables');
const conntrackSysctl = fileQuery('/proc/sys/net/netfilter/nf_conntrack_max', { content: false });
const loadedModules = fileQuery('/proc/modules');

export const kubernetesFeatures: readonly KernelFeature[] = [
  {
    module: 'overlay',
    isPresent: hasOverlay,
  },
  { module: 'br_netfilter', isPresent: hasBridgeFilter },
  { module: 'nf_conntrack', isPresent: (seen) => seen(conntrackSysctl).state === 'present' },
];

function hasOverlay(seen: Answers): boolean {
  const answer = seen(fileSystems);
  return answer.state === 'present' && /\boverlay$/m.test(answer.value.content ?? '');
}

function hasBridgeFilter(seen: Answers): boolean {
  return seen(bridgeSysctl).state === 'present';
}

/** Modules by name: there where they are loaded or built in. In the kernel's own lists `-` is `_`. */
export function moduleFeatures(names: readonly string[]): KernelFeature[] {
  if (names.length === 0) return [];
  const query = commandQuery(['/bin/sh', '-c', findModules, 'sh', ...names]);
  return names.map((module) => ({
    module,
    observe: [query],
    isPresent(seen) {
      const answer = seen(query);
      return answer.state === 'present' && answer.value.stdout.split('\n').includes(module);
    },
  }));
}

const findModules = `b=/lib/modules/$(uname -r)/modules.builtin
for m in "$@"; do
  n=$(printf '%s' "$m" | tr - _)
  if [ -d "/sys/module/$n" ] || tr - _ 2>/dev/null <"$b" | grep -q "/$n[.]ko"; then echo "$m"; fi
done
exit 0`;

/** Makes kernel features be there now, and after a reboot where they are modules. */
export function kernelModulesStep(id: string, path: string, features: readonly KernelFeature[]): Step {
  const file = fileQuery(path);
  return {
    id,
    observe: [
      file,
      fileSystems,
      bridgeSysctl,
      conntrackSysctl,
      loadedModules,
      ...features.flatMap(({ observe }) => observe ?? []),
    ],
    plan(seen) {
      const modules = seen(loadedModules);
      const fileSeen = seen(file);
      if (fileSeen.state === 'unknown')
        return blocked(
          'FILE_UNREADABLE',
          `cannot read ${path}: ${fileSeen.reason}`,
          'see whether the file system is healthy',
        );
      const loaded = new Set(
        (modules.state === 'present' ? (modules.value.content ?? '') : '')
          .split('\n')
          .map((line) => line.split(' ')[0]),
      );
      const missing = features.filter((feature) => !feature.isPresent(seen)).map(({ module }) => module);
      // What is built in needs no line: loading it at boot would only fail there.
      const wanted = features
        .map(({ module }) => module)
        .filter((module) => missing.includes(module) || loaded.has(module.replaceAll('-', '_')));
      const before = fileSeen.state === 'present' ? (fileSeen.value.content ?? '') : undefined;
      const after = wanted.length === 0 ? before : `${wanted.join('\n')}\n`;
      if (missing.length === 0 && before === after) return noChanges;
      return changes({
        summary:
          missing.length === 0 ? `load ${wanted.join(', ')} at boot` : `load kernel modules ${missing.join(', ')}`,
        before,
        after,
        actions: [
          { kind: 'write-file', path, content: after ?? '', mode: '644', record: {} },
          ...missing.flatMap((module): Action[] => [
            { kind: 'record', thing: { kind: 'module', module } },
            { kind: 'run', argv: ['modprobe', module], timeoutSeconds: 20 },
          ]),
        ],
      });
    },
  };
}
