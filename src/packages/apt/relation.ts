import { compareDebianVersions } from './version.ts';

/** `name (>= version)`: one alternative of a dependency. */
export interface Relation {
  readonly name: string;
  readonly operator?: '<<' | '<=' | '=' | '>=' | '>>';
  readonly version?: string;
}

/** Parses Depends and its like: groups that all have to hold, each of alternatives of which one is enough. */
export function parseRelations(field: string): Relation[][] {
  return field
    .split(',')
    .map((group) => group.trim())
    .filter((group) => group !== '')
    .map((group) => group.split('|').map(parseRelation));
}

/** The text of a relation, as it stands in a stanza. */
export function formatRelation({ name, operator, version }: Relation): string {
  return operator === undefined ? name : `${name} (${operator} ${version ?? ''})`;
}

/** Whether a package of this version satisfies the relation, whose name is not looked at. */
export function isSatisfiedBy({ operator, version }: Relation, candidate: string): boolean {
  if (operator === undefined || version === undefined) return true;
  const order = compareDebianVersions(candidate, version);
  switch (operator) {
    case '<<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '=':
      return order === 0;
    case '>=':
      return order >= 0;
    case '>>':
      return order > 0;
  }
}

/** In old files `<` and `>` mean `<=` and `>=`. */
const operators: Readonly<Record<string, Relation['operator']>> = {
  '<<': '<<',
  '<=': '<=',
  '<': '<=',
  '=': '=',
  '>=': '>=',
  '>': '>=',
  '>>': '>>',
};

function parseRelation(text: string): Relation {
  // name:any (>= 1.2) [amd64] <profile>; of one architecture alone, what follows the version says nothing new.
  const match = /^([^\s:(]+)(?::[a-z0-9-]+)?\s*(?:\(\s*([<>=]{1,2})\s*([^)\s]+)\s*\))?/.exec(text.trim());
  const [, name = text.trim(), operator, version] = match ?? [];
  const known = operator === undefined ? undefined : operators[operator];
  return known === undefined || version === undefined ? { name } : { name, operator: known, version };
}
