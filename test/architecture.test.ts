import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findViolations, moduleOf, rows } from './support/architecture.ts';
import { parseImports, scanImports, sourceFiles } from './support/imports.ts';

const packageRoot = join(import.meta.dirname, '..');

/** Violations of made-up files, given as path and text. */
function violationsOf(files: Readonly<Record<string, string>>): string[] {
  return findViolations(Object.entries(files).flatMap(([file, text]) => parseImports(file, text)));
}

describe('the architecture', () => {
  it('is kept by every import in src/', () => {
    expect(findViolations(scanImports(packageRoot, 'src'))).toEqual([]);
  });

  it('has a place for every file in src/', () => {
    const known = rows.flat();

    expect(sourceFiles(packageRoot, 'src').filter((file) => !known.includes(moduleOf(file)))).toEqual([]);
  });
});

describe('the guard itself', () => {
  it('finds every kind of import', () => {
    const text = [
      "import { a } from './a.ts';",
      "import type { B } from '../spec/b.ts';",
      'import {\n  c,\n} from "./c.ts";',
      "import './d.ts';",
      "export * from './e.ts';",
      "const f = await import('./f.ts');",
      "type G = import('./g.ts').G;",
      "import { z } from 'zod/v4';",
      "import { join } from 'node:path';",
    ].join('\n');

    expect(parseImports('src/ops/x.ts', text).map((item) => item.to)).toEqual([
      'src/ops/a.ts',
      'src/spec/b.ts',
      'src/ops/c.ts',
      'src/ops/d.ts',
      'src/ops/e.ts',
      'src/ops/f.ts',
      'src/ops/g.ts',
      'zod',
      'node:path',
    ]);
  });

  it.each([
    ['src/steps/file.ts', '../errors.ts'],
    ['src/cli/context.ts', '../workflows/reset.ts'],
    ['src/engine/runner.ts', '../report/emitter.ts'],
    ['src/transport/ssh.ts', '../spec/schema.ts'],
    ['src/addons/index.ts', './metrics-server/addon.ts'],
    ['src/transport/local.ts', 'execa'],
    ['src/assets.ts', '../package.json'],
  ])('lets %s import %s', (file, specifier) => {
    expect(violationsOf({ [file]: `import { x } from '${specifier}';` })).toEqual([]);
  });

  it.each([
    ['src/engine/runner.ts', '../phases/join-workers.ts', 'engine may not know phases'],
    ['src/engine/runner.ts', '../report/tty.ts', 'engine may not know report/sinks'],
    ['src/phases/join-workers.ts', './install-cni.ts', 'what phases share moves up'],
    ['src/addons/a/addon.ts', '../b/addon.ts', 'what addons share moves up'],
    ['src/lib/retry.ts', '../cli/program.ts', 'lib may not know cli'],
    ['src/hosts/host.ts', 'ssh2', 'belongs to src/transport/'],
    ['src/transport/ssh.ts', 'execa', 'belongs to src/transport/local'],
    ['src/cli/program.ts', 'listr2', 'belongs to src/report/'],
    ['src/spec/load.ts', '../../test/support/imports.ts', 'not in src/'],
    ['src/helpers/x.ts', '../errors.ts', 'helpers is not in the table'],
  ])('refuses that %s imports %s', (file, specifier, reason) => {
    expect(violationsOf({ [file]: `import type { X } from '${specifier}';` })).toEqual([
      expect.stringContaining(reason),
    ]);
  });

  it('refuses a cycle of files', () => {
    const files = { 'src/lib/a.ts': "import { b } from './b.ts';", 'src/lib/b.ts': "import { a } from './a.ts';" };

    expect(violationsOf(files)).toEqual(['A cycle of files: src/lib/a.ts -> src/lib/b.ts -> src/lib/a.ts']);
  });

  it('refuses a cycle of modules in one row', () => {
    const files = { 'src/spec/a.ts': "import '../oci/a.ts';", 'src/oci/b.ts': "import '../spec/b.ts';" };

    expect(violationsOf(files)).toEqual(['A cycle of modules: spec -> oci -> spec']);
  });
});
