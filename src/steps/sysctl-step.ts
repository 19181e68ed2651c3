import { blocked, changes, noChanges, type Step } from '../engine/step.ts';
import { fileQuery } from '../ops/query.ts';

export interface SysctlSetting {
  readonly key: string;
  readonly value: number;
  /** Limits are only raised: a greater value that is there already stays. */
  readonly raiseOnly?: boolean;
}

/** Makes kernel parameters hold now and after a reboot, through one file of ours. */
export function sysctlStep(id: string, path: string, settings: readonly SysctlSetting[]): Step {
  const file = fileQuery(path);
  const values = settings.map((setting) => ({
    setting,
    query: fileQuery(`/proc/sys/${setting.key.replaceAll('.', '/')}`),
  }));
  return {
    id,
    observe: [file, ...values.map(({ query }) => query)],
    plan(seen) {
      const fileSeen = seen(file);
      if (fileSeen.state === 'unknown')
        return blocked(
          'FILE_UNREADABLE',
          `cannot read ${path}: ${fileSeen.reason}`,
          'see whether the file system is healthy',
        );
      const content = fileSeen.state === 'present' ? (fileSeen.value.content ?? '') : '';
      const rows = values.map(({ setting, query }) => {
        const answer = seen(query);
        const current = answer.state === 'present' ? Number(answer.value.content?.trim()) : undefined;
        return { setting, current, wanted: wantedValue(setting, current, parseSetting(content, setting.key)) };
      });
      const after = renderSysctlFile(rows.map(({ setting, wanted }) => [setting.key, wanted]));
      const wrong = rows.filter(({ current, wanted }) => current !== wanted);
      if (wrong.length === 0 && after === content) return noChanges;
      const shown = wrong.map(({ setting, current, wanted }) => `${setting.key} ${current ?? 'unset'} -> ${wanted}`);
      return changes({
        summary: `set kernel parameters${shown.length === 0 ? '' : `: ${shown.join(', ')}`}`,
        before: fileSeen.state === 'present' ? content : undefined,
        after,
        actions: [
          { kind: 'write-file', path, content: after, mode: '644' },
          { kind: 'run', argv: ['sysctl', '-q', '-p', path], timeoutSeconds: 20 },
        ],
      });
    },
  };
}

/** A limit stays where it is higher already, whether the kernel or our file of an earlier run says so. */
function wantedValue(setting: SysctlSetting, current: number | undefined, inFile: number | undefined): number {
  if (setting.raiseOnly !== true) return setting.value;
  return Math.max(setting.value, current ?? 0, inFile ?? 0);
}

function parseSetting(content: string, key: string): number | undefined {
  const line = content.split('\n').find((candidate) => candidate.split('=')[0]?.trim() === key);
  const value = Number(line?.split('=')[1]?.trim());
  return Number.isFinite(value) ? value : undefined;
}

function renderSysctlFile(rows: readonly (readonly [string, number])[]): string {
  return `# Written by the installer for Kubernetes; installer reset removes it.\n${rows.map(([key, value]) => `${key} = ${value}\n`).join('')}`;
}
