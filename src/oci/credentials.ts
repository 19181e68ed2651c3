import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { InstallerError, messageOf } from '../errors.ts';
import { absent } from './layout-files.ts';

/** What a registry knows an account by. An identity token is exchanged for access tokens and has no password. */
export type Credentials = { readonly username: string; readonly password: string } | { readonly identityToken: string };

/** Finds the credentials for a registry host (`docker.io`, `10.0.0.1:5000`); undefined where there are none: anonymous. */
export type CredentialSource = (registry: string) => Promise<Credentials | undefined>;

interface DockerConfig {
  readonly auths?: Readonly<
    Record<string, { auth?: string; username?: string; password?: string; identitytoken?: string }>
  >;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly credsStore?: string;
}

const helperTimeoutMs = 30_000;
const helperPattern = /^[A-Za-z0-9._-]+$/;

/** Credentials given for hosts in so many words; another source is asked about the others. */
export function fixedCredentials(
  known: Readonly<Record<string, Credentials>>,
  others?: CredentialSource,
): CredentialSource {
  return (registry) => Promise.resolve(known[registry] ?? others?.(registry));
}

/**
 * Credentials as `docker login` keeps them: `config.json` of DOCKER_CONFIG or `~/.docker`, with its helpers (programs named
 * docker-credential-NAME; hosts and secrets pass through their stdin and stdout). An absent file is no error; one that cannot be
 * read, or a helper that fails, is OCI_CREDENTIALS.
 */
export function dockerCredentials(env: NodeJS.ProcessEnv = process.env): CredentialSource {
  const path = join(env['DOCKER_CONFIG'] ?? join(env['HOME'] ?? homedir(), '.docker'), 'config.json');
  let config: Promise<DockerConfig> | undefined;
  return async (registry) => {
    config ??= readConfig(path);
    const { credHelpers, credsStore, auths } = await config;
    const keys = keysOf(registry);
    const helper = keys.map((key) => credHelpers?.[key]).find((name) => name !== undefined) ?? credsStore;
    if (helper !== undefined) {
      const found = await askHelper(helper, keys[0] ?? registry, env);
      if (found !== undefined) return found;
    }
    const entry = keys.map((key) => auths?.[key]).find((item) => item !== undefined);
    return entry && readEntry(entry, registry, path);
  };
}

/** The names that a registry may have in the file, likeliest first. */
function keysOf(registry: string): string[] {
  const hub =
    registry === 'docker.io' ? ['https://index.docker.io/v1/', 'index.docker.io', 'registry-1.docker.io'] : [];
  return [
    ...hub,
    registry,
    `https://${registry}`,
    `https://${registry}/v1/`,
    `https://${registry}/v2/`,
    `http://${registry}`,
  ];
}

async function readConfig(path: string): Promise<DockerConfig> {
  const text = await readFile(path, 'utf8').catch(absent);
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as DockerConfig;
  } catch {
    // The reason would quote the file, secrets and all.
    throw credentialsError(`${path} is not JSON`, 'repair the file, or log in again');
  }
}

function readEntry(
  { auth, username, password, identitytoken }: NonNullable<NonNullable<DockerConfig['auths']>[string]>,
  registry: string,
  path: string,
): Credentials | undefined {
  if (identitytoken !== undefined && identitytoken !== '') return { identityToken: identitytoken };
  if (auth !== undefined && auth !== '') {
    const plain = Buffer.from(auth, 'base64').toString();
    const colon = plain.indexOf(':');
    if (colon < 1) throw credentialsError(`the entry of ${registry} in ${path} is not USER:PASSWORD in base64`);
    return { username: plain.slice(0, colon), password: plain.slice(colon + 1).replace(/\0+$/, '') };
  }
  return username !== undefined && password !== undefined ? { username, password } : undefined;
}

async function askHelper(name: string, registry: string, env: NodeJS.ProcessEnv): Promise<Credentials | undefined> {
  if (!helperPattern.test(name)) throw credentialsError(`'${name}' cannot be the name of a credential helper`);
  const program = `docker-credential-${name}`;
  const { code, stdout } = await runHelper(program, registry, env);
  if (code !== 0) {
    // The protocol of the helpers: this text and exit 1 mean that there is no entry.
    if (/credentials not found/i.test(stdout)) return undefined;
    throw credentialsError(`${program} ended with ${code} when asked for ${registry}`, `run '${program} get' by hand`);
  }
  let answer: { Username?: unknown; Secret?: unknown };
  try {
    answer = JSON.parse(stdout) as typeof answer;
  } catch {
    throw credentialsError(`${program} gave something else than JSON for ${registry}`);
  }
  const { Username: username, Secret: secret } = answer;
  if (typeof username !== 'string' || typeof secret !== 'string' || secret === '') return undefined;
  return username === '<token>' ? { identityToken: secret } : { username, password: secret };
}

function runHelper(
  program: string,
  input: string,
  env: NodeJS.ProcessEnv,
): Promise<{ code: number | null; stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], { env, stdio: ['pipe', 'pipe', 'ignore'], timeout: helperTimeoutMs });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', (error) => {
      reject(
        credentialsError(`${program} cannot be run: ${messageOf(error)}`, 'install it, or take it out of config.json'),
      );
    });
    child.on('close', (code) => {
      resolve({ code, stdout: Buffer.concat(chunks).toString() });
    });
    // A helper may end before it has read everything.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

function credentialsError(message: string, remedy?: string): InstallerError {
  return new InstallerError({ code: 'OCI_CREDENTIALS', message, remedy: remedy ?? 'log in to the registry again' });
}
