import { describe, expect, it } from 'vitest';
import { formatReference, parseReference, parseRepositoryName } from './reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('parseReference', () => {
  it.each([
    ['nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1.29', 'docker.io/library/nginx:1.29'],
    ['bitnami/redis', 'docker.io/bitnami/redis:latest'],
    ['docker.io/nginx', 'docker.io/library/nginx:latest'],
    ['index.docker.io/library/nginx:1', 'docker.io/library/nginx:1'],
    ['registry.k8s.io/pause:3.10', 'registry.k8s.io/pause:3.10'],
    ['registry.k8s.io/coredns/coredns:v1.14.2', 'registry.k8s.io/coredns/coredns:v1.14.2'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/app', 'localhost:5000/app:latest'],
    ['10.0.0.1:5000/a/b/c:v1', '10.0.0.1:5000/a/b/c:v1'],
    ['[::1]:5000/app:v1', '[::1]:5000/app:v1'],
    ['Host/app', 'Host/app:latest'],
    [`nginx@${digest}`, `docker.io/library/nginx@${digest}`],
    [`quay.io/a/b:v1@${digest}`, `quay.io/a/b:v1@${digest}`],
    ['a/b__c/d-e--f.g', 'docker.io/a/b__c/d-e--f.g:latest'],
  ])('reads %s as %s, which it reads back', (text, whole) => {
    expect(formatReference(parseReference(text))).toBe(whole);
    expect(formatReference(parseReference(whole))).toBe(whole);
  });

  it.each([
    ['', 'not a repository name'],
    ['Nginx', 'letters must be small'],
    ['nginx:', 'cannot be a tag'],
    ['nginx:-x', 'cannot be a tag'],
    [`nginx:${'x'.repeat(129)}`, 'cannot be a tag'],
    ['nginx@sha256:abc', 'not a sha256 or sha512 digest'],
    ['nginx@', 'digest'],
    ['a//b', 'not a repository name'],
    ['/a', 'not a repository name'],
    ['quay.io/', 'not a repository name'],
    ['a b', 'not a repository name'],
    ['https://quay.io/a', 'not a'],
    [`a/${'b'.repeat(255)}`, 'longer than 255'],
    ['a/../b', 'not a repository name'],
  ])('refuses %j', (text, why) => {
    expect(() => parseReference(text)).toThrow(why);
  });
});

describe('parseRepositoryName', () => {
  it.each([
    ['nginx', { registry: 'docker.io', repository: 'library/nginx' }],
    ['quay.io/a/b', { registry: 'quay.io', repository: 'a/b' }],
  ])('reads %s', (text, name) => {
    expect(parseRepositoryName(text)).toEqual(name);
  });
});
