import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * One kernel runs under all hosts: what a host sets under vm, kernel and fs it sets for this machine (only net.* is its own).
 * So `up` saves these values before the first host boots, and `down` puts back what changed.
 */
interface SavedValues {
  /** Values of an earlier boot are worth nothing. */
  readonly bootId: string;
  readonly values: Readonly<Record<string, string>>;
}

const roots = [
  '/proc/sys/vm',
  '/proc/sys/kernel',
  '/proc/sys/fs',
  '/proc/sys/net/bridge',
  '/sys/kernel/mm/transparent_hugepage',
];
const single = ['/proc/sys/net/ipv4/ip_forward', '/proc/sys/net/ipv6/conf/all/forwarding'];

/** Readings, triggers and what is counted: writing them back would mean something else than undoing. */
const noSettings =
  /^\/proc\/sys\/(kernel\/(random|usermodehelper|pty\/nr|ns_last_pid|tainted|cad_pid|hostname|domainname|sched_domain)|fs\/(binfmt_misc|.*-nr|.*-state)|vm\/(drop_caches|compact_memory|stat_refresh))(\/|$)/;

/** Whether a file below /proc/sys or /sys holds a setting that can be put back. */
export function isSetting(path: string): boolean {
  return !noSettings.test(path);
}

/** Saves the values in `file` unless this boot's are there already. */
export async function saveKernelValues(file: string): Promise<void> {
  const bootId = await currentBootId();
  if ((await readSaved(file))?.bootId === bootId) return;
  await mkdir(dirname(file), { recursive: true });
  const saved: SavedValues = { bootId, values: Object.fromEntries(await readSettings()) };
  await writeFile(file, JSON.stringify(saved));
}

/** Puts changed values back and removes `file`. Returns a line for each value that was changed, or that could not be. */
export async function restoreKernelValues(file: string): Promise<string[]> {
  const saved = await readSaved(file);
  const report: string[] = [];
  if (saved?.bootId === (await currentBootId())) {
    const now = await readSettings();
    for (const [path, before] of Object.entries(saved.values)) {
      const value = now.get(path);
      if (value === undefined || value === before) continue;
      report.push(await putBack(path, value, before));
    }
  }
  await rm(file, { force: true });
  return report;
}

/** The machine must not pass frames between hosts through its own packet filter (a Docker there would drop them). */
export async function keepBridgesUnfiltered(): Promise<void> {
  for (const name of ['iptables', 'ip6tables', 'arptables']) {
    // Absent where the kernel has no br_netfilter, and then nothing is filtered.
    await writeFile(`/proc/sys/net/bridge/bridge-nf-call-${name}`, '0').catch(() => undefined);
  }
}

/** The word in brackets is the choice, in files of the form `always [madvise] never`. */
export function settingOf(content: string): string {
  return /\[([^\]]+)\]/.exec(content)?.[1] ?? content.trim();
}

async function putBack(path: string, now: string, before: string): Promise<string> {
  try {
    await writeFile(path, before);
    return `${path}: ${now} back to ${before}`;
  } catch (error) {
    return `${path}: stays ${now}, was ${before} (${error instanceof Error ? error.message : String(error)})`;
  }
}

async function readSettings(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const files = [...(await Promise.all(roots.map(filesBelow))).flat(), ...single];
  for (const file of files.filter(isSetting)) {
    // The mode tells, not access(): root may open anything, but counters without a write bit take nothing.
    const writable = await stat(file).then(
      ({ mode }) => (mode & 0o600) === 0o600,
      () => false,
    );
    const content = writable ? await readFile(file, 'utf8').catch(() => undefined) : undefined;
    if (content !== undefined) found.set(file, settingOf(content));
  }
  return found;
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const paths = entries.map((entry) => ({ path: join(folder, entry.name), isFolder: entry.isDirectory() }));
  const nested = paths
    .filter(({ path }) => isSetting(path))
    .map(async ({ path, isFolder }) => (isFolder ? filesBelow(path) : [path]));
  return (await Promise.all(nested)).flat();
}

async function readSaved(file: string): Promise<SavedValues | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as SavedValues;
  } catch {
    return undefined;
  }
}

async function currentBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
