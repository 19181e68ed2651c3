import { z } from 'zod';
import type { HostPhase } from '../engine/phase.ts';
import { changes, deferred, noChanges, type Step } from '../engine/step.ts';
import { unitName } from '../kubernetes/intent.ts';
import { hostsOf, isControlPlane, memberOf, versionsOf, type Cluster, type Member } from '../kubernetes/cluster.ts';
import { commandQuery, type CommandSeen, type Seen } from '../ops/query.ts';

/** Pulls what each host will run, while other hosts still prepare: nothing waits for an image later. */
export const distributeImages: HostPhase<Cluster> = {
  scope: 'host',
  id: 'distribute-images',
  title: 'Pull images',
  timeoutSeconds: 1800,
  hosts: (cluster) => hostsOf(cluster.members),
  steps(host, cluster) {
    return [imagesStep(wantedImages(cluster, memberOf(cluster, host)), unitName(cluster.clusterId, 'pull-images'))];
  },
};

function wantedImages(cluster: Cluster, member: Member): string[] {
  const { images } = versionsOf(cluster);
  const isNeeded = (image: string): boolean => isControlPlane(member) || image.includes('/kube-proxy:');
  const forWorkers = images.kubernetes.filter((image) => isNeeded(image) || image === images.pause || image === images.coredns);
  return [...new Set([...forWorkers, ...images.network])];
}

const imageList = z.looseObject({ images: z.array(z.looseObject({ repoTags: z.array(z.string()).nullish(), repoDigests: z.array(z.string()).nullish() })).nullish() });
const present = commandQuery(['crictl', 'images', '-o', 'json']);

function imagesStep(wanted: readonly string[], unit: string): Step {
  return {
    id: 'images',
    observe: [present],
    plan(seen) {
      const names = imageNames(seen(present));
      if (names === undefined) return deferred('install-runtime', `pull those of ${wanted.length} images that are not there yet`);
      const missing = wanted.filter((image) => !names.has(image));
      if (missing.length === 0) return noChanges;
      return changes({
        summary: `pull ${missing.length === 1 ? '1 image' : `${missing.length} images`}: ${missing.join(', ')}`,
        actions: [{ kind: 'long', unit, commands: missing.map((image) => ['crictl', '--timeout=600s', 'pull', image]), timeoutSeconds: 1700 }],
      });
    },
  };
}

/** Undefined where containerd does not answer. */
function imageNames(answer: Seen<CommandSeen>): ReadonlySet<string> | undefined {
  if (answer.state !== 'present' || answer.value.exitCode !== 0) return undefined;
  const parsed = imageList.safeParse(JSON.parse(answer.value.stdout));
  if (!parsed.success) return undefined;
  return new Set((parsed.data.images ?? []).flatMap(({ repoTags, repoDigests }) => [...(repoTags ?? []), ...(repoDigests ?? [])]));
}
