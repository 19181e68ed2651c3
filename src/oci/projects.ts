import { isNotFound, OciError } from './oci-errors.ts';
import type { RegistryOptions } from './registry-config.ts';
import { createPlaces } from './registry-places.ts';
import type { EndpointRequest } from './endpoint.ts';

/** A project of a registry, and whether it had to be made. */
export interface MadeProject {
  readonly name: string;
  readonly wasThere: boolean;
}

/**
 * Makes the projects that are not there, private ones, through the API of Harbor (v2.0). What is there is only looked at, which
 * needs no right to make any. OCI_UNAUTHORIZED, OCI_FORBIDDEN, or OCI_NO_PROJECTS where the registry has no such API.
 */
export async function makeProjects(
  registry: string,
  names: readonly string[],
  options: RegistryOptions,
  signal?: AbortSignal,
): Promise<readonly MadeProject[]> {
  const places = createPlaces(options);
  const { endpoint } = places.origin(registry);
  const path = '/api/v2.0/projects';
  const common = { scopes: {}, asAccount: true, maxBytes: 1024 * 1024, signal } as const;
  const ask = async (
    what: string,
    request: Pick<EndpointRequest, 'method' | 'target' | 'accept' | 'body' | 'headers'>,
  ) => {
    const answer = await endpoint.request({ ...common, ...request, what });
    return answer.status;
  };
  try {
    const projects: MadeProject[] = [];
    for (const name of names) {
      const target = `${path}?project_name=${encodeURIComponent(name)}`;
      let status = await ask(`looking for the project ${name}`, { method: 'HEAD', target, accept: [200, 404] });
      if (status === 404) {
        const body = Buffer.from(JSON.stringify({ project_name: name, metadata: { public: 'false' } }));
        const headers = { 'content-type': 'application/json' };
        status = await ask(`making the project ${name}`, {
          method: 'POST',
          target: path,
          accept: [201, 409],
          headers,
          body,
        });
      }
      projects.push({ name, wasThere: status !== 201 });
    }
    return projects;
  } catch (error) {
    throw error instanceof OciError ? explain(error, registry, names) : error;
  } finally {
    places.close();
  }
}

function explain(error: OciError, registry: string, names: readonly string[]): OciError {
  const { message, status } = error;
  if (isNotFound(error)) {
    return new OciError({
      code: 'OCI_NO_PROJECTS',
      message: `${message}: it has no API for projects, as Harbor has`,
      remedy: 'leave out --create-projects: other registries make repositories by themselves',
      status,
    });
  }
  if (error.code === 'OCI_UNAUTHORIZED') {
    return new OciError({
      code: error.code,
      message,
      remedy: `give user and password of an account of ${registry} (--username with --password-env or --password-file, or docker login); a token will not do`,
      status,
    });
  }
  if (error.code !== 'OCI_FORBIDDEN') return error;
  return new OciError({
    code: error.code,
    message,
    remedy: `let the account create projects (Harbor: administrator, "Project Creation: Everyone", or a robot account with the permission to create projects), or have ${names.join(', ')} made by somebody who may`,
    status,
  });
}
