import { InstallerError, InstallerErrors, exitCodes } from '../errors.ts';

/** Where something stands in a YAML value: map keys and list positions, outermost first. */
export type YamlPath = readonly (string | number)[];

/** Something wrong at a path; `onKey` where the key itself is the fault, so that the key is pointed at. */
export interface Issue {
  readonly path: YamlPath;
  readonly reason: string;
  readonly nearest?: string | undefined;
  readonly onKey?: boolean;
}

/** An issue with its place in the text; line and column count from 1. */
export interface FileProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly reason: string;
  readonly nearest?: string;
}

/** `spec.hosts[1].address`; a key that is no plain word is quoted in brackets. */
export function formatPath(path: YamlPath): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      if (!/^[A-Za-z_][\w-]*$/.test(part)) return `[${JSON.stringify(part)}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join('');
}

/** `clusterConfig.yaml:12:5: spec.hosts[1].adress: unknown key; did you mean "address"?` */
export function formatProblem(problem: FileProblem): string {
  const place = `${problem.file}:${problem.line}:${problem.column}`;
  const hint = problem.nearest === undefined ? '' : `; did you mean "${problem.nearest}"?`;
  return [place, ...(problem.path === '' ? [] : [problem.path]), problem.reason + hint].join(': ');
}

/** Every problem of one file that the user wrote; exit code 2. */
export class InvalidFileError extends InstallerErrors {
  readonly problems: readonly FileProblem[];

  constructor(code: string, problems: readonly FileProblem[]) {
    super(
      problems.map(
        (problem) => new InstallerError({ code, message: formatProblem(problem), exitCode: exitCodes.usage }),
      ),
    );
    this.name = 'InvalidFileError';
    this.problems = problems;
  }
}

/** Every problem of a cluster file; each error has code CLUSTER_FILE_INVALID. */
export class ClusterFileError extends InvalidFileError {
  constructor(problems: readonly FileProblem[]) {
    super('CLUSTER_FILE_INVALID', problems);
    this.name = 'ClusterFileError';
  }
}

/** In the order of the text. */
export function sortProblems(problems: readonly FileProblem[]): FileProblem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}
