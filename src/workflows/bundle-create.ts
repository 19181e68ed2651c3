import { arch } from 'node:process';
import { runningBinary } from '../assets.ts';
import { bundleUsage, formatSize } from '../bundle/bundle-errors.ts';
import { createBundle } from '../bundle/create.ts';
import { checkInstallers, type InstallerBinary } from '../bundle/installer-binary.ts';
import { readPrivateKey } from '../bundle/signature.ts';
import { readRepositoryKey } from './bundle-repository-key.ts';
import { formatWritten } from '../bundle/write-bundle.ts';
import { describeDamage, type VerifiedResult } from '../bundle/write-verified.ts';
import type { ExitCode } from '../errors.ts';
import { loadClusterConfig } from '../spec/load.ts';
import { readJudge } from './bundle-look.ts';
import { runBundleTask, type BundleRun } from './bundle-run.ts';

export interface BundleCreateInput {
  readonly configFile: string;
  readonly path: string;
  /** Empty: that of the machine this runs on. */
  readonly platforms: readonly string[];
  readonly upgradeTo?: string | undefined;
  readonly deltaFrom?: string | undefined;
  /** Public key that the base of a delta must be signed with. */
  readonly baseKeyFile?: string | undefined;
  readonly partBytes?: number | undefined;
  readonly signKeyFile?: string | undefined;
  /** OpenPGP private key for the indexes of package repositories. */
  readonly repositoryKeyFile?: string | undefined;
  readonly jobs?: number | undefined;
  readonly allowUnpinned: boolean;
  readonly allowMissingInstaller: boolean;
  /** Read every byte of the bundle in the end, and mend what is damaged. */
  readonly verifyContent: boolean;
  /** Programs to put in, beside the one that runs. */
  readonly installers: readonly InstallerBinary[];
  readonly env: NodeJS.ProcessEnv;
}

const phases = [
  { id: 'plan', title: 'Find out what is needed' },
  { id: 'fetch', title: 'Fetch it' },
] as const;
const verifyPhase = { id: 'verify', title: 'Read it, and mend what is damaged' };

/** From a cluster file to one file in which nothing is missing. */
export async function runBundleCreate(input: BundleCreateInput, run: BundleRun): Promise<{ exitCode: ExitCode }> {
  const config = await loadClusterConfig(input.configFile);
  const signKey = input.signKeyFile === undefined ? undefined : await readPrivateKey(input.signKeyFile);
  const repositoryKey =
    input.repositoryKeyFile === undefined ? undefined : await readRepositoryKey(input.repositoryKeyFile);
  if (input.baseKeyFile !== undefined && input.deltaFrom === undefined) {
    throw bundleUsage('SIGNATURE_POLICY', '--base-key goes with --delta-from', 'name the base, or leave the key out');
  }
  const judgeBase = await readJudge({ keyFile: input.baseKeyFile });
  const platforms = input.platforms.length === 0 ? [runningPlatform()] : [...new Set(input.platforms)];
  const allPhases = input.verifyContent ? [...phases, verifyPhase] : phases;
  return runBundleTask(run, 'bundle create', config.metadata.name, allPhases, async (progress) => {
    let isReading = false;
    progress.enter('plan');
    if (input.platforms.length === 0) progress.note(`no --platform is given: the bundle is for ${platforms.join()}`);
    if (config.spec.osPackages.distributions.length === 0) {
      progress.note('no packages of distributions are in the bundle: spec.osPackages names none');
    }
    const installers = installersOf(input.installers, platforms);
    const lacking = checkInstallers(installers, platforms, input.allowMissingInstaller);
    if (lacking.length > 0) progress.note(`the installer itself is not in the bundle for ${lacking.join(', ')}`);
    const result = await createBundle({
      ...input,
      config,
      signKey,
      judgeBase,
      repositoryKey,
      platforms,
      installers,
      signal: run.signal,
      addSecret: (value) => run.emitter.addSecret(value),
      onNote: (message) => progress.note(message),
      onPlanned: ({ items, blobs }) => {
        progress.enter('fetch');
        const bytes = blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        progress.note(`${items.length} items of ${blobs.length} blobs; nothing is missing`);
        progress.transfer('bundle', 0, bytes);
      },
      onProgress: ({ doneBytes, totalBytes }) => progress.transfer('bundle', doneBytes, totalBytes),
      onVerify: ({ doneBytes, totalBytes }) => {
        if (!isReading) progress.enter('verify');
        isReading = true;
        progress.transfer('bytes read', doneBytes, totalBytes);
      },
      onDamaged: (found) => {
        for (const line of describeDamage(found)) progress.note(`damaged, and fetched anew: ${line}`);
      },
    });
    const what = formatOutcome(result, input.verifyContent);
    progress.note(`${result.paths.join(', ')} ${what}: ${formatWritten(result)}, manifest ${result.manifestDigest}`);
    return {
      changes: result.wasThere ? 0 : 1,
      next: [`installer bundle verify ${input.path}`, `installer bundle inspect ${input.path}`],
    };
  });
}

/** What is known of the file in the end, and what is not. Pure. */
export function formatOutcome(
  { wasThere, mendedBlobs, fetchedBytes }: Pick<VerifiedResult, 'wasThere' | 'mendedBlobs' | 'fetchedBytes'>,
  verifyContent: boolean,
): string {
  if (mendedBlobs > 0)
    return `was damaged in ${mendedBlobs} blobs and is whole again (${formatSize(fetchedBytes)} fetched)`;
  if (!wasThere) return verifyContent ? 'is written, and every byte of it was read again' : 'is written';
  return verifyContent
    ? 'is there already, and every byte of it is right'
    : 'is there already, by its table of contents and its length; its blobs were not read (--verify-content reads them)';
}

/** The platform of this machine in OCI's words. */
export function runningPlatform(): string {
  return `linux/${arch === 'x64' ? 'amd64' : arch}`;
}

function installersOf(given: readonly InstallerBinary[], platforms: readonly string[]): readonly InstallerBinary[] {
  const own = runningBinary();
  const platform = runningPlatform();
  const isWanted = platforms.includes(platform) && !given.some((installer) => installer.platform === platform);
  return own === undefined || !isWanted ? given : [...given, { platform, path: own }];
}
