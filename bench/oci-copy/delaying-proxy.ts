import { connect, createServer, type Socket } from 'node:net';

/**
 * A process that passes connections on with a delay each way: PORT TARGETHOST TARGETPORT MILLISECONDS. A connection takes a way there and
 * one back before its first byte, as it would on such a line.
 */
const [port, host = '', targetPort, delay] = process.argv.slice(2);
const delayMs = Number(delay);

createServer({ pauseOnConnect: true, noDelay: true }, (client) => {
  const upstream = connect({ host, port: Number(targetPort), noDelay: true });
  client.on('error', () => upstream.destroy());
  upstream.on('error', () => client.destroy());
  setTimeout(() => {
    pass(client, upstream);
    pass(upstream, client);
  }, 2 * delayMs);
}).listen(Number(port), '127.0.0.1');

/** Every piece comes out later by the delay; what a slow reader does not take stops the sender. */
function pass(from: Socket, to: Socket): void {
  from.on('data', (piece) => {
    setTimeout(() => {
      // What was on its way before the pause is written, too; one of them waits.
      if (to.destroyed || to.write(piece) || from.isPaused()) return;
      from.pause();
      to.once('drain', () => from.resume());
    }, delayMs);
  });
  from.on('end', () => setTimeout(() => to.end(), delayMs));
  from.on('close', () => setTimeout(() => to.destroy(), delayMs));
  from.resume();
}
