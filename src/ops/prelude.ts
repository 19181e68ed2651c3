import { unitGoneStatus } from './action.ts';
import { hostPaths } from './host-paths.ts';

/**
 * Helpers of every script, in POSIX sh. PATH, umask and locale are fixed, so neither the login shell nor a profile decides
 * what a command prints. Frames go to stdout and stderr alike: what stands between two frames belongs to that operation.
 */
export function renderPrelude(nonce: string): string {
  return `N=${nonce}
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
LANG=C
# kubectl's cache of what the API server serves: not in anybody's home folder.
KUBECACHEDIR=${hostPaths.run}/kube-cache
export PATH LC_ALL LANG KUBECACHEDIR
umask 022
cd /
frame() { printf '\\n%s %s\\n' "$N" "$*"; printf '\\n%s %s\\n' "$N" "$*" >&2; }
uptime() { read -r U _ </proc/uptime; }
up0() { read -r U0 _ </proc/uptime; }
up1() { read -r U1 _ </proc/uptime; printf '\\n%s T %s %s\\n' "$N" "$U0" "$U1" >&2; }
fsync_path() { sync "$1" 2>/dev/null || sync; }
`;
}

/** Helpers that only scripts with actions need. */
export const actionPrelude = `# openssl is several times as fast where the processor has instructions for it, which coreutils seldom use.
choose_sha256() {
  SHA256=sha256sum
  if echo | openssl dgst -sha256 -r >/dev/null 2>&1; then SHA256='openssl dgst -sha256 -r'; fi
}
fetch_url() {
  # Ways to this host itself lead through no proxy, whatever the environment says.
  case $1 in http://127.0.0.1:*) no_proxy=127.0.0.1; export no_proxy ;; esac
  if command -v curl >/dev/null 2>&1; then
    curl -fsSL --retry 3 --retry-delay 1 --connect-timeout 10 --speed-limit 1024 --speed-time 30 -o "$2" "$1"
  elif command -v wget >/dev/null 2>&1; then
    wget -q --tries=3 --timeout=30 -O "$2" "$1"
  else
    echo "neither curl nor wget is installed" >&2; return 127
  fi
}
fetch_let_in() {
  command -v curl >/dev/null 2>&1 ||
    { echo "curl is not installed, which alone fetches from a server with a login or an authority of its own" >&2; return 127; }
  curl --config - \${3:+--cacert "$3"} -fsSL --retry 3 --retry-delay 1 --connect-timeout 10 --speed-limit 1024 --speed-time 30 -o "$2" "$1"
}
install_file() {
  mkdir -p "\${2%/*}"
  mv -f "$1" "$2.installer-new"
  chmod "$3" "$2.installer-new"
  chown 0:0 "$2.installer-new"
  mv -f "$2.installer-new" "$2"
}
long_state() { systemctl show "$1.service" -p SubState -p LoadState -p Result -p ExecMainStatus -p ExecMainCode; }
long_start() {
  s=$(long_state "$1") || return 1
  case $s in
    *LoadState=not-found*) ;;
    # One that came to a good end which nobody has read yet counts as this one: it is never done twice.
    *SubState=running*|*SubState=start*|*SubState=exited*) return 0 ;;
    *) systemctl stop "$1.service" 2>/dev/null || :; systemctl reset-failed "$1.service" 2>/dev/null || : ;;
  esac
  (umask 077; printf '%s' "$3" >${hostPaths.run}/"$1".sh; : >${hostPaths.run}/"$1".log)
  systemd-run --unit="$1.service" --quiet --remain-after-exit --property=RuntimeMaxSec="$2" \\
    --setenv=PATH="$PATH" --setenv=LC_ALL=C --setenv=HOME=/root /bin/sh ${hostPaths.run}/"$1".sh
}
long_wait() {
  while :; do
    s=$(long_state "$1") || return 1
    case $s in
      *LoadState=not-found*) echo "unit $1 is gone, its result is not known" >&2; return ${unitGoneStatus} ;;
      *SubState=running*|*SubState=start*|*SubState=stop*|*SubState=final*) sleep 0.2 ;;
      *) break ;;
    esac
  done
  tail -c 16000 ${hostPaths.run}/"$1".log 2>/dev/null || :
  r=\${s#*Result=}; r=\${r%%[!a-z-]*}
  c=\${s#*ExecMainStatus=}; c=\${c%%[!0-9]*}
  systemctl stop "$1.service" 2>/dev/null || :
  systemctl reset-failed "$1.service" 2>/dev/null || :
  case $r in
    success) return 0 ;;
    timeout) echo "unit $1 passed its deadline and was ended" >&2; return 124 ;;
    exit-code) [ "\${c:-0}" -gt 0 ] && return "$c"; return 1 ;;
    *) echo "unit $1 ended with result $r" >&2; return 1 ;;
  esac
}
`;
