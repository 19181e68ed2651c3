import { quote } from '../lib/quote.ts';
import { parseRate } from './disk-probe.ts';
import { listenHelpers, type ListenTool } from './listen.ts';
import { commandQuery, type CommandQuery } from './query.ts';

export interface BandwidthProbe {
  /** The address that is listened on, and that of the host that is sent to. */
  readonly address: string;
  readonly next: string;
  readonly port: number;
  readonly listenWith: ListenTool;
}

/** The next host may begin later than this one. */
const waitSeconds = 8;
const sendSeconds = 2;

/**
 * Sends to the next host as fast as it can, while another one sends here: each link carries one stream in each direction. Prints
 * what dd says of it, or `unreached`. It needs bash. It listens until the other one has sent, too.
 */
export function bandwidthQuery({ address, next, port, listenWith }: BandwidthProbe): CommandQuery {
  const script = `A=${quote(address)} NEXT=${quote(next)} PORT=${port} LISTEN=${listenWith} HEARD=
LC_ALL=C; export LC_ALL
${listenHelpers}
trap 'kill $LISTENERS 2>/dev/null' EXIT
trap 'exit 1' TERM HUP INT
trap 'HEARD=$SECONDS' USR1
listen tcp "$PORT" > >(head -c 1 >/dev/null; kill -USR1 $$; exec cat >/dev/null)
reached=
until [ "$SECONDS" -ge ${waitSeconds} ]; do
  if { exec 5>"/dev/tcp/$NEXT/$PORT"; } 2>/dev/null; then reached=1; break; fi
  sleep 0.1
done
if [ -n "$reached" ]; then
  timeout -s INT -k 2 ${sendSeconds} dd if=/dev/zero bs=256k count=1000000 2>&1 >&5 | tail -n 1
  exec 5>&-
else echo unreached; fi
while [ "$SECONDS" -lt $((\${HEARD:-${waitSeconds}} + ${sendSeconds + 1})) ]; do sleep 0.2; done
`;
  return commandQuery(['/bin/bash', '-s'], { stdin: script, timeoutSeconds: waitSeconds + sendSeconds + 6 });
}

/** Mbit/s; undefined where nothing was measured. */
export function parseBandwidth(text: string): number | undefined {
  const rate = parseRate(text);
  return rate === undefined ? undefined : rate * 8;
}
