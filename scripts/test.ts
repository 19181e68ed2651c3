/**
 * Every check of the project, in the order in which they get slower: lint, types, unit, integration, e2e. A failure
 * does not stop the rest. The last line counts tests, with lint and types as one each.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addCounts, formatCounts, readVitestCounts, type Counts } from './test-counts.ts';

const packageRoot = join(import.meta.dirname, '..');

interface Suite {
  readonly name: string;
  readonly commands: readonly (readonly string[])[];
  /** Name of the vitest project that runs after the commands; its tests are what is counted then. */
  readonly project?: string;
}

const suites: readonly Suite[] = [
  { name: 'lint', commands: [tool('eslint', '.'), tool('prettier', '--check', '.')] },
  { name: 'types', commands: [tool('tsc')] },
  { name: 'unit', commands: [], project: 'unit' },
  { name: 'integration', commands: [], project: 'integration' },
  { name: 'e2e', commands: [[process.execPath, 'scripts/package.ts']], project: 'e2e' },
];

console.log(`Running ${suites.map((suite) => suite.name).join(', ')}.
Lint to integration take a few minutes. e2e makes dist/installer (10 seconds) and then clusters on real hosts: on its
first run it builds these hosts and an upstream for them, in .lab and in a cache outside the checkout, which takes 12
minutes or more on 2 cores; later runs use what is there.`);

const reports = mkdtempSync(join(tmpdir(), 'installer-test-'));
try {
  const counts = suites.map(runSuite).reduce(addCounts);
  console.log(`\n${formatCounts(counts)}`);
  process.exitCode = counts.failed === 0 ? 0 : 1;
} finally {
  rmSync(reports, { recursive: true, force: true });
}

function runSuite(suite: Suite): Counts {
  console.log(`\n== ${suite.name}`);
  const startedMs = performance.now();
  const counts = countSuite(suite);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`== ${suite.name}: ${formatCounts(counts)} in ${seconds} s`);
  return counts;
}

/** What only prepares a suite is not counted, unless it fails: then the suite has nothing to run on. */
function countSuite({ commands, project }: Suite): Counts {
  const ran = runCommands(commands);
  return project === undefined || ran.failed > 0 ? ran : runVitest(project);
}

function runCommands(commands: Suite['commands']): Counts {
  const passed = commands.map((command) => runCommand(command) === 0).every(Boolean);
  return { passed: passed ? 1 : 0, failed: passed ? 0 : 1, skipped: 0 };
}

function runVitest(project: string): Counts {
  const report = join(reports, `${project}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const status = runCommand(tool('vitest', 'run', '--project', project, ...reporters));
  return readVitestCounts(report, status);
}

/** The command's own output goes straight through, its closing lines included. */
function runCommand([program, ...args]: readonly string[]): number {
  const { status, error } = spawnSync(program ?? '', args, { cwd: packageRoot, stdio: 'inherit' });
  if (error !== undefined) console.error(error.message);
  return status ?? 1;
}

function tool(name: string, ...args: string[]): readonly string[] {
  return [join(packageRoot, 'node_modules', '.bin', name), ...args];
}
