import { readFileSync, readdirSync } from 'node:fs';

/** A process that was seen on a host of the lab. */
export interface SeenProcess {
  readonly host: string;
  readonly pid: number;
  argv: readonly string[];
  firstSeenMs: number;
  lastSeenMs: number;
}

/**
 * Watches the processes of a lab's hosts from outside, by their cgroups: nothing runs on the hosts for it, and a host that
 * loses its power is watched on when it is back.
 */
export interface Sampler {
  /** Processes of kubeadm with this subcommand that were seen since a moment of `performance.now()`. */
  kubeadm(subcommand: string, sinceMs?: number): SeenProcess[];
  /** The most that ever ran side by side on one host. */
  mostAtOnce(subcommand: string, sinceMs?: number): number;
  /** Every command line that was seen, with blanks between the arguments. */
  commandLines(): string[];
  running(subcommand: string): boolean;
  scans(): number;
  stop(): void;
}

const intervalMs = 100;
/** For so long a process may still be the shell that is about to become another program. */
const youngMs = 2000;

export function startSampler(lab: string): Sampler {
  const alive = new Map<number, SeenProcess | 'elsewhere'>();
  const all: SeenProcess[] = [];
  const lines = new Set<string>();
  const most = new Map<string, { count: number; atMs: number }[]>();
  const ownCgroup = new RegExp(`/installer-lab/${lab}/(node\\d+)(/|$)`, 'm');
  let count = 0;

  function look(pid: number, now: number): void {
    const known = alive.get(pid);
    if (known === 'elsewhere') return;
    if (known !== undefined) {
      known.lastSeenMs = now;
      if (now - known.firstSeenMs < youngMs) learn(known);
      return;
    }
    const host = ownCgroup.exec(readText(`/proc/${pid}/cgroup`))?.[1];
    if (host === undefined) {
      // What a shell of this machine starts enters the cgroup of a host only a moment later.
      if (readText(`/proc/${pid}/cgroup`).includes('installer-lab')) alive.set(pid, 'elsewhere');
      return;
    }
    const process: SeenProcess = { host, pid, argv: [], firstSeenMs: now, lastSeenMs: now };
    learn(process);
    alive.set(pid, process);
    all.push(process);
  }

  function learn(process: SeenProcess): void {
    const argv = readText(`/proc/${process.pid}/cmdline`).split('\0').slice(0, -1);
    if (argv.length === 0) return;
    process.argv = argv;
    lines.add(argv.join(' '));
  }

  function scan(): void {
    const now = performance.now();
    count += 1;
    const pids = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
    const present = new Set(pids);
    for (const pid of alive.keys()) if (!present.has(pid)) alive.delete(pid);
    for (const pid of pids) look(pid, now);
    const now2 = new Map<string, number>();
    for (const process of alive.values()) {
      if (process === 'elsewhere') continue;
      const subcommand = subcommandOf(process);
      if (subcommand === undefined) continue;
      const key = `${process.host} ${subcommand}`;
      now2.set(key, (now2.get(key) ?? 0) + 1);
    }
    for (const [key, running] of now2) {
      const subcommand = key.split(' ')[1] ?? '';
      most.set(subcommand, [...(most.get(subcommand) ?? []), { count: running, atMs: now }]);
    }
  }

  scan();
  const timer = setInterval(scan, intervalMs);
  const kubeadm = (subcommand: string, sinceMs = 0): SeenProcess[] =>
    all.filter((process) => subcommandOf(process) === subcommand && process.firstSeenMs >= sinceMs);
  return {
    kubeadm,
    mostAtOnce: (subcommand, sinceMs = 0) =>
      Math.max(0, ...(most.get(subcommand) ?? []).filter(({ atMs }) => atMs >= sinceMs).map((sample) => sample.count)),
    commandLines: () => [...lines],
    running: (subcommand) =>
      [...alive.values()].some((process) => process !== 'elsewhere' && subcommandOf(process) === subcommand),
    scans: () => count,
    stop: () => clearInterval(timer),
  };
}

function subcommandOf({ argv }: SeenProcess): string | undefined {
  const [program = '', subcommand] = argv;
  return program.split('/').at(-1) === 'kubeadm' ? subcommand : undefined;
}

/** Empty where the process ended meanwhile. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
