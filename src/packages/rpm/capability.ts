import { compareEvr, formatEvr, type Evr } from './version.ts';

export type Operator = 'LT' | 'LE' | 'EQ' | 'GE' | 'GT';

/** What a package provides or requires: a name, a file, a library, with versions where it says some. */
export interface Capability {
  readonly name: string;
  readonly operator?: Operator;
  readonly evr?: Evr;
}

/** Whether a provided capability satisfies a required one of the same name: their ranges of versions overlap. */
export function overlaps(provided: Capability, required: Capability): boolean {
  // As in rpm, and other than in dpkg, what is provided without a version satisfies every one.
  if (required.operator === undefined || required.evr === undefined) return true;
  if (provided.operator === undefined || provided.evr === undefined) return true;
  const order = compareEvr(provided.evr, required.evr);
  if (order < 0) return isUp(provided.operator) || isDown(required.operator);
  if (order > 0) return isDown(provided.operator) || isUp(required.operator);
  return (
    (hasEqual(provided.operator) && hasEqual(required.operator)) ||
    (isDown(provided.operator) && isDown(required.operator)) ||
    (isUp(provided.operator) && isUp(required.operator))
  );
}

export function formatCapability({ name, operator, evr }: Capability): string {
  return operator === undefined || evr === undefined ? name : `${name} ${signs[operator]} ${formatEvr(evr)}`;
}

const signs: Readonly<Record<Operator, string>> = { LT: '<', LE: '<=', EQ: '=', GE: '>=', GT: '>' };

/** The operator of a text such as `>=`. */
export function operatorOf(sign: string): Operator | undefined {
  return (Object.keys(signs) as Operator[]).find((name) => signs[name] === sign);
}

function isUp(operator: Operator): boolean {
  return operator === 'GE' || operator === 'GT';
}

function isDown(operator: Operator): boolean {
  return operator === 'LE' || operator === 'LT';
}

function hasEqual(operator: Operator): boolean {
  return operator === 'EQ' || operator === 'GE' || operator === 'LE';
}
