import { parse } from 'yaml';
import { blocked, changes, noChanges, type Change, type Step, type StepPlan } from '../engine/step.ts';
import { isPlain } from '../lib/merge.ts';
import type { Action } from '../ops/action.ts';
import { fileQuery, type Answers } from '../ops/query.ts';
import type { HostIdentity } from '../hosts/facts.ts';
import { clearIntent, intentQuery, writeIntent } from './intent.ts';
import { foreignIntent, onceAct, readBegun, type Begun } from './once.ts';
import { clusterObjectsQuery, configMapData } from './cluster-objects.ts';
import { kubectlArgv, kubectlFailure, kubectlJson } from './kubectl.ts';
import { itemNames } from './objects.ts';
import { kubernetesPaths } from './paths.ts';
import { takeHalfMadeAway } from './take-away.ts';

export interface InitStepInput {
  readonly nodeName: string;
  readonly identity: HostIdentity;
  readonly runId: string;
  /** Rendered InitConfiguration. */
  readonly config: string;
  readonly timeoutSeconds: number;
  /** What kubeadm init fixes for the life of a cluster, by name in the cluster file and in kubeadm's ClusterConfiguration. */
  readonly fixed: readonly FixedSetting[];
}

export interface FixedSetting {
  readonly field: string;
  readonly path: readonly string[];
  readonly value: string;
}

const act = 'kubeadm-init';
const adminConf = fileQuery(kubernetesPaths.adminConf, { content: false });
const apiManifest = fileQuery(kubernetesPaths.apiServerManifest, { content: false });
const etcdData = fileQuery(kubernetesPaths.etcdData, { content: false });

/** What kubeadm init leaves in the cluster when it came to its end. */
const proofs = ['ConfigMap/kubeadm-config', 'ConfigMap/kubelet-config', 'DaemonSet/kube-proxy', 'Deployment/coredns'];

/**
 * Makes the first control plane. The proof that it exists is the API server's answer, never a file; where the API server
 * is silent and this is not an act of ours that never came to an end, nothing is done but waiting.
 */
export function initStep(input: InitStepInput): Step {
  const once = onceAct(act, input.identity);
  const api = clusterObjectsQuery(input.nodeName);
  return {
    id: act,
    observe: [adminConf, apiManifest, etcdData, intentQuery, once.unitSeen, api],
    plan(seen) {
      const read = readBegun(once, seen);
      if ('unknown' in read) return read.unknown;
      const { begun } = read;
      if (begun.isRunning) return changes(attach(input, once.unit));
      const answer = kubectlJson(seen(api));
      if (answer !== undefined) return planAnswered(input, once.unit, answer, begun);
      return planSilent(input, once.unit, seen, begun, kubectlFailure(seen(api)));
    },
  };
}

function planAnswered(input: InitStepInput, unit: string, answer: unknown, { isOurs }: Begun): StepPlan {
  const names = itemNames(answer);
  const missing = proofs.filter((name) => !names.has(name));
  if (!names.has(`Node/${input.nodeName}`)) {
    return blocked(
      'NODE_NOT_REGISTERED',
      `the API server answers, but there is no node ${input.nodeName}`,
      'see journalctl -u kubelet on the host',
      60,
    );
  }
  if (missing.length > 0 && isOurs) return changes(completeInit(input, unit, missing));
  if (missing.length > 0) {
    return blocked(
      'CLUSTER_INCOMPLETE',
      `the cluster runs, but lacks ${missing.join(', ')}`,
      'restore these objects; this installer does not repeat kubeadm init on a running cluster',
    );
  }
  const differing = differences(answer, input.fixed);
  if (differing.length > 0) {
    return blocked(
      'SETTING_FIXED',
      `the cluster was made with other settings: ${differing.join('; ')}`,
      'these cannot be changed on a running cluster: set them back in the cluster file',
    );
  }
  return isOurs ? changes({ summary: 'note that kubeadm init is done', actions: [clearIntent] }) : noChanges;
}

function planSilent(
  input: InitStepInput,
  unit: string,
  seen: Answers,
  { isOurs, foreign }: Begun,
  reason: string,
): StepPlan {
  const traces = [adminConf, apiManifest, etcdData]
    .filter((query) => seen(query).state !== 'absent')
    .map(({ path }) => path);
  if (foreign !== undefined) return foreignIntent(foreign);
  if (isOurs) return changes(runInit(input, unit, true));
  if (traces.length === 0) return changes(runInit(input, unit, false));
  return blocked(
    'API_NOT_ANSWERING',
    `a control plane is here (${traces.join(', ')}), but its API server does not answer: ${reason}`,
    'see whether kubelet and containerd run (systemctl status kubelet containerd; crictl ps -a); a cluster that is not wanted any more is taken away by installer reset',
    60,
  );
}

/** Settings of kubeadm-config that are not what the cluster file says. */
function differences(answer: unknown, fixed: readonly FixedSetting[]): string[] {
  const data = configMapData(answer, 'kubeadm-config');
  if (data === undefined) return [];
  const configuration: unknown = parse(data['ClusterConfiguration'] ?? '');
  return fixed.flatMap(({ field, path, value }) => {
    const actual = path.reduce<unknown>((level, key) => (isPlain(level) ? level[key] : undefined), configuration);
    return actual === value ? [] : [`${field} is ${String(actual)}, the file says ${value}`];
  });
}

/** A disk of its own for etcd has lost+found in it. That there is no database has been seen before. */
const freshPreflight = '--ignore-preflight-errors=DirAvailable--var-lib-etcd';
const preflight = '--ignore-preflight-errors=DirAvailable--etc-kubernetes-manifests';

function runInit(input: InitStepInput, unit: string, isHalfMade: boolean): Change {
  return {
    summary: isHalfMade
      ? 'take the half-made control plane away (its API server never answered) and run kubeadm init again'
      : 'run kubeadm init',
    after: input.config,
    actions: [
      writeIntent({ clusterId: input.identity.clusterId, runId: input.runId, step: act }),
      { kind: 'write-file', path: kubernetesPaths.initConfig, content: input.config, mode: '600' },
      long(unit, input.timeoutSeconds, [
        // In the unit itself: whoever finds the unit running waits for both, and takes nothing away beside it.
        ...(isHalfMade ? [takeHalfMadeAway] : []),
        ['kubeadm', 'init', `--config=${kubernetesPaths.initConfig}`, '--skip-token-print', freshPreflight],
      ]),
      ...afterInit(),
    ],
  };
}

/** The cluster answers, but kubeadm was cut off before its last phases; each of them may be run again. */
function completeInit(input: InitStepInput, unit: string, missing: readonly string[]): Change {
  const skipped = 'preflight,certs,kubeconfig,kubelet-start,etcd,control-plane,wait-control-plane';
  return {
    summary: `finish kubeadm init: ${missing.join(', ')} are missing`,
    actions: [
      { kind: 'write-file', path: kubernetesPaths.initConfig, content: input.config, mode: '600' },
      long(unit, input.timeoutSeconds, [
        [
          'kubeadm',
          'init',
          `--config=${kubernetesPaths.initConfig}`,
          '--skip-token-print',
          preflight,
          `--skip-phases=${skipped}`,
        ],
      ]),
      ...afterInit(),
    ],
  };
}

function attach(input: InitStepInput, unit: string): Change {
  return {
    summary: 'wait for the kubeadm init that an earlier run started',
    actions: [{ ...long(unit, input.timeoutSeconds, [['kubeadm', 'init']]), attachOnly: true }, ...afterInit()],
  };
}

function afterInit(): Action[] {
  const ready = kubectlArgv(['get', '--raw=/readyz'], { requestSeconds: 5 });
  return [
    { kind: 'wait', description: 'the API server is ready', argv: ready, timeoutSeconds: 120, intervalSeconds: 1 },
    clearIntent,
  ];
}

/**
 * The unit itself takes the intent away when kubeadm is done, also where nobody listens any more: an intent that is still
 * there means that kubeadm init never came to its end, and not that the run was cut off behind it.
 */
function long(
  unit: string,
  timeoutSeconds: number,
  commands: readonly (readonly string[])[],
): Extract<Action, { kind: 'long' }> {
  return { kind: 'long', unit, commands: [...commands, ['rm', '-f', clearIntent.path]], timeoutSeconds };
}
