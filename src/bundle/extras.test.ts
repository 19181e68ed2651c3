import { describe, expect, it } from 'vitest';
import { testConfig } from '../../test/support/cluster.ts';
import { findMissing } from './closed-world.ts';
import { extraNeeds, withExtras } from './extras.ts';

const sum = 'a'.repeat(64);
const config = testConfig(`  bundle:
    images: [nginx:1]
    files: [{ url: https://example.com/a/tool.bin, sha256: ${sum} }]
    charts:
      - { name: web, version: 1.0.0, repository: https://charts.example.com/, images: [quay.io/x/y:2] }
      - { name: db, version: 2.0.0+b, repository: oci://r.io/charts }
`);
const platforms = ['linux/amd64'];
const image = (name: string, on = platforms): object => ({ kind: 'image', name, origin: name, platforms: on });
const all = [
  image('docker.io/library/nginx:1'),
  image('quay.io/x/y:2'),
  image('r.io/charts/db:2.0.0_b', []),
  { kind: 'chart', name: 'web', version: '1.0.0', origin: 'https://charts.example.com/web.tgz', platforms: [] },
  { kind: 'file', name: 'tool.bin', origin: 'https://example.com/a/tool.bin', platforms: [] },
] as Parameters<typeof findMissing>[1];

describe('what the site names', () => {
  it('is wanted beside what the versions need, an image once with everybody who asked', () => {
    const wanted = { images: [{ name: 'docker.io/library/nginx:1', why: ['a'] }], files: [] };

    const { images, files } = withExtras(wanted, config, [{ name: 'ghcr.io/c/d:3', why: ['chart web'] }]);

    expect(images).toEqual([
      { name: 'docker.io/library/nginx:1', why: ['a', 'listed in spec.bundle.images'] },
      { name: 'ghcr.io/c/d:3', why: ['chart web'] },
    ]);
    expect(files).toMatchObject([{ kind: 'file', name: 'tool.bin', sha256: sum, pinnedBy: 'reference' }]);
  });

  it('has to be in a bundle, each of it', () => {
    expect(findMissing(extraNeeds(config, platforms), all)).toEqual([]);
    for (const left of all) {
      const missing = findMissing(
        extraNeeds(config, platforms),
        all.filter((item) => item !== left),
      );
      expect(missing).toHaveLength(1);
    }
  });
});
