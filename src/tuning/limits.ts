import { fileStep } from '../steps/file-step.ts';
import { fileHead, removed, settingsOf, type Tuning } from './tuning.ts';

const limitsFile = '/etc/security/limits.d/90-installer.conf';
const systemdFile = '/etc/systemd/system.conf.d/90-installer.conf';
const journalFile = '/etc/systemd/journald.conf.d/90-installer.conf';

/** A share is one of the pids of the kernel, of which none has fewer than these. */
const fewestPids = 32_768;

/** At least so many tasks: `infinity`, a number or a percentage. */
function tasksOf(text: string): number {
  if (text === 'infinity') return Number.POSITIVE_INFINITY;
  return text.endsWith('%') ? (Number(text.slice(0, -1)) / 100) * fewestPids : Number(text);
}

/** systemd reads its own configuration again; units go on. */
const reexec = ['systemctl', 'daemon-reexec'] as const;
const restartJournal = ['systemctl', 'try-restart', 'systemd-journald.service'] as const;

export const loginLimits: Tuning = {
  id: 'login-limits',
  title: 'Limits of logins',
  setting: 'limits, coreDumps',
  byDefault: 'left alone',
  change: `writes ${limitsFile}`,
  why: 'administrators who run tools of the cluster by hand meet the same limits as services; core dumps fill disks',
  source: 'host requirements of the guides, core-dumps; pam_limits, limits.conf(5)',
  undo: `${removed}; sessions that are open keep their limits`,
  steps(_, cluster) {
    const { limits, coreDumps } = settingsOf(cluster);
    const rows = [
      ...(limits.openFiles === undefined ? [] : [['nofile', limits.openFiles] as const]),
      ...(limits.processes === undefined ? [] : [['nproc', limits.processes] as const]),
      ...(coreDumps === 'leave' ? [] : [['core', 0] as const]),
    ];
    if (rows.length === 0) return [];
    // `*` does not mean root.
    const lines = rows.flatMap(([name, value]) => ['*', 'root'].map((who) => `${who} - ${name} ${value}\n`));
    const content = `${fileHead}${lines.join('')}`;
    return [fileStep({ id: 'login-limits', path: limitsFile, content, mode: '644', record: {} })];
  },
  becomes: (_, cluster) =>
    settingsOf(cluster).coreDumps === 'leave' ? [] : [{ setting: 'coreDumps', facts: { coreLimit: '0' } }],
};

export const systemdDefaults: Tuning = {
  id: 'systemd-defaults',
  title: 'Defaults of systemd',
  setting: 'defaultTasksMax, coreDumps',
  byDefault: 'left alone',
  change: `writes DefaultTasksMax and DefaultLimitCORE to ${systemdFile}, and systemd reads it`,
  why: 'services that start many threads come against the limit of tasks of a unit; core dumps fill disks',
  source: 'host requirements of the guides, default-tasks-max and core-dumps; systemd-system.conf(5)',
  undo: `${removed}, and systemd reads its configuration again`,
  steps(_, cluster) {
    const { defaultTasksMax, coreDumps } = settingsOf(cluster);
    const lines = [
      ...(defaultTasksMax === undefined ? [] : [`DefaultTasksMax=${defaultTasksMax}\n`]),
      ...(coreDumps === 'leave' ? [] : ['DefaultLimitCORE=0\n']),
    ];
    if (lines.length === 0) return [];
    const content = `${fileHead}[Manager]\n${lines.join('')}`;
    return [
      fileStep({
        id: 'systemd-defaults',
        path: systemdFile,
        content,
        mode: '644',
        record: { after: [reexec] },
        then: [{ kind: 'run', argv: reexec, timeoutSeconds: 60 }],
      }),
    ];
  },
  becomes(_, cluster) {
    const { defaultTasksMax: text } = settingsOf(cluster);
    return text === undefined ? [] : [{ setting: 'defaultTasksMax', facts: { defaultTasksMax: tasksOf(text) } }];
  },
};

export const journalLimits: Tuning = {
  id: 'journal-limits',
  title: 'Limits of the journal',
  setting: 'journald',
  byDefault: 'left alone',
  change: `writes ${journalFile}, and the journal starts with it`,
  why: 'the journal of a busy node takes a tenth of its file system where nobody says otherwise',
  source: 'journald.conf(5)',
  undo: `${removed}, and the journal starts without it; entries that were dropped are gone`,
  steps(_, cluster) {
    const { maxUse, maxRetention } = settingsOf(cluster).journald;
    const lines = [
      ...(maxUse === undefined ? [] : [`SystemMaxUse=${maxUse}\n`]),
      ...(maxRetention === undefined ? [] : [`MaxRetentionSec=${maxRetention}\n`]),
    ];
    if (lines.length === 0) return [];
    return [
      fileStep({
        id: 'journal-limits',
        path: journalFile,
        content: `${fileHead}[Journal]\n${lines.join('')}`,
        mode: '644',
        record: { after: [restartJournal] },
        then: [{ kind: 'run', argv: restartJournal, timeoutSeconds: 60 }],
      }),
    ];
  },
};
