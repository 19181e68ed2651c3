import type { FrameContent } from './frames.ts';
import type { AnswerOf, ArtifactSeen, CommandSeen, FileQuery, FileSeen, Query, Seen, ServiceSeen } from './query.ts';
import { parseRecord } from './record.ts';
import { absentStatus } from './status.ts';
import { parseTrees } from './trees.ts';

/** Turns what a query's snippet printed into its answer; never throws: what cannot be read is unknown. */
export function parseAnswer(query: Query, frame: FrameContent | undefined): Seen<AnswerOf<Query>> {
  if (frame?.exitCode === undefined) return { state: 'unknown', reason: 'the host did not answer' };
  if (query.kind === 'command') return parseCommand(query.argv[0] ?? '', frame, frame.exitCode);
  if (frame.exitCode === absentStatus) return { state: 'absent' };
  if (frame.exitCode !== 0) return { state: 'unknown', reason: frame.stderr.trim() || `exit status ${frame.exitCode}` };
  if (query.kind === 'file') return parseFile(query, frame.stdout);
  if (query.kind === 'service') return { state: 'present', value: parseService(frame.stdout) };
  if (query.kind === 'record') return { state: 'present', value: parseRecord(frame.stdout) };
  if (query.kind === 'trees') return { state: 'present', value: parseTrees(frame.stdout) };
  return { state: 'present', value: parseArtifact(frame.stdout) };
}

/** A command that does not exist (127) is absent; one that ran is present, whatever it returned. */
function parseCommand(command: string, frame: FrameContent, exitCode: number): Seen<CommandSeen> {
  if (exitCode === 127) return { state: 'absent' };
  if (exitCode === 124 || exitCode === 137) return { state: 'unknown', reason: `${command} did not answer in time` };
  return {
    state: 'present',
    value: { exitCode, stdout: frame.stdout, stderr: frame.stderr, durationMs: frame.durationMs ?? 0 },
  };
}

function parseFile(query: FileQuery, stdout: string): Seen<FileSeen> {
  const [head = '', ...rest] = splitLines(stdout, 2);
  const [kind = '', mode = '', owner = '', group = '', size = ''] = head.split('|');
  const type = fileType(kind);
  const base = { type, mode, owner, group, sizeBytes: Number(size), sha256: '' };
  if (mode === '') return { state: 'unknown', reason: `cannot read the attributes of ${query.path}` };
  if (type !== 'file') return { state: 'present', value: base };
  const [sum = '', content] = splitLines(rest.join('\n'), 2);
  const value = { ...base, sha256: sum.slice(0, 64) };
  return { state: 'present', value: query.content ? { ...value, content: content ?? '' } : value };
}

/** The first `count - 1` lines and the rest, untouched. */
function splitLines(text: string, count: number): string[] {
  const parts: string[] = [];
  let rest = text;
  while (parts.length < count - 1) {
    const end = rest.indexOf('\n');
    if (end === -1) break;
    parts.push(rest.slice(0, end));
    rest = rest.slice(end + 1);
  }
  return [...parts, rest];
}

function fileType(kind: string): FileSeen['type'] {
  if (kind.startsWith('regular')) return 'file';
  if (kind === 'directory') return 'directory';
  if (kind === 'symbolic link') return 'symlink';
  return 'other';
}

function parseService(stdout: string): ServiceSeen {
  const values = new Map(
    stdout.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const text = (name: string): string => values.get(name) ?? '';
  return {
    loadState: text('LoadState'),
    activeState: text('ActiveState'),
    subState: text('SubState'),
    result: text('Result'),
    unitFileState: text('UnitFileState'),
    mainPid: Number(text('MainPID') || '0'),
    execMainStatus: Number(text('ExecMainStatus') || '0'),
    activeEnterTimestamp: text('ActiveEnterTimestamp'),
    needDaemonReload: text('NeedDaemonReload') === 'yes',
    fragmentPath: text('FragmentPath'),
    startedWithDigest: values.get('INSTALLER_DIGEST'),
  };
}

function parseArtifact(stdout: string): ArtifactSeen {
  const lines = stdout.split('\n').filter((line) => line !== '');
  const values = (word: string): string[] =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  const [sourceSha256 = '', version = ''] = (values('source')[0] ?? '').split(' ');
  return { sourceSha256, version, files: values('file'), altered: values('altered') };
}
