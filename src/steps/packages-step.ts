import { blocked, changes, noChanges, type Step } from '../engine/step.ts';
import { refuseRemovals, type PackageManager, type PackageSource } from '../hosts/packages/index.ts';
import type { Action, LongAction } from '../ops/action.ts';
import { commandQuery } from '../ops/query.ts';
import { toolsQuery } from '../ops/tools-query.ts';
import { customStep } from './edit-step.ts';
import { sha256 } from './file-step.ts';

export interface PackagesStepInput {
  readonly id: string;
  readonly source: PackageSource;
  readonly clusterId: string;
  /** A tool that must be in the PATH, and the package that brings it. */
  readonly tools: readonly { readonly tool: string; readonly package: string }[];
  readonly packages: readonly string[];
}

/** Installs packages that are missing, and those of missing tools. What came by it is recorded, dependencies included. */
export function packagesStep(input: PackagesStepInput): Step {
  const { manager } = input.source;
  const tools = toolsQuery(input.tools.map(({ tool }) => tool));
  const installed = commandQuery(manager.findInstalled(input.packages));
  const observe = [...(input.tools.length === 0 ? [] : [tools]), ...(input.packages.length === 0 ? [] : [installed])];
  return customStep(input.id, observe, (seen) => {
    const unknown = observe.map((query) => seen(query)).find((answer) => answer.state === 'unknown');
    if (unknown !== undefined)
      return blocked(
        'PACKAGES_UNKNOWN',
        `cannot see what is installed: ${unknown.reason}`,
        'see whether the package manager of the host works, then run again',
      );
    const linesOf = (query: typeof tools): string[] => {
      const answer = observe.includes(query) ? seen(query) : undefined;
      return answer?.state === 'present' ? answer.value.stdout.split('\n') : [];
    };
    const paths = linesOf(tools);
    const names = new Set(linesOf(installed).flatMap((line) => /^[hi]i\s+(\S+)$/.exec(line)?.[1] ?? []));
    const lacking = input.tools.filter(({ tool }) => !paths.some((path) => path.endsWith(`/${tool}`)));
    const missing = [
      ...new Set([...lacking.map((item) => item.package), ...input.packages.filter((name) => !names.has(name))]),
    ];
    if (missing.length === 0) return noChanges;
    const why = lacking.length === 0 ? '' : ` (for ${lacking.map(({ tool }) => tool).join(', ')})`;
    return changes({
      summary: `install packages ${missing.join(', ')}${why}`,
      actions: installActions(input.source, input.clusterId, missing),
    });
  });
}

/** Whatever has to be there first, the installation, and what is not needed after it. */
export function installActions(source: PackageSource, clusterId: string, names: readonly string[]): readonly Action[] {
  return [...source.prepare(), installAction(source.manager, clusterId, names), ...source.finish];
}

/**
 * As a transient unit: a broken connection neither ends nor doubles it. The same packages from the same source have the same unit in
 * every run.
 */
export function installAction(manager: PackageManager, clusterId: string, names: readonly string[]): LongAction {
  const install = manager.install(names);
  return {
    kind: 'long',
    unit: `installer-${clusterId}-packages-${sha256(install.join(' ')).slice(0, 8)}`,
    commands: [manager.refresh, ...refuseRemovals(manager, names), install],
    timeoutSeconds: 900,
    env: manager.env,
    recordPackages: manager.record,
  };
}
