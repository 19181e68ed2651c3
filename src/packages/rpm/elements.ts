import { SaxesParser } from 'saxes';

/** An opening tag: name with its prefix, attributes by name. */
export interface Tag {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface ElementReader {
  open?(tag: Tag, parents: readonly string[]): void;
  /** Text between tags, in the element that `parents` ends with. */
  text?(text: string, parents: readonly string[]): void;
  close?(name: string): void;
}

/** Reads a whole XML text; throws on one that is not well formed. Prefixes are taken as they are. */
export function readXml(xml: string, reader: ElementReader): void {
  const parser = new SaxesParser({ xmlns: false, position: false });
  const parents: string[] = [];
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', (tag) => {
    reader.open?.(tag, parents);
    parents.push(tag.name);
  });
  parser.on('text', (text) => reader.text?.(text, parents));
  parser.on('closetag', (tag) => {
    parents.pop();
    reader.close?.(tag.name);
  });
  parser.write(xml).close();
}

const opening = Buffer.from('<package');
const closing = Buffer.from('</package>');

/**
 * Yields each `package` element of primary.xml or filelists.xml as text, as it stands there, while the file comes in. These
 * elements are never nested, and `<` in their texts is always escaped, so what ends one is plain to see.
 */
export async function* packageElements(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    rest = rest.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : Buffer.concat([rest, chunk]);
    let from = 0;
    for (;;) {
      const end = rest.indexOf(closing, from);
      if (end < 0) break;
      const start = rest.indexOf(opening, from);
      yield rest.toString('utf8', start, end + closing.length);
      from = end + closing.length;
    }
    rest = rest.subarray(from);
  }
}
