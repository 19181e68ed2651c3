import { quote } from '../lib/quote.ts';
import { listenHelpers, type ListenTool } from './listen.ts';
import { peerProbeHelpers } from './peer-probe-helpers.ts';
import { commandQuery, type CommandQuery } from './query.ts';

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
  /** Who is sent one. */
  readonly largeTo: readonly number[];
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
  const isSentLarge = new Set(probe.largeTo);
  const byPorts = Map.groupBy(targets, ({ tcpPorts }) => tcpPorts.join(' '));
  return [
    `N=${quote(probe.token)} ME=${probe.self} A=${quote(probe.address)} WINDOW=${probe.windowMs}`,
    `LISTEN=${probe.listenWith ?? 'nothing'} UDP=${udpPort} LARGE=${largeBytes} QUICK=${quickMicros}`,
    listenHelpers,
    peerProbeHelpers,
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
      const list = group.map(({ peer, address }) => `${peer}@${address}${isSentLarge.has(peer) ? '+' : ''}`);
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
