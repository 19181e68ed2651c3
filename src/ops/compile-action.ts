import { quote, quoteArgv } from '../lib/quote.ts';
import type {
  Action,
  FetchAction,
  KernelValuesAction,
  LinkAction,
  LongAction,
  RunAction,
  WaitAction,
  WriteFileAction,
} from './action.ts';
import { hostPaths } from './host-paths.ts';
import { fillSecrets, hasPlaceholder, type Secrets } from './secrets.ts';
import { InternalError } from '../errors.ts';
import { statFormat } from './compile-query.ts';
import { compileForget, compileRecord, compileRestoreFile, recordFile, recordValue } from './compile-record.ts';
import { compilePackagesReturn, compileRecordedInstall, compileRecordedRemoval } from './compile-packages.ts';
import { compileClear, compileClearEmpty, compileUnmount } from './trees.ts';

/** The sh commands of one action, for a subshell under `set -e`. Secrets are filled into contents, input and environment only. */
export function compileAction(action: Action, secrets: Secrets): string {
  switch (action.kind) {
    case 'write-file':
      return compileWrite(action, secrets);
    case 'remove':
      return [
        ...(action.record === undefined ? [] : recordFile(action.path, action.record, quote(action.path), 'absent')),
        `rm -rf --one-file-system -- ${quote(action.path)}`,
      ].join('\n');
    case 'directory':
      return `mkdir -p ${quote(action.path)}\nchmod ${action.mode} ${quote(action.path)}`;
    case 'run':
      return compileRun(action, secrets);
    case 'service':
      return compileService(action.unit, action.do);
    case 'fetch':
      return compileFetch(action, secrets);
    case 'long':
      return compileLong(action);
    case 'unmount':
      return compileUnmount(action.prefixes);
    case 'clear':
      return action.onlyEmpty === true ? compileClearEmpty(action.paths) : compileClear(action.paths);
    case 'wait':
      return compileWait(action);
    case 'link':
      return compileLink(action);
    case 'kernel-values':
      return compileKernelValues(action);
    case 'record':
      return compileRecord(action);
    case 'restore-file':
      return compileRestoreFile(action.entry);
    case 'forget':
      return compileForget(action.entry);
  }
}

function compileWrite(action: WriteFileAction, secrets: Secrets): string {
  const path = quote(action.path);
  const folder = quote(action.path.slice(0, action.path.lastIndexOf('/')) || '/');
  const { record } = action;
  return [
    // Before the folder is made: folders that were not there go with the file.
    ...(record === undefined ? [] : [`d=${folder}; [ -d "$d" ] || ${recordFile(action.path, record, path, 'new')[0]}`]),
    `mkdir -p ${folder}`,
    // Through a link of the user's to the file that it names, and never over the link itself.
    `p=${path}; if [ -L "$p" ]; then p=$(readlink -f "$p"); fi`,
    // Renamed over a device (a masked unit leads to /dev/null), it would take that from the whole machine.
    `if [ -e "$p" ] && [ ! -f "$p" ]; then echo "$p is not a regular file" >&2; exit 1; fi`,
    `t="$p.installer-new"`,
    `(umask 077; printf '%s' ${quoteText(fillSecrets(action.content, secrets))} >"$t")`,
    `chmod ${action.mode} "$t"`,
    ...(action.keepOwner === true ? ['[ ! -e "$p" ] || chown --reference="$p" "$t"'] : []),
    // A new file has the SELinux label of its folder, which need not be its own.
    '[ ! -e "$p" ] || [ ! -d /sys/fs/selinux/class ] || chcon --reference="$p" "$t" 2>/dev/null || :',
    `fsync_path "$t"`,
    ...(record === undefined
      ? []
      : ['s=$(sha256sum <"$t"); s=${s%% *}', ...recordFile(action.path, record, '"$p"', '"$s"')]),
    // /etc/hosts and the like may be a mount of its own, which cannot be replaced by rename.
    `mv -f "$t" "$p" 2>/dev/null || { cat "$t" >"$p"; chmod ${action.mode} "$p"; rm -f "$t"; }`,
    `fsync_path "\${p%/*}/"`,
  ].join('\n');
}

function compileLink(action: LinkAction): string {
  const path = quote(action.path);
  return [
    ...recordFile(action.path, action.record, path, quote(`link ${action.target}`)),
    `t=${path}.installer-new`,
    `rm -f "$t"; ln -s ${quote(action.target)} "$t"`,
    `mv -fT "$t" ${path}`,
    `fsync_path ${quote(action.path.slice(0, action.path.lastIndexOf('/') + 1))}`,
  ].join('\n');
}

function compileKernelValues(action: KernelValuesAction): string {
  return action.values
    .map(({ path, value }) => {
      const set = `printf '%s\\n' ${quote(value)} >${quote(path)}`;
      return action.record ? `${recordValue(path, value)}\n${set}` : set;
    })
    .join('\n');
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function compileRun(action: RunAction, secrets: Secrets): string {
  refuseSecretInArgv(action.argv);
  const env = Object.entries(action.env ?? {}).map(
    ([name, value]) => `export ${name}=${quoteText(fillSecrets(value, secrets))}`,
  );
  const feed = action.stdin === undefined ? '' : `printf '%s' ${quoteText(fillSecrets(action.stdin, secrets))} | `;
  const command = `${feed}timeout -k 5 ${action.timeoutSeconds} ${quoteArgv(action.argv)}`;
  const ok = action.okExitCodes ?? [0];
  if (ok.length === 1 && ok[0] === 0) return [...env, command].join('\n');
  const accepted = ok.map(String).join('|');
  return [...env, 'rc=0', `${command} || rc=$?`, `case $rc in ${accepted}) exit 0;; *) exit $rc;; esac`].join('\n');
}

function refuseSecretInArgv(argv: readonly string[]): void {
  if (argv.some(hasPlaceholder)) throw new InternalError(`a secret would stand in the arguments of ${argv[0] ?? ''}`);
}

function compileService(unit: string, verb: string): string {
  if (verb === 'daemon-reload') return 'systemctl daemon-reload';
  return `systemctl ${verb} ${quote(unit)}`;
}

function compileFetch(action: FetchAction, secrets: Secrets): string {
  const folder = quote(`${hostPaths.artifacts}/${action.name}`);
  const lines = [
    `d=${folder}`,
    // Without the sums and the source the files count as not laid down until the very end.
    'lay_begin "$d"',
    'f="$d/download"',
    ...compileDownload(action, action.url, '"$f"', secrets),
    ...(action.sha256 === undefined ? publishedChecksum(action, secrets) : [`want=${quote(action.sha256)}`]),
    'choose_sha256',
    'have=$($SHA256 <"$f"); have=${have%% *}',
    `if [ "$have" != "$want" ]; then echo "checksum of ${action.url.replaceAll(/["$`\\]/g, '')}: expected sha256 $want, got $have" >&2; rm -f "$f"; exit 65; fi`,
  ];
  lines.push(...installFetched(action));
  lines.push(
    'rm -f "$f"',
    `xargs -d '\\n' stat -c '${statFormat}' <"$d/paths" >"$d/stat"`,
    'rm -f "$d/paths"',
    'cat /proc/sys/kernel/random/boot_id >"$d/boot"',
    `printf '%s %s\\n' "$have" ${quote(action.version)} >"$d/source.new"`,
    'mv "$d/source.new" "$d/source"',
  );
  return lines.join('\n');
}

/** The login goes in by a pipe of the shell's own, so that it is in no list of processes and in no file. */
function compileDownload({ servers = {} }: FetchAction, url: string, to: string, secrets: Secrets): string[] {
  const server = servers[new URL(url).host];
  if (server === undefined) return [`fetch_url ${quote(url)} ${to}`];
  const { ca, curlConfig = '' } = server;
  return [
    ...(ca === undefined ? [] : [`printf '%s' ${quoteText(ca)} >"$d/ca"`]),
    `printf '%s\n' ${quoteText(fillSecrets(curlConfig, secrets))} | fetch_let_in ${quote(url)} ${to} ${ca === undefined ? '' : '"$d/ca"'}`,
    ...(ca === undefined ? [] : ['rm -f "$d/ca"']),
  ];
}

function publishedChecksum(action: FetchAction, secrets: Secrets): string[] {
  const base = action.url.slice(action.url.lastIndexOf('/') + 1);
  return [
    ...compileDownload(action, action.checksumUrl, '"$d/published"', secrets),
    // Either the bare digest, or lines of sha256sum of which one names the file (a star before the name: read as binary).
    `want=; while read -r s n; do n=\${n#\\*}; if [ "\${n##*/}" = ${quote(base)} ]; then want=$s; break; fi; done <"$d/published"`,
    `if [ -z "$want" ]; then want=$(head -c 64 "$d/published"); fi`,
    'rm -f "$d/published"',
  ];
}

/**
 * Files are unpacked beside their place, on its file system, and renamed: a running binary keeps its old inode. All of an
 * archive go through one process of each kind, which is what decides the time of an archive of many small files.
 */
function installFetched(action: FetchAction): string[] {
  const { install } = action;
  if (install.as === 'file') {
    const path = quote(install.path);
    return [
      `mkdir -p ${quote(install.path.slice(0, install.path.lastIndexOf('/')))}`,
      `lay_over "$d" ${path} "$f"; lay_end "$d"`,
      `install_file "$f" ${path} ${install.mode}`,
      `printf '%s\\n' ${path} >"$d/paths"`,
      `printf '%s  %s\\n' "$have" ${path} >"$d/sums"`,
    ];
  }
  const members =
    install.as === 'all'
      ? [`(cd "$x" && find . -maxdepth 1 -type f) | sed 's|^\\./||' | sort >"$d/members"`]
      : [
          ...install.members
            .filter(({ from, to }) => from !== to)
            .map(({ from, to }) => `mv -f "$x/"${quote(from)} "$x/"${quote(to)}`),
          `printf '%s\\n' ${install.members.map(({ to }) => quote(to)).join(' ')} >"$d/members"`,
        ];
  return [
    `t=${quote(install.directory)}`,
    'x="$t/.installer-new"',
    'rm -rf "$x"',
    'mkdir -p "$x"',
    'tar -xzf "$f" -C "$x" --no-same-owner',
    ...members,
    `: >"$d/paths"; while read -r m; do printf '%s/%s\\n' "$t" "$m" >>"$d/paths"; lay_over "$d" "$t/$m" "$x/$m"; done <"$d/members"`,
    ...(action.alsoKeeps ?? []).map((path) => `lay_over "$d" ${quote(path)}`),
    'lay_end "$d"',
    `(cd "$x" && xargs -d '\\n' chmod 755 -- <"$d/members" && xargs -d '\\n' mv -f -t "$t" -- <"$d/members")`,
    'rm -rf "$x" "$d/members"',
    `xargs -d '\\n' $SHA256 <"$d/paths" | sed 's/ \\*/  /' >"$d/sums"`,
  ];
}

/**
 * Brings what fetch actions wrote to the disk, behind the script's back, and notes that it is there. Until then a record
 * counts only within the same boot: after a power cut the files are read and compared (ops/compile-query).
 */
export function compileSync(actions: readonly FetchAction[]): string[] {
  if (actions.length === 0) return [];
  const marks = actions.map(({ name, install }) => {
    const record = quote(`${hostPaths.artifacts}/${name}`);
    const target = quote(install.as === 'file' ? install.path : install.directory);
    // From within the folder: a record that has come in its place meanwhile is not the one that was brought to the disk.
    return `(cd ${record} && [ -f source ] && { sync -f . ${target} || sync; } && : >synced) &`;
  });
  return [`(${marks.join(' ')}) </dev/null >/dev/null 2>&1 9>&-`];
}

/**
 * Output of the unit goes to a file that only root reads: journald may be volatile, slow or rate limited. The commands
 * stand in a file as well, because systemd expands `$` in the arguments of a transient unit.
 */
function compileLong(action: LongAction): string {
  for (const argv of action.commands) refuseSecretInArgv(argv);
  const base = `${hostPaths.run}/${action.unit}`;
  const env = Object.entries(action.env ?? {}).map(([name, value]) => `export ${name}=${quoteText(value)}\n`);
  const script = `umask 022\nexec </dev/null >${base}.log 2>&1\n${env.join('')}${compilePackages(action)}`;
  if (action.attachOnly === true) return `long_wait ${quote(action.unit)}`;
  const start = `if long_start ${quote(action.unit)} ${action.timeoutSeconds} ${quoteText(script)}; then :; else exit $?; fi`;
  return action.wait === false ? start : `${start}\nlong_wait ${quote(action.unit)}`;
}

/** The commands, with what has to be kept of packages. */
function compilePackages(action: LongAction): string {
  const { recordPackages, removesPackages, returnsPackages } = action;
  if (returnsPackages !== undefined) return compilePackagesReturn(returnsPackages, action.commands);
  const body = renderLongBody(action);
  if (removesPackages !== undefined) return compileRecordedRemoval(removesPackages, body);
  return recordPackages === undefined ? body : compileRecordedInstall(recordPackages, body);
}

/**
 * The commands of a unit in sh. Status 255 keeps xargs from beginning another command; its own status would
 * hide that of the command.
 */
export function renderLongBody({ commands, parallel = 1 }: Pick<LongAction, 'commands' | 'parallel'>): string {
  if (parallel === 1) return commands.map((argv) => `${quoteArgv(argv)} || exit $?\n`).join('');
  const lines = commands.map((argv) => ` ${quote(quoteArgv(argv))}`).join('');
  return `printf '%s\\0'${lines} | xargs -0 -n 1 -P ${parallel} sh -c 'eval "$1" || { echo "exit status $?: $1"; exit 255; }' sh || exit 1\n`;
}

function compileWait(action: WaitAction): string {
  return [
    'up=0; read -r up _ </proc/uptime; up=${up%.*}',
    `end=$((up + ${action.timeoutSeconds}))`,
    'while :; do',
    `  if out=$(timeout -k 2 ${Math.max(5, action.intervalSeconds * 2)} ${quoteArgv(action.argv)} 2>&1); then exit 0; fi`,
    '  read -r up _ </proc/uptime; up=${up%.*}',
    `  if [ "$up" -ge "$end" ]; then printf '%s\\n' "$out" >&2; echo ${quote(`not ${action.description} within ${action.timeoutSeconds} s`)} >&2; exit 124; fi`,
    `  sleep ${action.intervalSeconds}`,
    'done',
  ].join('\n');
}
