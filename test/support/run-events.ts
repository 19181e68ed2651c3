import type { ErrorReport, RunEvent, RunEventBody } from '../../src/report/events.ts';

/** Start of every recorded run. */
export const runStartMs = Date.parse('2030-01-02T03:04:05Z');

/** Events with numbers and times, from bodies and the second of the run that each happened in. */
export function record(...entries: readonly (readonly [second: number, body: RunEventBody])[]): RunEvent[] {
  return entries.map(([second, body], index) => ({
    ...body,
    time: new Date(runStartMs + second * 1000).toISOString(),
    seq: index + 1,
  }));
}

export function runStarted(given: Partial<Extract<RunEventBody, { type: 'run.started' }>> = {}): RunEventBody {
  return {
    type: 'run.started',
    eventVersion: '1.0',
    version: '1.2.3',
    runId: '0a1b2c3d',
    workflow: 'cluster-create',
    cluster: 'prod',
    dryRun: false,
    phases: [
      { id: 'prepare-hosts', title: 'Prepare the hosts' },
      { id: 'install-runtime', title: 'Install the runtime' },
    ],
    hosts: ['cp1', 'w1', 'w2'],
    ...given,
  };
}

export function runFinished(given: Partial<Extract<RunEventBody, { type: 'run.finished' }>> = {}): RunEventBody {
  return {
    type: 'run.finished',
    status: 'ok',
    durationMs: 62_000,
    changes: 3,
    errors: [],
    phases: [],
    trips: {},
    next: [],
    ...given,
  };
}

export function phaseStarted(phase: string, hosts: readonly string[] = ['cp1', 'w1', 'w2']): RunEventBody {
  return { type: 'phase.started', phase, hosts };
}

export function hostStarted(phase: string, host: string): RunEventBody {
  return { type: 'host.started', phase, host };
}

export function hostFinished(phase: string, host: string, changes: number, error?: ErrorReport): RunEventBody {
  const status = error === undefined ? (changes === 0 ? 'ok' : 'changed') : 'failed';
  return { type: 'host.finished', phase, host, status, durationMs: 1500, changes, error };
}

export function stepApplied(phase: string, host: string, summary: string): RunEventBody {
  return { type: 'step.applied', phase, host, step: 'a-step', summary, durationMs: 300 };
}

export function aptFailure(host: string): ErrorReport {
  return {
    code: 'COMMAND_FAILED',
    message: `${host}: apt-get ended with exit code 100`,
    host,
    remedy: 'Make the package source reachable.',
    details: ['$ apt-get install -y containerd', 'E: Unable to locate package containerd'],
  };
}
