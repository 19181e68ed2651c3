import { quote, quoteArgv } from '../lib/quote.ts';
import { compileRecordQuery } from './compile-record.ts';
import { hostPaths } from './host-paths.ts';
import type { ArtifactQuery, CommandQuery, FileQuery, Query, ServiceQuery } from './query.ts';
import { absentStatus } from './status.ts';
import { compileTreesQuery } from './trees.ts';

const serviceProperties = [
  'LoadState',
  'ActiveState',
  'SubState',
  'Result',
  'UnitFileState',
  'MainPID',
  'ExecMainStatus',
  'ActiveEnterTimestamp',
  'NeedDaemonReload',
  'FragmentPath',
];

/** Inode, size, mtime and ctime with nanoseconds, and the name. */
export const statFormat = '%i %s %.9Y %.9Z %n';

/** The sh commands that answer one query on stdout. Runs in a subshell; its exit status is part of the answer. */
export function compileQuery(query: Query): string {
  switch (query.kind) {
    case 'file':
      return compileFile(query);
    case 'command':
      return compileCommand(query);
    case 'service':
      return compileService(query);
    case 'artifact':
      return compileArtifact(query);
    case 'record':
      return compileRecordQuery(query);
    case 'trees':
      return compileTreesQuery(query.paths);
  }
}

function compileFile(query: FileQuery): string {
  const path = quote(query.path);
  const lines = [
    // Links are followed: the file that a service reads is what counts. One that leads nowhere is seen as a link.
    `if ! st=$(stat -L -c '%F|%a|%U|%G|%s' ${path} 2>&1); then`,
    `if [ -L ${path} ]; then stat -c '%F|%a|%U|%G|%s' ${path}; exit; fi`,
    // Only what is positively not there is absent; a disk that fails is no answer. The locale is fixed, so is the text.
    `case $st in *'No such file or directory'|*'Not a directory') exit ${absentStatus};; *) printf '%s\\n' "$st" >&2; exit 1;; esac`,
    'fi',
    `printf '%s\\n' "$st"`,
    `if [ ! -f ${path} ]; then exit 0; fi`,
    `sha256sum <${path} || exit 1`,
  ];
  if (query.content) lines.push(`cat ${path} || exit 1`);
  return lines.join('\n');
}

function compileCommand(query: CommandQuery): string {
  const env = Object.entries(query.env ?? {}).map(([name, value]) => `export ${name}=${quote(value)}`);
  const command = `timeout -k 2 ${query.timeoutSeconds} ${quoteArgv(query.argv)}`;
  const input = query.stdin === undefined ? '</dev/null' : '';
  const feed = query.stdin === undefined ? '' : `printf '%s' ${quote(query.stdin)} | `;
  return [...env, 'up0', `${feed}${command} ${input}`.trimEnd(), 'rc=$?', 'up1', 'exit $rc'].join('\n');
}

function compileService(query: ServiceQuery): string {
  const unit = quote(query.unit);
  return [
    `out=$(systemctl show ${unit} ${serviceProperties.map((name) => `-p ${name}`).join(' ')}) || exit 1`,
    `case $out in *LoadState=not-found*) exit ${absentStatus};; esac`,
    `printf '%s\\n' "$out"`,
    `pid=\${out##*MainPID=}; pid=\${pid%%[!0-9]*}`,
    `if [ "\${pid:-0}" -gt 0 ]; then tr '\\0' '\\n' 2>/dev/null </proc/$pid/environ | grep '^INSTALLER_DIGEST='; fi`,
    'exit 0',
  ].join('\n');
}

function compileArtifact(query: ArtifactQuery): string {
  const folder = quote(`${hostPaths.artifacts}/${query.name}`);
  const altered = `sha256sum -c --quiet <$d/sums 2>/dev/null | sed 's/: FAILED.*$//; s/^/altered /'`;
  return [
    `d=${folder}`,
    `if [ ! -f $d/source ]; then exit ${absentStatus}; fi`,
    `printf 'source %s\\n' "$(cat $d/source)"`,
    `sed 's/^[^ ]*  /file /' $d/sums`,
    query.verifyContent
      ? altered
      : [
          'same=yes',
          // Written before this boot and perhaps never brought to the disk: a power cut may have left anything.
          'read -r boot </proc/sys/kernel/random/boot_id',
          'if [ ! -f $d/synced ] && [ "$boot" != "$(cat $d/boot)" ]; then same=no; fi',
          // Another ctime alone (a restored backup) is no alteration: the digests then decide.
          `if [ "$(sed 's/^[^ ]*  //' $d/sums | xargs -d '\\n' stat -c '${statFormat}' 2>/dev/null)" != "$(cat $d/stat)" ]; then same=no; fi`,
          `if [ $same = no ]; then ${altered}; fi`,
        ].join('\n'),
    'exit 0',
  ].join('\n');
}
