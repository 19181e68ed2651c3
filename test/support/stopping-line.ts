import { connect } from 'node:net';
import { Duplex } from 'node:stream';

/** A byte stream to a port of this machine that takes nothing once it has stopped: `writableLength` is what has gathered. */
export class StoppingLine extends Duplex {
  private readonly socket;
  private waiting: (() => void) | undefined;
  private left = Infinity;

  constructor(port: number) {
    super();
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk) => this.push(chunk) || this.socket.pause());
    this.socket.on('end', () => this.push(null)).on('error', () => this.destroy());
    this.socket.on('close', () => this.destroy());
  }

  stopAfter(bytes: number): void {
    this.left = bytes;
  }

  get isStopped(): boolean {
    return this.waiting !== undefined;
  }

  goOn(): void {
    this.left = Infinity;
    const write = this.waiting;
    this.waiting = undefined;
    write?.();
  }

  override _read(): void {
    this.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const write = (): void => void this.socket.write(chunk, done);
    this.left -= chunk.length;
    if (this.left > 0) write();
    else this.waiting = write;
  }

  override _final(done: () => void): void {
    this.socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.socket.destroy();
    done(error);
  }
}
