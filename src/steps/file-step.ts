import { createHash } from 'node:crypto';
import { blocked, changes, noChanges, type Change, type Step } from '../engine/step.ts';
import type { Action, RecordedFile } from '../ops/action.ts';
import { fileQuery } from '../ops/query.ts';
import { fillSecrets, type Secrets } from '../ops/secrets.ts';

export interface FileStepInput {
  readonly id: string;
  readonly path: string;
  /** May hold placeholders; then `secrets` has their values, and only digests are compared. */
  readonly content: string;
  /** Octal: `644`. */
  readonly mode: string;
  readonly secrets?: Secrets;
  /** What was there before is kept and put back by reset and restore-host. */
  readonly record?: RecordedFile;
  /** Done before it, in the same change. */
  readonly first?: readonly Action[];
  /** Done after the file is written, in the same change. */
  readonly then?: readonly Action[];
  readonly disruptive?: boolean;
}

/** Makes a file be there with this text, mode and owner root. */
export function fileStep(input: FileStepInput): Step {
  const { id, path, content, mode, secrets } = input;
  const query = fileQuery(path, { content: secrets === undefined });
  return {
    id,
    observe: [query],
    plan(seen) {
      const answer = seen(query);
      if (answer.state === 'unknown') return unreadable(path, answer.reason);
      const file = answer.state === 'present' ? answer.value : undefined;
      if (file?.type === 'directory' || file?.type === 'other') return notAFile(path, file.type);
      const wanted = sha256(secrets === undefined ? content : fillSecrets(content, secrets));
      const reasons = [
        ...(file === undefined ? ['it is missing'] : []),
        ...(file !== undefined && file.sha256 !== wanted ? ['its content differs'] : []),
        ...(file !== undefined && file.mode !== mode ? [`its mode is ${file.mode}`] : []),
        ...(file !== undefined && file.owner !== 'root' ? [`its owner is ${file.owner}`] : []),
      ];
      if (reasons.length === 0) return noChanges;
      const change: Change = {
        summary: `write ${path}: ${reasons.join(', ')}`,
        before: secrets === undefined ? file?.content : undefined,
        after: content,
        ...(input.disruptive === true ? { disruptive: true } : {}),
        actions: [
          ...(input.first ?? []),
          { kind: 'write-file', path, content, mode, ...(input.record === undefined ? {} : { record: input.record }) },
          ...(input.then ?? []),
        ],
      };
      return changes(change);
    },
  };
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function unreadable(path: string, reason: string): ReturnType<Step['plan']> {
  return blocked(
    'FILE_UNREADABLE',
    `cannot read ${path}: ${reason}`,
    'see whether the file system is healthy, then run again',
  );
}

function notAFile(path: string, type: 'directory' | 'other'): ReturnType<Step['plan']> {
  const unit = /\/systemd\/system\/([^/]+\.service)$/.exec(path)?.[1];
  // systemd masks a unit by a link to /dev/null. Somebody wanted that, and nothing may be written into a device.
  if (type === 'other' && unit !== undefined)
    return blocked(
      'NOT_A_FILE',
      `${unit} is masked, or ${path} is a device`,
      `where the unit may run: systemctl unmask ${unit}; then run again`,
    );
  return blocked(
    'NOT_A_FILE',
    `${path} is ${type === 'directory' ? 'a folder' : 'neither a file nor a link to one'}`,
    'move it away, then run again',
  );
}
