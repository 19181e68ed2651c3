import { countOf, formatNames, indent, stripControls, type Paint } from './format.ts';
import type { PlannedStep, RunRecord } from './record.ts';

interface Group {
  readonly hosts: string[];
  readonly text: string;
}

/** The result of a dry run: by phase and host, every change with its diff; hosts with the same plan stand together. */
export function formatPlan(record: RunRecord, paint: Paint): string {
  const cluster = record.started?.cluster ?? '';
  const phases = record.started?.phases ?? [];
  const title =
    record.started?.workflow === 'diff'
      ? `What differs in cluster ${cluster} from its file (- as it is, + as the file says; nothing was changed)`
      : `Plan for cluster ${cluster} (dry run: nothing was changed)`;
  const lines = [paint('strong', title), ''];
  const unchanged: string[] = [];
  for (const phase of phases) {
    const steps = record.plan.filter((step) => step.phase === phase.id && hasContent(step));
    if (steps.length === 0) {
      unchanged.push(phase.id);
      continue;
    }
    lines.push(`${paint('strong', phase.id)}  ${phase.title}`);
    for (const group of groupHosts(steps, paint)) {
      lines.push(`  ${formatNames(group.hosts, 8)}`, indent(group.text, '    '));
    }
    lines.push('');
  }
  if (unchanged.length > 0) lines.push(paint('dim', `Nothing to do: ${unchanged.join(', ')}`));
  lines.push(total(record));
  return `${lines.join('\n')}\n`;
}

function hasContent(step: PlannedStep): boolean {
  return step.changes.length > 0 || step.deferredUntil !== undefined;
}

function groupHosts(steps: readonly PlannedStep[], paint: Paint): Group[] {
  const textByHost = new Map<string, string[]>();
  for (const step of steps) {
    const lines = textByHost.get(step.host) ?? [];
    lines.push(...stepLines(step, paint));
    textByHost.set(step.host, lines);
  }
  const groups = new Map<string, Group>();
  for (const [host, lines] of textByHost) {
    const text = lines.join('\n');
    const group = groups.get(text) ?? { hosts: [], text };
    group.hosts.push(host);
    groups.set(text, group);
  }
  return [...groups.values()];
}

function stepLines(step: PlannedStep, paint: Paint): string[] {
  const lines = step.changes.flatMap((change) => {
    const mark = change.disruptive === true ? ` ${paint('warn', '(disruptive)')}` : '';
    const head = `${step.step}: ${stripControls(change.summary)}${mark}`;
    return change.diff === undefined ? [head] : [head, indent(formatDiff(change.diff, paint), '    ')];
  });
  if (step.deferredUntil !== undefined) {
    lines.push(paint('warn', `${step.step}: deferred; can be told only after ${step.deferredUntil} has run`));
  }
  return lines;
}

function formatDiff(diff: string, paint: Paint): string {
  const lines = stripControls(diff).trimEnd().split('\n');
  return lines.map((line) => paintDiffLine(line, paint)).join('\n');
}

function paintDiffLine(line: string, paint: Paint): string {
  if (line.startsWith('+')) return paint('added', line);
  if (line.startsWith('-')) return paint('removed', line);
  return line;
}

function total(record: RunRecord): string {
  const changes = record.plan.reduce((sum, step) => sum + step.changes.length, 0);
  const hosts = new Set(record.plan.filter(hasContent).map((step) => step.host)).size;
  const deferred = record.plan.filter((step) => step.deferredUntil !== undefined).length;
  if (changes === 0 && deferred === 0) return 'No changes: the hosts and the cluster are as the file says.';
  const rest = deferred === 0 ? '' : `; ${countOf(deferred, 'step')} deferred`;
  return `Total: ${countOf(changes, 'change')} on ${countOf(hosts, 'host')}${rest}`;
}
