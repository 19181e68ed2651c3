import type { Cluster, Member } from '../kubernetes/cluster.ts';
import type { Severity } from '../report/events.ts';

export interface Finding {
  readonly check: string;
  readonly severity: Severity;
  /** Absent where the finding is about several hosts at once. */
  readonly host?: string;
  /** What is wrong, one line. */
  readonly title: string;
  readonly expected: string;
  readonly actual: string;
  readonly remedy: string;
}

/** What a check found; `severity` where it differs from the check's own. */
export interface Found {
  readonly actual: string;
  readonly expected?: string;
  readonly severity?: Severity;
  readonly remedy?: string;
}

interface CheckBase {
  /** Stable: users name it with --ignore-check. States the requirement. */
  readonly id: string;
  readonly title: string;
  readonly severity: Severity;
  readonly expected: string;
  readonly remedy: string;
  /** Guards somebody's data: --ignore-check refuses it. */
  readonly mandatory?: boolean;
}

/** Looks at one host's facts. */
export interface HostCheck extends CheckBase {
  readonly scope: 'host';
  run(member: Member, cluster: Cluster): readonly Found[];
}

/** Compares hosts with each other. */
export interface ClusterCheck extends CheckBase {
  readonly scope: 'cluster';
  run(cluster: Cluster): readonly (Found & { readonly host?: string })[];
}

/** A requirement, as data. Checks never change anything; they see what gather-facts saw. */
export type Check = HostCheck | ClusterCheck;

/** All findings of all checks; a check that is ignored keeps its findings, as information. */
export function runChecks(checks: readonly Check[], cluster: Cluster): Finding[] {
  return checks.flatMap((check) =>
    check.scope === 'host'
      ? cluster.members.flatMap((member) =>
          check.run(member, cluster).map((found) => toFinding(check, { ...found, host: member.config.name })),
        )
      : check.run(cluster).map((found) => toFinding(check, found)),
  );
}

function toFinding(check: Check, found: Found & { readonly host?: string }): Finding {
  return {
    check: check.id,
    severity: found.severity ?? check.severity,
    ...(found.host === undefined ? {} : { host: found.host }),
    title: check.title,
    expected: found.expected ?? check.expected,
    actual: found.actual,
    remedy: found.remedy ?? check.remedy,
  };
}

/** True where the host says that it belongs to this cluster: what is there then is no leftover and no taken port. */
export function belongsToCluster(member: Member, cluster: Cluster): boolean {
  return member.facts.identity !== undefined && member.facts.identity.clusterName === cluster.config.metadata.name;
}
