/** What can listen on a port, the first that is there. */
export const listenTools = ['systemd-socket-activate', 'socat'] as const;
export type ListenTool = (typeof listenTools)[number];

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
