import { StringDecoder } from 'node:string_decoder';

/** Collects one stream of a script as text. */
export interface OutputCollector {
  /** Adds a piece; false where that makes more than the bound, and the piece is then dropped. */
  push(chunk: Buffer): boolean;
  /** All text so far; call it once the stream has ended. */
  end(): string;
  readonly bytes: number;
}

/** What a transport keeps of each stream where the caller sets no bound: 64 MiB. */
export const defaultMaxOutputBytes = 64 * 1024 * 1024;

/** Makes a collector of at most `maxBytes` bytes. Characters split between pieces stay whole, also for `onText`. */
export function createOutputCollector(maxBytes: number, onText?: (text: string) => void): OutputCollector {
  const decoder = new StringDecoder('utf8');
  const parts: string[] = [];
  let bytes = 0;
  const add = (text: string): void => {
    if (text === '') return;
    parts.push(text);
    onText?.(text);
  };
  return {
    get bytes() {
      return bytes;
    },
    push(chunk) {
      if (bytes + chunk.length > maxBytes) return false;
      bytes += chunk.length;
      add(decoder.write(chunk));
      return true;
    },
    end() {
      add(decoder.end());
      return parts.join('');
    },
  };
}
