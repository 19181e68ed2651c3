import { describe, expect, it } from 'vitest';
import {
  aptFailure,
  hostFinished,
  hostStarted,
  phaseStarted,
  record,
  runStarted,
  runStartMs,
  stepApplied,
} from '../../test/support/run-events.ts';
import type { RunEventBody } from './events.ts';
import { createTtyModel, type TtyModel } from './tty-model.ts';

const prepare = 'prepare-hosts';
const runtime = 'install-runtime';

function modelOf(...entries: readonly (readonly [number, RunEventBody])[]): TtyModel {
  const model = createTtyModel();
  for (const event of record([0, runStarted()], ...entries)) model.apply(event);
  return model;
}

function viewsAt(model: TtyModel, second: number): string[] {
  return model
    .phases(runStartMs + second * 1000)
    .map(({ status, title, output }) => `${status} | ${title.replaceAll(/ {2,}/g, '  ')} | ${output}`);
}

describe('the model of the live display', () => {
  it('shows phases that run side by side, each with its hosts, its time and its newest line', () => {
    const model = modelOf(
      [1, phaseStarted(prepare)],
      [1, hostStarted(prepare, 'cp1')],
      [1, hostStarted(prepare, 'w1')],
      [4, hostFinished(prepare, 'w1', 1)],
      [5, phaseStarted(runtime)],
      [5, hostStarted(runtime, 'w1')],
      [6, stepApplied(prepare, 'cp1', 'write /etc/hosts')],
      [6, stepApplied(runtime, 'w1', 'install containerd')],
    );

    expect(viewsAt(model, 11)).toEqual([
      'running | Prepare the hosts  00:10  1 of 3 hosts done, 1 running | cp1: write /etc/hosts',
      'running | Install the runtime  00:06  0 of 3 hosts done, 1 running | w1: install containerd',
    ]);
    expect(model.footer(runStartMs + 11_000)).toBe('00:11  0 of 2 phases done, 3 hosts');
  });

  it('keeps its height at a hundred hosts, with failures among them', () => {
    const hosts = Array.from({ length: 100 }, (_, index) => `w${index}`);
    const model = createTtyModel();
    const events = record(
      [0, runStarted({ hosts })],
      [0, phaseStarted(prepare, hosts)],
      ...hosts.map((host) => [1, hostStarted(prepare, host)] as const),
      ...hosts.slice(0, 20).map((host) => [2, hostFinished(prepare, host, 0, aptFailure(host))] as const),
      ...hosts.slice(20).map((host) => [3, stepApplied(prepare, host, 'line one\nline two')] as const),
    );
    for (const event of events) model.apply(event);

    const [view] = model.phases(runStartMs + 4000);
    expect(view?.title).toContain('20 of 100 hosts done, 80 running');
    expect(view?.output.split('\n')).toEqual(['w0: failed', 'w1: failed', 'w2: failed, and 17 more', 'w99: line one']);
  });

  it('says how a phase ended, and on which hosts it failed', () => {
    const model = modelOf(
      [1, phaseStarted(prepare)],
      [2, { type: 'phase.finished', phase: prepare, status: 'changed', durationMs: 1000, changes: 3 }],
      [2, phaseStarted(runtime)],
      [3, hostFinished(runtime, 'w2', 0, aptFailure('w2'))],
      [4, { type: 'phase.finished', phase: runtime, status: 'failed', durationMs: 2000, changes: 0 }],
    );

    expect(viewsAt(model, 9)).toEqual([
      'changed | Prepare the hosts  3 changes  1.0 s | ',
      'failed | Install the runtime  failed on w2  2.0 s | ',
    ]);
  });

  it('says what is being applied to a host from what was planned for it', () => {
    const planned = (summary: string): RunEventBody => ({
      type: 'step.planned',
      phase: prepare,
      host: 'w1',
      step: 'a-step',
      changes: [{ summary }],
    });
    const model = modelOf([1, phaseStarted(prepare)], [1, planned('turn swap off')], [1, planned('write /etc/hosts')]);

    expect(model.phases(runStartMs)[0]?.output).toBe('w1: applying 2 changes: turn swap off, ...');
  });

  it('puts a transfer under the phase that its host is in', () => {
    const model = modelOf(
      [1, phaseStarted(runtime)],
      [1, hostStarted(runtime, 'w1')],
      [2, { type: 'transfer.progress', host: 'w1', item: 'kubelet', doneBytes: 512, totalBytes: 2048 }],
    );

    expect(model.phases(runStartMs)[1]?.output).toBe('w1: kubelet: 512 B of 2.0 KiB (25 %)');
  });

  it('shows in the footer what is waited for until it is met, and the last message', () => {
    const model = modelOf(
      [
        1,
        {
          type: 'condition.waiting',
          condition: 'api',
          description: 'the API server',
          elapsedMs: 5000,
          lastError: 'refused',
        },
      ],
      [2, { type: 'log', level: 'warning', message: 'slow disk' }],
    );

    expect(model.footer(runStartMs).split('\n').slice(1)).toEqual([
      'waiting for the API server (5.0 s): refused',
      'warning: slow disk',
    ]);
    const [met] = record([
      3,
      { type: 'condition.met', condition: 'api', description: 'the API server', elapsedMs: 6000 },
    ]);
    if (met !== undefined) model.apply(met);
    expect(model.footer(runStartMs).split('\n').slice(1)).toEqual(['warning: slow disk']);
  });
});
