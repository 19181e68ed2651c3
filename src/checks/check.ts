import { renderEvidence, type EvidenceSource } from '../hosts/evidence.ts';
import type { Cluster, Member } from '../kubernetes/cluster.ts';
import type { Severity } from '../report/events.ts';
import { createProspects } from '../tuning/prospects.ts';
import { checkThresholds, type Thresholds } from '../spec/config.ts';
import { settleMended } from './mended.ts';

export interface Finding {
  readonly check: string;
  readonly severity: Severity;
  /** Nothing was judged: what was to be read, measured or tried could not be. */
  readonly isUnchecked: boolean;
  /** Absent where the finding is about several hosts at once. */
  readonly host?: string;
  /** What is wrong, one line. */
  readonly title: string;
  readonly expected: string;
  readonly actual: string;
  /** What was read on the host, and the lines of it that tell: `/proc/swaps: /dev/sda2 partition 8388604 0 -2`. */
  readonly evidence: string;
  readonly remedy: string;
  /** Where the requirement comes from. */
  readonly source: string;
}

/** At least one. */
export type Reads = readonly [EvidenceSource, ...EvidenceSource[]];

/** What a check found; `severity` where it differs from the check's own. */
export interface Found {
  readonly actual: string;
  readonly title?: string;
  readonly expected?: string;
  readonly severity?: Severity;
  readonly isUnchecked?: boolean;
  readonly remedy?: string;
  /** Where not all that the check reads tells it. */
  readonly reads?: Reads;
  /** Which lines of what was read tell it (blanks in them are single); all where there is none. */
  readonly about?: (line: string) => boolean;
  /** What was measured or compared, in the place of lines of the first thing read. */
  readonly seen?: string;
}

/** A finding of one host, or of several at once where there is none. */
export type FoundOn = Found & { readonly host?: string };

interface CheckBase {
  /** Stable: users name it with --ignore-check. States the requirement. */
  readonly id: string;
  readonly title: string;
  readonly severity: Severity;
  /** Where numbers of the cluster file are compared with, made of those that are in force. */
  readonly expected: string | ((thresholds: Thresholds) => string);
  readonly remedy: string;
  /** Where the requirement comes from: a document, a preflight of kubeadm, a measurement. */
  readonly source: string;
  /** What is looked at on the hosts: the evidence of a finding is told from it. */
  readonly reads: Reads;
  /** Guards somebody's data: --ignore-check refuses it. */
  readonly mandatory?: boolean;
  /** What is read is only for root: where the account is not root, the check says so and judges nothing. */
  readonly needsRoot?: boolean;
}

/** Looks at one host's facts. */
export interface HostCheck extends CheckBase {
  readonly scope: 'host';
  run(member: Member, cluster: Cluster): readonly Found[];
}

/** Compares hosts with each other. */
export interface ClusterCheck extends CheckBase {
  readonly scope: 'cluster';
  run(cluster: Cluster): readonly FoundOn[];
}

/** A requirement, as data. Checks never change anything; they see what gather-facts saw. */
export type Check = HostCheck | ClusterCheck;

/**
 * All findings of all checks; a check that is ignored keeps its findings, as information. What prepare-hosts mends, because the
 * cluster file says so, is information, too: the check is made a second time of hosts as they will be.
 */
export function runChecks(checks: readonly Check[], cluster: Cluster): Finding[] {
  const prospects = createProspects(cluster);
  return checks.flatMap((check) => {
    const found = findWith(check, cluster);
    const mended = settleMended(found, prospects, (other) => findWith(check, other));
    return mended.map((each) => toFinding(check, each, cluster));
  });
}

function findWith(check: Check, cluster: Cluster): readonly FoundOn[] {
  if (check.scope === 'cluster') return check.run(cluster);
  return cluster.members.flatMap((member) =>
    lookAt(check, member, cluster).map((found) => ({ ...found, host: member.config.name })),
  );
}

/** What a check expects: with the numbers that hold where the cluster file says nothing, or with those of a file. */
export function expectedOf({ expected }: Check, thresholds: Thresholds = checkThresholds): string {
  return typeof expected === 'string' ? expected : expected(thresholds);
}

/** What could not be read for want of root is neither good nor bad. */
export const notChecked: Found = {
  title: 'Not checked',
  actual: 'not checked: only root can read it',
  severity: 'info',
  isUnchecked: true,
  remedy: 'run the precheck with an account that is root or may use sudo',
  reads: ['account'],
};

/** What could not be measured or tried, and why. */
export function notMeasured(why: string, remedy = 'nothing to do where the figure is known otherwise'): Found {
  return {
    title: 'Not measured',
    actual: `not measured: ${why}`,
    seen: why,
    severity: 'info',
    isUnchecked: true,
    remedy,
  };
}

function lookAt(check: HostCheck, member: Member, cluster: Cluster): readonly Found[] {
  return check.needsRoot === true && !member.facts.isRoot ? [notChecked] : check.run(member, cluster);
}

function toFinding(check: Check, found: FoundOn, { members, config }: Cluster): Finding {
  const member = members.find(({ config }) => config.name === found.host);
  return {
    check: check.id,
    severity: found.severity ?? check.severity,
    isUnchecked: found.isUnchecked ?? false,
    ...(found.host === undefined ? {} : { host: found.host }),
    title: found.title ?? check.title,
    expected: found.expected ?? expectedOf(check, config.spec.checks.thresholds),
    actual: found.actual,
    evidence: renderEvidence({ ...found, reads: found.reads ?? check.reads }, member?.facts.evidence),
    remedy: found.remedy ?? check.remedy,
    source: check.source,
  };
}
