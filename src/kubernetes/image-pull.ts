import { stringify } from 'smol-toml';
import { InternalError } from '../errors.ts';
import type { Host } from '../hosts/host.ts';
import type { Action } from '../ops/action.ts';
import { hostPaths } from '../ops/host-paths.ts';
import { fileQuery, type Answers, type Query } from '../ops/query.ts';
import { supplyUrl, type Supply } from './supply.ts';

/** How a host gets an image. */
export interface ImagePull {
  /** What has to be known of the host for it. */
  readonly observe: readonly Query[];
  /** True where units that pull have lost what they pull from: they were begun through another connection. */
  isCutOff(seen: Answers): boolean;
  /** Done before a unit is started, in place of such as are cut off. */
  prepare(units: readonly string[], isCutOff: boolean): readonly Action[];
  /** Done when all images are there: nothing that leads to a bundle outlives the run. */
  finish(seen: Answers): readonly Action[];
  /** Pulls an image, also one that is there. */
  readonly command: (image: string) => readonly string[];
  readonly commandWhereMissing: (image: string) => readonly string[];
}

/** Out of the bundle of this run, else from the registries that containerd's configuration leads to. */
export function imagePullOf({ supply }: { readonly supply: Supply | undefined }, host: Host): ImagePull {
  return supply === undefined ? fromRegistries : fromSupply(supply, host);
}

const paths = {
  script: `${hostPaths.bundle}/pull.sh`,
  registries: `${hostPaths.bundle}/registries`,
  hosts: `${hostPaths.bundle}/registries/_default/hosts.toml`,
} as const;

const query = fileQuery(paths.hosts);
/** What leads to a bundle is there: of this run, or of one that was cut off. */
export const leadsToBundle = (seen: Answers): boolean => seen(query).state === 'present';
const leave: Action = { kind: 'remove', path: hostPaths.bundle };

/** By the runtime's own service, as kubelet does it. Units that pull through a bundle are of a run that was cut off. */
export const fromRegistries: ImagePull = {
  observe: [query],
  isCutOff: leadsToBundle,
  prepare: (units, isCutOff) => (isCutOff ? [stop(units), leave] : []),
  finish: (seen) => (leadsToBundle(seen) ? [leave] : []),
  command: (image) => ['crictl', '--timeout=600s', 'pull', image],
  // A pull asks the registry also where the image is there.
  commandWhereMissing: (image) => [
    'sh',
    '-c',
    'crictl inspecti -q "$1" >/dev/null 2>&1 || exec crictl --timeout=600s pull "$1"',
    'sh',
    image,
  ],
};

/**
 * With ctr, which takes the configuration of registries as an option: that of containerd stays the cluster file's. By digest, so
 * that nobody else on the port can slip in another image; the name is put on it afterwards. The runtime's own service
 * learns of it a moment later. A connection that is made anew has the same port, if it can: hence the second attempts.
 */
const script = `crictl inspecti -q "$2" >/dev/null 2>&1 && exit 0
n=0
until timeout 600 ctr -n k8s.io images pull --hosts-dir ${paths.registries} "$1" >/dev/null; do
  n=$((n + 1)); [ "$n" -lt 5 ] || exit 1
  sleep 2
done
[ "$1" = "$2" ] || ctr -n k8s.io images tag --force "$1" "$2" >/dev/null || exit 1
n=0
until crictl inspecti -q "$2" >/dev/null 2>&1; do
  n=$((n + 1)); [ "$n" -lt 100 ] || { echo "containerd has $2, and its CRI service does not see it" >&2; exit 1; }
  sleep 0.1
done
`;

function fromSupply(supply: Supply, host: Host): ImagePull {
  const hosts = (): string => `${stringify({ server: supplyUrl(supply, host), capabilities: ['pull', 'resolve'] })}\n`;
  const command = (image: string): readonly string[] => {
    const digest = supply.imageDigest(image);
    if (digest === undefined) throw new InternalError(`${image} is not in the bundle, which was found to be whole`);
    return ['sh', paths.script, `${image.replace(/@.*$/, '').replace(/:[^:/]*$/, '')}@${digest}`, image];
  };
  return {
    observe: [query],
    isCutOff(seen) {
      const answer = seen(query);
      return answer.state !== 'present' || answer.value.content !== hosts();
    },
    finish: () => [leave],
    prepare: (units) => [
      stop(units),
      { kind: 'write-file', path: paths.script, content: script, mode: '600' },
      { kind: 'write-file', path: paths.hosts, content: hosts(), mode: '600' },
    ],
    command,
    commandWhereMissing: command,
  };
}

/** Status 5: there is no such unit. */
function stop(units: readonly string[]): Action {
  const argv = ['systemctl', 'stop', ...units.map((unit) => `${unit}.service`)];
  return { kind: 'run', argv, timeoutSeconds: 120, okExitCodes: [0, 5] };
}
