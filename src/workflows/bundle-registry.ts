import { readFile } from 'node:fs/promises';
import { formatSize } from '../bundle/bundle-errors.ts';
import { checkRegistry, pushBundle, refuseDelta, type CheckedItem } from '../bundle/push.ts';
import { repositoriesIn, repositoryPath } from '../bundle/package-places.ts';
import { mapItems, parseTarget, projectsOf, type MappedItem, type RegistryTarget } from '../bundle/registry-mapping.ts';
import { describeServedDamage, filesHandler, filesPath } from '../bundle/serve-files.ts';
import { exitCodes, InstallerError, InstallerErrors, messageOf, type ExitCode } from '../errors.ts';
import { dockerCredentials, fixedCredentials } from '../oci/credentials.ts';
import type { CopyResult } from '../oci/copy-types.ts';
import { formatReference } from '../oci/reference.ts';
import { makeProjects } from '../oci/projects.ts';
import { createRegistryStore } from '../oci/registry.ts';
import type { RegistryOptions } from '../oci/registry-config.ts';
import { serveRegistry, type ServedRegistry } from '../oci/serve.ts';
import type { WritableOciStore } from '../oci/store.ts';
import { readSecret } from '../spec/secrets.ts';
import type { SecretSource } from '../spec/schema.ts';
import { withBundle, type SignatureInput } from './bundle-look.ts';
import { runBundleTask, type BundlePhase, type BundleRun } from './bundle-run.ts';

export interface AccountInput {
  readonly username: string;
  readonly password: SecretSource;
}

export interface RegistryInput extends SignatureInput {
  readonly path: string;
  /** `HOST[:PORT][/PREFIX]`. */
  readonly target: string;
  readonly keepHosts: boolean;
  readonly plainHttp: boolean;
  readonly insecure: boolean;
  readonly caFile?: string | undefined;
  readonly account?: AccountInput | undefined;
  readonly jobs?: number | undefined;
  /** Make the projects that names begin with, where the registry has projects. */
  readonly createProjects?: boolean | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** The names that a push would give and the projects that it would make sure of, without asking anybody. */
export async function planPush(
  input: RegistryInput,
): Promise<{ readonly mapped: readonly MappedItem[]; readonly projects: readonly string[] }> {
  const target = parseTarget(input.target, input.keepHosts);
  return withBundle(input.path, input, ({ manifest }) => {
    const mapped = mapItems(manifest.items, target);
    return Promise.resolve({ mapped, projects: input.createProjects === true ? projectsOf(mapped) : [] });
  });
}

/** Pushes a bundle into a registry; a second run goes on. */
export async function runBundlePush(input: RegistryInput, run: BundleRun): Promise<{ exitCode: ExitCode }> {
  const target = parseTarget(input.target, input.keepHosts);
  return withBundle(input.path, input, async (bundle) => {
    refuseDelta(bundle);
    return withRegistry(
      input,
      target,
      true,
      (value) => run.emitter.addSecret(value),
      (store, options) =>
        runBundleTask(run, 'bundle push', input.target, pushPhases(input), async (progress) => {
          const { signal } = run;
          let made = 0;
          if (input.createProjects === true) {
            progress.enter('projects');
            const names = projectsOf(mapItems(bundle.manifest.items, target));
            const projects = await makeProjects(target.registry, names, options, signal);
            for (const { name, wasThere } of projects)
              progress.note(`project ${name} ${wasThere ? 'was there' : 'is made'}`);
            made = projects.filter(({ wasThere }) => !wasThere).length;
          }
          progress.enter('push', made);
          const { items, ...sent } = await pushBundle(bundle, store, target, {
            jobs: input.jobs,
            signal,
            // What is mounted or there goes over no line: it is neither work that is done nor work that is left.
            onProgress: ({ doneBytes, totalBytes, savedBytes }) =>
              progress.transfer('push', doneBytes - savedBytes, totalBytes - savedBytes),
          });
          const errors = items.flatMap(({ outcome }) => outcome.error ?? []);
          if (errors.length > 0) throw new InstallerErrors(errors);
          for (const { to, outcome } of items) {
            if (outcome.status !== 'narrowed') continue;
            progress.note(`${formatReference(to)} names what the bundle has of it: the registry wants whole indexes`);
          }
          const changes = items.filter(({ outcome }) => outcome.status !== 'present').length;
          progress.note(
            `${items.length} items are in ${input.target}: ${changes} pushed, ${items.length - changes} were there; ${formatBlobs(sent)}`,
          );
          return { changes, next: [`installer bundle check ${input.path} --registry ${input.target}`] };
        }),
    );
  });
}

/** What went over the line, and what did not have to. Pure. */
export function formatBlobs({
  blobs,
  blobBytes,
  sentBytes,
}: Pick<CopyResult, 'blobs' | 'blobBytes' | 'sentBytes'>): string {
  const saved = (count: number, bytes: number): string =>
    count === 0 ? `${count}` : `${count} (${formatSize(bytes)})`;
  const sent = `${blobs.written} blobs sent (${formatSize(sentBytes)} went over the line)`;
  return `${sent}, ${saved(blobs.mounted, blobBytes.mounted)} mounted, ${saved(blobs.present, blobBytes.present)} were there`;
}

function pushPhases({ createProjects }: RegistryInput): readonly BundlePhase[] {
  const projects = { id: 'projects', title: 'Make projects' };
  return [...(createProjects === true ? [projects] : []), { id: 'push', title: 'Push' }];
}

/** What a registry lacks of a bundle. */
export async function checkBundle(input: RegistryInput, signal: AbortSignal): Promise<readonly CheckedItem[]> {
  const target = parseTarget(input.target, input.keepHosts);
  return withBundle(input.path, input, (bundle) =>
    withRegistry(
      input,
      target,
      false,
      () => undefined,
      (store) => checkRegistry(bundle, store, target, signal),
    ),
  );
}

export interface ServeInput extends SignatureInput {
  readonly path: string;
  readonly host: string;
  readonly port: number;
  readonly certificateFile?: string | undefined;
  readonly keyPemFile?: string | undefined;
  readonly account?: (AccountInput & { readonly scheme: 'basic' | 'token' }) | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** Where everything of a bundle is served. */
export interface ServedAddresses {
  readonly registry: string;
  readonly files: string;
  /** Of repositories of packages, by name. */
  readonly packages: Readonly<Record<string, string>>;
}

/** Serves a bundle until the signal; `onListening` is told the addresses, `onDamaged` what of it cannot be given. */
export async function serveBundle(
  input: ServeInput,
  signal: AbortSignal,
  onListening: (addresses: ServedAddresses) => void,
  onDamaged: (message: string) => void,
): Promise<void> {
  const { certificateFile, keyPemFile, account, host, port } = input;
  if ((certificateFile === undefined) !== (keyPemFile === undefined)) {
    throw new InstallerError({
      code: 'BUNDLE_TLS',
      message: 'a certificate and its key are given together or not at all',
      remedy: 'give both --tls-cert and --tls-key',
      exitCode: exitCodes.usage,
    });
  }
  const tls =
    certificateFile === undefined || keyPemFile === undefined
      ? undefined
      : { certificate: await readPem(certificateFile), key: await readPem(keyPemFile) };
  const password = account && (await readSecret(account.password, 'the password of the registry', input.env));
  await withBundle(input.path, input, async (bundle) => {
    refuseDelta(bundle);
    const others = filesHandler(bundle);
    const login = account === undefined || password === undefined ? undefined : { ...account, password };
    const served: ServedRegistry = await serveRegistry(bundle.store, {
      ...{ host, port, tls, account: login, others },
      onDamaged: (error) => onDamaged(describeServedDamage(input.path, error)),
    });
    const { url } = served;
    const repositories = repositoriesIn(bundle.manifest.items);
    onListening({
      registry: url,
      files: `${url}${filesPath.slice(0, -1)}`,
      packages: Object.fromEntries(repositories.map((name) => [name, `${url}/${repositoryPath(name)}`])),
    });
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await served.close();
  });
}

async function withRegistry<T>(
  input: RegistryInput,
  { registry }: RegistryTarget,
  willPush: boolean,
  addSecret: (value: string) => void,
  work: (store: WritableOciStore, options: RegistryOptions) => Promise<T>,
): Promise<T> {
  const { account, caFile, plainHttp, insecure, env } = input;
  const password = account && (await readSecret(account.password, `the password of ${registry}`, env));
  if (password !== undefined) addSecret(password);
  const known =
    account === undefined || password === undefined ? {} : { [registry]: { username: account.username, password } };
  const ca = caFile === undefined ? undefined : await readPem(caFile);
  const options: RegistryOptions = {
    hosts: { [registry]: { ca, insecure, ...(plainHttp ? { plainHttp } : {}) } },
    credentials: fixedCredentials(known, dockerCredentials(env)),
    proxyEnv: env,
    willPush,
  };
  const store = createRegistryStore(options);
  try {
    return await work(store, options);
  } finally {
    await store.close();
  }
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new InstallerError({
      code: 'FILE_UNREADABLE',
      message: `${path} cannot be read: ${messageOf(error)}`,
      remedy: 'correct the path',
      exitCode: exitCodes.usage,
    });
  }
}
