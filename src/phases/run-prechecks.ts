import { randomBytes } from 'node:crypto';
import { runChecks, type Finding } from '../checks/check.ts';
import { checks } from '../checks/index.ts';
import type { Severity } from '../report/events.ts';
import type { ClusterPhase } from '../engine/phase.ts';
import { exitCodes, InstallerError } from '../errors.ts';
import { ignoredChecks, isControlPlane, type Cluster } from '../kubernetes/cluster.ts';

/** Everything that would fail later, found now: all findings, then one failure. */
export const runPrechecks = runPrechecksWith({ strict: false });

/** The same for a look that changes nothing: it goes on wherever the hosts can be planned, and what was found stands beside what differs. */
export const tellPrechecks = runPrechecksWith({ strict: false, stopsOnlyWhere: isUnplannable });

/** Nothing can be said of hosts that are another cluster's, that tell only half, or for which there are no programs. */
function isUnplannable(id: string): boolean {
  return (
    ['architecture-supported', 'privilege-escalation'].includes(id) ||
    checks.some((check) => check.id === id && check.mandatory === true)
  );
}

export interface PrecheckOptions {
  /** Warnings count as errors. */
  readonly strict: boolean;
  /** Errors of other checks are told and end nothing. */
  readonly stopsOnlyWhere?: (check: string) => boolean;
}

export function runPrechecksWith({ strict, stopsOnlyWhere = () => true }: PrecheckOptions): ClusterPhase<Cluster> {
  return {
    scope: 'cluster',
    id: 'run-prechecks',
    title: 'Check hosts',
    required: true,
    runsOnDryRun: true,
    run: (cluster, { emitter }) => {
      const { severities } = cluster.config.spec.checks;
      const ignores = ignoredChecks(cluster);
      refuseIgnores([...ignores, ...Object.keys(severities)]);
      cluster.clusterId = identify(cluster);
      const findings = runChecks(checks, cluster).map((finding) => weigh(finding, severities[finding.check]));
      const ignored = (finding: Finding): boolean => ignores.includes(finding.check);
      for (const finding of findings) emitter.emit({ type: 'check.finding', ...finding, ignored: ignored(finding) });
      const counts = ({ severity }: Finding): boolean => severity === 'error' || (strict && severity === 'warning');
      const errors = findings.filter(
        (finding) => counts(finding) && !ignored(finding) && stopsOnlyWhere(finding.check),
      );
      const failures = [
        ...cluster.unreachable.map(asPrecheck),
        ...(errors.length === 0 ? [] : [precheckError(errors)]),
      ];
      if (failures.length > 0) throw new AggregateError(failures);
      return Promise.resolve([]);
    },
  };
}

/** The file's word counts for everything that was judged, also for what prepare-hosts would mend; what was not stays so. */
function weigh(finding: Finding, severity: Severity | undefined): Finding {
  return severity === undefined || finding.isUnchecked ? finding : { ...finding, severity };
}

/** The identity of the control plane's host, else any host's, else a new one: a cluster that does not exist yet. */
function identify(cluster: Cluster): string {
  const named = cluster.members.filter(({ facts }) => facts.identity?.clusterName === cluster.config.metadata.name);
  const owner = named.find(isControlPlane) ?? named[0];
  return owner?.facts.identity?.clusterId ?? randomBytes(5).toString('hex');
}

function refuseIgnores(ids: readonly string[]): void {
  const mandatory = checks.filter((check) => check.mandatory === true && ids.includes(check.id));
  if (mandatory.length > 0) {
    throw new InstallerError({
      code: 'CHECK_MANDATORY',
      message: `${mandatory.map(({ id }) => id).join(', ')} cannot be ignored or made less: it keeps another cluster from being overwritten`,
      remedy: 'run without --ignore-check for it, and take it out of spec.checks',
      exitCode: exitCodes.usage,
    });
  }
  const unknown = ids.filter((id) => !checks.some((check) => check.id === id));
  if (unknown.length === 0) return;
  throw new InstallerError({
    code: 'UNKNOWN_CHECK',
    message: `there is no check ${unknown.join(', ')}`,
    remedy: `the checks are ${checks.map(({ id }) => id).join(', ')}`,
    exitCode: exitCodes.usage,
  });
}

function asPrecheck(error: InstallerError): InstallerError {
  const { code, message, remedy, host, details, cause } = error;
  return new InstallerError({
    code,
    message,
    remedy,
    host,
    details,
    cause,
    exitCode: code === 'INTERNAL' ? exitCodes.internal : exitCodes.precheckFailed,
  });
}

function precheckError(findings: readonly Finding[]): InstallerError {
  return new InstallerError({
    code: 'PRECHECK_FAILED',
    message: `${findings.length === 1 ? '1 check' : `${findings.length} checks`} failed; nothing was changed`,
    remedy:
      'mend what is listed, then run the same command again; a check that you know better than is left out with --ignore-check ID',
    details: findings.map(
      ({ check, host, title, actual, expected, remedy }) =>
        `${host ?? 'cluster'}: ${check}: ${title}: ${actual} (expected: ${expected}); ${remedy}`,
    ),
    exitCode: exitCodes.precheckFailed,
  });
}
