import { blocked, changes, noChanges, type Change, type Step, type StepPlan } from '../engine/step.ts';
import type { Action } from '../ops/action.ts';
import { fileQuery, type Answers } from '../ops/query.ts';
import type { HostIdentity } from '../hosts/facts.ts';
import { clearIntent, intentQuery, writeIntent } from './intent.ts';
import { kubectlArgv, kubectlFailure, kubectlJson, kubectlQuery } from './kubectl.ts';
import { foreignIntent, onceAct, readBegun, type Begun } from './once.ts';
import { kubernetesPaths } from './paths.ts';
import { takeHalfMadeAway } from './take-away.ts';

export interface JoinStepInput {
  readonly nodeName: string;
  readonly identity: HostIdentity;
  readonly runId: string;
  /** Rendered JoinConfiguration, with a placeholder for the token. */
  readonly config: string;
  /** Rendered kubeconfig of discovery, with a placeholder for the CA. */
  readonly discovery: string;
  readonly timeoutSeconds: number;
}

const act = 'kubeadm-join';
const kubeletConf = fileQuery(kubernetesPaths.kubeletConf, { content: false });

/** Makes a worker part of the cluster. The proof is that the API server knows this node by the node's own credentials. */
export function joinStep(input: JoinStepInput): Step {
  const once = onceAct(act, input.identity);
  const node = kubectlQuery(['get', 'node', input.nodeName, '--ignore-not-found', '-o', 'json'], {
    kubeconfig: kubernetesPaths.kubeletConf,
    requestSeconds: 5,
  });
  return {
    id: act,
    observe: [kubeletConf, intentQuery, once.unitSeen, node],
    plan(seen) {
      const read = readBegun(once, seen);
      if ('unknown' in read) return read.unknown;
      if (read.begun.isRunning) return changes(attach(input, once.unit));
      return planJoin(input, once.unit, seen, read.begun, seen(node));
    },
  };
}

function planJoin(
  input: JoinStepInput,
  unit: string,
  seen: Answers,
  { isOurs, foreign }: Begun,
  nodeSeen: Parameters<typeof kubectlJson>[0],
): StepPlan {
  if (foreign !== undefined) return foreignIntent(foreign);
  const hasCredentials = seen(kubeletConf).state !== 'absent';
  const answer = hasCredentials ? kubectlJson(nodeSeen) : undefined;
  const isKnown = answer !== undefined && 'metadata' in Object(answer);
  if (isKnown)
    return isOurs
      ? changes({ summary: 'note that kubeadm join is done', actions: [clearIntent, ...removeJoinFiles] })
      : noChanges;
  if (isOurs) return changes(runJoin(input, unit, true));
  if (!hasCredentials) return changes(runJoin(input, unit, false));
  if (answer !== undefined) return changes(registerAgain(input.nodeName));
  return blocked(
    'NODE_STATE_UNKNOWN',
    `this host is a node (${kubernetesPaths.kubeletConf}), but the API server does not answer it: ${kubectlFailure(nodeSeen)}`,
    'see whether the control plane is up and reachable from this host; a node that is not wanted any more is taken away by installer reset',
    60,
  );
}

const removeJoinFiles = [kubernetesPaths.joinConfig, kubernetesPaths.joinDiscovery].map(
  (path) => ({ kind: 'remove', path }) as const satisfies Action,
);

function runJoin(input: JoinStepInput, unit: string, isHalfDone: boolean): Change {
  return {
    summary: isHalfDone ? 'take the half-done join away and run kubeadm join again' : 'run kubeadm join',
    after: input.config,
    actions: [
      writeIntent({ clusterId: input.identity.clusterId, runId: input.runId, step: act }),
      { kind: 'write-file', path: kubernetesPaths.joinDiscovery, content: input.discovery, mode: '600' },
      { kind: 'write-file', path: kubernetesPaths.joinConfig, content: input.config, mode: '600' },
      {
        kind: 'long',
        unit,
        commands: [
          // In the unit itself: whoever finds the unit running waits for both, and takes nothing away beside it.
          ...(isHalfDone ? [takeHalfMadeAway] : []),
          ['kubeadm', 'join', `--config=${kubernetesPaths.joinConfig}`],
          // By the unit itself: an intent that is still there means that kubeadm join never came to its end.
          ['rm', '-f', clearIntent.path, ...removeJoinFiles.map(({ path }) => path)],
        ],
        timeoutSeconds: input.timeoutSeconds,
      },
      registered(input.nodeName),
      ...removeJoinFiles,
      clearIntent,
    ],
  };
}

function attach(input: JoinStepInput, unit: string): Change {
  return {
    summary: 'wait for the kubeadm join that an earlier run started',
    actions: [
      { kind: 'long', unit, commands: [['kubeadm', 'join']], timeoutSeconds: input.timeoutSeconds, attachOnly: true },
      registered(input.nodeName),
      ...removeJoinFiles,
      clearIntent,
    ],
  };
}

/** Somebody deleted the node object; a kubelet registers itself when it starts. */
function registerAgain(nodeName: string): Change {
  return {
    summary: `restart kubelet, because the cluster does not know node ${nodeName} any more`,
    disruptive: true,
    actions: [{ kind: 'service', unit: 'kubelet.service', do: 'restart' }, registered(nodeName)],
  };
}

/** kubeadm join ends when kubelet has its credentials; on a busy host the node appears only a while after that. */
function registered(nodeName: string): Action {
  return {
    kind: 'wait',
    description: `node ${nodeName} is registered`,
    argv: kubectlArgv(['get', 'node', nodeName], { kubeconfig: kubernetesPaths.kubeletConf, requestSeconds: 5 }),
    timeoutSeconds: 120,
    intervalSeconds: 1,
  };
}
