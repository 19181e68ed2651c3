import { InstallerError, exitCodes } from '../errors.ts';
import { isDigest, type Digest } from './digest.ts';

/** A repository and the registry it is in. */
export interface RepositoryName {
  /** Host, with a port where it is not the usual one: `registry.k8s.io`, `10.0.0.1:5000`, `[::1]:5000`. */
  readonly registry: string;
  /** Path without the host: `library/nginx`, `coredns/coredns`. */
  readonly repository: string;
}

/** What names an image: a repository, and a tag or a digest or both. Where both are there the digest decides. */
export interface Reference extends RepositoryName {
  readonly tag?: string | undefined;
  readonly digest?: Digest | undefined;
}

const dockerHub = 'docker.io';
const dockerHubAliases: readonly string[] = ['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'];
const component = '[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*';
const repositoryPattern = new RegExp(`^${component}(?:/${component})*$`);
const tagPattern = /^\w[\w.-]{0,127}$/;
const hostPattern = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/;

/**
 * Reads an image reference as people write it: `nginx`, `quay.io/org/app:v1`, `host:5000/app@sha256:…`, `app:v1@sha256:…`.
 * Names without a host are Docker Hub's (`nginx` is `docker.io/library/nginx`); without tag and digest the tag is `latest`.
 * Anything else is an InstallerError OCI_REFERENCE_INVALID. (Grammar: distribution's `reference` package.)
 */
export function parseReference(text: string): Reference {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) throw invalid(text, `${digest} is not a sha256 or sha512 digest`);
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(':');
  const hasTag = colon > named.lastIndexOf('/');
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !tagPattern.test(tag)) throw invalid(text, `'${tag}' cannot be a tag`);
  const name = parseName(hasTag ? named.slice(0, colon) : named, text);
  if (digest !== undefined) return { ...name, ...(tag === undefined ? {} : { tag }), digest };
  return { ...name, tag: tag ?? 'latest' };
}

/** Reads a repository with or without a host: `nginx` → docker.io, library/nginx. Errors as of `parseReference`. */
export function parseRepositoryName(text: string): RepositoryName {
  return parseName(text, text);
}

function parseName(name: string, text: string): RepositoryName {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const hasHost = first !== '' && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const registry = hasHost ? first : dockerHub;
  const path = hasHost ? name.slice(slash + 1) : name;
  if (!hostPattern.test(registry)) throw invalid(text, `'${registry}' is not a host`);
  if (!repositoryPattern.test(path)) {
    const upper = path !== path.toLowerCase() ? ', whose letters must be small' : '';
    throw invalid(text, `'${path}' is not a repository name${upper}`);
  }
  if (path.length > 255) throw invalid(text, 'the repository name is longer than 255 characters');
  const host = dockerHubAliases.includes(registry) ? dockerHub : registry;
  return { registry: host, repository: host === dockerHub && !path.includes('/') ? `library/${path}` : path };
}

/** `docker.io/library/nginx`. */
export function formatRepositoryName({ registry, repository }: RepositoryName): string {
  return `${registry}/${repository}`;
}

/** The whole reference with everything in it: `docker.io/library/nginx:1.29@sha256:…`. `parseReference` reads it back. */
export function formatReference({ registry, repository, tag, digest }: Reference): string {
  return `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** The same repository with this digest and no tag: what a manifest or blob found on the way is addressed by. */
export function withDigest({ registry, repository }: RepositoryName, digest: Digest): Reference {
  return { registry, repository, digest };
}

function invalid(text: string, why: string): InstallerError {
  return new InstallerError({
    code: 'OCI_REFERENCE_INVALID',
    message: `'${text}' is not an image reference: ${why}`,
    remedy: 'write it as [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]',
    exitCode: exitCodes.usage,
  });
}
