import { describe, expect, it } from 'vitest';
import { packChart } from '../../test/support/bundle/charts.ts';
import { readChart } from './chart-archive.ts';
import { findChartImages } from './chart-images.ts';

type Files = Readonly<Record<string, string | Buffer>>;

const chartYaml = 'apiVersion: v2\nname: app\nversion: 1.0.0\nappVersion: "2.5"\n';
const digest = `sha256:${'a'.repeat(64)}`;

function find(files: Files, values: Readonly<Record<string, unknown>> = {}): { images: string[]; uncovered: string[] } {
  const archive = packChart('app', { 'Chart.yaml': chartYaml, ...files });
  const { images, uncovered } = findChartImages(readChart(archive, 'app.tgz'), values, 'chart app 1.0.0');
  return { images: [...images.keys()].toSorted(), uncovered: uncovered.map(({ place }) => place) };
}

describe('the images of a chart', () => {
  it.each<[string, Files, Readonly<Record<string, unknown>>, string[]]>([
    [
      'a map of values, with the version of the application where there is no tag',
      { 'values.yaml': 'image: { repository: ghcr.io/a/app, tag: "" }\n' },
      {},
      ['ghcr.io/a/app:2.5'],
    ],
    [
      'registry, tag and digest of their own',
      {
        'values.yaml': `a: { image: { registry: r.io, repository: x/y, tag: v1 } }\nb: { image: { repository: z, digest: "${digest}" } }\n`,
      },
      {},
      [`docker.io/library/z@${digest}`, 'r.io/x/y:v1'],
    ],
    [
      'the values of the site over those of the chart',
      { 'values.yaml': 'image: { repository: ghcr.io/a/app, tag: v1 }\n' },
      { image: { tag: 'v2' } },
      ['ghcr.io/a/app:v2'],
    ],
    [
      'one registry for all of them',
      { 'values.yaml': 'global: { imageRegistry: "" }\nimage: { registry: docker.io, repository: b/c, tag: "1" }\n' },
      { global: { imageRegistry: 'mirror.example.com' } },
      ['mirror.example.com/b/c:1'],
    ],
    [
      'whole references among values and in lists',
      { 'values.yaml': 'sidecarImage: quay.io/s/car:1\njobs:\n  - image: quay.io/j/ob:2\nimage: ""\n' },
      {},
      ['quay.io/j/ob:2', 'quay.io/s/car:1'],
    ],
    [
      'what is written out in templates and CRDs',
      {
        'templates/a.yaml': 'spec:\n  containers:\n    - image: "busybox:1.36" # small\n',
        'crds/b.yaml': '          image: ghcr.io/crd/it:3\n',
        'templates/tests/t.yaml': 'image: never:1\n',
      },
      {},
      ['docker.io/library/busybox:1.36', 'ghcr.io/crd/it:3'],
    ],
    [
      'the annotation',
      {
        'Chart.yaml': `${chartYaml}annotations:\n  artifacthub.io/images: |\n    - name: x\n      image: quay.io/an/not:4\n`,
      },
      {},
      ['quay.io/an/not:4'],
    ],
    [
      'no repository of another kind',
      {
        'values.yaml': 'git: { repository: "https://git.example.com/x.git" }\nother: { repository: noTag }\n',
        'Chart.yaml': 'name: app\nversion: 1.0.0\n',
      },
      {},
      [],
    ],
  ])('are %s', (_what, files, values, images) => {
    expect(find(files, values)).toEqual({ images, uncovered: [] });
  });

  const sub = {
    'Chart.yaml': 'name: db\nversion: 0.1.0\nappVersion: "15"\n',
    'values.yaml': 'image: { registry: docker.io, repository: lib/db }\n',
  };
  const dependsOn = (more: string): string => `${chartYaml}dependencies:\n  - { name: db, version: 0.1.0${more} }\n`;

  it.each<[string, Files, Readonly<Record<string, unknown>>, string[]]>([
    [
      'packed',
      { 'Chart.yaml': dependsOn(''), 'charts/db-0.1.0.tgz': packChart('db', sub) },
      {},
      ['docker.io/lib/db:15'],
    ],
    [
      'in a folder, by the values of the parent',
      {
        'Chart.yaml': dependsOn(''),
        'values.yaml': 'db: { image: { tag: "16" } }\n',
        ...Object.fromEntries(Object.entries(sub).map(([path, text]) => [`charts/db/${path}`, text])),
      },
      {},
      ['docker.io/lib/db:16'],
    ],
    [
      'under another name, with what is global',
      { 'Chart.yaml': dependsOn(', alias: store'), 'charts/db-0.1.0.tgz': packChart('db', sub) },
      { global: { imageRegistry: 'r.io' }, store: { image: { tag: '17' } } },
      ['r.io/lib/db:17'],
    ],
    [
      'not where it is switched off',
      { 'Chart.yaml': dependsOn(', condition: db.enabled'), 'charts/db-0.1.0.tgz': packChart('db', sub) },
      { db: { enabled: false } },
      [],
    ],
  ])('come from a subchart %s', (_what, files, values, images) => {
    expect(find(files, values)).toEqual({ images, uncovered: [] });
  });

  const covered = 'image: { repository: ghcr.io/a/app, tag: v1 }\n';
  const helper = `{{- define "app.image" -}}\n{{ .Values.image.repository }}:{{ .Values.image.tag }}\n{{- end -}}\n{{ define "app.other" }}x:1{{ end }}`;

  it.each<[string, string, boolean]>([
    [
      'a value that is known',
      'image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"',
      true,
    ],
    ['a helper that reads one', 'image: {{ include "app.image" . }}', true],
    [
      'a helper of elsewhere that is handed one',
      'image: {{ include "common.image" (dict "root" .Values.image) }}',
      true,
    ],
    ['a helper that reads none', 'image: {{ include "app.other" . }}', false],
    ['a variable', '- image: {{ $image }}', false],
    ['a value that is no image', 'image: {{ .Values.name }}:{{ .Values.version }}', false],
  ])('a template with %s', (_what, line, isCovered) => {
    const files = {
      'values.yaml': covered,
      'templates/_helpers.tpl': helper,
      'templates/a.yaml': `spec:\n  ${line}\n`,
    };

    expect(find(files)).toEqual({
      images: ['ghcr.io/a/app:v1'],
      uncovered: isCovered ? [] : ['templates/a.yaml of chart app 1.0.0, line 2'],
    });
  });
});

it.each([
  ['text', Buffer.from('no chart')],
  ['an archive of something else', packChart('app', { 'values.yaml': 'a: 1\n' })],
])('%s is no chart', (_what, archive) => {
  expect(() => readChart(archive, 'x.tgz')).toThrow('x.tgz is not a packed chart');
});
