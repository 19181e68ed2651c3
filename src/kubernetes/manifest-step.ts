import { blocked, changes, deferred, noChanges, type Step } from '../engine/step.ts';
import type { Action } from '../ops/action.ts';
import { fileQuery } from '../ops/query.ts';
import { clusterObjectsQuery } from './cluster-objects.ts';
import { kubectlArgv, kubectlFailure, kubectlJson, kubectlQuery } from './kubectl.ts';
import { itemNames } from './objects.ts';
import { kubernetesPaths } from './paths.ts';

const adminConf = fileQuery(kubernetesPaths.adminConf, { content: false });

/**
 * Makes Kubernetes objects be as a manifest says, by server-side apply under the installer's name. What differs is asked of
 * the API server (kubectl diff), so a field that somebody else changed is found, and fields of others are left alone.
 */
export function manifestStep(id: string, manifest: string, namespace: string, nodeName: string, needs: string): Step {
  const apply = ['--server-side', '--field-manager=installer', '--force-conflicts', '-f', '-'];
  const diff = kubectlQuery(['diff', ...apply], { stdin: manifest, requestSeconds: 15 });
  // The API server cannot compare objects of a namespace that is not there yet.
  const objects = clusterObjectsQuery(nodeName);
  const run: Action = {
    kind: 'run',
    argv: kubectlArgv(['apply', ...apply], { requestSeconds: 60 }),
    stdin: manifest,
    timeoutSeconds: 120,
  };
  return {
    id,
    observe: [adminConf, objects, diff],
    plan(seen) {
      const answer = seen(diff);
      if (seen(adminConf).state === 'absent') return deferred(needs, `apply the manifest of ${id}`);
      const found = kubectlJson(seen(objects));
      if (found !== undefined && !itemNames(found).has(`Namespace/${namespace}`)) {
        return changes({ summary: `apply the manifest of ${id}`, after: manifest, actions: [run] });
      }
      if (answer.state !== 'present' || answer.value.exitCode > 1) {
        return blocked(
          'API_NOT_ANSWERING',
          `cannot compare ${id} with the cluster: ${kubectlFailure(answer)}`,
          'see whether the API server answers on the control plane, then run again',
          90,
        );
      }
      if (answer.value.exitCode === 0) return noChanges;
      return changes({
        summary: `apply the manifest of ${id}`,
        diff: answer.value.stdout,
        actions: [run],
      });
    },
  };
}
