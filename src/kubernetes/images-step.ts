import { z } from 'zod';
import { blocked, changes, deferred, noChanges, type Step } from '../engine/step.ts';
import { commandQuery, type CommandSeen, type Seen } from '../ops/query.ts';

export interface ImagesStepInput {
  /** vX.Y.Z */
  readonly version: string;
  readonly isControlPlane: boolean;
  /** What containerd's configuration pins. */
  readonly sandboxImage: string;
  /** Images beside Kubernetes' own. */
  readonly more: readonly string[];
  /** Name of the transient unit that pulls. */
  readonly unit: string;
}

const present = commandQuery(['crictl', 'images', '-o', 'json']);

/** Makes the images of a node be there. Which ones Kubernetes wants, its own kubeadm says. */
export function imagesStep(input: ImagesStepInput): Step {
  const wantedList = commandQuery(['kubeadm', 'config', 'images', 'list', `--kubernetes-version=${input.version}`]);
  return {
    id: 'images',
    observe: [present, wantedList],
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
      const wanted = [...kubernetes.filter((image) => input.isControlPlane || runsOnWorkers(image)), ...input.more];
      const missing = wanted.filter((image) => !names.has(image));
      if (missing.length === 0) return noChanges;
      return changes({
        summary: `pull ${missing.length === 1 ? '1 image' : `${missing.length} images`}: ${missing.join(', ')}`,
        actions: [
          {
            kind: 'long',
            unit: input.unit,
            commands: missing.map((image) => ['crictl', '--timeout=600s', 'pull', image]),
            parallel: 3,
            timeoutSeconds: 1700,
          },
        ],
      });
    },
  };
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
