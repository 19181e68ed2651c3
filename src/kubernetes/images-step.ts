import { z } from 'zod';
import { unitName } from './intent.ts';
import { blocked, changes, deferred, noChanges, type Step, type StepPlan } from '../engine/step.ts';
import type { LongAction } from '../ops/action.ts';
import { commandQuery, serviceQuery, type CommandSeen, type Seen, type ServiceSeen } from '../ops/query.ts';

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
}

const present = commandQuery(['crictl', 'images', '-o', 'json']);

/** Makes the images of a node be there. Which ones Kubernetes wants, its own kubeadm says. */
export function imagesStep(input: ImagesStepInput): Step {
  const wantedList = commandQuery(['kubeadm', 'config', 'images', 'list', `--kubernetes-version=${input.version}`]);
  const [now, later] = [serviceQuery(`${input.unit}.service`), serviceQuery(`${input.laterUnit}.service`)];
  return {
    id: 'images',
    observe: [present, wantedList, now, later],
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
      return input.wanted === 'init' ? planInit(input, missing, seen(now)) : planAll(input, missing, seen(later));
    },
  };
}

function planInit(input: ImagesStepInput, missing: readonly string[], unit: Seen<ServiceSeen>): StepPlan {
  const first = missing.filter(startsWithInit);
  const rest = missing.filter((image) => !startsWithInit(image));
  const isBegun = isPulling(unit);
  if (first.length === 0 && !isBegun) return noChanges;
  return changes({
    summary: isBegun ? waits : pulls(first),
    actions: [
      ...(isBegun ? attach(input.unit, input.unit, first) : [pull(input.unit, first)]),
      ...(rest.length === 0 ? [] : [{ ...pull(input.laterUnit, rest), wait: false }]),
    ],
  });
}

function planAll(input: ImagesStepInput, missing: readonly string[], later: Seen<ServiceSeen>): StepPlan {
  if (isPulling(later)) return changes({ summary: waits, actions: attach(input.laterUnit, input.unit, missing) });
  if (missing.length === 0) return noChanges;
  return changes({ summary: pulls(missing), actions: [pull(input.unit, missing)] });
}

const waits = 'wait for the images that are being pulled';

/** Running, or done and not yet looked at. */
function isPulling(unit: Seen<ServiceSeen>): boolean {
  return unit.state === 'present' && ['running', 'start', 'exited'].includes(unit.value.subState);
}

/** Takes the result of a unit that pulls; it may be of a run that wanted others, so what is missing then is pulled after it. */
function attach(begun: string, unit: string, missing: readonly string[]): LongAction[] {
  return [
    { ...pull(begun, missing), attachOnly: true },
    ...(missing.length === 0 ? [] : [pull(unit, missing, pullWhereMissing)]),
  ];
}

/** Begins to pull what kubeadm init starts, and does not wait for it: a later `imagesStep` does. */
export function beginInitImages(unit: string, images: readonly string[]): LongAction {
  return { ...pull(unit, images.filter(startsWithInit), pullWhereMissing), wait: false };
}

function pulls(images: readonly string[]): string {
  return `pull ${images.length === 1 ? '1 image' : `${images.length} images`}: ${images.join(', ')}`;
}

function pull(unit: string, images: readonly string[], command = pullImage): LongAction {
  return { kind: 'long', unit, commands: images.map(command), parallel: 3, timeoutSeconds: 1700 };
}

function pullImage(image: string): string[] {
  return ['crictl', '--timeout=600s', 'pull', image];
}

/** A pull asks the registry also where the image is there. */
function pullWhereMissing(image: string): string[] {
  return ['sh', '-c', 'crictl inspecti -q "$1" >/dev/null 2>&1 || exec crictl --timeout=600s pull "$1"', 'sh', image];
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
