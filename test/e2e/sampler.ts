import { readFileSync, readdirSync } from 'node:fs';

/** A process that was seen on a host of the lab. */
export interface SeenProcess {
  readonly host: string;
  readonly pid: number;
  readonly firstSeenMs: number;
  argv: readonly string[];
}

/**
 * Watches the processes of a lab's hosts from outside, by their cgroups: nothing runs on the hosts for it, and a host that
 * loses its power is watched on when it is back.
 */
export interface Sampler {
  /** Processes of kubeadm with this subcommand that began since a moment of `performance.now()`. */
  kubeadm(subcommand: string, sinceMs?: number): SeenProcess[];
  /** The most of them that ever ran side by side on one host. */
  mostAtOnce(subcommand: string): number;
  /** The hosts on which one runs. */
  running(subcommand: string): string[];
  /** Every command line that was seen, with blanks between the arguments. */
  commandLines(): string[];
  scans(): number;
  stop(): void;
}

interface Tracked {
  readonly firstSeenMs: number;
  process?: SeenProcess;
}

const intervalMs = 100;
/** For so long a process may still be on its way: into its cgroup, and from a shell to another program. */
const youngMs = 2000;

export function startSampler(lab: string): Sampler {
  const alive = new Map<number, Tracked>();
  const all: SeenProcess[] = [];
  const lines = new Set<string>();
  const most = new Map<string, number>();
  const cgroup = new RegExp(`/installer-lab/${lab}/(node\\d+)(/|$)`, 'm');
  let scans = 0;

  function look(pid: number, now: number): void {
    const tracked = alive.get(pid) ?? { firstSeenMs: now };
    alive.set(pid, tracked);
    if (now - tracked.firstSeenMs > youngMs) return;
    if (tracked.process === undefined) {
      const host = cgroup.exec(readText(`/proc/${pid}/cgroup`))?.[1];
      if (host === undefined) return;
      tracked.process = { host, pid, firstSeenMs: now, argv: [] };
      all.push(tracked.process);
    }
    const argv = argvOf(pid);
    if (argv.length === 0 || isForked(pid, argv)) return;
    tracked.process.argv = argv;
    lines.add(argv.join(' '));
  }

  /** A program that starts another one is there twice for a moment, until the copy has become the other. */
  function isForked(pid: number, argv: readonly string[]): boolean {
    const parent = /^PPid:\s*(\d+)$/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? '';
    // Of the kernel: numbers of processes begin anew, so the copy may be looked at before its parent was.
    return argvOf(parent).join(' ') === argv.join(' ');
  }

  function scan(): void {
    scans += 1;
    const now = performance.now();
    const pids = new Set(readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : [])));
    for (const pid of alive.keys()) if (!pids.has(pid)) alive.delete(pid);
    for (const pid of pids) look(pid, now);
    for (const [key, count] of countRunning()) {
      const subcommand = key.split(' ')[1] ?? '';
      most.set(subcommand, Math.max(count, most.get(subcommand) ?? 0));
    }
  }

  function countRunning(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { process } of alive.values()) {
      const subcommand = process === undefined ? undefined : subcommandOf(process);
      if (process === undefined || subcommand === undefined) continue;
      const key = `${process.host} ${subcommand}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  }

  scan();
  const timer = setInterval(scan, intervalMs);
  return {
    kubeadm: (subcommand, sinceMs = 0) =>
      all.filter((process) => subcommandOf(process) === subcommand && process.firstSeenMs >= sinceMs),
    mostAtOnce: (subcommand) => most.get(subcommand) ?? 0,
    running: (subcommand) =>
      [...alive.values()].flatMap(({ process }) =>
        process !== undefined && subcommandOf(process) === subcommand ? [process.host] : [],
      ),
    commandLines: () => [...lines],
    scans: () => scans,
    stop: () => clearInterval(timer),
  };
}

function argvOf(pid: number | string): string[] {
  return readText(`/proc/${pid}/cmdline`).split('\0').slice(0, -1);
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
