import { blocked, changes, noChanges, type Step } from '../engine/step.ts';
import type { Action, RecordedFile } from '../ops/action.ts';
import { fileQuery, type Query, type Answers } from '../ops/query.ts';
import { sha256 } from './file-step.ts';

export interface EditStepInput {
  readonly id: string;
  readonly path: string;
  readonly summary: string;
  /** The text as it should be, from the text that is there ('' where there is none). Editing twice changes nothing more. */
  edit(content: string): string;
  readonly then?: readonly Action[];
  /** What was there before is kept and put back by reset and restore-host. */
  readonly record?: RecordedFile;
}

/** Changes a part of a file that is not ours alone; mode and owner stay. */
export function editStep(input: EditStepInput): Step {
  const query = fileQuery(input.path);
  return {
    id: input.id,
    observe: [query],
    plan(seen) {
      const answer = seen(query);
      if (answer.state === 'unknown') {
        return blocked(
          'FILE_UNREADABLE',
          `cannot read ${input.path}: ${answer.reason}`,
          'see whether the file system is healthy, then run again',
        );
      }
      const before = answer.state === 'present' ? (answer.value.content ?? '') : '';
      const after = input.edit(before);
      if (after === before) return noChanges;
      if (answer.state === 'present' && (answer.value.sha256 !== sha256(before) || before.includes('\0'))) {
        // Written back, bytes that are no text would come out as others.
        return blocked('NOT_TEXT', `${input.path} is no UTF-8 text`, 'see what is wrong with the file, then run again');
      }
      const mode = answer.state === 'present' ? answer.value.mode : '644';
      return changes({
        summary: `${input.summary} in ${input.path}`,
        before: answer.state === 'present' ? before : undefined,
        after,
        actions: [
          {
            kind: 'write-file',
            path: input.path,
            content: after,
            mode,
            keepOwner: true,
            ...(input.record === undefined ? {} : { record: input.record }),
          },
          ...(input.then ?? []),
        ],
      });
    },
  };
}

/** Makes a folder be there. */
export function directoryStep(id: string, path: string, mode: string): Step {
  const query = fileQuery(path, { content: false });
  return {
    id,
    observe: [query],
    plan(seen) {
      const answer = seen(query);
      if (answer.state === 'unknown')
        return blocked(
          'FILE_UNREADABLE',
          `cannot read ${path}: ${answer.reason}`,
          'see whether the file system is healthy',
        );
      if (answer.state === 'present' && answer.value.type !== 'directory')
        return blocked('NOT_A_FOLDER', `${path} is not a folder`, 'move it away, then run again');
      return answer.state === 'present'
        ? noChanges
        : changes({ summary: `make folder ${path}`, actions: [{ kind: 'directory', path, mode }] });
    },
  };
}

/** A step made of its parts, for what has no shape of its own. */
export function customStep(
  id: string,
  observe: readonly Query[],
  plan: (seen: Answers) => ReturnType<Step['plan']>,
): Step {
  return { id, observe, plan };
}
