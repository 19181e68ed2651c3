import { readFile, readdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cgroupName, endCgroups, hierarchies } from './cgroups.ts';
import { tryRun, type CommandOptions, type CommandResult } from './commands.ts';
import { ensureHostRoot, removeRoot, type HostIdentity } from './host-root.ts';
import { findLeader } from './leader.ts';
import { bridgeName } from './network.ts';
import { cableName, machineName, type LabPaths } from './paths.ts';
import { endProcess, findProcess, isAlive, signalProcess, type ProcessRef } from './processes.ts';
import { startService } from './services.ts';
import { snapshotFiles, type FileRecord } from './snapshot.ts';
import { renderSupervisor } from './supervisor.ts';
import { sshAnswers, waitUntil } from './waiting.ts';

/** A real host of the lab, with systemd, sshd, an address, a disk and cgroups of its own. */
export interface LabHost {
  readonly name: string;
  readonly address: string;
  /** Folder on this machine that is the host's `/`. */
  readonly root: string;
  /** This machine's end of the host's network cable. */
  readonly cable: string;
  /** The host's init, as long as it is on. */
  leader(): Promise<ProcessRef | undefined>;
  /** Whether it is on and its SSH server answers. */
  isReady(): Promise<boolean>;
  /**
   * Runs argv, or a text for sh, as root on the host and returns how it ended; throws where the host is off. It enters the
   * host's namespaces, so neither SSH nor the network has to work.
   */
  exec(command: string | readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Like `exec`, in the host's network only, with this machine's commands and files. */
  execInNetwork(argv: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Cuts the power: every process of the host is gone when it returns. The disk stays as it is. */
  powerOff(): Promise<void>;
  /** Switches the host on and waits until its SSH server answers; nothing happens where it is on. */
  boot(): Promise<void>;
  /** Restarts it in the host's own clean way and waits until its SSH server answers again. */
  reboot(): Promise<void>;
  /** Installs the host anew: a fresh root and machine id; name, address and SSH host key stay. */
  reset(): Promise<void>;
  snapshotFiles(): Promise<Map<string, FileRecord>>;
}

/** A host of a lab. It need not be there yet: `boot` makes what is missing. */
export function labHost(paths: LabPaths, identity: HostIdentity, rootfs: () => Promise<string>): LabHost {
  const { name, address } = identity;
  const root = join(paths.rootsDir, name);
  const cgroup = cgroupName(paths.name, name);
  const cable = cableName(paths.name, name);
  const consoleFile = join(paths.runDir, `${name}.console`);
  const supervisorFile = join(paths.runDir, `${name}.json`);
  const leader = (): Promise<ProcessRef | undefined> => findLeader(cgroup);

  async function ready(): Promise<boolean> {
    return (await leader()) !== undefined && (await sshAnswers(address));
  }

  async function waitReady(): Promise<void> {
    try {
      await waitUntil(`SSH of ${name} (${address}) to answer`, 60_000, async () => {
        if (await ready()) return true;
        if (await findProcess(supervisorFile)) return false;
        throw new Error(`${name} ended while it came up`);
      });
    } catch (error) {
      const said = (await readFile(consoleFile, 'utf8').catch(() => '')).trimEnd().split('\n').slice(-10).join('\n');
      throw new Error(`${name} did not come up; its console ends with:\n${said}`, { cause: error });
    }
  }

  async function powerOff(): Promise<void> {
    const init = await leader();
    if (init) signalProcess(init, 'SIGKILL');
    await endProcess(supervisorFile);
    await endCgroups(cgroup);
    // Sockets that wait for an answer of a host that is off too keep the network namespace, and its cable, for minutes.
    await tryRun('ip', ['link', 'del', cable]);
    await waitUntil(`cable ${cable} to be gone`, 10_000, async () => !(await cableExists()));
  }

  async function cableExists(): Promise<boolean> {
    return (await tryRun('ip', ['link', 'show', cable])).exitCode === 0;
  }

  async function boot(): Promise<void> {
    if ((await findProcess(supervisorFile)) && (await leader())) return waitReady();
    // Whatever is left of an earlier boot: processes without supervisor, cgroups, the cable.
    await endProcess(supervisorFile);
    await endCgroups(cgroup);
    if (await cableExists()) await tryRun('ip', ['link', 'del', cable]);
    await ensureHostRoot(await rootfs(), root, identity);
    await startSupervisor();
    return waitReady();
  }

  async function startSupervisor(): Promise<void> {
    const script = join(paths.runDir, `${name}.sh`);
    const machine = machineName(paths.name, name);
    const bridge = bridgeName(paths.name);
    await writeFile(
      script,
      renderSupervisor({ root, machine, bridge, cgroup, consoleFile, hierarchies: hierarchies() }),
    );
    await startService({
      argv: ['/bin/sh', script],
      cgroup: cgroupName(paths.name, 'services'),
      pidFile: supervisorFile,
      logFile: join(paths.runDir, `${name}.supervisor`),
    });
  }

  async function requireLeader(): Promise<number> {
    const init = await leader();
    if (!init) throw new Error(`host ${name} is off`);
    return init.pid;
  }

  async function exec(command: string | readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const argv = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
    const environment = ['HOME=/root', 'USER=root', 'LOGNAME=root', 'LANG=C.UTF-8', `PATH=${hostPath}`];
    const enter = ['--all', '--root', '--wd', '--target', String(await requireLeader())];
    return tryRun('nsenter', [...enter, '--', '/usr/bin/env', '-i', ...environment, ...argv], options);
  }

  async function reboot(): Promise<void> {
    const before = await leader();
    const asked = await exec(['systemctl', 'reboot']);
    if (asked.exitCode !== 0 || !before) throw new Error(`${name} refuses to reboot: ${asked.stderr.trim()}`);
    await waitUntil(`${name} to go down`, 60_000, () => !isAlive(before));
    await waitReady();
  }

  return {
    name,
    address,
    root,
    cable,
    leader,
    isReady: ready,
    exec,
    execInNetwork: async (argv, options = {}) =>
      tryRun('nsenter', ['--net', '--target', String(await requireLeader()), '--', ...argv], options),
    powerOff,
    boot,
    reboot,
    async reset() {
      await powerOff();
      await removeRoot(root);
      await boot();
    },
    snapshotFiles: async () => snapshotFiles(root, (await leader())?.pid),
  };
}

const hostPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Removes what systemd-nspawn keeps on this machine for a lab's hosts after they ended. */
export async function removeMachineRecords(lab: string): Promise<void> {
  const folder = '/run/systemd/nspawn';
  const records = await readdir(join(folder, 'propagate')).catch(() => []);
  for (const record of records.filter((name) => name.startsWith(`${lab}-`))) {
    await rmdir(join(folder, 'propagate', record)).catch(() => undefined);
  }
  for (const path of ['propagate', 'locks', '.']) await rmdir(join(folder, path)).catch(() => undefined);
}
