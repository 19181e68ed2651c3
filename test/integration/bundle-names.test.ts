import { mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBundle, type Bundle } from '../../src/bundle/bundle.ts';
import { extractBundle } from '../../src/bundle/extract.ts';
import { checkRegistry, pushBundle } from '../../src/bundle/push.ts';
import { parseTarget } from '../../src/bundle/registry-mapping.ts';
import { mergeBundles } from '../../src/bundle/rewrite.ts';
import { verifyBundle } from '../../src/bundle/verify.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import type { ClusterConfig } from '../../src/spec/schema.ts';
import { withSupply } from '../../src/workflows/use-bundle.ts';
import { openSite, versions, type Site } from '../support/bundle/site.ts';
import { TestRegistry } from '../support/oci/registry.ts';

let dir: string;
let site: Site;
let bundle: Bundle | undefined;
let target: TestRegistry | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bundle-names-'));
  site = await openSite(dir);
});

afterEach(async () => {
  await bundle?.close();
  await target?.close();
  bundle = target = undefined;
  await site.close();
  await rm(dir, { recursive: true, force: true });
});

describe('a name that ends in a number', () => {
  it('is that of a bundle as any other, where no first part lies beside it', async () => {
    const path = join(dir, 'site.20261121');
    const made = await site.create({ path });
    await writeFile(join(dir, 'site.360'), 'of somebody else');

    bundle = await openBundle(path);
    expect(made.paths).toEqual([path]);
    expect((await verifyBundle(bundle)).isWhole).toBe(true);
    expect((await site.create({ path })).wasThere).toBe(true);
  });

  it('is refused where it is that of a part', async () => {
    await expect(site.create({ path: join(dir, 'site.360') })).rejects.toMatchObject({
      code: 'BUNDLE_OUT',
      exitCode: 2,
    });
    expect(await readdir(dir)).not.toContain('site.360');
  });

  it('is told of in ranges where parts are missing', async () => {
    const { paths } = await site.create({ path: join(dir, 'site.tar'), partBytes: 65_536 });
    await rename(paths.at(-1) ?? '', join(dir, 'site.tar.90000001'));
    const first = `${paths.length}`.padStart(3, '0');
    await expect(openBundle(join(dir, 'site.tar.001'))).rejects.toThrow(
      `${join(dir, `site.tar.${first}`)} to ${join(dir, 'site.tar.90000000')} is missing`,
    );
  });
});

describe('a delta', () => {
  it('does not take the place of its base, whatever the name', async () => {
    const path = join(dir, 'site.tar');
    const { manifestDigest } = await site.create({ path });
    await symlink(path, join(dir, 'link.tar'));
    for (const deltaFrom of [path, join(dir, 'link.tar')]) {
      await expect(site.create({ path, upgradeTo: versions[1], deltaFrom })).rejects.toMatchObject({
        code: 'BUNDLE_OUT',
        exitCode: 2,
      });
    }
    bundle = await openBundle(path);
    expect(bundle.manifestDigest).toBe(manifestDigest);
  });

  it('does not take the place of a part of its base', async () => {
    const path = join(dir, 'site.tar');
    await site.create({ path, partBytes: 200_000 });
    await expect(site.create({ path, upgradeTo: versions[1], deltaFrom: `${path}.001` })).rejects.toMatchObject({
      code: 'BUNDLE_OUT',
    });
  });
});

it('of two platforms that hold different versions is pushed and laid out with what there is of each', async () => {
  const [amd, arm, path] = ['amd.tar', 'arm.tar', 'merged.tar'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  await site.create({ path: amd, platforms: ['linux/amd64'] });
  await site.create({ path: arm, platforms: ['linux/arm64'], upgradeTo: versions[1] });
  await mergeBundles([amd, arm], { path });
  bundle = await openBundle(path);
  expect((await verifyBundle(bundle)).isWhole).toBe(true);

  target = await new TestRegistry().start();
  const store = createRegistryStore();
  const place = parseTarget(`${target.host}/site`, false);
  const { items } = await pushBundle(bundle, store, place);
  const checked = await checkRegistry(bundle, store, place);
  await store.close();
  await extractBundle(bundle, join(dir, 'out'));

  expect(items.flatMap(({ outcome }) => outcome.error ?? [])).toEqual([]);
  expect(checked.flatMap(({ missing, otherDigest }) => [...missing, otherDigest ?? []].flat())).toEqual([]);
  const config = (version: string): ClusterConfig => ({
    ...site.config,
    spec: { ...site.config.spec, kubernetes: { ...site.config.spec.kubernetes, version } },
  });
  const platformsFor = (version: string): Promise<readonly string[]> =>
    withSupply(
      config(version),
      { path },
      () => undefined,
      (_config, supply) => Promise.resolve([...supply.platforms, ...supply.notes]),
    );
  expect(await platformsFor(versions[0])).toEqual(['linux/amd64', 'linux/arm64']);
  expect(await platformsFor(versions[1])).toEqual([
    'linux/arm64',
    expect.stringMatching(/^hosts of linux\/amd64 are refused: for them the bundle lacks \d+ things, such as \S+/),
  ]);
  await expect(platformsFor('v1.35.9')).rejects.toMatchObject({ errors: expect.any(Array) as unknown });
  const only = items.filter(({ item }) => item.kind === 'image' && item.platforms.length === 1);
  expect(only.length).toBeGreaterThan(0);
});
