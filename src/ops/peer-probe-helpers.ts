/**
 * The receivers write what arrives to one pipe, which the main shell reads until all that was expected has come or the window
 * is over. A datagram has no answer: whether it arrived is told by the host that received it.
 */
export const peerProbeHelpers = String.raw`
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
