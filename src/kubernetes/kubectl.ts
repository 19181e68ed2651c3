import { commandQuery, type CommandQuery, type CommandSeen, type Seen } from '../ops/query.ts';
import { kubernetesPaths } from './paths.ts';

/** kubectl on a host, with that host's credentials. A request that hangs ends after `requestSeconds`. */
export function kubectlArgv(
  args: readonly string[],
  options: { kubeconfig?: string; requestSeconds?: number } = {},
): string[] {
  const { kubeconfig = kubernetesPaths.adminConf, requestSeconds = 10 } = options;
  return ['kubectl', `--kubeconfig=${kubeconfig}`, `--request-timeout=${requestSeconds}s`, ...args];
}

export function kubectlQuery(
  args: readonly string[],
  options: { kubeconfig?: string; requestSeconds?: number; stdin?: string } = {},
): CommandQuery {
  const requestSeconds = options.requestSeconds ?? 10;
  return commandQuery(kubectlArgv(args, options), {
    timeoutSeconds: requestSeconds + 10,
    ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
  });
}

/** The parsed JSON of a kubectl answer, or undefined where the API server did not give one. */
export function kubectlJson(seen: Seen<CommandSeen>): unknown {
  if (seen.state !== 'present' || seen.value.exitCode !== 0) return undefined;
  if (seen.value.stdout.trim() === '') return { items: [] };
  try {
    return JSON.parse(seen.value.stdout) as unknown;
  } catch {
    return undefined;
  }
}

/** Why there was no answer, for people. */
export function kubectlFailure(seen: Seen<CommandSeen>): string {
  if (seen.state === 'absent') return 'kubectl is not installed';
  if (seen.state === 'unknown') return seen.reason;
  return seen.value.stderr.trim().split('\n').at(-1) || `kubectl ended with ${seen.value.exitCode}`;
}
