import { formatCapability, overlaps, type Capability } from './capability.ts';
import { parseRich, type Dependency } from './rich.ts';
import type { IndexedPackage, RpmIndex } from './rpm-index.ts';
import { compareEvr } from './version.ts';

export interface ChosenRpm {
  readonly package: IndexedPackage;
  readonly reason: string;
}

/** What no package of the repositories satisfies. */
export interface UnmetRpm {
  readonly wanted: string;
  readonly by: string;
}

export interface RpmClosure {
  readonly chosen: readonly ChosenRpm[];
  /** The package that each name stands for; names that are unmet are absent. */
  readonly answers: ReadonlyMap<string, IndexedPackage>;
  readonly unmet: readonly UnmetRpm[];
}

/**
 * Everything that a host with no package at all needs for the names. Where several packages provide the same, one that is
 * there already is enough; else the one of that name, then one that its asker recommends or suggests, then the shortest name.
 * A condition (`A if B`) may hold on a host although B is no part of this: A is taken along where it can be had.
 */
export function closureOfRpms(index: RpmIndex, names: readonly string[]): RpmClosure {
  const chosen = new Map<string, ChosenRpm>();
  const unmet: UnmetRpm[] = [];
  const queue: IndexedPackage[] = [];

  const isChosen = (item: IndexedPackage): boolean => chosen.get(item.name)?.package === item;
  const isAllowed = (item: IndexedPackage): boolean =>
    !chosen.has(item.name) && ![...chosen.values()].some((other) => areEnemies(item, other.package));

  const add = (item: IndexedPackage, reason: string): void => {
    chosen.set(item.name, { package: item, reason });
    queue.push(item);
  };

  /** Packages of which one is enough; undefined for what is no such question. */
  function candidatesFor(dependency: Dependency): IndexedPackage[] | undefined {
    switch (dependency.kind) {
      case 'capability':
        return [...index.providing(dependency.capability)];
      case 'with': {
        const sets = dependency.items.map(candidatesFor);
        return sets[0]?.filter((item) => sets.every((set) => set?.some((other) => other.digest === item.digest)));
      }
      case 'without': {
        const unwanted = candidatesFor(dependency.unwanted) ?? [];
        return candidatesFor(dependency.wanted)?.filter((item) => !unwanted.includes(item));
      }
      default:
        return undefined;
    }
  }

  function isHad(dependency: Dependency): boolean {
    switch (dependency.kind) {
      case 'and':
        return dependency.items.every(isHad);
      case 'or':
        return dependency.items.some(isHad);
      case 'if':
        return isHad(dependency.condition)
          ? isHad(dependency.wanted)
          : dependency.otherwise === undefined || isHad(dependency.otherwise);
      case 'unless':
        return isHad(dependency.condition)
          ? dependency.otherwise === undefined || isHad(dependency.otherwise)
          : isHad(dependency.wanted);
      default:
        return candidatesFor(dependency)?.some(isChosen) ?? false;
    }
  }

  /** Whether the dependency holds afterwards. */
  function satisfy(dependency: Dependency, asker: Asker): boolean {
    if (isHad(dependency)) {
      if (dependency.kind === 'if' && !isHad(dependency.condition)) satisfy(dependency.wanted, asker);
      return true;
    }
    switch (dependency.kind) {
      case 'and':
        return dependency.items.map((item) => satisfy(item, asker)).every(Boolean);
      case 'or':
        return dependency.items.some((item) => satisfy(item, asker));
      case 'if': {
        const isDone = satisfy(dependency.wanted, asker);
        if (isHad(dependency.condition)) return isDone;
        return dependency.otherwise === undefined || satisfy(dependency.otherwise, asker);
      }
      case 'unless':
        return satisfy(
          isHad(dependency.condition) ? (dependency.otherwise ?? dependency.wanted) : dependency.wanted,
          asker,
        );
      default: {
        const candidates = (candidatesFor(dependency) ?? []).filter(isAllowed);
        const best = candidates.sort(byPreference(nameOf(dependency), asker.likes))[0];
        if (best === undefined) return false;
        add(best, asker.name === 'requested' ? 'requested' : `${asker.name}: ${asker.wanted}`);
        return true;
      }
    }
  }

  function require(capability: Capability, name: string, likes: readonly string[]): void {
    // What rpm itself can do; the rpm of the host says whether it does.
    if (capability.name.startsWith('rpmlib(')) return;
    const wanted = formatCapability(capability);
    const dependency = capability.name.startsWith('(')
      ? parseRich(capability.name)
      : ({ kind: 'capability', capability } as const);
    if (dependency === undefined || !satisfy(dependency, { name, wanted, likes })) unmet.push({ wanted, by: name });
  }

  for (const name of names) require({ name }, 'requested', []);
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
    for (const capability of item.requires) require(capability, item.name, item.likes);
  }
  const answers = names.flatMap((name): [string, IndexedPackage][] => {
    const found = index.providing({ name }).filter(isChosen);
    const answer = found.find((item) => item.name === name) ?? found[0];
    return answer === undefined ? [] : [[name, answer]];
  });
  return { chosen: [...chosen.values()], answers: new Map(answers), unmet };
}

interface Asker {
  readonly name: string;
  readonly wanted: string;
  readonly likes: readonly string[];
}

function nameOf(dependency: Dependency): string | undefined {
  return dependency.kind === 'capability' ? dependency.capability.name : undefined;
}

function byPreference(
  name: string | undefined,
  likes: readonly string[],
): (a: IndexedPackage, b: IndexedPackage) => number {
  const rank = (item: IndexedPackage): number => (item.name === name ? 0 : likes.includes(item.name) ? 1 : 2);
  return (a, b) =>
    rank(a) - rank(b) ||
    a.name.length - b.name.length ||
    (a.name < b.name ? -1 : a.name > b.name ? 1 : compareEvr(b.evr, a.evr));
}

function areEnemies(a: IndexedPackage, b: IndexedPackage): boolean {
  return a.name !== b.name && (isAgainst(a, b) || isAgainst(b, a));
}

function isAgainst(item: IndexedPackage, other: IndexedPackage): boolean {
  return item.conflicts.some((conflict) =>
    other.provides.some((capability) => capability.name === conflict.name && overlaps(capability, conflict)),
  );
}
