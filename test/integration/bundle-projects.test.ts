import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mapItems, parseTarget, projectsOf } from '../../src/bundle/registry-mapping.ts';
import { pushBundle } from '../../src/bundle/push.ts';
import { openBundle, type Bundle } from '../../src/bundle/bundle.ts';
import { fixedCredentials } from '../../src/oci/credentials.ts';
import { makeProjects } from '../../src/oci/projects.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import type { RegistryOptions } from '../../src/oci/registry-config.ts';
import { openSite, type Site } from '../support/bundle/site.ts';
import { account, startDockerRegistry, type DockerRegistry } from '../support/oci/docker-registry.ts';
import { startHarborStandIn, type HarborStandIn } from '../support/oci/harbor.ts';
import { findDockerRegistry, isMissing, pathOf } from '../support/oci/tools.ts';

/** Projects against a stand-in for Harbor's API, with a real registry behind it. */
const tool = await findDockerRegistry();
describe.skipIf(isMissing('projects of a registry', tool))('projects, of a stand-in for Harbor', () => {
  let dir: string;
  let site: Site;
  let bundle: Bundle;
  let registry: DockerRegistry;
  let harbor: HarborStandIn;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'bundle-projects-'));
    site = await openSite(dir);
    const path = join(dir, 'site.tar');
    await site.create({ path });
    bundle = await openBundle(path);
    registry = await startDockerRegistry(pathOf(tool), join(dir, 'registry'), { auth: 'token' });
  });
  afterAll(async () => {
    await bundle.close();
    await registry.stop();
    await site.close();
    await rm(dir, { recursive: true, force: true });
  });
  beforeEach(async () => {
    harbor = await startHarborStandIn(registry.host);
  });
  afterEach(() => harbor.stop());

  function optionsFor(user: typeof account | { username: string; password: string } = account): RegistryOptions {
    return { credentials: fixedCredentials({ [harbor.host]: user }), willPush: true };
  }

  it('are made before a push, private, and looked at only where they are there', async () => {
    const target = parseTarget(harbor.host, true);
    const names = projectsOf(mapItems(bundle.manifest.items, target));
    const store = createRegistryStore(optionsFor());
    const without = await pushBundle(bundle, store, target, { attempts: 1 });
    expect(new Set(without.items.map(({ outcome }) => outcome.error?.code))).toEqual(new Set(['OCI_NOT_FOUND']));

    const made = await makeProjects(harbor.host, names, optionsFor());
    const { items } = await pushBundle(bundle, store, target);
    harbor.mayCreate = false;
    const again = await makeProjects(harbor.host, names, optionsFor());

    expect(names).toEqual(
      ['docker.io', 'ghcr.io', 'installer', 'registry.k8s.io'].filter((name) => names.includes(name)),
    );
    expect(names).toContain('registry.k8s.io');
    expect(made).toEqual(names.map((name) => ({ name, wasThere: false })));
    expect([...harbor.projects.values()]).toEqual(names.map(() => ({ public: 'false' })));
    expect(items.filter(({ outcome }) => outcome.error !== undefined)).toEqual([]);
    expect(again).toEqual(names.map((name) => ({ name, wasThere: true })));
    expect(harbor.apiCalls.filter((call) => call.startsWith('POST'))).toHaveLength(names.length);
    await store.close();
  });

  it.each([
    [
      'a wrong password',
      { username: account.username, password: 'wrong' },
      true,
      'OCI_UNAUTHORIZED',
      '--password-file',
    ],
    ['an account that may not', account, false, 'OCI_FORBIDDEN', 'have offline made by somebody who may'],
  ])('%s is an error that says what is missing', async (_what, user, mayCreate, code, remedy) => {
    harbor.mayCreate = mayCreate;

    const failure: unknown = await makeProjects(harbor.host, ['offline'], optionsFor(user)).catch(
      (error: unknown) => error,
    );

    expect(failure).toMatchObject({ code, remedy: expect.stringContaining(remedy) as string });
    expect(harbor.projects.size).toBe(0);
  });

  it('a registry without projects says so', async () => {
    const options = { credentials: fixedCredentials({ [registry.host]: account }) };

    await expect(makeProjects(registry.host, ['offline'], options)).rejects.toMatchObject({
      code: 'OCI_NO_PROJECTS',
      remedy: expect.stringContaining('leave out --create-projects') as string,
    });
  });
});
