import { quote } from '../lib/quote.ts';
import { commandQuery, type CommandQuery } from './query.ts';

export const listenTools = ['systemd-socket-activate', 'socat'] as const;
export type ListenTool = (typeof listenTools)[number];

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** A port that a host listens on while its peers try to reach it. */
export interface ProbeListener {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** Those that will come. */
  readonly peers: readonly number[];
}

/** Another host, and what of it is tried. Peers are numbers: their names are the caller's. */
export interface ProbeTarget {
  readonly peer: number;
  readonly address: string;
  /** The first one is that on which the host is waited for; there may be none. */
  readonly tcpPorts: readonly number[];
  /** It is sent one datagram of `largeBytes`. */
  readonly isSentLarge: boolean;
}

export interface PeerProbe {
  readonly self: number;
  /** The address that is listened on. */
  readonly address: string;
  /** Known to the hosts of this probe alone: what strangers send is dropped. Letters and digits. */
  readonly token: string;
  readonly listeners: readonly ProbeListener[];
  readonly targets: readonly ProbeTarget[];
  readonly udpPort: number;
  /** Size of the datagrams that must arrive in one piece; 0 where none is sent. */
  readonly largeBytes: number;
  /** Who sends one to this host. */
  readonly largeFrom: readonly number[];
  /** What listens; undefined where the host has nothing that could. */
  readonly listenWith: ListenTool | undefined;
  /** Where the API server will be reached through somebody else, a load balancer: a TCP connection there is tried too. */
  readonly endpoint?: Endpoint;
  /** A host that finds all peers, and is found by all, ends before. */
  readonly windowMs: number;
}

/** Handshakes that took no longer are not worth a line. */
export const quickMicros = 1000;

/**
 * One script that listens and probes at the same time. It needs bash, for /dev/tcp and /dev/udp. What it prints, a line each, is
 * what went wrong: among a hundred hosts that is little, and what went well would be ten thousand lines.
 *
 *   start MS, up MS, end MS        the host's clock; `up`: it listens
 *   deaf PROTOCOL PORT             could not listen there
 *   slow PEER US                   the TCP handshake with the peer took so long
 *   o PEER PORT                    the TCP port was not reached
 *   t PEER PORT, u PEER PORT       what the peer was to send did not arrive, by TCP or UDP
 *   m PEER                         its large datagram did not arrive
 *   endpoint open | refused | WHY  what came of the connection to the endpoint
 *
 * It leaves nothing behind: `timeout` ends it and everything that it started, whether or not somebody is still connected.
 */
export function peerProbeQuery(probe: PeerProbe): CommandQuery {
  return commandQuery(['/bin/bash', '-s'], {
    stdin: renderPeerProbe(probe),
    timeoutSeconds: Math.ceil(probe.windowMs / 1000) + 3,
  });
}

function renderPeerProbe(probe: PeerProbe): string {
  const { targets, udpPort, largeBytes } = probe;
  const tcp = probe.listeners.filter(({ protocol }) => protocol === 'tcp');
  const udp = probe.listeners.filter(({ protocol }) => protocol === 'udp');
  const byPorts = Map.groupBy(targets, ({ tcpPorts }) => tcpPorts.join(' '));
  return [
    `N=${quote(probe.token)} ME=${probe.self} A=${quote(probe.address)} WINDOW=${probe.windowMs}`,
    `LISTEN=${probe.listenWith ?? 'nothing'} UDP=${udpPort} LARGE=${largeBytes} QUICK=${quickMicros}`,
    listenHelpers,
    helpers,
    'main() {',
    'open_pipe',
    'trap "stop; exit 1" TERM HUP INT',
    'say start "$(clock)"',
    ...probe.listeners.map(
      ({ protocol, port, peers }) => `expect ${protocol === 'tcp' ? 't' : 'u'} ${port} ${peers.join(' ')}`,
    ),
    ...[...byPorts].map(
      ([ports, group]) => `for port in ${ports}; do expect o $port ${group.map(({ peer }) => peer).join(' ')}; done`,
    ),
    `for peer in ${probe.largeFrom.join(' ')}; do LATE["m $peer"]=1; done`,
    ...(probe.endpoint === undefined ? [] : ['WAIT[e]=1']),
    // UDP first: who reaches the TCP port may rely on the other one.
    ...udp.map(({ port }) => `listen udp ${port} >&4`),
    ...udp.map(({ port }) => `await udp ${port}`),
    ...tcp.map(({ port }) => `listen tcp ${port} >&4`),
    ...tcp.map(({ port }) => `await tcp ${port}`),
    'say up "$(clock)"',
    // NUMBER@ADDRESS, with a + where the large datagram goes.
    ...[...byPorts].map(([ports, group]) => {
      const list = group.map(({ peer, address, isSentLarge }) => `${peer}@${address}${isSentLarge ? '+' : ''}`);
      return `for target in ${list.map(quote).join(' ')}; do probe "$target" ${ports} & JOBS="$JOBS $!"; TALKING=$((TALKING + 1)); done`;
    }),
    ...(probe.endpoint === undefined
      ? []
      : [`try_endpoint ${quote(probe.endpoint.host)} ${probe.endpoint.port} & JOBS="$JOBS $!"`]),
    'collect',
    'stop',
    'for left in "${!WAIT[@]}" "${!LATE[@]}"; do say "$left"; done',
    'say end "$(clock)"',
    '}',
    'main',
    '',
  ].join('\n');
}

/** `listen PROTOCOL PORT` in bash, on the address $A with $LISTEN; what arrives goes to its stdout. */
export const listenHelpers = String.raw`
LISTENERS=
bracket() { case $1 in *:*) printf '[%s]' "$1" ;; *) printf '%s' "$1" ;; esac; }
family() { case $A in *:*) echo ip6 ;; *) echo ip4 ;; esac; }
listen() {
  case $LISTEN/$1 in
    systemd-socket-activate/tcp) systemd-socket-activate -a -l "$(bracket "$A"):$2" /bin/sh -c 'exec cat <&3' 2>/dev/null & ;;
    systemd-socket-activate/udp) systemd-socket-activate -d -l "$(bracket "$A"):$2" /bin/sh -c 'exec cat <&3' 2>/dev/null & ;;
    socat/tcp) socat -u "TCP-LISTEN:$2,bind=$(bracket "$A"),pf=$(family),reuseaddr,fork" STDOUT 2>/dev/null & ;;
    socat/udp) socat -u "UDP-RECV:$2,bind=$(bracket "$A"),pf=$(family)" STDOUT 2>/dev/null & ;;
    *) return ;;
  esac
  LISTENERS="$LISTENERS $!"
}
`;

/**
 * The receivers write what arrives to one pipe, which the main shell reads until all that was expected has come or the window
 * is over. A datagram has no answer: whether it arrived is told by the host that received it.
 */
const helpers = String.raw`
JOBS= TALKING=0
declare -A WAIT LATE
say() { printf '%s\n' "$*"; }
clock() { date +%s%3N; }
expect() {
  local kind=$1 port=$2 peer
  shift 2
  for peer; do WAIT["$kind $peer $port"]=1; done
}
open_pipe() { exec 4<> <(:); }
# A port that is not bound within a second will not be.
await() {
  local hex i
  hex=$(printf ':%04X ' "$2")
  for ((i = 0; i < 50; i++)); do
    if [ "$1" = udp ]; then
      cat /proc/net/udp /proc/net/udp6 2>/dev/null | grep -q "^ *[0-9]*: [0-9A-F]*$hex" && return
    else
      cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q "^ *[0-9]*: [0-9A-F]*$hex[0-9A-F]*:0000 0A" && return
    fi
    [ "$LISTEN" = nothing ] && break
    sleep 0.02
  done
  say deaf "$1" "$2"
}
micros() {
  if [ -n "$EPOCHREALTIME" ]; then US=$((10#${'$'}{EPOCHREALTIME//[.,]/})); else US=$(($(date +%s%N) / 1000)); fi
}
# Tries a TCP port until it is reached; nobody waits for it longer than the window.
reach() {
  local began took best=
  until
    micros; began=$US
    { exec 5<>"/dev/tcp/$2/$3"; } 2>/dev/null
  do sleep 0.1; done
  micros; best=$((US - began))
  printf 't %s %s %s\n' "$N" "$3" "$ME" >&5
  exec 5>&-
  # A slow answer may be that of a host that was just starting its listener.
  local i
  for ((i = 0; i < 4 && best > QUICK; i++)); do
    micros; began=$US
    { exec 5<>"/dev/tcp/$2/$3"; } 2>/dev/null || break
    micros; took=$((US - began))
    exec 5>&-
    [ "$took" -lt "$best" ] && best=$took
  done
  printf 'o %s %s %s\n' "$1" "$3" "$best" >&4
}
tell() { printf 'u %s %s %s\n' "$N" "$2" "$ME" 2>/dev/null >"/dev/udp/$1/$2"; } 2>/dev/null
# One line in one datagram: dd makes one write of it.
tell_large() {
  local head="m $N $2 $ME "
  printf '%s%0*d\n' "$head" $(($3 - ${'$'}{#head} - 1)) 0 | dd obs="$3" 2>/dev/null >"/dev/udp/$1/$2"
} 2>/dev/null
# Datagrams get lost, and a host may not listen yet: they are sent again while others are waited for.
probe() {
  local peer=${'$'}{1%%@*} address=${'$'}{1#*@} large=0 first=${'$'}{2-} port later=
  case $address in *+) address=${'$'}{address%+} large=$LARGE ;; esac
  shift
  [ $# = 0 ] || shift
  trap 'kill $later 2>/dev/null; exit' TERM
  for port; do reach "$peer" "$address" "$port" & later="$later $!"; done
  datagrams "$address" "$large" & later="$later $!"
  # Without a port to wait for, time is all that there is.
  if [ -n "$first" ]; then reach "$peer" "$address" "$first" & else sleep 0.6 & fi
  later="$later $!"
  wait $!
  tell "$address" "$UDP"
  [ "$large" = 0 ] || tell_large "$address" "$UDP" "$large"
  sleep 0.05
  tell "$address" "$UDP"
  sleep 0.15
  tell "$address" "$UDP"
  printf 'd %s\n' "$peer" >&4
  wait
}
datagrams() {
  local pause
  for pause in 0.4 0.4 0.4 0.6 0.6 1 1 1; do
    sleep $pause
    tell "$1" "$UDP"
    [ "$2" = 0 ] || tell_large "$1" "$UDP" "$2"
  done
}
# The listener behind the endpoint may come up later than this.
try_endpoint() {
  local why i
  for ((i = 0; i < 4; i++)); do
    why=$(timeout 2 /bin/bash -c 'exec 5<>"/dev/tcp/$1/$2"' sh "$1" "$2" 2>&1)
    case $? in
      0) why=open; break ;;
      124) why='timed out'; break ;;
    esac
    why=${'$'}{why%%${'$'}'\n'*} why=${'$'}{why##*: }
    case $why in *refused) why=refused ;; esac
    sleep 0.3
  done
  printf 'e %s\n' "$why" >&4
}
collect() {
  local kind a b c rest until
  micros
  until=$((US + WINDOW * 1000))
  while [ "${'$'}{#WAIT[@]}" -gt 0 ] || [ "$TALKING" -gt 0 ]; do
    micros
    [ "$US" -lt "$until" ] || break
    read -r -t 0.2 -u 4 kind a b c rest && take
  done
  # What is on its way still counts.
  while [ "${'$'}{#LATE[@]}" -gt 0 ] && read -r -t 0.1 -u 4 kind a b c rest; do take; done
}
take() {
  case $kind in
    d) TALKING=$((TALKING - 1)) ;;
    o)
      unset "WAIT[o $a $b]"
      [ "$c" -le "$QUICK" ] || say slow "$a" "$c"
      ;;
    t | u) [ "$a" != "$N" ] || unset "WAIT[$kind $c $b]" ;;
    e)
      unset "WAIT[e]"
      say endpoint "$a${'$'}{b:+ $b}${'$'}{c:+ $c}${'$'}{rest:+ $rest}"
      ;;
    # Waited for by nobody: the large ones follow the small ones.
    m) [ "$a" != "$N" ] || unset "LATE[m $c]" ;;
  esac
}
stop() {
  [ -z "$JOBS" ] || kill $JOBS 2>/dev/null
  [ -z "$LISTENERS" ] || kill $LISTENERS 2>/dev/null
  wait $JOBS $LISTENERS 2>/dev/null
}
`;
