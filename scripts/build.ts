import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build as bundle, type Metafile, type Plugin } from 'esbuild';

const packageRoot = join(import.meta.dirname, '..');

/**
 * ssh2 takes its compiled modules inside try/catch and does without them. A module that throws is the honest way to
 * leave them out: an empty one would let ssh2 believe that the binding is there.
 */
const withoutNativeModules: Plugin = {
  name: 'without-native-modules',
  setup(build) {
    build.onResolve({ filter: /\.node$|^cpu-features$/ }, ({ path }) => ({ path, namespace: 'native' }));
    build.onLoad({ filter: /.*/, namespace: 'native' }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${path} is not part of the bundle`)});`,
    }));
  },
};

/**
 * Bundles src/main.ts with all its libraries into one file. CommonJS, for that is what a single executable can cache
 * compiled; modules behind import() are in the same file and run when they are first asked for.
 */
export async function buildBundle(outfile: string): Promise<Metafile> {
  mkdirSync(join(outfile, '..'), { recursive: true });
  const result = await bundle({
    absWorkingDir: packageRoot,
    entryPoints: ['src/main.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    // The text stays in memory twice, as a page of the file and as V8's: no blanks, and the names, so that a stack in a run log can be read.
    minifyWhitespace: true,
    lineLimit: 120,
    legalComments: 'none',
    metafile: true,
    define: { 'import.meta.dirname': '__dirname', 'import.meta.url': '__bundleUrl' },
    banner: { js: "const __bundleUrl=require('node:url').pathToFileURL(__filename).href;" },
    plugins: [withoutNativeModules],
    logLevel: 'warning',
  });
  writeFileSync(outfile, inAscii(readFileSync(outfile, 'utf8')));
  return result.metafile;
}

/**
 * One letter outside ASCII doubles the memory that the text of the program takes. esbuild writes such letters as escapes, but in
 * comments of libraries.
 */
function inAscii(text: string): string {
  const lines = text.split('\n').map((line) => {
    // eslint-disable-next-line no-control-regex -- all that is not ASCII
    const plain = line.replaceAll(/[^\u0000-\u007F]/g, '?');
    if (plain !== line && !/^\s*(\/\/|\*)/.test(line)) throw new Error(`not ASCII, and no comment: ${line.trim()}`);
    return plain;
  });
  return lines.join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const outfile = join(packageRoot, 'dist', 'installer.cjs');
  await buildBundle(outfile);
  console.log(`Built ${outfile}`);
}
