import type { Duplex } from 'node:stream';

/**
 * ssh2 hands the socket at once what the window of a channel allows, two megabytes for each of them, however slow the line is.
 * A channel that is paced takes the next piece when the socket has room again, or is gone.
 */
export function createPace(sock: Duplex): (channel: Duplex) => void {
  let waiting: (() => void)[] = [];
  const release = (): void => {
    const now = waiting;
    waiting = [];
    for (const done of now) done();
  };
  // One pair of listeners for all channels.
  sock.on('drain', release).on('close', release);
  const waitForSocket = (done: () => void): void => {
    if (sock.writableNeedDrain && !sock.destroyed) waiting.push(done);
    else done();
  };
  return (channel) => {
    const write = channel._write.bind(channel);
    channel._write = (chunk, encoding, done) => {
      write(chunk, encoding, (error) => {
        if (error) done(error);
        else waitForSocket(done);
      });
    };
  };
}
