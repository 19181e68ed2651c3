import type { Capability, Operator } from './capability.ts';
import { readXml } from './elements.ts';
import type { Evr } from './version.ts';

/** One package of primary.xml. */
export interface RpmPackage {
  readonly name: string;
  readonly evr: Evr;
  readonly architecture: string;
  readonly algorithm: string;
  /** Digest of the file, which is also the package's id. */
  readonly digest: string;
  readonly sizeBytes: number;
  /** Path below the repository's URL, or below `base` where that is given. */
  readonly href: string;
  readonly base: string | undefined;
  readonly provides: readonly Capability[];
  readonly requires: readonly Capability[];
  readonly conflicts: readonly Capability[];
  /** Names that it would like to see beside itself: they decide between packages that provide the same. */
  readonly likes: readonly string[];
  /** The files that primary.xml names: those in bin folders and in /etc. */
  readonly files: readonly string[];
}

const lists = ['provides', 'requires', 'conflicts', 'recommends', 'suggests'] as const;
type List = (typeof lists)[number];
const operators: readonly string[] = ['LT', 'LE', 'EQ', 'GE', 'GT'];

/** Reads `package` elements; one reader for all of a file, as it keeps what they have in common once. */
export function createPackageReader(): (element: string) => RpmPackage {
  const known = new Map<string, Capability>();
  return (element) => readPackage(element, known);
}

function readPackage(element: string, known: Map<string, Capability>): RpmPackage {
  const text: Record<'name' | 'arch' | 'checksum', string> = { name: '', arch: '', checksum: '' };
  const found: Record<List, Capability[]> = { provides: [], requires: [], conflicts: [], recommends: [], suggests: [] };
  const files: string[] = [];
  let evr: Evr = { epoch: '', version: '', release: '' };
  let algorithm = '';
  let size = '';
  let location: Readonly<Record<string, string>> = {};
  let list: List | undefined;
  let file: string | undefined;
  readXml(element, {
    open({ name, attributes }) {
      if (name === 'rpm:entry') {
        if (list) found[list].push(capabilityOf(attributes, known));
      } else if (name.startsWith('rpm:')) {
        list = lists.find((item) => name === `rpm:${item}`);
      } else if (name === 'version') {
        evr = { epoch: attributes['epoch'] ?? '0', version: attributes['ver'] ?? '', release: attributes['rel'] ?? '' };
      } else if (name === 'checksum') {
        algorithm = attributes['type'] ?? '';
      } else if (name === 'size') {
        size = attributes['package'] ?? '';
      } else if (name === 'location') {
        location = attributes;
      } else if (name === 'file') {
        // A folder satisfies a requirement as a file does; a ghost is not in the package, but rpm counts it.
        file = '';
      }
    },
    text(value, parents) {
      const parent = parents.at(-1);
      if (parent === 'name' || parent === 'arch' || parent === 'checksum') text[parent] += value.trim();
      else if (file !== undefined) file += value;
    },
    close(name) {
      if (name !== 'file' || file === undefined) return;
      files.push(file);
      file = undefined;
    },
  });
  return {
    name: text.name,
    evr,
    architecture: text.arch,
    algorithm,
    digest: text.checksum.toLowerCase(),
    sizeBytes: Number(size),
    href: location['href'] ?? '',
    base: location['xml:base'],
    provides: found.provides,
    requires: found.requires,
    conflicts: found.conflicts,
    likes: [...found.recommends, ...found.suggests].map(({ name }) => name),
    files,
  };
}

/** Thousands of packages need the same libraries: one object for each text of them. */
function capabilityOf(attributes: Readonly<Record<string, string>>, known: Map<string, Capability>): Capability {
  const { name = '', flags, epoch, ver, rel } = attributes;
  const hasVersion = flags !== undefined && operators.includes(flags) && ver !== undefined;
  const key = hasVersion ? `${name} ${flags} ${epoch ?? ''}:${ver}-${rel ?? ''}` : name;
  const before = known.get(key);
  if (before !== undefined) return before;
  const capability: Capability = hasVersion
    ? { name, operator: flags as Operator, evr: { epoch: epoch ?? '0', version: ver, release: rel ?? '' } }
    : { name };
  known.set(key, capability);
  return capability;
}
