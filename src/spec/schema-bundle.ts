import * as z from 'zod';
import { messageOf } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { parseReference } from '../oci/reference.ts';
import { checkBaseUrl, type Check } from './formats.ts';
import { path, text } from './schema-values.ts';

const checkImage: Check = (value) => {
  try {
    const { tag, digest } = parseReference(value);
    return tag === undefined && digest === undefined ? `"${value}" has neither tag nor digest` : undefined;
  } catch (error) {
    return messageOf(error);
  }
};

const checkRepository: Check = (value) => checkBaseUrl(value.replace(/^oci:\/\//, 'https://'));

const checkChartName: Check = (value) =>
  /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(value) ? undefined : `"${value}" is not the name of a chart`;

const checkVersion: Check = (value) =>
  /^v?\d+\.\d+\.\d+([+-][A-Za-z0-9.+-]*)?$/.test(value)
    ? undefined
    : `"${value}" is not an exact version such as 1.2.3`;

const checkSha256: Check = (value) =>
  /^[0-9a-f]{64}$/.test(value) ? undefined : `"${value}" is not a SHA-256 in 64 hexadecimal digits`;

const checkDigest: Check = (value) =>
  /^sha256:[0-9a-f]{64}$/.test(value) ? undefined : `"${value}" is not a digest: sha256: and 64 hexadecimal digits`;

const checkTagged: Check = (value) => {
  const problem = checkImage(value);
  if (problem !== undefined) return problem;
  return parseReference(value).digest === undefined ? undefined : `"${value}" has a digest already`;
};

const digest = text(checkDigest, 'digest').transform((value) => value as Digest);

const images = z.array(text(checkImage, 'image')).default([]);

const chart = z.strictObject({
  name: text(checkChartName, 'word').describe('Name of the chart.'),
  version: text(checkVersion, 'version').describe('Its exact version.'),
  repository: text(checkRepository, 'URL').describe(
    'Chart repository (https://…), or the path of a registry below which the chart lies (oci://…).',
  ),
  values: path.optional().describe('Values that the site installs it with: they decide which images it needs.'),
  images: images.describe(
    'Images that cannot be found by reading the chart. Where given, templates whose images cannot be read are taken for covered.',
  ),
  digest: digest.optional().describe('What it must be: digest of the packed chart, or of its manifest in a registry.'),
});

const file = z.strictObject({
  url: text(checkBaseUrl, 'URL').describe('Where it is fetched from, and what it is served as.'),
  sha256: text(checkSha256, 'SHA-256').describe('What it must be.'),
});

export const bundleExtras = z.strictObject({
  images: images.describe('Images by reference.'),
  charts: z.array(chart).default([]).describe('Helm charts. The images that they name come with them.'),
  digests: z
    .record(text(checkTagged, 'image'), digest)
    .default({})
    .describe(
      'What images must be that are named by tag: digests by reference. `installer bundle list FILE --digests` prints them of a bundle.',
    ),
  files: z.array(file).default([]).describe('Files by address and checksum.'),
});
