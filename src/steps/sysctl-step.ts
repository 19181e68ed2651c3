import { blocked, changes, noChanges, type Step, type StepPlan } from '../engine/step.ts';
import { commandQuery, fileQuery } from '../ops/query.ts';
import { sysctlFilesQuery as elsewhere } from '../ops/sysctl-query.ts';

export interface SysctlSetting {
  readonly key: string;
  readonly value: string;
  /** The user asked for it in the cluster file: it wins over what is set elsewhere on the host. */
  readonly isOwn?: boolean;
  /** Kubernetes does not work without it. */
  readonly isRequired?: boolean;
  /** A limit is only raised: a greater value that is there already stays. */
  readonly raiseOnly?: boolean;
  /** A list of ports and ranges: what is in it already stays. */
  readonly addsPorts?: boolean;
}

interface Row {
  readonly setting: SysctlSetting;
  readonly current: string | undefined;
  readonly wanted: string;
  /** Set elsewhere by somebody else, and left so. */
  readonly keptFrom?: string;
  /** Set elsewhere to what cannot stay; our file is read later. */
  readonly over?: Elsewhere;
}

/**
 * Makes kernel parameters hold now and after a reboot, through one file of ours. `formerPath` is where that was in earlier versions:
 * it is taken away, unless it holds something that is not among the settings any more.
 */
export function sysctlStep(id: string, path: string, settings: readonly SysctlSetting[], formerPath = ''): Step {
  const file = fileQuery(path);
  const former = formerPath === '' ? undefined : fileQuery(formerPath);
  // One program reads them all: `PATH:value`, a line each, and no line for what is not there.
  const values = commandQuery(['grep', '-sH', '', ...settings.map(({ key }) => procPath(key))]);
  return {
    id,
    observe: [file, elsewhere, values, ...(former === undefined ? [] : [former])],
    plan(seen) {
      const fileSeen = seen(file);
      const others = seen(elsewhere);
      const valuesSeen = seen(values);
      if (fileSeen.state === 'unknown') return unreadable(path, fileSeen.reason);
      if (others.state === 'unknown') return unreadable('/etc/sysctl.d', others.reason);
      if (valuesSeen.state !== 'present')
        return unreadable('/proc/sys', valuesSeen.state === 'unknown' ? valuesSeen.reason : 'there is no grep');
      const running = parseValues(valuesSeen.value.stdout);
      const content = fileSeen.state === 'present' ? (fileSeen.value.content ?? '') : '';
      const formerSeen = former && seen(former);
      const formerText = formerSeen?.state === 'present' ? (formerSeen.value.content ?? '') : '';
      const isReplaced = isReplacedBy(formerText, settings);
      const foreign = parseElsewhere(
        others.state === 'present' ? others.value.stdout : '',
        isReplaced ? [path, formerPath] : [path],
      );
      const rows: Row[] = [];
      for (const setting of settings) {
        const current = running.get(procPath(setting.key));
        // A kernel without it needs no tuning of it.
        if (current === undefined && setting.isRequired !== true && setting.isOwn !== true) continue;
        const other = foreign.get(setting.key);
        const inFile = [content, ...(isReplaced ? [formerText] : [])].map((text) => parseSetting(text, setting.key));
        const wanted = wantedValue(setting, current, inFile);
        if (other === undefined || isEnough(setting, other.value, wanted)) rows.push({ setting, current, wanted });
        else if (!isFirm(setting))
          rows.push({ setting, current, wanted: current ?? other.value, keptFrom: other.file });
        else if (isReadLater(other.file, path)) {
          const { reason, remedy } = conflict(setting, other);
          return blocked('SYSCTL_CONFLICT', reason, remedy);
        } else rows.push({ setting, current, wanted, over: other });
      }
      return planRows(
        path,
        fileSeen.state === 'present' ? content : undefined,
        rows,
        isReplaced ? formerPath : undefined,
      );
    },
  };
}

function planRows(
  path: string,
  before: string | undefined,
  rows: readonly Row[],
  former: string | undefined,
): StepPlan {
  const after = renderSysctlFile(rows);
  const wrong = rows.filter(({ current, wanted }) => current !== wanted);
  if (wrong.length === 0 && after === before && former === undefined) return noChanges;
  const shown = wrong.map(
    ({ setting, current, wanted, over }) =>
      `${setting.key} ${current ?? 'unset'} -> ${wanted}${over === undefined ? '' : ` (over ${over.file})`}`,
  );
  const kept = rows.flatMap(({ setting, current, keptFrom }) =>
    keptFrom === undefined ? [] : [`${setting.key} stays ${current ?? 'unset'} (${keptFrom})`],
  );
  const said = [...shown, ...kept].join(', ');
  return changes({
    summary: `set kernel parameters${said === '' ? '' : `: ${said}`}`,
    before,
    after,
    actions: [
      ...(wrong.length === 0
        ? []
        : [
            {
              kind: 'kernel-values',
              values: wrong.map(({ setting, wanted }) => ({ path: procPath(setting.key), value: wanted })),
              record: true,
            } as const,
          ]),
      { kind: 'write-file', path, content: after, mode: '644', record: {} },
      ...(former === undefined ? [] : [{ kind: 'remove', path: former, record: {} } as const]),
    ],
  });
}

/** `net.ipv4.conf.eth0/1.rp_filter`: in sysctl.d a slash in a name stands for a dot of an interface. */
export function procPath(key: string): string {
  return `/proc/sys/${key.replaceAll(/[./]/g, (mark) => (mark === '.' ? '/' : '.'))}`;
}

/** A limit stays where it is higher already, whether the kernel or our file of an earlier run says so. */
function wantedValue(
  setting: SysctlSetting,
  current: string | undefined,
  inFile: readonly (string | undefined)[],
): string {
  if (setting.addsPorts === true) {
    if (current === undefined || current === '') return setting.value;
    return coversPorts(current, setting.value) ? current : `${current},${setting.value}`;
  }
  if (setting.raiseOnly !== true) return setting.value;
  const known = [setting.value, current, ...inFile].map(Number).filter(Number.isFinite);
  return String(Math.max(...known));
}

/** What somebody else set does what ours is for. */
function isEnough(setting: SysctlSetting, other: string, wanted: string): boolean {
  if (setting.addsPorts === true) return coversPorts(other, setting.value);
  return setting.raiseOnly === true ? Number(other) >= Number(setting.value) : other === wanted;
}

/** Whether a list like `80,30000-32767` holds all ports of a range. */
export function coversPorts(list: string, range: string): boolean {
  const [from = 0, to = from] = range.split('-').map(Number);
  return list.split(',').some((item) => {
    const [first = 0, last = first] = item.split('-').map(Number);
    return first <= from && last >= to;
  });
}

/** By path; a value stands on one line. */
function parseValues(text: string): Map<string, string> {
  const lines = text.split('\n').filter((line) => line.includes(':'));
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')), normalise(line.slice(line.indexOf(':') + 1))] as const),
  );
}

interface Elsewhere {
  readonly value: string;
  readonly file: string;
}

/** By key; of several files the one that is read last. */
function parseElsewhere(text: string, ownPaths: readonly string[]): Map<string, Elsewhere> {
  const found = text.split('\n').flatMap((line): [string, Elsewhere][] => {
    const match = /^(\/[^:]+):\s*-?([^=#;\s]+)\s*=\s*(.*)$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined || ownPaths.includes(match[1])) return [];
    // `net/ipv4/ip_forward` is the same name; only where a slash comes first do slashes part it.
    const key = /^[^.]*\//.test(match[2])
      ? match[2].replaceAll(/[./]/g, (mark) => (mark === '.' ? '/' : '.'))
      : match[2];
    return [[key, { value: normalise(match[3] ?? ''), file: match[1] }]];
  });
  return new Map(found.toSorted(([, a], [, b]) => (isReadLater(a.file, b.file) ? 1 : -1)));
}

/** Files of sysctl.d are read by name, whatever their folder; at boot systemd reads sysctl.conf as 99-sysctl.conf, a link to it. */
function isReadLater(file: string, than: string): boolean {
  const name = (path: string): string =>
    path === '/etc/sysctl.conf' ? '99-sysctl.conf' : path.slice(path.lastIndexOf('/') + 1);
  return name(file) > name(than);
}

function normalise(value: string): string {
  return value.trim().replaceAll(/\s+/g, ' ');
}

function parseSetting(content: string, key: string): string | undefined {
  const line = content.split('\n').find((candidate) => candidate.split('=')[0]?.trim() === key);
  return line?.slice(line.indexOf('=') + 1).trim();
}

const fileHead = '# Written by the installer for Kubernetes; installer reset and restore-host take it away.\n';

function renderSysctlFile(rows: readonly Row[]): string {
  const lines = rows.map(({ setting, wanted, keptFrom, over }) => {
    if (keptFrom !== undefined) return `# ${setting.key} stays as ${keptFrom} sets it\n`;
    const note = over === undefined ? '' : `# ${over.file} sets ${over.value}\n`;
    return `${note}${setting.key} = ${wanted}\n`;
  });
  return `${fileHead}${lines.join('')}`;
}

/** The file is the installer's, and all that it sets stands in the new one, too. */
function isReplacedBy(content: string, settings: readonly SysctlSetting[]): boolean {
  const keys = new Set(settings.map(({ key }) => key));
  const lines = content.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return content.startsWith(fileHead) && lines.every((line) => keys.has(line.split('=')[0]?.trim() ?? ''));
}

export interface SysctlConflict {
  readonly key: string;
  readonly reason: string;
  readonly remedy: string;
}

/** What would undo settings that must hold, by the text of the other files; `paths` are our own, the one in force first. */
export function sysctlConflicts(
  settings: readonly SysctlSetting[],
  elsewhereText: string,
  paths: readonly [string, ...string[]],
): SysctlConflict[] {
  const foreign = parseElsewhere(elsewhereText, paths);
  return settings.filter(isFirm).flatMap((setting) => {
    const other = foreign.get(setting.key);
    const isHarmless =
      other === undefined || isEnough(setting, other.value, setting.value) || !isReadLater(other.file, paths[0]);
    return isHarmless ? [] : [conflict(setting, other)];
  });
}

/** It must hold, whatever another file says. */
function isFirm({ isOwn, isRequired }: SysctlSetting): boolean {
  return isOwn === true || isRequired === true;
}

function conflict({ key, value, isOwn }: SysctlSetting, other: Elsewhere): SysctlConflict {
  const why = isOwn === true ? 'the cluster file wants' : 'Kubernetes needs';
  return {
    key,
    reason: `${why} ${key} = ${value}, but ${other.file}, which is read later at boot, sets ${other.value}`,
    remedy: `take ${key} out of ${other.file} on the host${isOwn === true ? ', or out of the cluster file' : ''}, then run again`,
  };
}

function unreadable(path: string, reason: string): StepPlan {
  return blocked('FILE_UNREADABLE', `cannot read ${path}: ${reason}`, 'see whether the file system is healthy');
}
