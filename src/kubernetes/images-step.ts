import * as z from 'zod';
import { fromRegistries, type ImagePull } from './image-pull.ts';
import { unitName } from './intent.ts';
import { blocked, changes, deferred, noChanges, type Step, type StepPlan } from '../engine/step.ts';
import type { Action, LongAction } from '../ops/action.ts';
import {
  commandQuery,
  serviceQuery,
  type CommandSeen,
  type Seen,
  type ServiceQuery,
  type ServiceSeen,
} from '../ops/query.ts';

/** Name of the transient unit that pulls what a host needs first. */
export function pullUnit({ clusterId }: { readonly clusterId: string }): string {
  return unitName(clusterId, 'pull-images');
}

export interface ImagesStepInput {
  /** vX.Y.Z */
  readonly version: string;
  /**
   * `init`: what kubeadm init starts, and the pull of everything else is begun, which nobody waits for. `control-plane`,
   * `worker`: everything that such a node runs.
   */
  readonly wanted: 'init' | 'control-plane' | 'worker';
  /** What containerd's configuration pins. */
  readonly sandboxImage: string;
  /** Images beside Kubernetes' own. */
  readonly more: readonly string[];
  /** Name of the transient unit that pulls. */
  readonly unit: string;
  /** The one that pulls what init does not need. */
  readonly laterUnit: string;
  /** How the host gets them; from registries where not given. */
  readonly pull?: ImagePull | undefined;
}

const present = commandQuery(['crictl', 'images', '-o', 'json']);

/** Makes the images of a node be there. Which ones Kubernetes wants, its own kubeadm says. */
export function imagesStep(input: ImagesStepInput): Step {
  const wantedList = commandQuery(['kubeadm', 'config', 'images', 'list', `--kubernetes-version=${input.version}`]);
  const by = input.pull ?? fromRegistries;
  const [now, later] = [serviceQuery(`${input.unit}.service`), serviceQuery(`${input.laterUnit}.service`)];
  return {
    id: 'images',
    observe: [present, wantedList, now, later, ...by.observe],
    plan(seen) {
      const kubernetes = imagesOf(seen(wantedList));
      if (kubernetes === undefined) return deferred('install-kubernetes', 'pull the images that are not there yet');
      const names = imageNames(seen(present));
      if (names === undefined) return deferred('install-runtime', 'pull the images that are not there yet');
      const sandbox = kubernetes.find((image) => image.includes('/pause:'));
      if (sandbox !== undefined && sandbox !== input.sandboxImage) {
        return blocked(
          'SANDBOX_IMAGE_DIFFERS',
          `kubeadm ${input.version} wants the sandbox image ${sandbox}, the catalog says ${input.sandboxImage}`,
          'give a catalog with the images of this version in spec.artifacts.catalogs',
        );
      }
      const all = input.wanted === 'worker' ? kubernetes.filter(runsOnWorkers) : kubernetes;
      const missing = [...all, ...input.more].filter((image) => !names.has(image));
      const isCutOff = by.isCutOff(seen);
      const isBegun = (unit: ServiceQuery): boolean => isPulling(seen(unit), isCutOff);
      return input.wanted === 'init' ? planInit(input, missing, isBegun(now)) : planAll(input, missing, isBegun(later));
    },
  };
}

function planInit(input: ImagesStepInput, missing: readonly string[], isBegun: boolean): StepPlan {
  const first = missing.filter(startsWithInit);
  const rest = missing.filter((image) => !startsWithInit(image));
  if (first.length === 0 && !isBegun) return noChanges;
  return changes({
    summary: isBegun ? waits : pulls(first),
    actions: [
      ...(isBegun ? attach(input, input.unit, first) : [...prepare(input), pull(input, first)]),
      ...(rest.length === 0 ? [] : [{ ...pull(input, rest), unit: input.laterUnit, wait: false }]),
    ],
  });
}

function planAll(input: ImagesStepInput, missing: readonly string[], isBegun: boolean): StepPlan {
  if (isBegun) return changes({ summary: waits, actions: attach(input, input.laterUnit, missing) });
  if (missing.length === 0) return noChanges;
  return changes({ summary: pulls(missing), actions: [...prepare(input), pull(input, missing)] });
}

const waits = 'wait for the images that are being pulled';

/** Running, or done and not yet looked at. One that is cut off is as good as none. */
function isPulling(unit: Seen<ServiceSeen>, isCutOff: boolean): boolean {
  const states = isCutOff ? ['exited'] : ['running', 'start', 'exited'];
  return unit.state === 'present' && states.includes(unit.value.subState);
}

function prepare({ pull: by = fromRegistries, unit, laterUnit }: ImagesStepInput): readonly Action[] {
  return by.prepare([unit, laterUnit]);
}

/** Takes the result of a unit that pulls; it may be of a run that wanted others, so what is missing then is pulled after it. */
function attach(input: ImagesStepInput, begun: string, missing: readonly string[]): LongAction[] {
  const { commandWhereMissing } = input.pull ?? fromRegistries;
  return [
    { ...pull(input, missing), unit: begun, attachOnly: true },
    ...(missing.length === 0 ? [] : [pullWith(input.unit, missing, commandWhereMissing)]),
  ];
}

/** Begins to pull what kubeadm init starts, and does not wait for it: a later `imagesStep` does. */
export function beginInitImages(unit: string, images: readonly string[], by: ImagePull): readonly Action[] {
  const first = images.filter(startsWithInit);
  return [...by.prepare([unit]), { ...pullWith(unit, first, by.commandWhereMissing), wait: false }];
}

function pulls(images: readonly string[]): string {
  return `pull ${images.length === 1 ? '1 image' : `${images.length} images`}: ${images.join(', ')}`;
}

function pull(input: ImagesStepInput, images: readonly string[]): LongAction {
  return pullWith(input.unit, images, (input.pull ?? fromRegistries).command);
}

function pullWith(unit: string, images: readonly string[], command: ImagePull['command']): LongAction {
  return { kind: 'long', unit, commands: images.map(command), parallel: 3, timeoutSeconds: 1700 };
}

/** The static pods of a control plane, and the sandbox of every pod. */
function startsWithInit(image: string): boolean {
  return ['/pause:', '/etcd:', '/kube-apiserver:', '/kube-controller-manager:', '/kube-scheduler:'].some((part) =>
    image.includes(part),
  );
}

function runsOnWorkers(image: string): boolean {
  return ['/kube-proxy:', '/pause:', '/coredns:'].some((part) => image.includes(part));
}

function imagesOf(answer: Seen<CommandSeen>): string[] | undefined {
  if (answer.state !== 'present' || answer.value.exitCode !== 0) return undefined;
  return answer.value.stdout.split('\n').filter((line) => line.includes(':') && !line.includes(' '));
}

const imageList = z.looseObject({
  images: z
    .array(z.looseObject({ repoTags: z.array(z.string()).nullish(), repoDigests: z.array(z.string()).nullish() }))
    .nullish(),
});

/** Undefined where containerd does not answer. */
function imageNames(answer: Seen<CommandSeen>): ReadonlySet<string> | undefined {
  if (answer.state !== 'present' || answer.value.exitCode !== 0) return undefined;
  const parsed = imageList.safeParse(JSON.parse(answer.value.stdout));
  if (!parsed.success) return undefined;
  return new Set(
    (parsed.data.images ?? []).flatMap(({ repoTags, repoDigests }) => [...(repoTags ?? []), ...(repoDigests ?? [])]),
  );
}
