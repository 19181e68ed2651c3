import { evidenceLimit, sourceName } from '../hosts/evidence.ts';
import { expectedOf, type Check } from './check.ts';
import type { NotMade } from './not-made.ts';

const introduction = `# Checks

What a host must be. \`installer precheck -c FILE\` looks at all of it and changes nothing; \`cluster-create\` and \`diff\` look
at the same before anything else. All findings of all hosts come at once.

- An **error** ends the run with exit code 3, a **warning** does so with \`precheck --strict\` only, and an **info** never does.
- The severity below is the usual one. A check may find less: a value that could not be read is a warning. \`spec.checks.severities\`
  gives a check another one, for everything that it judged; what was not checked is an info.
- What the cluster file asks prepare-hosts to change (SELinux, swap, hostname, clock, …) is an info, and over when it is done.
- \`--ignore-check ID\` reports the findings of a check and goes on. The checks that say so guard the data of another cluster
  and cannot be ignored.
- What belongs to this very cluster is no leftover and no taken port.
- \`precheck\` works without root for what can be read without it, and says what could not; the checks that say so are then not made.
- What loads links or disks for seconds (bandwidth, disk-iops, disk-throughput) is measured where \`spec.checks.measure\` asks for it,
  and on no host that has a cluster; where it was not, the check says why.
- Checks of the scope *host* look at one host; those of the scope *cluster* compare the hosts with each other.
- A finding comes with its **evidence**: what was read on the host, and the lines of it that tell, in ${evidenceLimit} characters at most.
  \`--output json\` and \`--html\` have it for every host, the table for the first one. Everything is read in one round trip, and once.
`;

/** The text of docs/checks.md: the same for the same checks. */
export function renderChecksDocs(checks: readonly Check[], notMade: readonly NotMade[]): string {
  return [introduction, ...checks.map(renderCheck), renderNotMade(notMade)].join('\n');
}

function renderNotMade(notMade: readonly NotMade[]): string {
  const lines = notMade.map(({ ids, why }) => `- **${ids.join(', ')}**: ${why}.`);
  return [
    '## What is not checked',
    '',
    'Other guides and tools ask for these; here there is no check of them.',
    '',
    ...lines,
    '',
  ].join('\n');
}

function renderCheck(check: Check): string {
  const notes = [
    check.mandatory === true ? 'It cannot be ignored.' : '',
    check.needsRoot === true ? 'It needs root.' : '',
  ].filter((note) => note !== '');
  return [
    `## ${check.id}`,
    '',
    `${check.title}: **${check.severity}**, scope ${check.scope}.${notes.map((note) => ` ${note}`).join('')}`,
    '',
    `- Expected: ${expectedOf(check)}.`,
    `- Read: ${check.reads.map((source) => `\`${sourceName(source)}\``).join(', ')}.`,
    `- Remedy: ${check.remedy}.`,
    `- Source: ${check.source}.`,
    '',
  ].join('\n');
}
