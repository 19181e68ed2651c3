import { findCycle, type Import } from './imports.ts';

/**
 * Who may import whom: a module imports its own and those further up. Modules of one row may import each other as long
 * as no cycle comes of it.
 */
export const rows: readonly (readonly string[])[] = [
  ['lib', 'errors', 'assets'],
  ['ops'],
  ['report/events', 'spec', 'oci', 'transport'],
  ['hosts', 'artifacts', 'packages'],
  ['engine'],
  ['steps', 'kubernetes', 'charts'],
  ['checks', 'health', 'bundle', 'tuning'],
  ['addons'],
  ['phases'],
  ['workflows'],
  ['report/sinks', 'cli'],
  ['main'],
];

/** What the work emits events through; the rest of report/ are sinks. */
const eventFiles = ['src/report/events.ts', 'src/report/emitter.ts', 'src/report/redact.ts'];

/** Libraries that only these files, or files below these folders, may use. */
export const owners: Readonly<Record<string, readonly string[]>> = {
  ssh2: ['src/transport/'],
  execa: ['src/transport/local'],
  'node-fetch': ['src/oci/'],
  listr2: ['src/report/'],
  openpgp: ['src/packages/'],
  saxes: ['src/packages/'],
  'xz-decompress': ['src/packages/'],
  ora: ['src/report/'],
  commander: ['src/cli/'],
  'node:sea': ['src/assets.ts'],
};

/** Modules whose parts do not know each other: what two of them share moves up. */
const modulesOfStrangers = ['phases', 'addons'];

/** Name of the module that a file of src/ belongs to. */
export function moduleOf(file: string): string {
  if (eventFiles.includes(file)) return 'report/events';
  const [, first = ''] = file.split('/');
  if (first === 'report') return 'report/sinks';
  return first.replace(/\.ts$/, '');
}

/** What the imports break, one sentence each. */
export function findViolations(imports: readonly Import[]): string[] {
  const files = imports.filter((item) => item.isFile && item.to.startsWith('src/'));
  const modules = files
    .map(({ from, to }) => ({ from: moduleOf(from), to: moduleOf(to) }))
    .filter(({ from, to }) => from !== to);
  return [
    ...imports.flatMap(checkImport),
    ...cycleIn(files, 'files'),
    // A cycle over several rows is already an import that leads down.
    ...cycleIn(
      modules.filter(({ from, to }) => rowOf(from) === rowOf(to)),
      'modules',
    ),
  ];
}

function checkImport({ from, to, isFile }: Import): string[] {
  if (!isFile) return checkOwner(from, to);
  if (!to.startsWith('src/')) return from === 'src/assets.ts' ? [] : [`${from} imports ${to}, which is not in src/`];
  const [source, target] = [moduleOf(from), moduleOf(to)];
  const unknown = [source, target].filter((name) => rowOf(name) < 0);
  if (unknown.length > 0) return unknown.map((name) => `${name} is not in the table of modules (${from} to ${to})`);
  if (source === target && modulesOfStrangers.includes(source) && partOf(from) !== partOf(to) && !isIndex(from)) {
    return [`${from} imports ${to}: what ${source} share moves up`];
  }
  return rowOf(target) > rowOf(source) ? [`${from} imports ${to}: ${source} may not know ${target}`] : [];
}

function checkOwner(file: string, library: string): string[] {
  const allowed = owners[library];
  if (allowed === undefined || allowed.some((prefix) => file.startsWith(prefix))) return [];
  return [`${file} imports ${library}, which belongs to ${allowed.join(', ')}`];
}

function cycleIn(edges: readonly { readonly from: string; readonly to: string }[], what: string): string[] {
  const cycle = findCycle(edges);
  return cycle === undefined ? [] : [`A cycle of ${what}: ${cycle.join(' -> ')}`];
}

function rowOf(name: string): number {
  return rows.findIndex((row) => row.includes(name));
}

/** The phase or add-on that a file is of: a file of its own, or a folder. */
function partOf(file: string): string {
  return file.split('/')[2] ?? '';
}

function isIndex(file: string): boolean {
  return file.endsWith('/index.ts');
}
