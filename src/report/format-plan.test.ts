import { expect, it } from 'vitest';
import { record, runStarted } from '../../test/support/run-events.ts';
import type { PlannedChange, RunEventBody } from './events.ts';
import { createPaint } from './format.ts';
import { formatPlan } from './format-plan.ts';
import { createRecorder } from './record.ts';

function planOf(...bodies: readonly RunEventBody[]): string {
  const recorder = createRecorder();
  const events = record([0, runStarted({ dryRun: true })], ...bodies.map((body) => [1, body] as const));
  for (const event of events) recorder.add(event);
  return formatPlan(recorder.record(), createPaint(false));
}

function planned(phase: string, host: string, step: string, ...changes: readonly PlannedChange[]): RunEventBody {
  return { type: 'step.planned', phase, host, step, changes };
}

const hostsFile: PlannedChange = {
  summary: 'write /etc/hosts',
  diff: '--- /etc/hosts\n+++ /etc/hosts\n+10.0.0.1 cp1\n',
};

it('tells every change by phase and host, with its diff, and joins hosts with the same plan', () => {
  const text = planOf(
    planned('prepare-hosts', 'cp1', 'hosts-block', hostsFile),
    planned('prepare-hosts', 'w1', 'hosts-block', hostsFile),
    planned('prepare-hosts', 'w2', 'hosts-block', hostsFile, { summary: 'restart', disruptive: true }),
    { type: 'step.planned', phase: 'prepare-hosts', host: 'w2', step: 'join', changes: [], deferredUntil: 'init' },
    planned('install-runtime', 'w2', 'service'),
  );

  expect(text).toBe(`Plan for cluster prod (dry run: nothing was changed)

prepare-hosts  Prepare the hosts
  cp1, w1
    hosts-block: write /etc/hosts
        --- /etc/hosts
        +++ /etc/hosts
        +10.0.0.1 cp1
  w2
    hosts-block: write /etc/hosts
        --- /etc/hosts
        +++ /etc/hosts
        +10.0.0.1 cp1
    hosts-block: restart (disruptive)
    join: deferred; can be told only after init has run

Nothing to do: install-runtime
Total: 4 changes on 3 hosts; 1 step deferred
`);
});

it('says so where nothing would change', () => {
  const text = planOf(planned('prepare-hosts', 'cp1', 'hosts-block'));

  expect(text).toContain('Nothing to do: prepare-hosts, install-runtime');
  expect(text).toContain('No changes: the hosts and the cluster are as the file says.');
});
