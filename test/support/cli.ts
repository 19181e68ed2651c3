import type { CliContext, Workflows } from '../../src/cli/context.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import type { ExitCode } from '../../src/errors.ts';

export interface CliResult {
  readonly exitCode: ExitCode;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process with given workflows; a workflow that is not given fails the test. */
export async function runTestCli(
  args: readonly string[],
  workflows: Partial<Workflows> = {},
  given: Partial<CliContext> = {},
): Promise<CliResult> {
  const unexpected = (): never => {
    throw new Error('a workflow was called that the test does not expect');
  };
  const written = { stdout: '', stderr: '' };
  const exitCode = await runCli(args, {
    workflows: {
      clusterCreate: unexpected,
      reset: unexpected,
      precheck: unexpected,
      diff: unexpected,
      prepare: unexpected,
      restoreHost: unexpected,
      listChecks: unexpected,
      bundle: unexpected,
      validateConfig: unexpected,
      ...workflows,
    },
    env: { XDG_STATE_HOME: '/dev/null' },
    stdout: (text) => (written.stdout += text),
    stderr: (text) => (written.stderr += text),
    stderrStream: { isTTY: false, fd: -1 } as unknown as CliContext['stderrStream'],
    now: () => 0,
    signal: new AbortController().signal,
    setBusyHosts: () => undefined,
    ...given,
  });
  return { exitCode, ...written };
}
