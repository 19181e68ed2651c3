import type { DebianIndex, DebianPackage } from './packages-index.ts';
import { compareDebianVersions } from './version.ts';
import { formatRelation, isSatisfiedBy, type Relation } from './relation.ts';

/** A chosen package, and the one that asked for it. */
export interface Chosen {
  readonly package: DebianPackage;
  readonly reason: string;
}

/** What no package of the repositories satisfies: the text of the dependency and who has it. */
export interface Unmet {
  readonly wanted: string;
  readonly by: string;
}

export interface Closure {
  /** In the order in which they were found. */
  readonly chosen: readonly Chosen[];
  /** The package that each name stands for; names that are unmet are absent. */
  readonly answers: ReadonlyMap<string, DebianPackage>;
  readonly unmet: readonly Unmet[];
}

/**
 * Everything that a host with no package at all needs for the names: Depends and Pre-Depends, all the way. As apt does, of
 * alternatives the first that can be had is taken unless another is there already, the newest version of a package, and the
 * package itself before those that provide its name. A host that has packages needs less of it.
 */
export function closureOf(index: DebianIndex, names: readonly string[], architecture: string): Closure {
  const chosen = new Map<string, Chosen>();
  const provided = new Map<string, DebianPackage[]>();
  const unmet: Unmet[] = [];
  const queue: DebianPackage[] = [];

  const isHad = (relation: Relation): boolean => {
    const same = chosen.get(relation.name);
    if (same !== undefined && isSatisfiedBy(relation, same.package.version)) return true;
    return (provided.get(relation.name) ?? []).some((item) => provides(item, relation));
  };
  const add = (item: DebianPackage, reason: string): void => {
    if (chosen.has(item.name)) return;
    chosen.set(item.name, { package: item, reason });
    for (const { name } of item.provides) provided.set(name, [...(provided.get(name) ?? []), item]);
    queue.push(item);
  };
  const isAllowed = (item: DebianPackage): boolean => {
    const had = chosen.get(item.name);
    return (had === undefined || had.package === item) && !conflictsWithAny(item, [...chosen.values()]);
  };
  const satisfy = (group: readonly Relation[], by: string): void => {
    if (group.some(isHad)) return;
    const wanted = group.map(formatRelation).join(' | ');
    const candidates = group.flatMap((relation) => candidatesFor(index, relation, architecture));
    const candidate = candidates.find(isAllowed);
    if (candidate === undefined) unmet.push({ wanted, by });
    else add(candidate, by === 'requested' ? by : `${by}: ${wanted}`);
  };

  for (const name of names) satisfy([{ name }], 'requested');
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
    for (const group of item.depends) satisfy(group, item.name);
  }
  const answers = names.flatMap((name): [string, DebianPackage][] => {
    const answer = chosen.get(name)?.package ?? provided.get(name)?.find((item) => provides(item, { name }));
    return answer === undefined ? [] : [[name, answer]];
  });
  return { chosen: [...chosen.values()], answers: new Map(answers), unmet };
}

/** Packages that satisfy a relation, the best first. */
function candidatesFor(index: DebianIndex, relation: Relation, architecture: string): DebianPackage[] {
  const fits = (item: DebianPackage): boolean => item.architecture === architecture || item.architecture === 'all';
  const named = index.named(relation.name).filter((item) => fits(item) && isSatisfiedBy(relation, item.version));
  named.sort((a, b) => compareDebianVersions(b.version, a.version));
  const providers = newestOfEach(index.providing(relation.name).filter(fits)).filter((item) =>
    provides(item, relation),
  );
  providers.sort((a, b) => a.priority - b.priority || (a.name < b.name ? -1 : 1));
  return [...named, ...providers];
}

/** Only the newest version of a package is ever installed for what it provides. */
function newestOfEach(items: readonly DebianPackage[]): DebianPackage[] {
  const newest = new Map<string, DebianPackage>();
  for (const item of items) {
    const known = newest.get(item.name);
    if (known === undefined || compareDebianVersions(item.version, known.version) > 0) newest.set(item.name, item);
  }
  return [...newest.values()];
}

/** A name provided without a version satisfies no relation that has one (Debian Policy, 7.5). */
function provides(item: DebianPackage, relation: Relation): boolean {
  return item.provides.some(
    ({ name, version }) =>
      name === relation.name &&
      (relation.operator === undefined || (version !== undefined && isSatisfiedBy(relation, version))),
  );
}

function conflictsWithAny(item: DebianPackage, others: readonly Chosen[]): boolean {
  return others.some(({ package: other }) => other !== item && (isAgainst(item, other) || isAgainst(other, item)));
}

function isAgainst(item: DebianPackage, other: DebianPackage): boolean {
  return item.conflicts.some(
    (relation) => (relation.name === other.name && isSatisfiedBy(relation, other.version)) || provides(other, relation),
  );
}
