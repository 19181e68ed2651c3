import { parse } from 'yaml';
import { messageOf } from '../errors.ts';
import { isPlain, mergeDeep } from '../lib/merge.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import { bundleUsage } from './bundle-errors.ts';
import { readChart, type ChartFiles } from './chart-archive.ts';
import { imageLines, type Uncovered } from './chart-templates.ts';

type Values = Readonly<Record<string, unknown>>;

/** What a chart needs, as far as it can be read. */
export interface ChartImages {
  /** Whole references, with everybody who names them. */
  readonly images: ReadonlyMap<string, readonly string[]>;
  /** Lines of templates whose image nobody can tell. */
  readonly uncovered: readonly Uncovered[];
}

/**
 * The images that a chart names, with these values laid over its own: maps of its values (`repository` with `registry`, `tag` and
 * `digest`) and whole references among them, images written out in templates and CRDs, and what its annotation
 * `artifacthub.io/images` says; of its subcharts too, those that a condition switches off left out. Nothing is rendered: a line that
 * takes its image from somewhere else is told. Pure.
 */
export function findChartImages(files: ChartFiles, values: Values, what: string): ChartImages {
  const chart = readYaml(files, 'Chart.yaml', what);
  const all = mergeDeep(readYaml(files, 'values.yaml', what), values);
  const images = new Map<string, string[]>();
  const uncovered: Uncovered[] = [];
  const add = (text: string, namedBy: string): void => {
    const name = wholeReference(text);
    if (name !== undefined) images.set(name, [...new Set([...(images.get(name) ?? []), namedBy])]);
  };
  const dependencies = (asList(chart['dependencies']) as Values[]).filter(isPlain);
  const subcharts = subchartsOf(files, dependencies, what);
  const own = withoutSubcharts(all, subcharts);
  const appVersion = scalar(chart['appVersion']);
  const covered = new Set<string>();
  for (const { path, text } of imagesOfValues(own, appVersion, scalar(at(all, ['global', 'imageRegistry'])))) {
    // Without a tag nobody knows which image it is, and a template that takes it is not covered.
    if (wholeReference(text) === undefined) continue;
    covered.add(path);
    add(text, `value ${path} of ${what}`);
  }
  const annotation = scalar(at(chart, ['annotations', 'artifacthub.io/images']));
  if (annotation !== undefined) {
    const listed = asList(parseText(annotation, `annotation artifacthub.io/images of ${what}`));
    for (const entry of listed) {
      const image = isPlain(entry) ? scalar(entry['image']) : undefined;
      if (image !== undefined) add(image, `annotation artifacthub.io/images of ${what}`);
    }
  }
  const lines = imageLines(files, covered, what);
  for (const { image, place } of lines.literal) add(image, place);
  uncovered.push(...lines.uncovered);
  for (const { name, files: inner, condition } of subcharts) {
    if (condition.some((path) => at(all, path.split('.')) === false)) continue;
    const global = isPlain(all['global']) ? { global: all['global'] } : {};
    const given = isPlain(all[name]) ? all[name] : {};
    const found = findChartImages(inner, mergeDeep(global, given), `${what}/${name}`);
    for (const [image, namedBy] of found.images) for (const by of namedBy) add(image, by);
    uncovered.push(...found.uncovered);
  }
  return { images, uncovered };
}

interface Subchart {
  /** By which values of the parent reach it. */
  readonly name: string;
  readonly files: ChartFiles;
  /** Paths of values; one that is false switches it off. */
  readonly condition: readonly string[];
}

function subchartsOf(files: ChartFiles, dependencies: readonly Values[], what: string): readonly Subchart[] {
  const folders = new Map<string, Map<string, Buffer>>();
  for (const [path, content] of files) {
    const [, name = '', rest] = /^charts\/([^/]+)(?:\/(.+))?$/.exec(path) ?? [];
    if (name === '' || name.startsWith('.')) continue;
    if (rest === undefined) {
      if (name.endsWith('.tgz')) folders.set(name, new Map(readChart(content, `${what}/${name}`)));
    } else folders.set(name, (folders.get(name) ?? new Map<string, Buffer>()).set(rest, content));
  }
  const found = [...folders].filter(([, inner]) => inner.has('Chart.yaml'));
  return found.flatMap(([folder, inner]) => {
    const chartName = scalar(readYaml(inner, 'Chart.yaml', `${what}/${folder}`)['name']) ?? folder;
    const entries = dependencies.filter(({ name }) => name === chartName);
    const conditionOf = ({ condition }: Values): string[] =>
      (scalar(condition) ?? '').split(',').flatMap((path) => (path.trim() === '' ? [] : [path.trim()]));
    if (entries.length === 0) return [{ name: chartName, files: inner, condition: [] }];
    return entries.map((entry) => ({
      name: scalar(entry['alias']) ?? chartName,
      files: inner,
      condition: conditionOf(entry),
    }));
  });
}

/** Values below the name of a subchart are that one's. */
function withoutSubcharts(values: Values, subcharts: readonly Subchart[]): Values {
  const names = new Set(subcharts.map(({ name }) => name));
  return Object.fromEntries(Object.entries(values).filter(([key]) => !names.has(key)));
}

/** Every image among values, with the path where it stands. */
function imagesOfValues(
  values: Values,
  appVersion: string | undefined,
  globalRegistry: string | undefined,
): { readonly path: string; readonly text: string }[] {
  const found: { path: string; text: string }[] = [];
  const walk = (value: unknown, path: readonly string[]): void => {
    if (Array.isArray(value)) value.forEach((item, index) => walk(item, [...path, String(index)]));
    if (typeof value === 'string' && /image$/i.test(path.at(-1) ?? '') && value !== '') {
      found.push({ path: path.join('.'), text: value });
    }
    if (!isPlain(value)) return;
    const repository = scalar(value['repository']);
    if (repository !== undefined && !/^(?:https?|oci|git):/.test(repository)) {
      const own = scalar(value['registry']);
      const registry = globalRegistry ?? own;
      const name = registry === undefined ? repository : `${registry}/${repository}`;
      const digest = scalar(value['digest']) ?? scalar(value['sha']);
      const tag = scalar(value['tag']) ?? appVersion;
      const mark = digest === undefined ? (tag === undefined ? '' : `:${tag}`) : `@${withAlgorithm(digest)}`;
      found.push({ path: path.join('.'), text: `${name}${mark}` });
    }
    for (const [key, item] of Object.entries(value)) walk(item, [...path, key]);
  };
  walk(values, []);
  return found;
}

function withAlgorithm(digest: string): string {
  return digest.includes(':') ? digest : `sha256:${digest}`;
}

/** Undefined where it is not the reference of one image: no tag, or text of another kind. */
function wholeReference(text: string): string | undefined {
  try {
    const reference = parseReference(text.trim());
    return reference.tag === undefined && reference.digest === undefined ? undefined : formatReference(reference);
  } catch {
    return undefined;
  }
}

function readYaml(files: ChartFiles, name: string, what: string): Values {
  const content = files.get(name);
  const value = content === undefined ? {} : parseText(content.toString(), `${name} of ${what}`);
  return isPlain(value) ? value : {};
}

function parseText(text: string, where: string): unknown {
  try {
    return parse(text, { logLevel: 'silent' });
  } catch (error) {
    throw bundleUsage('CHART_INVALID', `${where} is not YAML: ${messageOf(error)}`, 'see what its repository gives');
  }
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function scalar(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function at(values: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (isPlain(value) ? value[key] : undefined), values);
}
