import * as z from 'zod';
import { checkBaseUrl, type Check } from './formats.ts';
import { packageGroups } from './os-packages.ts';
import { checkPackage, checkWord } from './schema-host-settings.ts';
import { path, text } from './schema-values.ts';

/** $releasever and $basearch are words of dnf, not of URLs. */
const checkRepositoryUrl: Check = (value) => checkBaseUrl(value.replaceAll(/\$(releasever|basearch)/g, 'x'));

/** It becomes a part of a path: no slash. */
const checkRelease: Check = (value) =>
  /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(value)
    ? undefined
    : `"${value}" is not a word of os-release such as debian or 9.6`;

const repository = z.strictObject({
  url: text(checkRepositoryUrl, 'URL').describe('Base URL; for rpm, $releasever and $basearch are filled in.'),
  suites: z.array(text(checkWord, 'word')).default([]).describe('For apt: suites such as bookworm.'),
  components: z.array(text(checkWord, 'word')).default([]).describe('For apt: components such as main.'),
  keyFile: path.optional().meta({
    fieldDefault: 'the keyFile of the distribution',
    description: 'Public key (ASCII armoured or binary) that signs the index of the repository.',
  }),
  allowUnsigned: z
    .boolean()
    .default(false)
    .describe(
      'True: an index without a signature is taken, and a repository without a key. Its packages are marked as not pinned.',
    ),
});

const distribution = z.strictObject({
  id: text(checkRelease, 'word').describe('ID of os-release, such as debian or rocky.'),
  version: z
    .preprocess((value) => (typeof value === 'number' ? String(value) : value), text(checkRelease, 'word'))
    .meta({ fieldType: 'text or number' })
    .describe('VERSION_ID of os-release, such as "12" or "9.6".'),
  repositories: z.array(repository).default([]).meta({
    fieldDefault: 'those of the vendor, where offline/packages/ names them',
    description: 'Where the packages come from; hosts of spec.artifacts.mirrors are exchanged.',
  }),
  keyFile: path.optional().describe('Public key of repositories that name none.'),
  groups: z
    .array(z.enum(packageGroups))
    .default([])
    .describe('Groups of offline/packages/: base is every tool that is required or recommended.'),
  packages: z
    .array(text(checkPackage, 'package'))
    .default([])
    .describe('Further packages. Those that hostSettings and missing tools ask for come without being named.'),
});

export const osPackages = z.strictObject({
  distributions: z
    .array(distribution)
    .default([])
    .describe(
      'Releases of the distributions that the hosts have. `bundle create` puts their packages in, with all that they depend on.',
    ),
});
