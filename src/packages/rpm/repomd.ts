import { readXml } from './elements.ts';

/** One file of metadata, as repomd.xml names it. */
export interface RepomdData {
  /** Path below the repository's URL. */
  readonly href: string;
  readonly algorithm: string;
  readonly digest: string;
  readonly sizeBytes: number | undefined;
}

/** Parses repomd.xml: metadata by type (primary, filelists, modules, …). Throws on text that is no XML. */
export function parseRepomd(xml: string): Map<string, RepomdData> {
  const found = new Map<string, RepomdData>();
  let type = '';
  let current: { href: string; algorithm: string; digest: string; sizeBytes: number | undefined } | undefined;
  readXml(xml, {
    open({ name, attributes }) {
      if (name === 'data') {
        type = attributes['type'] ?? '';
        current = { href: '', algorithm: '', digest: '', sizeBytes: undefined };
      } else if (name === 'location' && current) {
        current.href = attributes['href'] ?? '';
      } else if (name === 'checksum' && current) {
        current.algorithm = attributes['type'] ?? '';
      }
    },
    text(text, parents) {
      const parent = parents.at(-1);
      if (!current) return;
      if (parent === 'checksum') current.digest += text.trim().toLowerCase();
      if (parent === 'size') current.sizeBytes = Number(text);
    },
    close(name) {
      if (name !== 'data' || !current) return;
      found.set(type, current);
      current = undefined;
    },
  });
  return found;
}
