import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { InstallerError, InternalError, exitCodes, messageOf } from '../errors.ts';
import type { ClusterConfig } from './config.ts';
import { normaliseClusterFile } from './normalise.ts';
import { ClusterFileError, type Issue, type YamlPath, sortProblems } from './problems.ts';
import { checkRules } from './rules.ts';
import { clusterFileSchema } from './schema.ts';
import { checkSchema } from './schema-issues.ts';
import { readYaml } from './yaml-text.ts';

/**
 * Reads and validates a cluster file. Throws InstallerError CLUSTER_FILE_UNREADABLE where it cannot be read, and
 * ClusterFileError with every problem at once where it is not valid (both exit code 2).
 */
export async function loadClusterConfig(path: string): Promise<ClusterConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new InstallerError({
      code: 'CLUSTER_FILE_UNREADABLE',
      message: `The cluster file ${path} cannot be read: ${messageOf(cause)}`,
      remedy: 'Give the path of a cluster file that this user may read.',
      cause,
      exitCode: exitCodes.usage,
    });
  }
  return parseClusterConfig(text, path, dirname(resolve(path)));
}

/**
 * Validates the text of a cluster file: pure but for the home folder. `fileName` stands in the errors; relative paths
 * lead from `baseDir`, `~/` from `homeDir`. Throws ClusterFileError.
 */
export function parseClusterConfig(
  text: string,
  fileName: string,
  baseDir: string,
  homeDir: string = homedir(),
): ClusterConfig {
  const read = readYaml(text, fileName);
  if (!read.ok) throw new ClusterFileError(read.problems);
  const bases = { baseDir, homeDir };
  const checked = checkSchema(clusterFileSchema, read.yaml.value);
  if (checked.ok) {
    const config = normaliseClusterFile(checked.value, bases);
    const issues = checkRules(config.spec);
    if (issues.length === 0) return config;
    throw new ClusterFileError(sortProblems(issues.map(read.yaml.locate)));
  }
  const issues = [...checked.issues, ...rulesOfTheRest(read.yaml.value, checked.issues, bases)];
  throw new ClusterFileError(sortProblems(issues.map(read.yaml.locate)));
}

/** What the rules say of the sections that fit the schema, so that one run shows all errors. */
function rulesOfTheRest(
  value: unknown,
  issues: readonly Issue[],
  bases: { baseDir: string; homeDir: string },
): readonly Issue[] {
  const rest = structuredClone(value);
  const unreadable = new Set<string>();
  for (const { path, onKey } of issues) {
    const section = path[1];
    if (onKey === true) removeAt(rest, path);
    else if (path[0] === 'spec' && section !== undefined) {
      unreadable.add(String(section));
      removeAt(rest, path.slice(0, 2));
    } else if (path.length === 0 || path[0] === 'spec') return [];
  }
  const sound = checkSchema(clusterFileSchema, {
    ...(rest as object),
    apiVersion: 'installer.io/v1alpha1',
    kind: 'ClusterConfig',
    metadata: { name: 'any' },
  });
  if (!sound.ok)
    throw new InternalError(`a cluster file without its faults is still faulty: ${sound.issues[0]?.reason ?? ''}`);
  return checkRules(normaliseClusterFile(sound.value, bases).spec, unreadable);
}

function removeAt(value: unknown, path: YamlPath): void {
  const [key, ...rest] = path;
  if (typeof value !== 'object' || value === null || key === undefined) return;
  if (rest.length === 0) Reflect.deleteProperty(value, key);
  else removeAt((value as Record<string | number, unknown>)[key], rest);
}
